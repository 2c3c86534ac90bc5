//! What the operator sees of a run: a fold over its events.
//!
//! ```text
//! Event ─► RunState (counts, exit code) ─► live progress (stderr)
//!      └─► Groups (identical changes)   ─► report and recap (stdout, at the end)
//!      └─► JSON lines (stdout, with --json, instead of the report)
//! ```

mod group;
mod live;
mod report;
pub(crate) mod text;
mod words;

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use rectify_core::{
    event::{Event, HostEvent, IllegalTransition, RunEvent, RunState},
    plan::TaskId,
};

use self::{group::Groups, live::Live, report::Detail};
use crate::theme::Theme;

/// How a run is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Events as JSON lines on stdout instead of the report.
    pub(crate) json: bool,
    /// `-v` count.
    pub(crate) verbose: u8,
    /// Whether differences are shown.
    pub(crate) diff: bool,
    /// Whether stderr is a terminal that can take bars.
    pub(crate) terminal: bool,
    /// Colours on stdout.
    pub(crate) stdout: Theme,
    /// Colours on stderr.
    pub(crate) stderr: Theme,
}

/// A display of one run, fed with its events in order.
pub(crate) struct Display<'w> {
    options: Options,
    state: RunState,
    groups: Groups,
    looped: BTreeSet<(String, TaskId)>,
    live: Live,
    out: &'w mut dyn Write,
    err: &'w mut dyn Write,
}

impl<'w> Display<'w> {
    /// A display that writes its data to `out` and everything else to `err`.
    pub(crate) fn new(options: Options, out: &'w mut dyn Write, err: &'w mut dyn Write) -> Self {
        let live = Live::new(options.terminal, options.verbose, options.stderr);
        Display {
            options,
            state: RunState::default(),
            groups: Groups::default(),
            looped: BTreeSet::new(),
            live,
            out,
            err,
        }
    }

    /// Takes an event in and shows it.
    ///
    /// # Errors
    /// An event that is not legal, or an output that cannot be written.
    pub(crate) fn take(&mut self, event: &Event) -> Result<(), Broken> {
        self.state.apply(event)?;
        if self.options.json {
            serde_json::to_writer(&mut *self.out, event).map_err(io::Error::from)?;
            writeln!(self.out)?;
        } else {
            self.group(event);
        }
        for line in self.live.show(event, &self.state) {
            writeln!(self.err, "{line}")?;
        }
        Ok(())
    }

    fn group(&mut self, event: &Event) {
        let RunEvent::Host { host, what } = &event.what else { return };
        let (task, item, report) = match what {
            HostEvent::ItemFinished { task, item, report } => (task, Some(item.as_str()), report),
            HostEvent::TaskFinished { task, report } => (task, None, report),
            _ => return,
        };
        // A loop is shown by its items; the task as a whole adds nothing to them.
        let with_items = (host.clone(), *task);
        match item {
            Some(_) => drop(self.looped.insert(with_items)),
            None if self.looped.remove(&with_items) => return,
            None => {}
        }
        let Some(known) = self.state.hosts.get(host) else { return };
        let Some(info) = known.tasks.iter().find(|t| t.id == *task) else { return };
        self.groups.take(host, &known.tasks, info, item, report);
    }

    /// Shows the report, and gives back what is known of the run.
    ///
    /// # Errors
    /// If an output cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<RunState> {
        self.live.clear();
        if !self.options.json {
            let detail = Detail { verbose: self.options.verbose, diff: self.options.diff };
            let text = report::report(&self.state, &self.groups, detail, self.options.stdout);
            self.out.write_all(text.as_bytes())?;
        }
        self.out.flush()?;
        self.err.flush()?;
        Ok(self.state)
    }
}

/// Why a display cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The stream of events breaks its contract.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// An output cannot be written.
    #[error("writing the output")]
    Io(#[from] io::Error),
}
