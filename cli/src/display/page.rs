//! Lines on a page: made safe, painted, indented, and wrapped where the page has a width.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use super::text;
use crate::theme::{Meaning, Theme};

/// Wrapped text keeps at least so many columns, however deep it is indented.
const NARROWEST: usize = 20;
/// Terminals stop tabs at multiples of this.
const TAB: usize = 8;

/// A piece of a line and what it means. Whoever makes one need not care what is in the text: the page makes it safe.
pub(crate) type Span<'t> = (Option<Meaning>, Cow<'t, str>);

/// A character and what it means.
type Cell = (char, Option<Meaning>);

/// Text without a meaning of its own.
pub(crate) fn plain<'t>(text: impl Into<Cow<'t, str>>) -> Span<'t> {
    (None, text.into())
}

/// Text with a meaning.
pub(crate) fn meant<'t>(meaning: Meaning, text: impl Into<Cow<'t, str>>) -> Span<'t> {
    (Some(meaning), text.into())
}

/// Text that grows line by line.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: Option<usize>,
    theme: Theme,
}

impl Page {
    /// A page of `width` columns; without one nothing is wrapped.
    pub(crate) fn new(width: Option<usize>, theme: Theme) -> Self {
        Page { text: String::new(), width, theme }
    }

    /// What stands on it.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// An empty line between two parts: never two of them, and none at the top.
    pub(crate) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Whether a line of these spans fits without being wrapped.
    pub(crate) fn fits(&self, indent: usize, spans: &[Span<'_>]) -> bool {
        let Some(width) = self.width else { return true };
        let mut column = indent;
        for (_, text) in spans {
            column = text::line(text).chars().fold(column, advance);
        }
        column <= width
    }

    /// A line of prose, wrapped between words; what follows is indented by two more.
    pub(crate) fn line(&mut self, indent: usize, spans: &[Span<'_>]) {
        self.put(indent, indent + 2, spans, true);
    }

    /// A line whose blanks count, wrapped wherever the page ends; what follows is indented to `hang`.
    pub(crate) fn exact(&mut self, indent: usize, hang: usize, spans: &[Span<'_>]) {
        self.put(indent, hang, spans, false);
    }

    /// A line that is never wrapped: of a table, or with something in it that is to be copied.
    pub(crate) fn whole(&mut self, spans: &[Span<'_>]) {
        let width = self.width.take();
        self.put(0, 0, spans, false);
        self.width = width;
    }

    fn put(&mut self, indent: usize, hang: usize, spans: &[Span<'_>], words: bool) {
        let mut cells: Vec<Cell> = Vec::new();
        for (meaning, text) in spans {
            cells.extend(text::line(text).chars().map(|c| (c, *meaning)));
        }
        let width = self.width.unwrap_or(usize::MAX);
        let hang = hang.min(width.saturating_sub(NARROWEST));
        let (mut rest, mut lead) = (cells.as_slice(), indent);
        loop {
            let (now, later) = cut(rest, lead, width, words);
            self.text.extend(std::iter::repeat_n(' ', lead));
            self.paint(now);
            self.text.push('\n');
            if later.is_empty() {
                return;
            }
            (rest, lead) = (later, hang);
        }
    }

    /// Runs of one meaning are painted as one.
    fn paint(&mut self, cells: &[Cell]) {
        for run in cells.chunk_by(|a, b| a.1 == b.1) {
            let text: String = run.iter().map(|(c, _)| *c).collect();
            match run[0].1 {
                Some(meaning) => self.text.push_str(&self.theme.paint(meaning, text).to_string()),
                None => self.text.push_str(&text),
            }
        }
    }
}

/// The column after `c`.
fn advance(column: usize, c: char) -> usize {
    if c == '\t' { (column / TAB + 1) * TAB } else { column + c.width().unwrap_or(0) }
}

/// What fits on a line that begins at column `from`, and what is left for the next one. Something always fits.
fn cut(cells: &[Cell], from: usize, width: usize, words: bool) -> (&[Cell], &[Cell]) {
    let mut column = from;
    for (at, (c, _)) in cells.iter().enumerate() {
        column = advance(column, *c);
        if column <= width || at == 0 {
            continue;
        }
        // The blank at which a line is broken is not shown: neither where one ends nor where the next begins.
        let blank = if *c == ' ' { Some(at) } else { cells[..at].iter().rposition(|(c, _)| *c == ' ') };
        return match blank.filter(|b| words && cells[..*b].iter().any(|(c, _)| *c != ' ')) {
            Some(blank) => (&cells[..blank], &cells[blank + 1..]),
            None => cells.split_at(at),
        };
    }
    (cells, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(width: usize, indent: usize, text: &str) -> String {
        let mut page = Page::new(Some(width), Theme::new(false));
        page.line(indent, &[plain(text)]);
        page.into_text()
    }

    #[test]
    fn prose_is_wrapped_between_words_and_hangs() {
        assert_eq!(wrapped(24, 2, "one two three four five six"), "  one two three four\n    five six\n");
        assert_eq!(wrapped(24, 2, ""), "  \n");
    }

    #[test]
    fn a_word_longer_than_the_page_is_broken_where_it_ends() {
        assert_eq!(wrapped(24, 0, &"x".repeat(40)), format!("{}\n  {}\n", "x".repeat(24), "x".repeat(16)));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let text = wrapped(24, 0, &"漢".repeat(20));
        assert_eq!(text, format!("{}\n  {}\n", "漢".repeat(12), "漢".repeat(8)));
        let page = Page::new(Some(24), Theme::new(false));
        assert!(page.fits(0, &[plain("漢".repeat(12))]) && !page.fits(1, &[plain("漢".repeat(12))]));
    }

    #[test]
    fn blanks_count_in_exact_lines_and_tabs_stop_where_terminals_stop_them() {
        let mut page = Page::new(Some(24), Theme::new(false));
        page.exact(0, 1, &[plain("+a  b\tc"), plain(" x".repeat(10))]);
        assert_eq!(page.into_text(), "+a  b\tc x x x x x x x \n x x x\n");
    }

    #[test]
    fn what_is_painted_is_painted_on_every_line_that_it_reaches() {
        let mut page = Page::new(Some(24), Theme::new(true));
        page.line(0, &[plain("a "), meant(Meaning::Removed, "bbbb cccc dddd eeee ffff")]);
        assert_eq!(page.into_text(), "a \u{1b}[31mbbbb cccc dddd eeee\u{1b}[0m\n  \u{1b}[31mffff\u{1b}[0m\n");
    }

    #[test]
    fn a_page_without_a_width_never_wraps() {
        let mut page = Page::new(None, Theme::new(false));
        page.line(4, &[plain("word ".repeat(100))]);
        assert_eq!(page.into_text().lines().count(), 1);
    }
}
