//! Progress where there is no terminal: one line per fact, so that a log can be read and searched.

use rectify_core::{
    event::{HostEvent, HostState, RunEvent, RunState, Status, TaskInfo, TaskReport},
    plan::{Mode, TaskId},
};
use rectify_remote::run::NOT_BEGUN;

use super::{
    group::said,
    text::{count, line},
    words,
};
use crate::theme::{Meaning, Theme};

/// Plain lines.
#[derive(Debug)]
pub(crate) struct Lines {
    /// `-v`: 1 says what changes as it does, 2 says every task and connection.
    pub(crate) verbose: u8,
    /// Colours.
    pub(crate) theme: Theme,
}

impl Lines {
    /// What there is to say of an event; `state` already has it.
    pub(crate) fn show(&self, event: &RunEvent, state: &RunState) -> Option<String> {
        match event {
            RunEvent::Started { hosts, mode, .. } => {
                let verb = if *mode == Mode::Check { "checking" } else { "applying to" };
                Some(format!("{verb} {}", count(hosts.len(), "host")))
            }
            RunEvent::Connecting { host } if self.verbose >= 2 => Some(format!("{}: connecting", line(host))),
            RunEvent::Unreachable { host, failure } if failure.message == NOT_BEGUN => {
                Some(format!("{}: {NOT_BEGUN}", line(host)))
            }
            RunEvent::Unreachable { host, failure } => {
                let word = self.theme.paint(Meaning::Failed, "unreachable");
                let all: Vec<String> =
                    std::iter::once(&failure.message).chain(&failure.causes).map(|text| line(text)).collect();
                Some(format!("{}: {word}: {}", line(host), all.join("; ")))
            }
            RunEvent::Interrupted { kill } => Some(words::interrupted(*kill).to_owned()),
            RunEvent::HostFinished { host } => {
                state.hosts.get(host).map(|known| format!("{}: done: {}", line(host), self.counts(known)))
            }
            RunEvent::Host { host, what: HostEvent::Held { hold } } => {
                Some(format!("{}: {}", line(host), self.theme.paint(Meaning::Unsure, line(&hold.to_string()))))
            }
            RunEvent::Host { host, what: HostEvent::RolledBack { tasks, .. } } => {
                let word = self.theme.paint(Meaning::Failed, words::status(Status::RolledBack));
                Some(format!("{}: {word}: what {} had changed is as it was", line(host), count(tasks.len(), "task")))
            }
            RunEvent::Host { host, what: HostEvent::TaskFinished { task, report } } => {
                let tasks = state.hosts.get(host).map_or(&[][..], |h| h.tasks.as_slice());
                self.task(host, tasks, *task, report)
            }
            _ => None,
        }
    }

    fn counts(&self, host: &HostState) -> String {
        let parts: Vec<String> = words::counts(host)
            .into_iter()
            .filter(|(n, ..)| *n > 0)
            .map(|(n, word, meaning)| self.theme.paint(meaning, format!("{n} {word}")).to_string())
            .collect();
        if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
    }

    fn task(&self, host: &str, tasks: &[TaskInfo], id: TaskId, report: &TaskReport) -> Option<String> {
        let said = said(report, tasks);
        let wanted = match said.status {
            Status::Failed | Status::NotConverged => true,
            Status::Unchanged | Status::Skipped => self.verbose >= 2,
            _ => self.verbose >= 1,
        };
        if !wanted {
            return None;
        }
        let task = tasks.iter().find(|t| t.id == id);
        let place = task.map(|t| format!(" ({})", line(&t.origin.to_string()))).unwrap_or_default();
        let name = task.map_or("?", |t| t.name.as_str());
        let status = self.theme.paint(words::meaning(said.status), words::status(said.status));
        let why = said.lines.first().map(|l| format!(": {}", line(l))).unwrap_or_default();
        Some(format!("{}: {status}: {}{place}{why}", line(host), line(name)))
    }
}
