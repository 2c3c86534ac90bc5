//! What is going on, as lines: one per busy host, and a total.

use console::{measure_text_width, pad_str, truncate_str};
use indexmap::IndexMap;
use rectify_core::{
    event::{Event, HostEvent, HostPhase, HostState, RunEvent, RunState, Status},
    plan::TaskId,
};

use super::{
    text::{count, line, passed},
    words,
};
use crate::theme::{Meaning, Theme};

/// At most so many hosts have a line of their own.
const MOST: usize = 16;
/// The columns of the bar on a terminal that has room for it.
const BAR: usize = 24;
/// What lasts for so many seconds is worth saying how long.
const LONG: u64 = 2;

/// Since when each busy host does what it does; everything else is in the run's state. Times are microseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    busy: IndexMap<String, Busy>,
    begun: Option<i64>,
    interrupted: Option<bool>,
}

#[derive(Debug)]
struct Busy {
    since: i64,
    tasks: Vec<(TaskId, i64)>,
}

impl Activity {
    /// Takes an event in.
    pub(crate) fn take(&mut self, event: &Event) {
        self.begun.get_or_insert(event.at);
        match &event.what {
            RunEvent::Connecting { host } => {
                self.busy.insert(host.clone(), Busy { since: event.at, tasks: Vec::new() });
            }
            RunEvent::Connected { host, .. } => self.on(host, |busy| busy.since = event.at),
            RunEvent::Host { host, what: HostEvent::TaskStarted { task, .. } } => {
                self.on(host, |busy| busy.tasks.push((*task, event.at)));
            }
            RunEvent::Host { host, what: HostEvent::TaskFinished { task, .. } } => self.on(host, |busy| {
                busy.tasks.retain(|(id, _)| id != task);
                busy.since = event.at;
            }),
            RunEvent::HostFinished { host } | RunEvent::Unreachable { host, .. } => {
                // The order stays: a line does not jump because another one goes.
                self.busy.shift_remove(host);
            }
            RunEvent::Interrupted { kill } => self.interrupted = Some(*kill),
            _ => {}
        }
    }

    fn on(&mut self, host: &str, change: impl FnOnce(&mut Busy)) {
        if let Some(busy) = self.busy.get_mut(host) {
            change(busy);
        }
    }

    /// For how long the run has gone on, in microseconds.
    pub(crate) fn age(&self, now: i64) -> i64 {
        self.begun.map_or(0, |begun| now.saturating_sub(begun))
    }

