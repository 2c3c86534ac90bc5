//! One problem.

use serde::{Deserialize, Serialize};

use super::Span;

/// How bad a problem is; an error stops the command before any host is contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input can be used, but probably does not mean what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// A place that a problem concerns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is said next to it; may be empty.
    pub text: String,
    /// Whether this is the place of the problem, and not one that explains it.
    pub primary: bool,
}

/// A change of the text that would repair the problem.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Suggestion {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// The new text; empty to delete.
    pub replacement: String,
    /// What the change does, as an imperative fragment.
    pub message: String,
}

/// One problem: what is wrong, where, why, and what to do.
///
/// ```
/// use rectify_core::diag::{Diagnostic, SourceMap, Span, render, Diagnostics};
///
/// let mut map = SourceMap::new();
/// let file = map.add("site.yml", "- hots: all\n");
/// let mut found = Diagnostics::new();
/// found.push(
///     Diagnostic::error("unknown-key", "unknown key `hots` in a play")
///         .at(Span::new(file, 2, 6), "")
///         .suggest(Span::new(file, 2, 6), "hosts", "write `hosts`"),
/// );
/// assert!(render(&map, &found, false).contains("site.yml:1:3"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// A stable name in kebab case, for tools that filter; shown in brackets.
    pub code: &'static str,
    /// What is wrong, as a lowercase fragment without a full stop.
    pub message: String,
    /// The places, the first primary one first in the report.
    pub labels: Vec<Label>,
    /// Facts that explain the problem.
    pub notes: Vec<String>,
    /// What to do, where no patch can be given.
    pub help: Vec<String>,
    /// What to do, as a patch.
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    /// Makes an error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Makes a warning without a place.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Makes a problem without a place.
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity, code, message, labels: vec![], notes: vec![], help: vec![], suggestion: None }
    }

    /// Adds the place of the problem, with a few words (or none) next to it.
    #[must_use]
    pub fn at(self, span: Span, text: impl Into<String>) -> Self {
        self.label(span, text, true)
    }

    /// Adds a place that explains the problem.
    #[must_use]
    pub fn also(self, span: Span, text: impl Into<String>) -> Self {
        self.label(span, text, false)
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Sets the patch that repairs the problem.
    #[must_use]
    pub fn suggest(mut self, span: Span, replacement: impl Into<String>, message: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { span, replacement: replacement.into(), message: message.into() });
        self
    }

    /// The place of the problem: its first primary label.
    pub fn span(&self) -> Option<Span> {
        self.labels.iter().find(|l| l.primary).or(self.labels.first()).map(|l| l.span)
    }

    fn label(mut self, span: Span, text: impl Into<String>, primary: bool) -> Self {
        self.labels.push(Label { span, text: text.into(), primary });
        self
    }
}
