//! How a line falls into words. OpenSSH has two ways: one for keywords and `Match`, one for arguments.

/// A quote is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenQuote;

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(BLANK)
}

/// The first word of `text` as in `keyword = value`, and the rest; one `=` counts as a blank.
///
/// The rest is `None` when the text ended with the word. Leading blanks give an empty word.
pub(super) fn keyword(text: &str) -> Result<(String, Option<&str>), OpenQuote> {
    let Some(at) = text.find([' ', '\t', '\r', '\n', '"', '=']) else {
        return Ok((text.to_owned(), None));
    };
    let (word, rest) = (&text[..at], &text[at + 1..]);
    match text.as_bytes()[at] {
        b'"' => {
            let (quoted, rest) = rest.split_once('"').ok_or(OpenQuote)?;
            Ok((format!("{word}{quoted}"), Some(skip_blanks(rest))))
        }
        b'=' => Ok((word.to_owned(), Some(skip_blanks(rest)))),
        _ => {
            let rest = skip_blanks(rest);
            let rest = rest.strip_prefix('=').map_or(rest, skip_blanks);
            Ok((word.to_owned(), Some(rest)))
        }
    }
}

/// All arguments: single and double quotes, backslash before quotes, backslashes and blanks; a word that begins with `#` ends the line.
pub(super) fn arguments(text: &str) -> Result<Vec<String>, OpenQuote> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        if chars.peek().is_none_or(|c| *c == '#') {
            return Ok(words);
        }
        let mut word = String::new();
        let mut quote: Option<char> = None;
        while let Some(c) = chars.peek().copied() {
            if quote.is_none() && matches!(c, ' ' | '\t') {
                break;
            }
            chars.next();
            match (c, quote) {
                ('\\', _) => {
                    let escaped =
                        chars.next_if(|next| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' '));
                    word.push(escaped.unwrap_or('\\'));
                }
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return Err(OpenQuote);
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        for (text, word, rest) in [
            ("Port 22", "Port", Some("22")),
            ("Port=22", "Port", Some("22")),
            ("Port \t= 22", "Port", Some("22")),
            ("Port==22", "Port", Some("=22")),
            ("Port", "Port", None),
            (" Port 22", "", Some("Port 22")),
            ("\"a b\" c", "a b", Some("c")),
            ("x\"a b\"c", "xa b", Some("c")),
        ] {
            assert_eq!(keyword(text), Ok((word.to_owned(), rest)), "{text:?}");
        }
        assert_eq!(keyword("\"open"), Err(OpenQuote));
    }

    #[test]
    fn argument_lists() {
        for (text, words) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            ("\"a b\" 'c d'", vec!["a b", "c d"]),
            ("a\\ b \\\"c\\\" \\x", vec!["a b", "\"c\"", "\\x"]),
            ("a#b # c", vec!["a#b"]),
            ("x\"y z\"w", vec!["xy zw"]),
            ("\"\"", vec![""]),
            ("", vec![]),
        ] {
            assert_eq!(arguments(text).unwrap(), words, "{text:?}");
        }
        assert_eq!(arguments("'open"), Err(OpenQuote));
        assert_eq!(arguments("\"a\\"), Err(OpenQuote));
    }
}
