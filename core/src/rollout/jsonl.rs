//! Files of JSON texts, one a line, that are only ever added to.

use serde::Serialize;

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BrokenLine {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Hands every line that is not empty to `each`.
///
/// # Errors
/// Every line of which `each` says what is wrong with it.
pub(super) fn read(text: &str, mut each: impl FnMut(&str) -> Result<(), String>) -> Result<(), Vec<BrokenLine>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let broken = |(number, line)| each(line).err().map(|problem| BrokenLine { line: number + 1, problem });
    let broken: Vec<BrokenLine> = lines.filter_map(broken).collect();
    if broken.is_empty() { Ok(()) } else { Err(broken) }
}

/// A value as its line, with the line's end.
pub(super) fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: what is kept has no keys but strings and dates") + "\n"
}
