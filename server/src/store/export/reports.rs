//! What a run's tasks came to, host by host.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;
use rectify_core::{
    event::{Event, Failure, HostEvent, HostPhase, Outcome, RunEvent, RunState, TaskInfo, TaskReport},
    module::Finding,
    plan::TaskId,
};
use serde::Serialize;

use crate::told::{Said, said};

/// What a run came to.
#[derive(Debug)]
pub struct Reports {
    /// The hosts, in inventory order.
    pub hosts: Vec<HostReports>,
    /// When it ended, microseconds since 1970; `None` where it did not, or where that is not known.
    pub ended: Option<i64>,
    /// Its exit code; `None` where it did not end.
    pub exit_code: Option<u8>,
}

/// What it came to on a host.
#[derive(Debug, Serialize)]
pub struct HostReports {
    /// The host's name.
    pub host: String,
    /// `finished`, `unreachable`, or `not_finished`.
    pub state: &'static str,
    /// Why it was not reached, or was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it began, microseconds since 1970.
    pub began: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// What was found that no task looked for.
    pub findings: Vec<Finding>,
    /// The tasks that ended, in the order in which they did; of a loop its items.
    pub tasks: Vec<Report>,
}

/// What a task, or an item of its loop, came to.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The task.
    pub task: TaskInfo,
    /// Its name with templates rendered.
    pub name: String,
    /// The item's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// What it came to.
    pub report: TaskReport,
    /// The same in words.
    #[serde(skip)]
    pub said: Said,
}

/// A host while its events are read.
#[derive(Debug, Default)]
struct Open {
    tasks: Vec<TaskInfo>,
    names: BTreeMap<TaskId, String>,
    looped: HashSet<TaskId>,
    began: Option<i64>,
    ended: Option<i64>,
    reports: Vec<(TaskId, Option<String>, TaskReport)>,
}

impl Reports {
    /// Reads a run. It ends where the events do, or where they stop making sense.
    pub fn read(events: impl Iterator<Item = Event>) -> Self {
        let mut state = RunState::default();
        let mut open: IndexMap<String, Open> = IndexMap::new();
        let mut ended = None;
        for event in events {
            if state.apply(&event).is_err() {
                break;
            }
            if event.what == RunEvent::Finished {
                ended = Some(event.at);
            }
            take(event, &mut open);
        }
        let exit_code = state.finished.then(|| state.exit_code());
        let hosts = state.hosts.into_iter().map(|(name, host)| {
            let open = open.swap_remove(&name).unwrap_or_default();
            let (state, failure) = match host.phase {
                HostPhase::Finished => ("finished", None),
                HostPhase::Unreachable(failure) => ("unreachable", Some(failure)),
                _ => ("not_finished", None),
            };
            let (began, ended) = (open.began, open.ended);
            HostReports { host: name, state, failure, began, ended, findings: host.findings, tasks: open.done() }
        });
        Reports { hosts: hosts.collect(), ended, exit_code }
    }
}

fn take(event: Event, open: &mut IndexMap<String, Open>) {
    let at = event.at;
    match event.what {
        RunEvent::Connecting { host } => open.entry(host).or_default().began = Some(at),
        RunEvent::Connected { host, tasks } => open.entry(host).or_default().tasks = tasks,
        RunEvent::HostFinished { host } | RunEvent::Unreachable { host, .. } => {
            open.entry(host).or_default().ended = Some(at);
        }
        RunEvent::Host { host, what } => open.entry(host).or_default().take(what),
        _ => {}
    }
}

impl Open {
    fn take(&mut self, what: HostEvent) {
        match what {
            HostEvent::TaskStarted { task, name } => drop(self.names.insert(task, name)),
            HostEvent::ItemFinished { task, item, report } => {
                self.looped.insert(task);
                self.reports.push((task, Some(item), *report));
            }
            HostEvent::TaskFinished { task, report } if !self.looped.contains(&task) => {
                self.reports.push((task, None, *report));
            }
            HostEvent::RolledBack { tasks, because } => {
                let back = self.reports.iter_mut().filter(|(id, ..)| tasks.contains(id));
                back.for_each(|(_, _, report)| report.outcome = Outcome::RolledBack { because });
            }
            _ => {}
        }
    }

    fn done(self) -> Vec<Report> {
        let Open { tasks, names, reports, .. } = self;
        let known: BTreeMap<TaskId, &TaskInfo> = tasks.iter().map(|task| (task.id, task)).collect();
        let done = reports.into_iter().filter_map(|(id, item, report)| {
            let task = (*known.get(&id)?).clone();
            let name = names.get(&id).unwrap_or(&task.name).clone();
            let said = said(&report, &tasks);
            Some(Report { task, name, item, report, said })
        });
        done.collect()
    }
}

impl Report {
    /// The task's name, its role before it and the item behind it.
    pub fn title(&self) -> String {
        let role = self.task.role.as_ref().map(|role| format!("{role} : ")).unwrap_or_default();
        let item = self.item.as_ref().map(|item| format!(" ({item})")).unwrap_or_default();
        format!("{role}{}{item}", self.name)
    }
}
