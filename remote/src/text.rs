//! Text that came from a host, made fit to be shown.

use std::sync::{Arc, Mutex, PoisonError};

/// How much of a host's words an error quotes, in characters.
const QUOTED: usize = 400;

/// How much of a stream's end is kept, in bytes.
const KEPT: usize = 8 << 10;

/// One line without control characters, at most [`QUOTED`] characters, from whatever a host sent.
pub(crate) fn clean(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut out = String::new();
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || is_bidi(c) {
            space = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        out.push(c);
        if out.chars().count() >= QUOTED {
            out.push('…');
            break;
        }
    }
    out
}

/// Characters that reorder what follows them on a terminal.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The end of a stream, shared between the one who reads it and the one who reports it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT)..]);
        let excess = kept.len().saturating_sub(KEPT);
        kept.drain(..excess);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn text(&self) -> String {
        clean(&self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_line_breaks_do_not_reach_the_terminal() {
        assert_eq!(clean(b"  a\x1b[31mb\r\n\tc\xff "), "a [31mb c\u{fffd}");
        assert_eq!(clean("x\u{202e}y".as_bytes()), "x y");
        assert_eq!(clean(&[b'a'; 9999]).chars().count(), QUOTED + 1);
    }

    #[test]
    fn a_tail_keeps_the_end_and_stays_small() {
        let tail = Tail::default();
        for _ in 0..100 {
            tail.push(&[b'.'; 1000]);
        }
        tail.push(b"the end");
        assert_eq!(tail.bytes().len(), KEPT);
        assert!(tail.bytes().ends_with(b"the end"));
    }
}
