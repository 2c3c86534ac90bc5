//! Progress while a run goes on, on the error stream: a picture on a terminal, lines elsewhere.

use rectify_core::event::{Event, RunState};

use super::{frame::Activity, lines::Lines, painter::Screen};
use crate::theme::Theme;

/// Progress appears after this long, in microseconds: what is quicker needs none.
const PATIENCE: i64 = 250_000;

/// Progress on the error stream.
#[derive(Debug)]
pub(crate) enum Live {
    /// A picture at the bottom of a terminal.
    Picture {
        /// Who paints it.
        painter: Screen,
        /// What it shows.
        activity: Activity,
        /// Its colours.
        theme: Theme,
    },
    /// Lines.
    Lines(Lines),
}

impl Live {
    /// A picture for a terminal, lines otherwise.
    pub(crate) fn new(screen: Option<Screen>, verbose: u8, theme: Theme) -> Self {
        match screen {
            Some(painter) => Live::Picture { painter, activity: Activity::default(), theme },
            None => Live::Lines(Lines { verbose, theme }),
        }
    }

    /// Takes an event in; `state` already has it. A line to print comes back, for the caller to print.
    pub(crate) fn take(&mut self, event: &Event, state: &RunState) -> Option<String> {
        match self {
            Live::Picture { activity, .. } => {
                activity.take(event);
                None
            }
            Live::Lines(lines) => lines.show(&event.what, state),
        }
    }

    /// Paints the picture of this moment. Time is in microseconds since 1970.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn tick(&mut self, state: &RunState, now: i64) -> std::io::Result<()> {
        match self {
            Live::Picture { painter, activity, theme } if activity.age(now) >= PATIENCE => {
                // Whoever has the screen asks something on it: the picture can wait.
                let Ok(mut painter) = painter.try_lock() else { return Ok(()) };
                let picture = activity.frame(state, now, painter.size(), *theme);
                painter.paint(picture)
            }
            _ => Ok(()),
        }
    }

    /// Takes the picture away.
    pub(crate) fn clear(&mut self) {
        if let Live::Picture { painter, .. } = self
            && let Ok(mut painter) = painter.lock()
        {
            // A terminal that is gone needs no clearing.
            let _ = painter.clear();
        }
    }
}
