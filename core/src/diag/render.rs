//! Problems for people, in rustc's layout.

use std::ops::Range;

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet, normalize_untrusted_str, renderer::DecorStyle,
};

use super::{Diagnostic, Diagnostics, FileId, Label, Severity, SourceMap, Span, source::floor};

/// Lines longer than this are cut by the renderer around what they show.
const WIDTH: usize = 140;

/// Renders the problems in the order of [`Diagnostics::sorted`], a blank line between two, a line break at the end.
///
/// `color` writes terminal escapes; nothing that came from a file does, control characters are shown as pictures.
pub fn render(map: &SourceMap, found: &Diagnostics, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut out = String::new();
    for problem in found.sorted() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&renderer.render(&report(map, problem)));
        out.push('\n');
    }
    out
}

fn report<'a>(map: &'a SourceMap, d: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut main = Group::with_title(level.primary_title(normalize_untrusted_str(&d.message)).id(d.code));
    for file in files(d) {
        let labels: Vec<&Label> = d.labels.iter().filter(|l| l.span.file == file).collect();
        if map.is_hidden(file) {
            main = hidden(map, &labels, main);
        } else {
            main = main.element(snippet(map, file, &labels));
        }
    }
    for note in &d.notes {
        main = main.element(Level::NOTE.message(normalize_untrusted_str(note)));
    }
    for help in &d.help {
        main = main.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    let mut groups = vec![main];
    if let Some(s) = d.suggestion.as_ref().filter(|s| !map.is_hidden(s.span.file)) {
        let window = Window::new(map, s.span.file, &[s.span]);
        let patch = Patch::new(window.local(s.span), normalize_patch(&s.replacement));
        let source = Snippet::source(window.text).path(name(map, s.span.file)).line_start(window.line).patch(patch);
        groups.push(Level::HELP.secondary_title(normalize_untrusted_str(&s.message)).element(source));
    }
    groups
}

/// The files with labels, that of the problem first.
fn files(d: &Diagnostic) -> Vec<FileId> {
    let mut files: Vec<FileId> = d.span().map(|s| s.file).into_iter().collect();
    for label in &d.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn snippet<'a>(map: &'a SourceMap, file: FileId, labels: &[&Label]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let spans: Vec<Span> = labels.iter().map(|l| l.span).collect();
    let window = Window::new(map, file, &spans);
    let mut snippet = Snippet::source(window.text).path(name(map, file)).line_start(window.line);
    for label in labels {
        let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let mut annotation = kind.span(window.local(label.span));
        if !label.text.is_empty() {
            annotation = annotation.label(normalize_untrusted_str(&label.text));
        }
        snippet = snippet.annotation(annotation);
    }
    snippet
}

/// Places without the text that stands there.
fn hidden<'a>(map: &SourceMap, labels: &[&Label], mut main: Group<'a>) -> Group<'a> {
    for label in labels {
        let at = map.location(label.span);
        let place = Origin::path(normalize_untrusted_str(&at.file)).line(at.line).char_column(at.col);
        main = main.element(place);
        if !label.text.is_empty() {
            main = main.element(Level::NOTE.message(normalize_untrusted_str(&label.text)));
        }
    }
    main
}

fn name(map: &SourceMap, file: FileId) -> String {
    normalize_untrusted_str(map.name(file))
}

/// A replacement may hold line breaks, which the message filter would replace.
fn normalize_patch(text: &str) -> String {
    text.split('\n').map(normalize_untrusted_str).collect::<Vec<_>>().join("\n")
}

/// The lines that spans touch: all that the renderer needs to see of a file, however long it is.
struct Window<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Window<'a> {
    fn new(map: &'a SourceMap, file: FileId, spans: &[Span]) -> Self {
        let text = map.text(file);
        let first = spans.iter().map(|s| s.start as usize).min().unwrap_or(0);
        let last = spans.iter().map(|s| s.end as usize).max().unwrap_or(0);
        let (line, start) = map.line_of(file, floor(text, first));
        let last = floor(text, last).max(start);
        let end = text[last..].find('\n').map_or(text.len(), |n| last + n);
        Self { text: &text[start..end], start, line: line + 1 }
    }

    fn local(&self, span: Span) -> Range<usize> {
        let start = floor(self.text, (span.start as usize).saturating_sub(self.start));
        start..floor(self.text, (span.end as usize).saturating_sub(self.start)).max(start)
    }
}
