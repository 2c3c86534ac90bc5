//! Text that came from a host, made safe for a terminal.

use std::fmt::Write as _;

/// Longer lines are cut: no host fills the screen.
const LONGEST: usize = 2_000;

/// One line: control characters, line ends among them, are shown by their escapes; right-to-left overrides too.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\t' => out.push('\t'),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if is_harmful(c) => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that move the cursor, change colours, or make text read otherwise than it is.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `1 host`, `3 hosts`.
pub(crate) fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// The first names of a list, and how many follow.
pub(crate) fn names(all: &[String], most: usize) -> String {
    let shown: Vec<String> = all.iter().take(most).map(|n| line(n)).collect();
    match all.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_overrides_are_shown_and_not_sent() {
        assert_eq!(line("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\nc\\u{202e}d");
        assert_eq!(line("größe\tä"), "größe\tä");
        assert!(line(&"x".repeat(5000)).chars().count() <= LONGEST + 1);
    }

    #[test]
    fn long_lists_are_cut() {
        let all: Vec<String> = (0..5).map(|i| format!("h{i}")).collect();
        assert_eq!(names(&all, 2), "h0, h1 and 3 more");
        assert_eq!(names(&all, 9), "h0, h1, h2, h3, h4");
        assert_eq!(count(1, "host"), "1 host");
    }
}
