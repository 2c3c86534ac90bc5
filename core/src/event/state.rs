//! A run's state as a fold over its events.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Event, Failure, HostEvent, Outcome, RunEvent, Status, TaskInfo, TaskReport};
use crate::{
    hold::Hold,
    module::Finding,
    plan::{Mode, TaskId},
};

/// How far a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPhase {
    /// Not begun.
    Waiting,
    /// A connection is being made.
    Connecting,
    /// The plan runs.
    Running,
    /// Through.
    Finished,
    /// Not reached, or lost.
    Unreachable(Failure),
}

/// How many tasks of a host ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts(BTreeMap<Status, u64>);

impl Counts {
    /// How many ended so.
    pub fn get(&self, status: Status) -> u64 {
        self.0.get(&status).copied().unwrap_or_default()
    }

    fn add(&mut self, status: Status) {
        *self.0.entry(status).or_default() += 1;
    }

    fn take(&mut self, status: Status) {
        if let Some(n) = self.0.get_mut(&status) {
            *n = n.saturating_sub(1);
        }
    }
}

/// What is known of one host.
#[derive(Debug, Clone)]
pub struct HostState {
    /// How far it is.
    pub phase: HostPhase,
    /// The tasks that may run there.
    pub tasks: Vec<TaskInfo>,
    /// The tasks that run now, with the names they were started under.
    pub running: BTreeMap<TaskId, String>,
    /// The tasks that are done.
    pub reports: BTreeMap<TaskId, TaskReport>,
    /// How many ended how.
    pub counts: Counts,
    /// How many failures were ignored.
    pub ignored: u64,
    /// Who holds it, so that nothing is changed there.
    pub held: Option<Hold>,
    /// What was found that no task looked for.
    pub findings: Vec<Finding>,
}

/// What is known of a run. Live view, replay, recap and exit code all read it.
#[derive(Debug, Clone, Default)]
pub struct RunState {
    /// The run's id and purpose, once it has started.
    pub run: Option<(String, Mode)>,
    /// The hosts, in inventory order.
    pub hosts: IndexMap<String, HostState>,
    /// Whether the operator interrupted it.
    pub interrupted: bool,
    /// Whether it is over.
    pub finished: bool,
    next: u64,
}

/// An event that the contract of the stream does not allow here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} is not legal here: {why}")]
pub struct IllegalTransition {
    /// The event's number.
    pub seq: u64,
    /// What is wrong.
    pub why: String,
}

impl RunState {
    /// Takes the next event in.
    ///
    /// # Errors
    /// [`IllegalTransition`] if the contract does not allow it; the state is then as it was.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        let illegal = |why: String| IllegalTransition { seq: event.seq, why };
        if event.seq != self.next {
            return Err(illegal(format!("expected number {}", self.next)));
        }
        if self.finished {
            return Err(illegal("the run is over".into()));
        }
        if self.run.is_none() != matches!(event.what, RunEvent::Started { .. }) {
            return Err(illegal("a run starts once, with its first event".into()));
        }
        self.step(&event.what).map_err(illegal)?;
        self.next += 1;
        Ok(())
    }

    fn step(&mut self, event: &RunEvent) -> Result<(), String> {
        match event {
            RunEvent::Started { run, mode, hosts, .. } => {
                self.run = Some((run.clone(), *mode));
                self.hosts = hosts.iter().map(|h| (h.clone(), HostState::new())).collect();
                Ok(())
            }
            RunEvent::Connecting { host } => self.host(host)?.go(&HostPhase::Waiting, HostPhase::Connecting),
            RunEvent::Connected { host, tasks } => {
                let state = self.host(host)?;
                state.go(&HostPhase::Connecting, HostPhase::Running)?;
                state.tasks.clone_from(tasks);
                Ok(())
            }
            RunEvent::Host { host, what } => self.host(host)?.on_host(what),
            RunEvent::HostFinished { host } => self.host(host)?.finish(),
            RunEvent::Unreachable { host, failure } => self.host(host)?.lose(failure),
            RunEvent::Warning { .. } => Ok(()),
            RunEvent::Interrupted { .. } => {
                self.interrupted = true;
                Ok(())
            }
            RunEvent::Finished => {
                if let Some((name, _)) = self.hosts.iter().find(|(_, h)| !h.is_over()) {
                    return Err(format!("{name} is not through"));
                }
                self.finished = true;
                Ok(())
            }
        }
    }

    fn host(&mut self, name: &str) -> Result<&mut HostState, String> {
        self.hosts.get_mut(name).ok_or_else(|| format!("{name} is not a host of this run"))
    }

    /// The exit code that the run deserves: see the design's table. 0 all as declared, 2 something would or may change (in
    /// a check) or a finding stands, 3 something failed, 4 a host was unreachable.
    pub fn exit_code(&self) -> u8 {
        let mut code = 0;
        for host in self.hosts.values() {
            code = code.max(host.exit_code());
        }
        if self.interrupted { code.max(3) } else { code }
    }
}

