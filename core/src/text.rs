//! Text of other people's making, made safe to be shown: in terminals, mails and logs.

/// Characters that move the cursor, change colours, or make text read otherwise than it is.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// At most `most` characters of a text on one line, each harmful one as U+FFFD.
pub fn plain(text: &str, most: usize) -> String {
    plain_but(text, most, |_| false)
}

/// As [`plain`]; the characters that `keep` names stay.
pub fn plain_but(text: &str, most: usize, keep: impl Fn(char) -> bool) -> String {
    text.chars().take(most).map(|c| if is_harmful(c) && !keep(c) { '\u{fffd}' } else { c }).collect()
}

/// An error with all that is behind it, in one line: what a cause says that was said already is left out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_move_a_cursor_or_turn_around() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}d\u{200b}", 100), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(plain_but("a\tb\nc", 100, |c| c == '\t'), "a\tb\u{fffd}c");
        assert_eq!(plain("äöü", 2), "äö");
    }

    #[test]
    fn what_is_behind_an_error_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{said}")]
        struct Because {
            said: &'static str,
            source: Option<Box<Because>>,
        }
        let because = |said, source: Option<Because>| Because { said, source: source.map(Box::new) };
        let all = because("writing x: no room", Some(because("no room", Some(because("quota", None)))));
        assert_eq!(chain(&all), "writing x: no room: quota");
    }
}
