//! What the operator sees of a run: a fold over its events.
//!
//! ```text
//! Event ─► RunState (counts, exit code) ─► live progress (stderr: a picture, or lines)
//!      └─► Groups (identical changes)   ─► report and recap (stdout, at the end)
//!      └─► Notices                      ─► each once (stderr, at the end)
//!      └─► JSON lines (stdout, with --json, instead of the report)
//! ```

mod frame;
mod lines;
mod live;
mod notices;
pub(crate) mod page;
mod painter;
mod report;
mod sink;
#[cfg(test)]
mod tests;
mod words;

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use rectify_core::{
    event::{Event, HostEvent, IllegalTransition, RunEvent, RunState},
    plan::TaskId,
};

pub(crate) use rectify_server::told::text;
use rectify_server::told::{self as group, Groups};

pub(crate) use self::painter::{Painter, Screen};
pub(crate) use self::report::{Detail, changes};
use self::{live::Live, notices::Notices, page::Page, sink::Sink};
use crate::theme::Theme;

/// On a terminal, a difference is cut after so many lines.
const DIFF_LINES: usize = 60;

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The report, at the end.
    Report,
    /// The events as JSON lines.
    Json,
    /// Nothing: somebody else makes something of the run's state. What went wrong is told on stderr.
    Nothing,
}

/// How a run is shown.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What goes to stdout.
    pub(crate) output: Output,
    /// `-v` count.
    pub(crate) verbose: u8,
    /// Whether differences are shown.
    pub(crate) diff: bool,
    /// The words that chose the inventory, for commands to run next: ` -i hosts.ini`.
    pub(crate) inventory: String,
    /// The words that choose playbooks and inventory, for the verbs of `rollout`: ` -p site.yml -i hosts.ini`.
    pub(crate) again: String,
    /// The terminal that progress is painted on, if there is one.
    pub(crate) screen: Option<Screen>,
    /// The columns of stdout, if it is a terminal.
    pub(crate) width: Option<usize>,
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
    notices: Notices,
    looped: BTreeSet<(String, TaskId)>,
    live: Live,
    /// Whether progress is told.
    told: bool,
    /// When the run began and when the last event was, in microseconds since 1970.
    times: Option<(i64, i64)>,
    out: Sink<'w>,
    err: Sink<'w>,
}

impl<'w> Display<'w> {
    /// A display that writes its data to `out` and everything else to `err`.
    pub(crate) fn new(options: Options, out: &'w mut dyn Write, err: &'w mut dyn Write) -> Self {
        let live = Live::new(options.screen.clone(), options.verbose, options.stderr);
        Display {
            options,
            state: RunState::default(),
            groups: Groups::default(),
            notices: Notices::default(),
            looped: BTreeSet::new(),
            live,
            told: true,
            times: None,
            out: Sink::new(out),
            err: Sink::new(err),
        }
    }

    /// Without progress: only what is told at the end.
    pub(crate) fn at_the_end(self) -> Self {
        Display { told: false, ..self }
    }

    /// Takes an event in and shows it. An output that cannot be written is told of by [`Display::finish`].
    ///
    /// # Errors
    /// An event that is not legal; everything is then as if there had been none.
    pub(crate) fn take(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        self.state.apply(event)?;
        self.times = Some((self.times.map_or(event.at, |(first, _)| first), event.at));
        if self.options.output == Output::Json {
            let mut line = serde_json::to_vec(event).unwrap_or_default();
            line.push(b'\n');
            self.out.put(&line);
        } else {
            self.group(event);
            self.notices.take(event, &self.state);
        }
        // Where the state alone is wanted, what went wrong is told at the end.
        let silent = !self.told || (self.options.output == Output::Nothing && self.options.verbose < 2);
        if let Some(line) = self.live.take(event, &self.state).filter(|_| !silent) {
            self.err.put(format!("{line}\n").as_bytes());
        }
        Ok(())
    }

    /// Shows how things are at `now`, in microseconds since 1970: to be called again and again, also when nothing happens.
    pub(crate) fn tick(&mut self, now: i64) {
        // A terminal that is gone shows nothing any more.
        let _ = self.live.tick(&self.state, now);
    }

    fn group(&mut self, event: &Event) {
        let RunEvent::Host { host, what } = &event.what else { return };
        if let HostEvent::TaskStarted { task, name } = what {
            let info = self.state.hosts.get(host).and_then(|h| h.tasks.iter().find(|t| t.id == *task));
            info.into_iter().for_each(|info| self.groups.begun(info, name));
        }
        let (task, item, report) = match what {
            HostEvent::ItemFinished { task, item, report } => (task, Some(item.as_str()), report),
            HostEvent::TaskFinished { task, report } => (task, None, report),
            HostEvent::RolledBack { tasks, because } => {
                if let Some(known) = self.state.hosts.get(host) {
                    self.groups.roll_back(host, &known.tasks, tasks, *because);
                }
                return;
            }
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

    /// Shows the report, and gives back what is known of the run and whether all of it could be written.
    pub(crate) fn finish(mut self) -> (RunState, io::Result<()>) {
        self.live.clear();
        let width = self.options.width;
        let mut err = Page::new(width, self.options.stderr);
        self.notices.show(&mut err, &self.state);
        let most = if width.is_some() && self.options.verbose == 0 { DIFF_LINES } else { usize::MAX };
        let detail = Detail {
            verbose: self.options.verbose,
            diff: self.options.diff,
            diff_lines: most,
            inventory: &self.options.inventory,
            again: &self.options.again,
        };
        let mut out = Page::new(width, self.options.stdout);
        match self.options.output {
            Output::Json => {}
            Output::Nothing => report::troubles(&mut err, &self.state, &self.groups, detail),
            Output::Report => {
                let took = self.times.map_or(0, |(first, last)| last.saturating_sub(first));
                report::report(&mut out, &self.state, &self.groups, detail, took);
            }
        }
        self.err.put(err.into_text().as_bytes());
        self.out.put(out.into_text().as_bytes());
        // There is nobody to tell that there is nobody to tell.
        let _ = self.err.end();
        (self.state, self.out.end())
    }
}
