//! Lists, before and after.

use serde_json::Value;

/// The items that go and those that come, where both sides are lists of more than one item between them and differ in
/// more than their order.
pub fn items(before: Option<&str>, after: Option<&str>) -> Option<(Vec<String>, Vec<String>)> {
    let list = |text: Option<&str>| match text {
        None => Some(Vec::new()),
        Some(text) if text.starts_with('[') => serde_json::from_str::<Vec<Value>>(text).ok(),
        Some(_) => None,
    };
    let (old, new) = (list(before)?, list(after)?);
    if old.len() + new.len() < 2 {
        return None;
    }
    let said = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    let only = |these: &[Value], those: &[Value]| these.iter().filter(|i| !those.contains(i)).map(said).collect();
    let (gone, come): (Vec<String>, Vec<String>) = (only(&old, &new), only(&new, &old));
    (!gone.is_empty() || !come.is_empty()).then_some((gone, come))
}