impl HostState {
    fn new() -> Self {
        HostState {
            phase: HostPhase::Waiting,
            tasks: Vec::new(),
            running: BTreeMap::new(),
            reports: BTreeMap::new(),
            counts: Counts::default(),
            ignored: 0,
            held: None,
            findings: Vec::new(),
        }
    }

    /// Whether something was found there, by a task or by none.
    pub fn has_findings(&self) -> bool {
        !self.findings.is_empty() || self.reports.values().any(|r| !r.findings.is_empty())
    }

    /// Whether nothing more will happen there.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, HostPhase::Finished | HostPhase::Unreachable(_))
    }

    /// How many tasks failed or did not converge, failures that were ignored or rescued left out.
    pub fn failures(&self) -> u64 {
        let failed = self.counts.get(Status::Failed) + self.counts.get(Status::NotConverged);
        failed.saturating_sub(self.ignored)
    }

    /// What the host contributes to the exit code of the run: see [`RunState::exit_code`].
    pub fn exit_code(&self) -> u8 {
        match &self.phase {
            HostPhase::Unreachable(_) => 4,
            _ if self.failures() > 0 => 3,
            _ if self.pending() => 2,
            _ => 0,
        }
    }

    fn pending(&self) -> bool {
        let open = |s| self.counts.get(s) > 0;
        open(Status::WouldChange)
            || open(Status::MayChange)
            || self.has_findings()
            || self.reports.values().any(|r| matches!(r.outcome, Outcome::Finding { .. }))
    }

    fn go(&mut self, from: &HostPhase, to: HostPhase) -> Result<(), String> {
        if self.phase != *from {
            return Err(format!("the host is {:?}, not {from:?}", self.phase));
        }
        self.phase = to;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        if let Some(task) = self.tasks.iter().find(|t| !self.reports.contains_key(&t.id)) {
            return Err(format!("task {} ({}) has not finished", task.id.0, task.name));
        }
        self.go(&HostPhase::Running, HostPhase::Finished)
    }

    fn lose(&mut self, failure: &Failure) -> Result<(), String> {
        if self.is_over() {
            return Err("the host is over already".into());
        }
        self.running.clear();
        self.phase = HostPhase::Unreachable(failure.clone());
        Ok(())
    }

    fn on_host(&mut self, event: &HostEvent) -> Result<(), String> {
        if self.phase != HostPhase::Running {
            return Err(format!("the host is {:?}, not running", self.phase));
        }
        match event {
            HostEvent::TaskStarted { task, name } => {
                self.known(*task)?;
                if self.reports.contains_key(task) || self.running.insert(*task, name.clone()).is_some() {
                    return Err(format!("task {} starts twice", task.0));
                }
                Ok(())
            }
            HostEvent::ItemFinished { task, .. } if !self.running.contains_key(task) => {
                Err(format!("an item of task {}, which does not run", task.0))
            }
            HostEvent::ItemFinished { .. } | HostEvent::Notice { .. } => Ok(()),
            HostEvent::Held { .. } | HostEvent::Found { .. }
                if !self.running.is_empty() || !self.reports.is_empty() =>
            {
                Err("what is found before the tasks comes after one of them".into())
            }
            HostEvent::Held { hold } => match self.held.replace(hold.clone()) {
                None => Ok(()),
                Some(_) => Err("the host is held twice".into()),
            },
            HostEvent::Found { finding } => {
                self.findings.push(finding.clone());
                Ok(())
            }
            HostEvent::RolledBack { tasks, because } => self.roll_back(tasks, *because),
            HostEvent::TaskFinished { task, report } => {
                self.known(*task)?;
                let skipped = report.outcome.status() == Status::Skipped;
                if self.running.remove(task).is_none() && !skipped {
                    return Err(format!("task {} finishes without having started", task.0));
                }
                if self.reports.contains_key(task) {
                    return Err(format!("task {} finishes twice", task.0));
                }
                self.counts.add(if report.rescued { Status::Rescued } else { report.outcome.status() });
                self.ignored += u64::from(report.ignored);
                self.reports.insert(*task, (**report).clone());
                Ok(())
            }
        }
    }

    fn roll_back(&mut self, tasks: &[TaskId], because: TaskId) -> Result<(), String> {
        if let Some(open) = tasks.iter().find(|t| !self.reports.contains_key(t)) {
            return Err(format!("task {} is taken back, and has not finished", open.0));
        }
        for task in tasks {
            let Some(report) = self.reports.get_mut(task) else { continue };
            self.counts.take(report.outcome.status());
            report.outcome = Outcome::RolledBack { because };
            self.counts.add(Status::RolledBack);
        }
        Ok(())
    }

    fn known(&self, task: TaskId) -> Result<(), String> {
        if self.tasks.iter().any(|t| t.id == task) {
            Ok(())
        } else {
            Err(format!("task {} is not in the plan", task.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Severity;

    fn told(events: Vec<RunEvent>) -> (RunState, Result<(), String>) {
        let mut state = RunState::default();
        for (seq, what) in (0..).zip(events) {
            if let Err(error) = state.apply(&Event { seq, at: 0, what }) {
                return (state, Err(error.why));
            }
        }
        (state, Ok(()))
    }

    /// A host with one task, and what it says.
    fn host(what: Vec<HostEvent>) -> Vec<RunEvent> {
        let host = || "h".to_owned();
        let origin = crate::plan::Origin { file: "p".into(), line: 1, column: 1 };
        let (name, module, play) = ("x".into(), "copy".into(), "p".into());
        let task = TaskInfo { id: TaskId(0), name, module, role: None, play, origin, handler: false, rollout: None };
        let (run, version) = ("r".into(), "0".into());
        let mut events = vec![
            RunEvent::Started { run, mode: Mode::Apply, playbooks: vec![], hosts: vec![host()], version },
            RunEvent::Connecting { host: host() },
            RunEvent::Connected { host: host(), tasks: vec![task] },
        ];
        events.extend(what.into_iter().map(|what| RunEvent::Host { host: host(), what }));
        events
    }

    fn held() -> HostEvent {
        HostEvent::Held { hold: Hold { by: "root".into(), until: jiff::Timestamp::MAX, reason: "x".into() } }
    }

    fn found() -> HostEvent {
        let finding = Finding { severity: Severity::Warning, subject: "s".into(), message: "m".into() };
        HostEvent::Found { finding }
    }

    fn unchanged() -> HostEvent {
        let report = Box::new(TaskReport::of(Outcome::Skipped { reason: crate::event::SkipReason::Ended }));
        HostEvent::TaskFinished { task: TaskId(0), report }
    }

    #[test]
    fn a_hold_comes_before_the_tasks_and_once() {
        let (state, legal) = told(host(vec![found(), held(), found(), unchanged()]));
        assert_eq!((legal, state.hosts["h"].findings.len()), (Ok(()), 2));
        assert_eq!(state.hosts["h"].held.as_ref().map(|h| h.by.as_str()), Some("root"));
        for wrong in [vec![held(), held()], vec![unchanged(), held()], vec![unchanged(), found()]] {
            assert!(told(host(wrong.clone())).1.is_err(), "{wrong:?}");
        }
        let started = HostEvent::TaskStarted { task: TaskId(0), name: "x".into() };
        assert!(told(host(vec![started, held()])).1.is_err());
    }

    #[test]
    fn what_no_task_looked_for_is_a_finding_all_the_same() {
        let (state, _) = told(host(vec![found(), unchanged()]));
        assert_eq!(state.exit_code(), 2);
        assert_eq!(told(host(vec![unchanged()])).0.exit_code(), 0);
    }
}
