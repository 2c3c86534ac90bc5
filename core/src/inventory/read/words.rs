//! Splitting a host line into words as Python's `shlex.split(line, comments=True)` does.

use std::ops::Range;

/// A word and where in the line it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) at: Range<usize>,
}

/// Splits a line; a `#` starts a comment even within a word, quotes and backslashes work as in a POSIX shell.
///
/// # Errors
/// What is wrong and at which byte: a quote that is not closed, a backslash at the end.
pub(crate) fn split(line: &str) -> Result<Vec<Word>, (&'static str, usize)> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' => break,
            '\\' => {
                let (_, next) = chars.next().ok_or(("a backslash at the end of the line escapes nothing", at))?;
                open(&mut word, at).text.push(next);
            }
            '\'' | '"' => quoted(c, at, &mut chars, open(&mut word, at))?,
            _ => open(&mut word, at).text.push(c),
        }
        if let Some(word) = &mut word {
            word.at.end = chars.peek().map_or(line.len(), |(n, _)| *n);
        }
    }
    words.extend(word);
    Ok(words)
}

fn open(word: &mut Option<Word>, at: usize) -> &mut Word {
    word.get_or_insert_with(|| Word { text: String::new(), at: at..at })
}

fn quoted(
    quote: char,
    start: usize,
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    word: &mut Word,
) -> Result<(), (&'static str, usize)> {
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Ok(());
        }
        if c == '\\' && quote == '"' {
            let (_, next) = chars.next().ok_or(("a backslash at the end of the line escapes nothing", at))?;
            // Within double quotes only the quote and the backslash can be escaped.
            if next != '\\' && next != '"' {
                word.text.push('\\');
            }
            word.text.push(next);
        } else {
            word.text.push(c);
        }
    }
    Err(("this quote is never closed", start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).unwrap().into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_split_as_shlex_splits_them() {
        assert_eq!(texts(r#"h a=1 b="x y" c='z # w' d=e\ f"#), ["h", "a=1", "b=x y", "c=z # w", "d=e f"]);
        assert_eq!(texts(r#"h a="{'k': \"v\"}" b="\n" c=''"#), ["h", "a={'k': \"v\"}", "b=\\n", "c="]);
        assert_eq!(texts("h a=b#c d=e"), ["h", "a=b"]);
        assert_eq!(split("h 'x").unwrap_err().1, 2);
        assert!(split("h \\").is_err());
    }

    #[test]
    fn words_know_their_place() {
        let words = split("h  a='x y' b").unwrap();
        assert_eq!(words[1].at, 3..10);
        assert_eq!(words[2].at, 11..12);
    }
}
