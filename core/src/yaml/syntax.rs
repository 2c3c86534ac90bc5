//! Syntax errors in the words of someone who writes playbooks.

use granit_parser::{ErrorKind, ScanError};

use super::build::Stop;
use crate::diag::{Diagnostic, FileId, Span};

/// Where the error was noticed, within the text.
pub(super) fn offset(error: &ScanError, text: &str) -> usize {
    let mut at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where the mistake most likely is: what was left open, or else where the error was noticed.
pub(super) fn culprit(stop: &Stop, text: &str) -> usize {
    let at = offset(&stop.error, text);
    left_open(stop, text, at).unwrap_or(at)
}

/// The bracket or quote on an earlier line that swallowed what follows.
fn left_open(stop: &Stop, text: &str, at: usize) -> Option<usize> {
    let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
    if matches!(stop.error.kind(), ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar) {
        let openers = [": \"", "- \"", ": '", "- '"];
        return openers.iter().filter_map(|o| text[..line].rfind(o)).max().map(|n| n + 2);
    }
    stop.open.filter(|open| *open < line)
}

/// Translates the parser's error; `text` is the original text.
pub(super) fn translate(stop: &Stop, text: &str, file: FileId) -> Diagnostic {
    let at = offset(&stop.error, text);
    let at = if words(&stop.error).0 == TAB && text[..at].ends_with('\t') { at - 1 } else { at };
    let width = text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    let span = Span::new(file, at, at + width);
    if let Some(open) = left_open(stop, text, at).filter(|o| text.is_char_boundary(*o)) {
        let what = text[open..].chars().next().unwrap_or('"');
        return Diagnostic::error("yaml-syntax", format!("`{what}` is never closed"))
            .at(Span::new(file, open, open + what.len_utf8()), "opened here")
            .also(span, "reading fails here");
    }
    let (message, help) = words(&stop.error);
    let problem = Diagnostic::error("yaml-syntax", message).at(span, "");
    if let Some((start, end)) = unquoted_template(text, at) {
        let value = &text[start..end];
        let quoted =
            if value.contains('"') { format!("'{}'", value.replace('\'', "''")) } else { format!("\"{value}\"") };
        let why = "a value that begins with `{{` must be quoted";
        return problem.suggest(Span::new(file, start, end), quoted, why);
    }
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

const TAB: &str = "tab in the indentation";

fn words(error: &ScanError) -> (String, Option<&'static str>) {
    let spaces = Some("indent with spaces; YAML does not allow tabs there");
    let (message, help) = match error.kind() {
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart => (TAB, spaces),
        ErrorKind::UnclosedQuotedScalar => ("this quote is never closed", None),
        ErrorKind::InvalidQuotedScalarIndent => {
            ("a quoted string must stay indented until it is closed", Some("is its closing quote missing?"))
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("unexpected text after a closing quote", Some("quote the whole value"))
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is never closed"), None);
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), None);
        }
        ErrorKind::ExpectedFlowMappingSeparator => ("expected `,` or `}` here", None),
        ErrorKind::ExpectedFlowSequenceSeparator => ("expected `,` or `]` here", None),
        ErrorKind::ExpectedBlockMappingKey => {
            ("expected a key here", Some("is this line indented like its neighbours?"))
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            ("expected `- ` here", Some("is this line indented like its neighbours?"))
        }
        ErrorKind::InvalidIndentation => ("wrong indentation", Some("is this line indented like its neighbours?")),
        ErrorKind::UnexpectedCharacter { character } => {
            return (
                format!("a plain value cannot begin with `{}`", character.escape_default()),
                Some("put the value in quotes"),
            );
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            "unknown escape in a double-quoted string",
            Some("use single quotes where backslashes are meant as they stand"),
        ),
        ErrorKind::RecursionLimitExceeded => ("nested too deeply", None),
        _ => return (error.info(), None),
    };
    (message.to_owned(), help)
}

/// The value of the line that holds `at`, if it begins with `{{` without quotes.
fn unquoted_template(text: &str, at: usize) -> Option<(usize, usize)> {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    let line = &text[start..end];
    let value = line.find(": {{").map(|n| n + 2).or_else(|| line.find("- {{").map(|n| n + 2))?;
    let quoted = line[..value].contains(['"', '\'']);
    let trimmed = line.trim_end();
    (!quoted && trimmed.len() > value).then(|| (start + value, start + trimmed.len()))
}
