//! Progress while a run goes on: a line per busy host and a total on a terminal, one line per fact otherwise.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rectify_core::event::{Event, HostEvent, HostPhase, RunEvent, RunState, Status, TaskInfo};

use super::{
    group::said,
    text::{count, line},
    words,
};
use crate::theme::{Meaning, Theme};

/// At most so many hosts have a line of their own.
const MOST_LINES: usize = 16;
/// Progress appears after this long.
const PATIENCE: Duration = Duration::from_millis(250);

/// Progress on the error stream.
pub(crate) enum Live {
    /// Bars.
    Bars(Bars),
    /// Lines.
    Lines(Lines),
}

/// Bars on a terminal.
pub(crate) struct Bars {
    started: Instant,
    multi: Option<MultiProgress>,
    total: ProgressBar,
    busy: BTreeMap<String, ProgressBar>,
}

/// Plain lines.
pub(crate) struct Lines {
    verbose: u8,
    theme: Theme,
}

impl Live {
    /// Bars for a terminal, lines otherwise.
    pub(crate) fn new(terminal: bool, verbose: u8, theme: Theme) -> Self {
        if terminal {
            Live::Bars(Bars {
                started: Instant::now(),
                multi: None,
                total: ProgressBar::hidden(),
                busy: BTreeMap::new(),
            })
        } else {
            Live::Lines(Lines { verbose, theme })
        }
    }

    /// Shows an event; `state` already has it. Lines to print come back, for the caller to print.
    pub(crate) fn show(&mut self, event: &Event, state: &RunState) -> Vec<String> {
        match self {
            Live::Bars(bars) => {
                bars.show(event, state);
                Vec::new()
            }
            Live::Lines(lines) => lines.show(&event.what, state),
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&mut self) {
        if let Live::Bars(Bars { multi: Some(multi), .. }) = self {
            // A terminal that is gone needs no clearing.
            let _ = multi.clear();
        }
    }
}

impl Bars {
    fn show(&mut self, event: &Event, state: &RunState) {
        if self.multi.is_none() {
            if self.started.elapsed() < PATIENCE {
                return;
            }
            let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            self.total = multi.add(ProgressBar::new(state.hosts.len() as u64).with_style(style));
            self.multi = Some(multi);
        }
        self.total.set_position(state.hosts.values().filter(|h| h.is_over()).count() as u64);
        self.total.set_message(totals(state));
        match &event.what {
            RunEvent::Connecting { host } => self.line(host, "connecting"),
            RunEvent::Host { host, what: HostEvent::TaskStarted { name, .. } } => self.line(host, name),
            RunEvent::HostFinished { host } | RunEvent::Unreachable { host, .. } => {
                if let Some(bar) = self.busy.remove(host) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, host: &str, message: &str) {
        let Some(multi) = &self.multi else { return };
        if !self.busy.contains_key(host) {
            if self.busy.len() >= MOST_LINES {
                return;
            }
            let style =
                ProgressStyle::with_template("  {prefix} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = multi.insert_before(&self.total, ProgressBar::new_spinner().with_style(style));
            bar.set_prefix(line(host));
            self.busy.insert(host.to_owned(), bar);
        }
        if let Some(bar) = self.busy.get(host) {
            bar.set_message(line(message));
        }
    }
}

fn totals(state: &RunState) -> String {
    let sum = |status: Status| state.hosts.values().map(|h| h.counts.get(status)).sum::<u64>();
    let lost = state.hosts.values().filter(|h| matches!(h.phase, HostPhase::Unreachable(_))).count();
    let mut parts = vec!["hosts".to_owned()];
    for status in [Status::Changed, Status::WouldChange, Status::MayChange, Status::Failed] {
        let n = sum(status);
        if n > 0 {
            parts.push(format!("{n} {}", words::status(status)));
        }
    }
    if lost > 0 {
        parts.push(format!("{lost} unreachable"));
    }
    parts.join(" · ")
}

impl Lines {
    fn show(&self, event: &RunEvent, state: &RunState) -> Vec<String> {
        match event {
            RunEvent::Started { hosts, .. } => vec![format!("{} to go", count(hosts.len(), "host"))],
            RunEvent::Connecting { host } if self.verbose >= 2 => vec![format!("{}: connecting", line(host))],
            RunEvent::Unreachable { host, failure } => {
                vec![format!(
                    "{}: {}: {}",
                    line(host),
                    self.theme.paint(Meaning::Failed, "unreachable"),
                    line(&failure.message)
                )]
            }
            RunEvent::Warning { host, message } => {
                let lead = host.as_ref().map(|h| format!("{}: ", line(h))).unwrap_or_default();
                vec![format!("warning: {lead}{}", line(message))]
            }
            RunEvent::Interrupted { kill: false } => {
                vec!["interrupted: running tasks finish, nothing new begins".into()]
            }
            RunEvent::Interrupted { kill: true } => vec!["interrupted again: running tasks are ended".into()],
            RunEvent::HostFinished { host } => vec![format!("{}: done", line(host))],
            RunEvent::Host { host, what: HostEvent::TaskFinished { task, report } } => {
                let tasks = state.hosts.get(host).map_or(&[][..], |h| h.tasks.as_slice());
                self.task(host, tasks, *task, report)
            }
            RunEvent::Host { host, what: HostEvent::Notice { message, .. } } => {
                vec![format!("{}: note: {}", line(host), line(message))]
            }
            _ => Vec::new(),
        }
    }

    fn task(
        &self,
        host: &str,
        tasks: &[TaskInfo],
        id: rectify_core::plan::TaskId,
        report: &rectify_core::event::TaskReport,
    ) -> Vec<String> {
        let said = said(report, tasks);
        let wanted = match said.status {
            Status::Unchanged => self.verbose >= 1,
            Status::Skipped => self.verbose >= 2,
            _ => true,
        };
        if !wanted {
            return Vec::new();
        }
        let name = tasks.iter().find(|t| t.id == id).map_or("?", |t| t.name.as_str());
        let status = self.theme.paint(words::meaning(said.status), words::status(said.status));
        let why = said.lines.first().map(|l| format!(": {}", line(l))).unwrap_or_default();
        vec![format!("{}: {status}: {}{why}", line(host), line(name))]
    }
}
