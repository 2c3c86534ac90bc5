//! A run's events, folded into one look per host.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Look, merge};
use crate::{
    event::{Event, HostEvent, Kept, Outcome, PropertyChange, RunEvent, SkipReason, TaskInfo, TaskReport},
    plan::{Mode, TaskId},
};

/// A run's events as they come. What is known of a host is handed out when it is through.
#[derive(Debug, Default)]
pub struct Fold {
    run: String,
    apply: bool,
    interrupted: bool,
    hosts: HashMap<String, Host>,
}

/// A host that is not through.
#[derive(Debug, Default)]
struct Host {
    began: i64,
    tasks: BTreeMap<TaskId, TaskInfo>,
    names: BTreeMap<TaskId, String>,
    reports: Vec<Report>,
    rolled_back: BTreeSet<TaskId>,
    failed: BTreeSet<TaskId>,
    held: bool,
    /// Whether a task could not look at what it manages.
    blind: bool,
}

/// What a task, or one item of its loop, said of the things that it manages.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) task: TaskId,
    pub(super) at: i64,
    pub(super) kept: Kept,
    pub(super) changes: Vec<PropertyChange>,
    pub(super) end: End,
}

/// How it ended, as far as that matters for what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It looked: what it saw is what there is.
    Looked,
    /// It made what it wants, and saw that it is so.
    Made,
    /// What there is now is not known: it may be changed by what was not rehearsed.
    Unsure,
}

/// Who manages an item, for people.
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) setting: Option<String>,
}

impl Fold {
    /// Takes the next event; gives back what is known of a host that is through with it. What is not legal in a stream is of no effect.
    pub fn take(&mut self, event: &Event) -> Option<Look> {
        match &event.what {
            RunEvent::Started { run, mode, .. } => {
                self.run.clone_from(run);
                self.apply = *mode == Mode::Apply;
            }
            RunEvent::Connecting { host } => {
                self.hosts.insert(host.clone(), Host { began: event.at, ..Host::default() });
            }
            RunEvent::Connected { host, tasks } => {
                let tasks = tasks.iter().map(|task| (task.id, task.clone())).collect();
                self.hosts.insert(host.clone(), Host { began: event.at, tasks, ..Host::default() });
            }
            RunEvent::Interrupted { .. } => self.interrupted = true,
            // Its turn never came: nobody looked.
            RunEvent::Unreachable { host, .. } if self.interrupted && !self.hosts.contains_key(host) => {}
            RunEvent::Host { host, what } => self.hosts.get_mut(host)?.take(what, event.at),
            RunEvent::HostFinished { host } => return Some(self.end(host, event.at, false)),
            // What was done before it was lost is done.
            RunEvent::Unreachable { host, .. } => return Some(self.end(host, event.at, true)),
            _ => {}
        }
        None
    }

    fn end(&mut self, name: &str, at: i64, unreachable: bool) -> Look {
        let host = self.hosts.remove(name).unwrap_or_else(|| Host { began: at, ..Host::default() });
        let mut look = Look {
            run: self.run.clone(),
            host: name.to_owned(),
            began: host.began,
            ended: at,
            failed: host.failed.len() as u64,
            unreachable,
            held: host.held,
            apply: self.apply,
            whole: !unreachable && !host.blind,
            ..Look::default()
        };
        let Host { tasks, names, reports, rolled_back, .. } = host;
        let manager = |task: TaskId| {
            let info = tasks.get(&task);
            Manager {
                name: names.get(&task).or(info.map(|i| &i.name)).cloned().unwrap_or_default(),
                origin: info.map(|i| i.origin.to_string()).unwrap_or_default(),
                setting: info.and_then(|i| i.rollout.as_ref()).map(|r| r.setting.clone()),
            }
        };
        let reports = reports.into_iter().map(|mut report| {
            // What was taken back is as it was seen.
            if report.end == End::Made && rolled_back.contains(&report.task) {
                report.end = End::Looked;
            }
            report
        });
        merge::into(&mut look, reports, &manager);
        look
    }
}

impl Host {
    fn take(&mut self, event: &HostEvent, at: i64) {
        match event {
            HostEvent::TaskStarted { task, name } => {
                self.names.insert(*task, name.clone());
            }
            HostEvent::ItemFinished { task, report, .. } => self.report(*task, report, at),
            HostEvent::TaskFinished { task, report } => {
                if report.outcome.is_failure() && !report.ignored && !report.rescued {
                    self.failed.insert(*task);
                }
                self.report(*task, report, at);
            }
            HostEvent::RolledBack { tasks, .. } => self.rolled_back.extend(tasks),
            HostEvent::Held { .. } => self.held = true,
            HostEvent::Found { .. } | HostEvent::Notice { .. } => {}
        }
    }

    fn report(&mut self, task: TaskId, report: &TaskReport, at: i64) {
        self.blind |= match &report.outcome {
            Outcome::Failed { .. } | Outcome::NotConverged { .. } | Outcome::MayChange { .. } => true,
            Outcome::Skipped { reason } => matches!(
                reason,
                SkipReason::Unknown { .. }
                    | SkipReason::Dependency { .. }
                    | SkipReason::Interrupted
                    | SkipReason::Ended
            ),
            _ => false,
        };
        let Some(kept) = &report.kept else { return };
        let differs = || kept.things.iter().flat_map(|t| &t.properties).any(|p| p.seen() != p.wanted());
        let end = match &report.outcome {
            // Its setting is not enforced here: what it wants is not what is wanted of this host. It was rehearsed to see what it would do.
            Outcome::Skipped { reason: SkipReason::Rollout { .. } } => return,
            // It did not look, whatever it was about.
            Outcome::Skipped { .. } => return,
            // `changed_when` says that the difference does not count.
            Outcome::Unchanged | Outcome::Finding { .. } if differs() => return,
            Outcome::Unchanged | Outcome::Finding { .. } => End::Looked,
            // A check, a held host, a task that is only rehearsed.
            Outcome::WouldChange => End::Looked,
            Outcome::Changed => End::Made,
            // What it saw is what there was; what it left behind when it failed is for the next look to see.
            Outcome::Failed { .. } | Outcome::NotConverged { .. } | Outcome::RolledBack { .. } => End::Looked,
            Outcome::MayChange { .. } => End::Unsure,
        };
        self.reports.push(Report { task, at, kept: kept.clone(), changes: report.changes.clone(), end });
    }
}
