//! Splitting `key=value` text as Ansible does: quotes and templates hold words together.

/// One word of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The word as written.
    pub(crate) raw: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    /// Its parts if it is `key=value`, the value without its quotes.
    pub(crate) fn assignment(&self) -> Option<(&str, &str)> {
        let (name, value) = self.raw.split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| (name, unquote(value)))
    }
}

fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// The words of a text.
///
/// # Errors
/// The offset of a quote that is not closed.
pub(crate) fn split(text: &str) -> Result<Vec<Token>, usize> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut start = None;
    let mut quote: Option<(u8, usize)> = None;
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        let pair = &bytes[at..bytes.len().min(at + 2)];
        let b = bytes[at];
        let mut step = 1;
        match quote {
            Some((open, _)) => {
                if b == b'\\' && open == b'"' {
                    step = 2;
                } else if b == open {
                    quote = None;
                }
            }
            None if matches!(pair, b"{{" | b"{%" | b"{#") => {
                depth += 1;
                step = 2;
                start.get_or_insert(at);
            }
            None if depth > 0 && matches!(pair, b"}}" | b"%}" | b"#}") => {
                depth -= 1;
                step = 2;
            }
            None if b.is_ascii_whitespace() && depth == 0 => {
                if let Some(from) = start.take() {
                    tokens.push(Token { raw: text[from..at].to_owned(), start: from, end: at });
                }
            }
            None => {
                start.get_or_insert(at);
                if (b == b'"' || b == b'\'') && depth == 0 {
                    quote = Some((b, at));
                }
            }
        }
        at += step;
    }
    if let Some((_, at)) = quote {
        return Err(at);
    }
    if let Some(from) = start {
        tokens.push(Token { raw: text[from..].to_owned(), start: from, end: text.len() });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Vec<String> {
        split(text).unwrap().into_iter().map(|t| t.raw).collect()
    }

    #[test]
    fn quotes_and_templates_hold_words_together() {
        assert_eq!(raw("a=1  b='x y' c={{ d | e('f g') }}/z"), ["a=1", "b='x y'", "c={{ d | e('f g') }}/z"]);
    }

    #[test]
    fn an_open_quote_is_pointed_at() {
        assert_eq!(split("a 'b"), Err(2));
        assert_eq!(split(r#"echo "a\"b""#).unwrap().len(), 2);
    }

    #[test]
    fn a_value_loses_its_quotes() {
        let token = split("b='x=y z'").unwrap().remove(0);
        assert_eq!(token.assignment(), Some(("b", "x=y z")));
        assert_eq!(split("--opt=1").unwrap()[0].assignment(), None);
    }
}
