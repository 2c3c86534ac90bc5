//! An output that may go away while hosts are worked on.

use std::io::{self, Write};

/// Writes as long as that works. A reader that went away (`| head`), or a disk that is full, must not end a run in the middle
/// of its work: what went wrong is kept, and told at the end.
pub(crate) struct Sink<'w> {
    to: &'w mut dyn Write,
    broken: Option<io::Error>,
}

impl<'w> Sink<'w> {
    /// Writes to `to`.
    pub(crate) fn new(to: &'w mut dyn Write) -> Self {
        Sink { to, broken: None }
    }

    /// Writes, unless that failed before.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.broken = self.to.write_all(bytes).err();
        }
    }

    /// What went wrong, if something did that matters: nobody misses what nobody reads.
    pub(crate) fn end(mut self) -> io::Result<()> {
        match self.broken.take().map_or_else(|| self.to.flush(), Err) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            ended => ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a line, then fails in its way.
    struct Short(usize, io::ErrorKind);

    impl Write for Short {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(self.1)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_is_told_at_the_end_and_a_reader_that_left_is_not() {
        for (kind, told) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::BrokenPipe, false)] {
            let mut to = Short(1, kind);
            let mut sink = Sink::new(&mut to);
            (0..3).for_each(|_| sink.put(b"a line\n"));
            assert_eq!(sink.end().is_err(), told, "{kind}");
        }
    }
}
