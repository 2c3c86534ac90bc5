//! A few lines at the bottom of a terminal that are painted over again and again.
//!
//! Every line ends with a line end of its own, so that a terminal that is made wider joins none of them; and how many rows
//! the last picture takes is counted at the width of now, so that one that is made narrower is cleaned all the same.

use std::{
    io,
    sync::{Arc, Mutex},
};

use console::measure_text_width;
use indicatif::TermLike;

/// A terminal that is painted on by one and borrowed by whoever has to ask something on it, for as long as that takes.
pub(crate) type Screen = Arc<Mutex<Painter>>;

/// Paints on a terminal.
#[derive(Debug)]
pub(crate) struct Painter {
    term: Box<dyn TermLike>,
    /// What is on the screen.
    shown: Vec<String>,
}

impl Painter {
    /// A painter on this terminal, which has painted nothing yet.
    pub(crate) fn new(term: Box<dyn TermLike>) -> Self {
        Painter { term, shown: Vec::new() }
    }

    /// Rows and columns of the terminal as they are now; never nothing.
    pub(crate) fn size(&self) -> (usize, usize) {
        (usize::from(self.term.height()).max(1), usize::from(self.term.width()).max(1))
    }

    /// Replaces the picture; a line must not be wider than the terminal. Nothing is written if nothing changed.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn paint(&mut self, lines: Vec<String>) -> io::Result<()> {
        if lines == self.shown {
            return Ok(());
        }
        let rows = self.rows();
        self.term.move_cursor_up(rows)?;
        for line in &lines {
            self.term.clear_line()?;
            self.term.write_line(line)?;
        }
        // What is left of the picture before, and whatever was typed below it.
        let left = rows.saturating_sub(lines.len());
        for _ in 0..left {
            self.term.clear_line()?;
            self.term.write_line("")?;
        }
        self.term.clear_line()?;
        self.term.move_cursor_up(left)?;
        self.shown = lines;
        self.term.flush()
    }

    /// Takes the picture away.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.paint(Vec::new())
    }

    /// How many rows the picture takes.
    fn rows(&self) -> usize {
        let width = self.size().1;
        self.shown.iter().map(|line| measure_text_width(line).div_ceil(width).max(1)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    };

    use indicatif::InMemoryTerm;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_picture_replaces_the_one_before_and_leaves_what_stands_above() {
        let term = InMemoryTerm::new(8, 20);
        term.write_line("$ rectify check").unwrap();
        let mut painter = Painter::new(Box::new(term.clone()));
        painter.paint(lines("one\ntwo\nthree")).unwrap();
        assert_eq!(term.contents(), "$ rectify check\none\ntwo\nthree");
        term.write_str("^C").unwrap();
        painter.paint(lines("four")).unwrap();
        assert_eq!(term.contents(), "$ rectify check\nfour");
        painter.paint(lines("five\nsix")).unwrap();
        assert_eq!(term.contents(), "$ rectify check\nfive\nsix");
        painter.clear().unwrap();
        term.write_line("the report").unwrap();
        assert_eq!(term.contents(), "$ rectify check\nthe report");
    }

    /// A terminal whose width changes, and that notes how far the cursor goes up.
    #[derive(Debug)]
    struct Resized {
        width: Arc<AtomicU16>,
        up: Arc<AtomicU16>,
    }

    impl TermLike for Resized {
        fn width(&self) -> u16 {
            self.width.load(Ordering::Relaxed)
        }
        fn height(&self) -> u16 {
            24
        }
        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.up.fetch_add(u16::try_from(n).unwrap(), Ordering::Relaxed);
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn write_str(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_a_narrower_terminal_wrapped_are_found_again() {
        let (width, up) = (Arc::new(AtomicU16::new(80)), Arc::new(AtomicU16::new(0)));
        let term = Resized { width: Arc::clone(&width), up: Arc::clone(&up) };
        let mut painter = Painter::new(Box::new(term));
        painter.paint(vec!["x".repeat(80), "short".into()]).unwrap();
        assert_eq!(up.load(Ordering::Relaxed), 0);
        width.store(30, Ordering::Relaxed);
        painter.paint(lines("a\nb\nc\nd")).unwrap();
        assert_eq!(up.load(Ordering::Relaxed), 4, "three rows of the long line, one of the short one");
    }
}
