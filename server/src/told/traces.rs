//! When and by whom, in words.

use rectify_core::event::Trace;

/// A trace, but for who says so and when: `changed /etc/motd, by joe, with /usr/bin/chmod`.
pub fn trace(trace: &Trace) -> String {
    let by = [("by", &trace.account), ("with", &trace.program)];
    let by = by.iter().filter_map(|(word, who)| who.as_ref().map(|who| format!("{word} {who}")));
    Some(trace.what.clone()).filter(|what| !what.is_empty()).into_iter().chain(by).collect::<Vec<_>>().join(", ")
}

/// Traces as the record has them, in JSON; what cannot be read is none.
pub fn traces(text: Option<&str>) -> Vec<Trace> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
