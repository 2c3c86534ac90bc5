//! From the events of a run to what it saw of the settings: evidence, and the changes that owners are told of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    evidence::{HostLook, Look},
    news::{Seen, TaskChange},
    stance::Mode,
};
use crate::{
    digest::hex,
    event::{Event, HostEvent, Outcome, RunEvent, SkipReason, Status, TaskInfo, TaskReport},
    module::Finding,
    plan::{Mode as RunMode, RolloutOn, TaskId},
};

/// A fold over the events of a run.
#[derive(Debug, Default)]
pub struct Gather {
    run: String,
    apply: bool,
    hosts: BTreeMap<String, Host>,
}

/// The module that finds skips that nobody documented.
const SKIPS: &str = "apache_skips";

#[derive(Debug, Default)]
struct Host {
    tasks: BTreeMap<TaskId, TaskInfo>,
    names: BTreeMap<TaskId, String>,
    looks: BTreeMap<String, HostLook>,
    changes: BTreeMap<String, Vec<TaskChange>>,
    /// The tasks that look for skips, and what they found.
    skipping: BTreeSet<TaskId>,
    skips: Vec<Finding>,
    skips_seen: bool,
    /// Whether its operators held it in an apply: nothing was enforced there. A check says where it would be.
    held: bool,
    /// Whether the host was lost on the way: what it had not come to was not looked at.
    lost: bool,
}

impl Gather {
    /// Takes the next event.
    pub fn take(&mut self, event: &Event) {
        match &event.what {
            RunEvent::Started { run, mode, .. } => {
                self.run.clone_from(run);
                self.apply = *mode == RunMode::Apply;
            }
            RunEvent::Connected { host, tasks } => {
                let of_settings = tasks.iter().filter(|t| t.rollout.is_some());
                let entry = self.hosts.entry(host.clone()).or_default();
                entry.skipping = tasks.iter().filter(|t| t.module == SKIPS).map(|t| t.id).collect();
                entry.tasks = of_settings.map(|t| (t.id, t.clone())).collect();
            }
            RunEvent::Unreachable { host, .. } => self.hosts.entry(host.clone()).or_default().lost = true,
            RunEvent::Host { host, what } => {
                if let Some(entry) = self.hosts.get_mut(host) {
                    entry.held |= self.apply && matches!(what, HostEvent::Held { .. });
                    entry.take(what);
                }
            }
            _ => {}
        }
    }

    /// What was seen, as lines for the evidence file: one per setting and revision.
    ///
    /// `revision_of` a setting is the present one, `print_of` a host and a setting the fingerprint of its tasks there.
    pub fn looks(
        &self,
        at: Timestamp,
        revision_of: impl Fn(&str) -> u32,
        print_of: impl Fn(&str, &str) -> Option<String>,
    ) -> Vec<Look> {
        let mut by_setting: BTreeMap<&str, BTreeMap<String, HostLook>> = BTreeMap::new();
        for (name, host) in self.hosts.iter().filter(|(_, h)| !h.lost) {
            for (setting, look) in &host.looks {
                let mut look = look.clone();
                look.print = print_of(name, setting);
                look.change = host.changes.get(setting).map(|changes| digest(changes));
                by_setting.entry(setting).or_default().insert(name.clone(), look);
            }
        }
        let look = |(setting, hosts): (&str, _)| Look {
            at,
            run: self.run.clone(),
            setting: setting.to_owned(),
            revision: revision_of(setting),
            apply: self.apply,
            hosts,
        };
        by_setting.into_iter().map(look).collect()
    }

    /// What was seen to change, or would have: by setting, by host.
    pub fn seen(&self) -> Seen {
        let mut seen = Seen::new();
        for (name, host) in self.hosts.iter().filter(|(_, h)| !h.lost) {
            for (setting, changes) in &host.changes {
                seen.entry(setting.clone()).or_default().insert(name.clone(), changes.clone());
            }
        }
        seen
    }

    /// The skips that hosts have and nobody documented, by host; a host that was looked at and has none is not here.
    pub fn skips(&self) -> BTreeMap<String, Vec<Finding>> {
        let found = self.hosts.iter().filter(|(_, h)| !h.skips.is_empty());
        found.map(|(name, host)| (name.clone(), host.skips.clone())).collect()
    }

    /// The hosts on which somebody looked for such skips.
    pub fn looked_for_skips(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().filter(|(_, h)| h.skips_seen && !h.lost).map(|(name, _)| name.as_str())
    }

    /// The hosts that were lost or never reached.
    pub fn unreachable(&self) -> Vec<&str> {
        self.hosts.iter().filter(|(_, h)| h.lost).map(|(name, _)| name.as_str()).collect()
    }
}

impl Host {
    fn take(&mut self, event: &HostEvent) {
        match event {
            HostEvent::TaskStarted { task, name } => {
                self.names.insert(*task, name.clone());
            }
            HostEvent::ItemFinished { task, report, .. } => self.report(*task, report, true),
            HostEvent::TaskFinished { task, report } => {
                if self.skipping.contains(task) {
                    self.skips_seen |= matches!(report.outcome.status(), Status::Unchanged | Status::Finding);
                    self.skips.extend(report.findings.iter().cloned());
                }
                self.report(*task, report, false);
            }
            // What was taken back did not hold.
            HostEvent::RolledBack { tasks, .. } => {
                for rollout in tasks.iter().filter_map(|id| self.tasks.get(id)?.rollout.as_ref()) {
                    self.looks.entry(rollout.setting.clone()).or_default().failed = true;
                }
            }
            HostEvent::Held { .. } | HostEvent::Found { .. } | HostEvent::Notice { .. } => {}
        }
    }

    fn report(&mut self, task: TaskId, report: &TaskReport, item: bool) {
        let Some(info) = self.tasks.get(&task) else { return };
        let Some(rollout) = &info.rollout else { return };
        let status = match &report.outcome {
            Outcome::Skipped { reason: SkipReason::Rollout { would, .. } } => *would,
            Outcome::Skipped { .. } => None,
            outcome => Some(outcome.status()),
        };
        let look = self.looks.entry(rollout.setting.clone()).or_default();
        look.enforced |= rollout.mode == Mode::Enforce && !self.held;
        if let Some(blocked) = &report.blocked {
            look.blocked.get_or_insert_default().take(blocked);
        }
        // What measures is not what is measured.
        if rollout.on == RolloutOn::Observe {
            return;
        }
        look.failed |= matches!(status, Some(Status::Failed | Status::NotConverged)) && !report.ignored;
        let change = matches!(status, Some(Status::Changed | Status::WouldChange | Status::MayChange));
        // A loop's items are reported one by one; their sum has no changes of its own.
        let known = !item
            && self.changes.get(&rollout.setting).is_some_and(|c| c.iter().any(|c| c.task == name(&self.names, info)));
        if change && !known {
            let change = TaskChange {
                task: name(&self.names, info),
                subject: report.subject.clone(),
                changes: report.changes.clone(),
            };
            self.changes.entry(rollout.setting.clone()).or_default().push(change);
        }
    }
}

fn name(names: &BTreeMap<TaskId, String>, info: &TaskInfo) -> String {
    names.get(&info.id).cloned().unwrap_or_else(|| info.name.clone())
}

fn digest(changes: &[TaskChange]) -> String {
    let text = serde_json::to_string(changes).expect("invariant: changes have no keys but strings");
    hex(&Sha256::digest(text)[..8])
}
