//! What the system says, made fit to be shown: bounded, without control characters, lower-case fragments.

use std::{fmt::Write as _, os::unix::ffi::OsStrExt, path::Path};

use rectify_core::module::HostError;
use rustix::io::Errno;

/// The most bytes of a program's complaint that an error carries.
const COMPLAINT: usize = 4096;

/// Untrusted bytes as one line of text: control characters, bidirectional overrides and bytes that are not UTF-8 are escaped.
pub(super) fn sanitize(bytes: &[u8]) -> String {
    escape(bytes, false)
}

/// As [`sanitize`], but with its line breaks.
pub(super) fn sanitize_lines(bytes: &[u8]) -> String {
    escape(bytes, true)
}

fn escape(bytes: &[u8], lines: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' if lines => out.push('\n'),
                '\t' if lines => out.push(' '),
                '\r' if lines => {}
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    push_unicode(&mut out, c)
                }
                c if c.is_control() => push_unicode(&mut out, c),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn push_unicode(out: &mut String, c: char) {
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

/// A path, fit to be shown.
pub(super) fn show(path: &Path) -> String {
    sanitize(path.as_os_str().as_bytes())
}

/// The end of what a program said: its last lines, sanitized and bounded.
pub(super) fn complaint(bytes: &[u8]) -> String {
    let bytes = bytes.trim_ascii();
    let tail = &bytes[bytes.len().saturating_sub(COMPLAINT)..];
    sanitize_lines(tail).trim().to_owned()
}

/// The system's own words for an error number, without the number.
pub(super) fn words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// An error of the operating system about a path.
pub(super) fn io(action: &str, path: &Path, errno: Errno) -> HostError {
    io_about(action, show(path), errno)
}

/// An error of the operating system about something that is already fit to be shown.
pub(super) fn io_about(action: &str, object: impl Into<String>, errno: Errno) -> HostError {
    HostError::Io {
        action: action.into(),
        object: object.into(),
        message: words(errno),
        errno: Some(errno.raw_os_error()),
    }
}

/// An error of the standard library about a path.
pub(super) fn std_io(action: &str, path: &Path, error: &std::io::Error) -> HostError {
    match error.raw_os_error() {
        Some(number) => io(action, path, Errno::from_raw_os_error(number)),
        None => refuse(action, path, error.to_string()),
    }
}

/// A refusal of our own, about a path.
pub(super) fn refuse(action: &str, path: &Path, why: impl Into<String>) -> HostError {
    HostError::Io { action: action.into(), object: show(path), message: why.into(), errno: None }
}

/// As [`refuse`], with the number that the system would have given.
pub(super) fn refuse_as(action: &str, path: &Path, why: impl Into<String>, errno: Errno) -> HostError {
    HostError::Io { action: action.into(), object: show(path), message: why.into(), errno: Some(errno.raw_os_error()) }
}

/// Refuses a relative path.
pub(super) fn absolute(action: &str, path: &Path) -> Result<(), HostError> {
    if path.is_absolute() { Ok(()) } else { Err(refuse_as(action, path, "the path is not absolute", Errno::INVAL)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_and_broken_text_cannot_reach_a_terminal() {
        assert_eq!(sanitize(b"a\x1b[2J\nb\xffc\xc2\x9b"), "a\\u{1b}[2J\\nb\\xffc\\u{9b}");
        assert_eq!(sanitize("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(sanitize_lines(b"one\r\ntwo\x07"), "one\ntwo\\u{7}");
    }

    #[test]
    fn a_complaint_keeps_the_end() {
        let long = [vec![b'x'; 10_000], b"\nE: the reason\n".to_vec()].concat();
        let shown = complaint(&long);
        assert!(shown.len() <= COMPLAINT && shown.ends_with("E: the reason"));
    }

    #[test]
    fn words_are_lower_case_without_the_number() {
        assert_eq!(words(Errno::NOENT), "no such file or directory");
    }
}
