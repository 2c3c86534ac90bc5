//! From a place within a leaf's text to the place in the file.

use std::ops::Range;

use super::{Node, Style};
use crate::diag::{SourceMap, Span};

impl Node {
    /// The span in the file of a byte range of this leaf's text, for errors within a template.
    ///
    /// Exact where the text stands in the file as it is (plain and quoted without escapes or folding, `|` blocks); the whole node otherwise.
    pub fn inner_span(&self, map: &SourceMap, range: Range<usize>) -> Span {
        self.locate(map.slice(self.span), range).unwrap_or(self.span)
    }

    fn locate(&self, written: &str, range: Range<usize>) -> Option<Span> {
        let scalar = self.as_scalar()?;
        let start = self.span.start as usize;
        let range = range.start.min(scalar.text.len())..range.end.min(scalar.text.len());
        let at = |from: usize, to: usize| Some(Span::new(self.span.file, start + from, start + to));
        match scalar.style {
            Style::Plain => written.starts_with(&scalar.text).then(|| at(range.start, range.end))?,
            Style::Single | Style::Double => {
                written.get(1..)?.starts_with(&scalar.text).then(|| at(range.start + 1, range.end + 1))?
            }
            Style::Literal => {
                let from = literal(written, &scalar.text, range.start)?;
                let to = literal(written, &scalar.text, range.end)?;
                at(from, to.max(from))
            }
            Style::Folded => None,
        }
    }
}

/// The offset in the source of a `|` block of an offset in its text: each line lost the same indentation.
fn literal(written: &str, text: &str, at: usize) -> Option<usize> {
    let line = text.get(..at)?.matches('\n').count();
    let col = at - text[..at].rfind('\n').map_or(0, |n| n + 1);
    let content = text.split('\n').nth(line)?;
    let mut offset = if written.starts_with(['|', '>']) { written.find('\n')? + 1 } else { 0 };
    for _ in 0..line {
        offset += written.get(offset..)?.find('\n')? + 1;
    }
    let rest = written.get(offset..)?;
    let source = rest.split('\n').next()?.trim_end_matches('\r');
    source.ends_with(content).then(|| offset + source.len() - content.len() + col)
}
