//! A run in other programs' formats.

mod csv;
mod junit;
mod reports;
mod sarif;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use rectify_core::event::{Diff, PropertyChange};
use serde::Serialize;

pub use reports::{HostReports, Report, Reports};

use super::Head;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Everything, per host and task.
    Json,
    /// A test suite per host, a test case per task.
    Junit,
    /// Findings and failures, at the lines of their tasks: SARIF 2.1.0.
    Sarif,
    /// A line per property that changed, and per task without any.
    Csv,
}

/// Writes a run.
///
/// # Errors
/// An output that cannot be written.
pub fn export(format: Format, head: &Head, reports: &Reports, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => json(head, reports, out),
        Format::Junit => junit::write(head, reports, out),
        Format::Sarif => sarif::write(head, reports, out),
        Format::Csv => csv::write(head, reports, out),
    }
}

fn json(head: &Head, reports: &Reports, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        head: &'a Head,
        ended: Option<i64>,
        exit_code: Option<u8>,
        results: &'a [HostReports],
    }
    let whole = Whole { head, ended: reports.ended, exit_code: reports.exit_code, results: &reports.hosts };
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)
}

/// A time for other programs.
fn timestamp(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// A change as text: `mode: 0644 → 0600`, or the lines of a difference.
fn change(change: &PropertyChange) -> String {
    let name = if change.property.is_empty() { "it" } else { &change.property };
    let [before, after] = sides(&change.diff);
    match &change.diff {
        Diff::Text { unified, .. } => format!("{name}:\n{unified}"),
        Diff::Hidden => format!("{name}: changed, and not shown"),
        _ => format!("{name}: {before} → {after}"),
    }
}

/// What was before and after, in short.
fn sides(diff: &Diff) -> [String; 2] {
    let absent = || "absent".to_owned();
    match diff {
        Diff::Value { before, after } => [before, after].map(|side| side.clone().unwrap_or_else(absent)),
        Diff::Text { added, removed, .. } => [format!("{removed} lines removed"), format!("{added} lines added")],
        Diff::Opaque { before, after } => [before, after]
            .map(|side| side.as_ref().map_or_else(absent, |(size, hash)| format!("{size} bytes, sha256:{hash}"))),
        Diff::Hidden => ["hidden".to_owned(), "hidden".to_owned()],
    }
}
