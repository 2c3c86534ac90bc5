//! Problems in what people wrote, shown where they wrote it.
//!
//! ```text
//! text ──► SourceMap ──► Span ──► Diagnostic ──► Diagnostics ──► render() or to_json()
//! ```
//!
//! A reader of a file registers its text once and hands out [`Span`]s into it. Whoever finds a problem adds a [`Diagnostic`]
//! to the one [`Diagnostics`] of the command and goes on, so that everything that is wrong is shown at once.
//! Nothing here prints.

mod collect;
mod diagnostic;
mod json;
mod render;
mod source;
mod suggest;

pub use collect::Diagnostics;
pub use diagnostic::{Diagnostic, Label, Severity, Suggestion};
pub use json::to_json;
pub use render::render;
pub use source::{FileId, Location, SourceMap, Span};
pub use suggest::did_you_mean;

#[cfg(test)]
mod tests;
