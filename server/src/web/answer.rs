//! How answers are made: one place through which everything goes that a browser gets to see.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::PageError;

/// A page from its template.
///
/// Templates escape what they are given; here the characters are taken out that HTML lets through and that make text read otherwise than
/// it is. Our own templates have none of them: whatever is found came from a host, a file or a browser.
pub(super) fn html(template: &impl Template) -> Result<Html<String>, PageError> {
    Ok(Html(harmless(template.render()?)))
}

fn harmless(text: String) -> String {
    if !text.contains(is_harmful) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn is_harmful(c: char) -> bool {
    !matches!(c, '\n' | '\t') && crate::told::text::is_harmful(c)
}

/// Goes on at a place of ours, with GET.
pub(super) fn see(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

/// A part of a path or of a query, percent-encoded (RFC 3986, section 2.1): all but the unreserved characters.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_text_around_is_shown_by_its_number() {
        assert_eq!(harmless("a\u{202e}b\u{1b}[31m\n\tc".into()), "a\\u{202e}b\\u{1b}[31m\n\tc");
        assert_eq!(harmless("größe".into()), "größe");
    }

    #[test]
    fn nothing_of_a_name_is_left_to_be_read_as_path_or_query() {
        assert_eq!(encoded("a/../b?c#d&e \"é"), "a%2F..%2Fb%3Fc%23d%26e%20%22%C3%A9");
    }
}
