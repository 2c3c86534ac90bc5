//! What can go wrong in a template, with the place in its text.

use std::fmt;
use std::ops::Range;

/// The class of a [`TemplateError`]; callers branch on it, users read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text does not parse.
    Syntax,
    /// A variable, an attribute or an item does not exist.
    Undefined,
    /// A filter, a test, a function or a lookup does not exist.
    UnknownName,
    /// A variable is defined by itself, directly or through others.
    Cycle,
    /// A bound on steps, depth, or size was reached.
    Limit,
    /// The construct exists in Ansible but not where this runs.
    Unsupported,
    /// A condition gave something else than true or false.
    NotBoolean,
    /// Anything else: wrong types, bad arguments, a failed conversion.
    Value,
}

/// An error in a template or an expression.
///
/// The message is a lowercase fragment. `span` is a range of bytes of the text that was given to the engine; it is
/// absent when the error lies in the value of a variable that the text uses (then `via` names the variables, outermost
/// first).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The class of the error.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text.
    pub span: Option<Range<usize>>,
    /// What to do about it.
    pub help: Option<String>,
    /// The variables through which the failing text was reached, outermost first.
    pub via: Vec<String>,
}

impl TemplateError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        TemplateError { kind, message: message.into(), span: None, help: None, via: Vec::new() }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.via.is_empty() {
            write!(f, " (through the variable `{}`)", self.via.join("` → `"))?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateError {}

/// Why an evaluation stopped before it had a value.
#[derive(Debug)]
pub(crate) enum Stop {
    Error(Box<TemplateError>),
    /// It needed a value that a rehearsal does not have.
    Unknown(Vec<u32>),
}

/// The result of every internal step.
pub(crate) type R<T> = Result<T, Stop>;

impl From<TemplateError> for Stop {
    fn from(e: TemplateError) -> Self {
        Stop::Error(Box::new(e))
    }
}

/// A plain failure.
pub(crate) fn fail<T>(message: impl Into<String>) -> R<T> {
    Err(TemplateError::new(ErrorKind::Value, message).into())
}

/// A failure of another class.
pub(crate) fn fail_as<T>(kind: ErrorKind, message: impl Into<String>) -> R<T> {
    Err(TemplateError::new(kind, message).into())
}

/// The candidate nearest to `name`, if one is near enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .filter(|c| *c != name && c.len().abs_diff(name.len()) <= limit)
        .map(|c| (distance(name, c), c))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, c)| c)
}

/// Edit distance in which a transposition of neighbours counts once.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
