//! Differences as lines of a message.

use rectify_core::{
    event::{Diff, PropertyChange},
    text::plain_but,
};

/// The most lines of a difference that a message shows.
const MOST_LINES: usize = 60;
/// The most characters of a line.
const WIDTH: usize = 500;

/// A difference as lines; what comes from a host is shown, never obeyed.
pub fn lines(changes: &[PropertyChange]) -> Vec<String> {
    let mut lines = Vec::new();
    let none = "(absent)";
    for change in changes {
        let property = if change.property.is_empty() { "state" } else { &change.property };
        match &change.diff {
            Diff::Value { before, after } => lines.push(format!(
                "{property}: {} → {}",
                before.as_deref().unwrap_or(none),
                after.as_deref().unwrap_or(none)
            )),
            Diff::Text { unified, .. } => lines.extend(unified.lines().map(str::to_owned)),
            Diff::Opaque { before, after } => {
                let size = |side: &Option<(u64, String)>| {
                    side.as_ref().map_or_else(|| none.to_owned(), |(size, _)| format!("{size} bytes"))
                };
                lines.push(format!("{property}: {} → {}", size(before), size(after)));
            }
            Diff::Hidden => lines.push(format!("{property}: (not shown)")),
        }
    }
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("… and {more} more lines"));
    }
    for line in &mut lines {
        *line = plain_but(line, WIDTH, |c| c == '\t');
    }
    lines
}
