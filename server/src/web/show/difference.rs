//! A difference, as it is shown.

use askama::{Template, filters::HtmlSafe};
use rectify_core::event::Diff;

use crate::told::{items, text::count};

/// How many lines of one difference are shown.
const LINES: usize = 200;
/// How many characters of a line or a value are shown.
const LONG: usize = 1_000;

/// A line of a difference: its class, and its text with its sign.
#[derive(Debug, Clone)]
struct Line {
    class: &'static str,
    text: String,
}

#[derive(Debug, Clone, Template)]
#[template(path = "page/difference.html")]
struct Drawn {
    lines: Vec<Line>,
    more: String,
    /// A value, before and after, on one line.
    value: Option<(String, String)>,
    note: &'static str,
}

/// A difference, as it is shown.
#[derive(Debug, Clone)]
pub(in crate::web) struct DiffView(Drawn);

impl DiffView {
    /// Of a difference in JSON; without one that can be read, of what was seen and what is wanted.
    pub(in crate::web) fn of_json(difference: Option<&str>, seen: Option<&str>, wanted: Option<&str>) -> Self {
        match difference.and_then(|text| serde_json::from_str::<Diff>(text).ok()) {
            Some(diff) => Self::of(&diff),
            None => Self::of(&Diff::Value { before: seen.map(str::to_owned), after: wanted.map(str::to_owned) }),
        }
    }

    /// Of a difference.
    pub(in crate::web) fn of(diff: &Diff) -> Self {
        let empty = Drawn { lines: Vec::new(), more: String::new(), value: None, note: "" };
        DiffView(match diff {
            Diff::Value { before, after } => match items(before.as_deref(), after.as_deref()) {
                Some((gone, new)) => {
                    let signed = |class, sign, all: Vec<String>| {
                        all.into_iter().map(move |item| Line { class, text: cut(&format!("{sign}{item}")) })
                    };
                    let lines = signed("removed", "- ", gone).chain(signed("added", "+ ", new)).collect();
                    limited(Drawn { lines, ..empty })
                }
                None => Drawn { value: Some((side(before.as_deref()), side(after.as_deref()))), ..empty },
            },
            Diff::Text { unified, .. } => {
                let lines = unified.lines().map(|text| Line { class: class(text), text: cut(text) }).collect();
                limited(Drawn { lines, ..empty })
            }
            Diff::Opaque { before, after } => {
                let said = |side: &Option<(u64, String)>| match side {
                    None => "(absent)".to_owned(),
                    Some((size, sum)) => format!("{size} bytes, sha256 {}", sum.get(..12).unwrap_or(sum)),
                };
                Drawn { value: Some((said(before), said(after))), ..empty }
            }
            Diff::Hidden => Drawn { note: "It differs; what it is may not be shown.", ..empty },
        })
    }
}

fn limited(mut drawn: Drawn) -> Drawn {
    let more = drawn.lines.len().saturating_sub(LINES);
    if more > 0 {
        drawn.lines.truncate(LINES);
        drawn.more = format!("… and {}", count(more, "more line"));
    }
    drawn
}

fn class(line: &str) -> &'static str {
    match line.as_bytes().first() {
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "place",
        _ => "",
    }
}

fn side(value: Option<&str>) -> String {
    value.map_or_else(|| "(absent)".to_owned(), cut)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl std::fmt::Display for DiffView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.render().map_err(|_| std::fmt::Error)?)
    }
}

// Its own template escapes every line.
impl HtmlSafe for DiffView {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_content_is_escaped_and_bounded() {
        let unified: String = (0..500).map(|_| format!("+<script>alert(1)</script>{}\n", "é".repeat(2000))).collect();
        let shown = DiffView::of(&Diff::Text { unified, added: 500, removed: 0 }).to_string();
        assert!(!shown.contains("<script"), "{}", &shown[..200]);
        assert!(shown.contains("… and 300 more lines") && shown.len() < 600_000, "{}", shown.len());
    }

    #[test]
    fn lists_tell_what_comes_and_goes() {
        let text = r#"{"kind":"value","before":"[\"a\",\"b\"]","after":"[\"b\",\"c\"]"}"#;
        let shown = DiffView::of_json(Some(text), None, None).to_string();
        assert!(shown.contains("- a") && shown.contains("+ c"), "{shown}");
    }

    #[test]
    fn without_a_difference_what_was_seen_and_wanted_is_told() {
        let shown = DiffView::of_json(Some("no json"), Some("0644"), None).to_string();
        assert!(shown.contains("0644") && shown.contains("(absent)"), "{shown}");
    }
}
