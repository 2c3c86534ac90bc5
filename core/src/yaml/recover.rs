//! Reading on after a syntax error.

use super::{Node, build, syntax};
use crate::diag::{Diagnostic, Diagnostics, FileId, SourceMap};

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// How often one text is read anew after an error.
const MAX_PASSES: usize = 32;
/// How many syntax errors of one text are reported.
const MAX_ERRORS: usize = 10;

/// The documents of one text.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The documents in order; an empty text has none, an empty document is null.
    pub docs: Vec<Node>,
    /// Whether there was no syntax error. Otherwise lines around the errors are missing from the tree, and a complaint that something is
    /// absent would be about our reading, not about the text.
    pub whole: bool,
}

/// Reads a registered text as YAML, adding every problem to `found`.
///
/// After a syntax error the line it is on (then, if that does not help, what contains the line) is left out and the rest is read,
/// so that later errors show as well. Never panics; depth, size and alias expansion are bounded.
pub fn parse(map: &SourceMap, file: FileId, found: &mut Diagnostics) -> Parsed {
    let text = map.text(file);
    if text.len() > MAX_BYTES {
        let message = format!("`{}` is larger than {} MiB", map.name(file), MAX_BYTES >> 20);
        found.push(Diagnostic::error("yaml-size", message));
        return Parsed::default();
    }
    let mut pass = build::pass(text, file);
    let Some(first) = pass.stopped.take() else {
        found.extend(pass.problems);
        return Parsed { docs: pass.docs, whole: true };
    };
    found.push(syntax::translate(&first, text, file));
    let mut errors = 1;
    let mut damaged = text.to_owned();
    let mut region = Region::line(text, syntax::culprit(&first, text));
    for _ in 0..MAX_PASSES {
        blank(&mut damaged, &region);
        pass = build::pass(&damaged, file);
        let Some(next) = pass.stopped.take() else {
            break;
        };
        let at = syntax::offset(&next.error, &damaged);
        if at > region.end {
            errors += 1;
            if errors > MAX_ERRORS {
                break;
            }
            found.push(syntax::translate(&next, text, file));
            region = Region::line(text, syntax::culprit(&next, text));
        } else if let Some(wider) = region.wider(text) {
            region = wider;
        } else {
            break;
        }
    }
    found.extend(pass.problems);
    Parsed { docs: pass.docs, whole: false }
}

/// A line and the deeper ones below it.
struct Region {
    start: usize,
    end: usize,
    indent: usize,
}

impl Region {
    fn line(text: &str, at: usize) -> Self {
        // An error at the end of the text belongs to the last line that says something.
        let at = at.min(text.trim_end().len());
        let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let indent = indent(&text[start..]);
        let mut end = next_line(text, start);
        while end < text.len() {
            let line = &text[end..next_line(text, end)];
            if !line.trim().is_empty() && self::indent(line) <= indent {
                break;
            }
            end += line.len();
        }
        Self { start, end, indent }
    }

    /// The nearest line above that is less indented, with all it contains.
    fn wider(&self, text: &str) -> Option<Self> {
        let mut start = self.start;
        while start > 0 {
            let above = text[..start - 1].rfind('\n').map_or(0, |n| n + 1);
            let line = &text[above..start];
            // At the margin the entry above may be the one that was left open.
            if !line.trim().is_empty() && (indent(line) < self.indent || self.indent == 0) {
                let wider = Self::line(text, above);
                return Some(Self { end: wider.end.max(self.end), ..wider });
            }
            start = above;
        }
        None
    }
}

fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Overwrites a region with blanks, so that every other byte keeps its offset.
fn blank(text: &mut String, region: &Region) {
    let blank: String = text[region.start..region.end].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(region.start..region.end, &blank);
}
