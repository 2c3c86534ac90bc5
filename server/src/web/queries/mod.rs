//! What the page asks the index, one statement per question whatever the number of hosts.
//!
//! Lists go on behind the last row that was seen ("keyset"): the thousandth page costs what the first does. No statement reads all looks, items or
//! transitions; a test asks both databases for their plans.

pub(super) mod fleet;
pub(super) mod host;
pub(super) mod log;
pub(super) mod runs;
pub(super) mod schedules;
pub(super) mod setting;

/// How many rows a page of a list has.
pub(super) const PAGE: usize = 50;

/// The causes of an item that is not as wanted. A list, and not `<> 'fine'`: an index helps with the one and not with the other.
pub(super) const OPEN: &str = "('drift', 'pending', 'both', 'new')";

/// A pattern for `LIKE … ESCAPE '\'` that finds `text` anywhere, in small letters.
fn anywhere(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('%');
    out
}

/// A text as it stands in a JSON list of texts.
fn member(text: &str) -> String {
    if text.is_empty() { String::new() } else { serde_json::Value::from(text).to_string() }
}

/// Placeholders for [`PAGE`] numbers from `$first` on. The statement is the same whatever their number: a database plans it once.
fn ids(first: usize) -> String {
    let all: Vec<String> = (first..first + PAGE).map(|n| format!("${n}")).collect();
    all.join(",")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(super::anywhere("Web_1%"), "%web\\_1\\%%");
        assert_eq!(super::member("a\"b"), "\"a\\\"b\"");
    }
}
