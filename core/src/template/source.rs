//! Prepares a text for the parser: what Ansible does to backslashes, and bounds on what is parsed at all.
//!
//! The parser would decode escapes in string literals. Ansible decodes them in statements and template files, but not in
//! the `{{ … }}` of a playbook. So every literal is handed to the parser in a form that decodes to what was written,
//! and `lower` decodes where Ansible does.

use super::error::{ErrorKind, TemplateError};

/// The longest text that is parsed, in bytes.
const MAX_SOURCE: usize = 4 << 20;
/// The most operators in one `{{ … }}` or `{% … %}`: the parser's trees are as deep as that.
const MAX_OPERATORS: usize = 3000;

/// The delimiters of a template language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Delimiters {
    pub(crate) variable: (String, String),
    pub(crate) block: (String, String),
    pub(crate) comment: (String, String),
}

impl Default for Delimiters {
    fn default() -> Self {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        Delimiters { variable: pair("{{", "}}"), block: pair("{%", "%}"), comment: pair("{#", "#}") }
    }
}

/// A text with doubled backslashes, and how its offsets relate to the original.
pub(crate) struct Prepared {
    pub(crate) text: String,
    /// Offsets in `text` after which one more byte was inserted, ascending.
    inserted: Vec<usize>,
}

impl Prepared {
    /// The offset in the original text.
    pub(crate) fn original(&self, offset: usize) -> usize {
        offset - self.inserted.partition_point(|&i| i < offset)
    }
}

/// The most `elif` in one text: each is a level of the parser's recursion.
const MAX_BRANCHES: usize = 120;

enum Zone {
    Text,
    Tag { close: usize, operators: usize },
    Literal { quote: u8, close: usize, operators: usize },
    Raw,
}

/// Doubles the backslashes of string literals. `expression` texts are inside a tag from their first byte.
pub(crate) fn prepare(text: &str, delimiters: &Delimiters, expression: bool) -> Result<Prepared, TemplateError> {
    if text.len() > MAX_SOURCE {
        return Err(TemplateError::new(
            ErrorKind::Limit,
            format!("the template is longer than {} MiB", MAX_SOURCE >> 20),
        ));
    }
    let ends = [delimiters.variable.1.as_str(), delimiters.block.1.as_str(), ""];
    let mut out = String::with_capacity(text.len() + 16);
    let mut inserted = Vec::new();
    let mut branches = 0;
    let mut zone = if expression { Zone::Tag { close: 2, operators: 0 } } else { Zone::Text };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let mut step = rest.chars().next().map_or(1, char::len_utf8);
        zone = match zone {
            Zone::Text => {
                if rest.starts_with(&delimiters.comment.0) {
                    step = rest.find(&delimiters.comment.1).map_or(rest.len(), |e| e + delimiters.comment.1.len());
                    Zone::Text
                } else if rest.starts_with(&delimiters.block.0) {
                    step = delimiters.block.0.len();
                    let word = rest[step..].trim_start_matches(['-', '+']).trim_start();
                    if word
                        .strip_prefix("raw")
                        .is_some_and(|w| !w.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                    {
                        Zone::Raw
                    } else {
                        Zone::Tag { close: 1, operators: 0 }
                    }
                } else if rest.starts_with(&delimiters.variable.0) {
                    step = delimiters.variable.0.len();
                    Zone::Tag { close: 0, operators: 0 }
                } else {
                    Zone::Text
                }
            }
            Zone::Raw => {
                let end = rest.find("endraw");
                step = end.map_or(rest.len(), |e| e + "endraw".len());
                Zone::Tag { close: 1, operators: 0 }
            }
            Zone::Tag { close, operators } => {
                let b = rest.as_bytes()[0];
                if !ends[close].is_empty() && rest.starts_with(ends[close]) {
                    step = ends[close].len();
                    Zone::Text
                } else if b == b'\'' || b == b'"' {
                    Zone::Literal { quote: b, close, operators }
                } else {
                    if rest.starts_with("elif") {
                        branches += 1;
                        if branches > MAX_BRANCHES {
                            return Err(TemplateError::new(ErrorKind::Limit, "the template has too many `elif`"));
                        }
                    }
                    let operators = operators + weight(rest, text[..at].bytes().next_back());
                    if operators > MAX_OPERATORS {
                        let message = "the expression is too long to be evaluated";
                        return Err(TemplateError::new(ErrorKind::Limit, message));
                    }
                    Zone::Tag { close, operators }
                }
            }
            Zone::Literal { quote, close, operators } => {
                let b = rest.as_bytes()[0];
                if b == quote {
                    Zone::Tag { close, operators }
                } else if b == b'\\' {
                    double_backslash(rest, &mut out, &mut inserted, &mut step);
                    at += step;
                    zone = Zone::Literal { quote, close, operators };
                    continue;
                } else {
                    Zone::Literal { quote, close, operators }
                }
            }
        };
        out.push_str(&rest[..step]);
        at += step;
    }
    Ok(Prepared { text: out, inserted })
}

/// How much the operator or word at the start of `rest` may deepen the parser's recursion or its tree.
fn weight(rest: &str, before: Option<u8>) -> usize {
    match rest.as_bytes()[0] {
        b'-' => 15,
        b'+' | b'*' | b'/' | b'%' | b'~' | b'|' | b'.' | b'(' | b'[' => 1,
        b'n' | b'a' | b'o' | b'i' | b'e' if !before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            let word = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            match word {
                "not" => 15,
                "and" | "or" | "if" | "is" | "else" => 1,
                _ => 0,
            }
        }
        _ => 0,
    }
}

/// Copies an escape of two characters so that the parser decodes it to exactly these two characters.
fn double_backslash(rest: &str, out: &mut String, inserted: &mut Vec<usize>, step: &mut usize) {
    inserted.push(out.len());
    out.push_str("\\\\");
    let Some(next) = rest[1..].chars().next() else { return };
    if matches!(next, '\\' | '\'' | '"') {
        inserted.push(out.len());
        out.push('\\');
    }
    out.push(next);
    *step = 1 + next.len_utf8();
}

/// Decodes the escapes of a Python string literal.
pub(crate) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(e) = chars.next() else {
            out.push('\\');
            break;
        };
        let hex = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, n: usize| -> Option<char> {
            let digits: String = chars.clone().take(n).collect();
            let code = (digits.len() == n).then(|| u32::from_str_radix(&digits, 16).ok())??;
            for _ in 0..n {
                chars.next();
            }
            char::from_u32(code)
        };
        match e {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(e),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            'x' | 'u' | 'U' => {
                let n = if e == 'x' {
                    2
                } else if e == 'u' {
                    4
                } else {
                    8
                };
                match hex(&mut chars, n) {
                    Some(c) => out.push(c),
                    None => out.extend(['\\', e]),
                }
            }
            '0'..='7' => {
                let mut code = e as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(d) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + d;
                    chars.next();
                }
                out.extend(char::from_u32(code));
            }
            other => out.extend(['\\', other]),
        }
    }
    out
}