    /// The picture of this moment, for a terminal of `rows` and `columns`.
    pub(crate) fn frame(
        &self,
        state: &RunState,
        now: i64,
        (rows, columns): (usize, usize),
        theme: Theme,
    ) -> Vec<String> {
        // A line that ends in the last column makes some terminals begin a new one.
        let columns = columns.saturating_sub(1).max(1);
        let room = MOST.min((rows / 2).max(1));
        let shown = if self.busy.len() > room { room - 1 } else { room };
        let rows: Vec<Row> =
            self.busy.iter().take(shown).map(|(host, busy)| row(host, busy, state.hosts.get(host), now)).collect();
        let widest = |cell: fn(&Row) -> &str| rows.iter().map(|r| measure_text_width(cell(r))).max().unwrap_or(0);
        let (names, counts) = (widest(|r| &r.host).min(columns / 3), widest(|r| &r.count));
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| {
                let host = truncate_str(&row.host, names, "…").into_owned();
                let host =
                    theme.paint(Meaning::Host, pad_str(&host, names, console::Alignment::Left, None).into_owned());
                let count = pad_str(&row.count, counts, console::Alignment::Right, None).into_owned();
                // What is cut is the name of the task, not for how long it has run.
                let room = columns.saturating_sub(names + counts + 6 + measure_text_width(&row.time));
                let doing = truncate_str(&row.doing, room, "…");
                let text = format!("  {host}  {count}  {doing}{}", theme.paint(Meaning::Quiet, &row.time));
                truncate_str(&text, columns, "…").into_owned()
            })
            .collect();
        if self.busy.len() > shown {
            let more = format!("  … {} more", self.busy.len() - shown);
            lines.push(theme.paint(Meaning::Quiet, truncate_str(&more, columns, "…")).to_string());
        }
        lines.push(truncate_str(&self.total(state, now, columns, theme), columns, "…").into_owned());
        if let Some(kill) = self.interrupted {
            let text = words::interrupted(kill);
            lines.push(theme.paint(Meaning::Failed, truncate_str(text, columns, "…")).to_string());
        }
        lines
    }

    fn total(&self, state: &RunState, now: i64, columns: usize, theme: Theme) -> String {
        let (done, all) = (state.hosts.values().filter(|h| h.is_over()).count(), state.hosts.len());
        let mut parts = vec![match state.hosts.values().next() {
            Some(only) if all == 1 => format!("{} of {}", only.reports.len(), count(only.tasks.len(), "task")),
            _ => format!("{done} of {}", count(all, "host")),
        }];
        let hosts = |test: &dyn Fn(&HostState) -> bool| state.hosts.values().filter(|h| test(h)).count();
        for (n, word, meaning) in [
            (hosts(&|h| h.counts.get(Status::Changed) > 0), "changed", Meaning::Changed),
            (hosts(&|h| h.counts.get(Status::WouldChange) > 0), "would change", Meaning::Changed),
            (hosts(&|h| h.failures() > 0), "failed", Meaning::Failed),
            (hosts(&|h| words::unreachable(&h.phase)), "unreachable", Meaning::Failed),
        ] {
            match n {
                0 => {}
                _ if all == 1 => parts.push(theme.paint(meaning, word).to_string()),
                _ => parts.push(theme.paint(meaning, format!("{n} {word}")).to_string()),
            }
        }
        parts.push(passed(seconds(self.age(now))));
        let width = BAR.min(columns / 4);
        let progress: f64 = state.hosts.values().map(share).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a few columns")]
        let full = ((progress / all.max(1) as f64) * width as f64) as usize;
        let full = full.min(width);
        format!(
            "{}{} {}",
            theme.paint(Meaning::Ok, "━".repeat(full)),
            theme.paint(Meaning::Quiet, "─".repeat(width - full)),
            parts.join(" · ")
        )
    }
}

/// How much of a host's work is done, from 0 to 1.
fn share(host: &HostState) -> f64 {
    match host.tasks.len() {
        _ if host.is_over() => 1.0,
        0 => 0.0,
        all => host.reports.len() as f64 / all as f64,
    }
}

/// A busy host's line.
struct Row {
    host: String,
    count: String,
    doing: String,
    time: String,
}

fn row(host: &str, busy: &Busy, state: Option<&HostState>, now: i64) -> Row {
    let oldest = busy.tasks.iter().min_by_key(|(_, since)| since);
    let name = |id: &TaskId| state.and_then(|s| s.running.get(id)).map_or("", String::as_str);
    let running = matches!(state, Some(HostState { phase: HostPhase::Running, .. }));
    let (all, done) = state.map_or((0, 0), |s| (s.tasks.len(), s.reports.len()));
    let doing = match (oldest, busy.tasks.len()) {
        (Some((id, _)), 1) => line(name(id)),
        (Some((id, _)), n) => format!("{}, and {} more", line(name(id)), n - 1),
        (None, _) if !running => "connecting".to_owned(),
        (None, _) if done == 0 => "starting".to_owned(),
        (None, _) => String::new(),
    };
    let seconds = seconds(now.saturating_sub(oldest.map_or(busy.since, |(_, since)| *since)));
    let time = if seconds < LONG { String::new() } else { format!("  {}", passed(seconds)) };
    let count = if running { format!("{done}/{all}") } else { String::new() };
    Row { host: line(host), count, doing, time }
}

fn seconds(microseconds: i64) -> u64 {
    u64::try_from(microseconds / 1_000_000).unwrap_or(0)
}
