//! Reads a run's events back.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

use flate2::read::GzDecoder;
use rectify_core::event::{Event, RunEvent};

/// No event is longer, bytes: a host's frame is at most 64 MiB, and JSON may take six bytes for one.
const LONGEST: u64 = 512 << 20;

/// How the events of a run end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// There may be more.
    Open,
    /// The run came to its end, and all of it is here.
    Whole,
    /// The file ends before the run does: the run goes on, or broke off here.
    BrokenOff,
    /// From here on the file does not say what a record says.
    Damaged(String),
}

/// The events of a run, in order, up to the last whole one.
pub struct Events {
    lines: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    next: u64,
    ending: Ending,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Events").field("next", &self.next).field("ending", &self.ending).finish_non_exhaustive()
    }
}

impl Events {
    /// The events in a file.
    pub(super) fn new(file: File) -> Self {
        Events {
            lines: Box::new(BufReader::with_capacity(1 << 16, GzDecoder::new(BufReader::new(file)))),
            line: Vec::new(),
            next: 0,
            ending: Ending::Open,
        }
    }

    /// How they end, once there is no further one.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    fn read(&mut self) -> Result<Event, Ending> {
        self.line.clear();
        // What cannot be unpacked is mostly the end of a file that was not written to its end.
        let read = io::Read::take(&mut self.lines, LONGEST).read_until(b'\n', &mut self.line);
        let broken = match read {
            Ok(_) => Ending::BrokenOff,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ending::BrokenOff,
            Err(e) => Ending::Damaged(format!("after event {}: {e}", self.next)),
        };
        if self.line.pop() != Some(b'\n') {
            return Err(broken);
        }
        let event: Event = serde_json::from_slice(&self.line)
            .map_err(|e| Ending::Damaged(format!("event {} cannot be understood: {e}", self.next)))?;
        if event.seq != self.next {
            return Err(Ending::Damaged(format!("event {} is followed by event {}", self.next, event.seq)));
        }
        Ok(event)
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.ending != Ending::Open {
            return None;
        }
        match self.read() {
            Ok(event) => {
                self.next += 1;
                if event.what == RunEvent::Finished {
                    self.ending = Ending::Whole;
                }
                Some(event)
            }
            Err(ending) => {
                self.ending = ending;
                None
            }
        }
    }
}
