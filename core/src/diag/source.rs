//! The texts that diagnostics point into.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Diagnostic;

/// Names one file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A range of bytes in one file; `end` is exclusive.
///
/// Two spans compare by file, then start, then end, which is the order in which people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// Makes a span; offsets beyond 4 GiB are capped, an end before the start becomes the start.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        let end = u32::try_from(end).unwrap_or(u32::MAX).max(start);
        Self { file, start, end }
    }

    /// The smallest span that covers both; `self` if the files differ.
    pub fn to(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span at the first byte.
    pub fn head(self) -> Self {
        Self { end: self.start, ..self }
    }
}

/// A place as people name it: `file:line:col`, both counted from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The file's name as shown.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub col: usize,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.col)
    }
}

#[derive(Clone, Debug)]
struct Source {
    name: Arc<str>,
    text: Arc<str>,
    lines: Vec<u32>,
    hidden: bool,
}

/// Every text that was read, by [`FileId`]; cloning shares the texts.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<Source>,
}

impl SourceMap {
    /// Makes an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a text under the name that messages show, and returns its id; the same name may be used twice.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| offset(at + 1)));
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { name: name.into(), text, lines, hidden: false });
        id
    }

    /// Registers the bytes of a file that should be UTF-8 text; a byte order mark at the start is dropped.
    ///
    /// # Errors
    /// The problem, at the first byte that is not UTF-8; the text is registered nevertheless, with replacement characters.
    pub fn add_bytes(&mut self, name: impl Into<Arc<str>>, bytes: Vec<u8>) -> Result<FileId, Box<Diagnostic>> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(self.add(name, text.strip_prefix('\u{feff}').unwrap_or(&text))),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let id = self.add(name, String::from_utf8_lossy(error.as_bytes()).as_ref());
                let message = "the file is not UTF-8 text";
                Err(Box::new(Diagnostic::error("encoding", message).at(Span::new(id, at, at + 1), "not UTF-8")))
            }
        }
    }

    /// Keeps a file's text out of messages: it was encrypted.
    pub fn hide(&mut self, file: FileId) {
        if let Some(source) = self.files.get_mut(file.0 as usize) {
            source.hidden = true;
        }
    }

    /// Whether the file's text is kept out of messages.
    pub fn is_hidden(&self, file: FileId) -> bool {
        self.get(file).is_some_and(|source| source.hidden)
    }

    /// The file's name as shown, or `?` for an id of another map.
    pub fn name(&self, file: FileId) -> &str {
        self.get(file).map_or("?", |s| &s.name)
    }

    /// The file's whole text, or nothing for an id of another map.
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |s| &s.text)
    }

    /// The text's shared handle, for callers that outlive the map.
    pub fn shared_text(&self, file: FileId) -> Arc<str> {
        self.get(file).map_or_else(|| Arc::from(""), |s| s.text.clone())
    }

    /// The text under a span, cut to whole characters and to the file's end.
    pub fn slice(&self, span: Span) -> &str {
        let text = self.text(span.file);
        let start = floor(text, span.start as usize);
        &text[start..floor(text, span.end as usize).max(start)]
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing was registered.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The place where a span starts.
    pub fn location(&self, span: Span) -> Location {
        let text = self.text(span.file);
        let at = floor(text, span.start as usize);
        let (line, start) = self.line_of(span.file, at);
        Location { file: self.name(span.file).to_owned(), line: line + 1, col: text[start..at].chars().count() + 1 }
    }

    /// The span of a line (from 1) without its line break; the file's end if there is no such line.
    pub fn line_span(&self, file: FileId, line: usize) -> Span {
        let text = self.text(file);
        let Some(source) = self.get(file) else {
            return Span::default();
        };
        let start = source.lines.get(line.saturating_sub(1)).map_or(text.len(), |s| *s as usize);
        let end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        Span::new(file, start, end)
    }

    /// Index of the line (from 0) that holds a byte, and that line's first byte.
    pub(super) fn line_of(&self, file: FileId, at: usize) -> (usize, usize) {
        let Some(source) = self.get(file) else {
            return (0, 0);
        };
        let line = source.lines.partition_point(|start| *start as usize <= at).saturating_sub(1);
        (line, source.lines.get(line).map_or(0, |s| *s as usize))
    }

    fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The nearest character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
