//! What a run came to, per host and per setting: a fold over its events that forgets a host's tasks when the host is through.

use std::collections::{BTreeMap, HashMap};

use rectify_core::event::{
    Event, HostEvent, HostPhase, HostState, IllegalTransition, Outcome, RunEvent, RunState, SkipReason, Status,
};

/// Words about what went wrong are cut after so many characters.
const LONGEST: usize = 500;

/// One host in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) host: String,
    /// When it was through, microseconds since 1970.
    pub(super) at: i64,
    /// As far as counts tell: `unreachable`, `failing`, `held`, `pending` or `fine`. What moved, host or policy, is judged later.
    pub(super) state: &'static str,
    /// Microseconds.
    pub(super) took: i64,
    pub(super) changed: u64,
    pub(super) would: u64,
    pub(super) failed: u64,
    pub(super) findings: usize,
    pub(super) trouble: Option<String>,
    /// It came to its end without a failure, and no task was left out because of an interruption.
    pub(super) good: bool,
}

/// On how many hosts a setting did what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfSetting {
    pub(super) hosts: i64,
    pub(super) changed: i64,
    pub(super) would: i64,
    pub(super) failed: i64,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Looks {
    state: RunState,
    began: HashMap<String, i64>,
    code: u8,
    /// The hosts that are through, in the order in which they were. Those that an interruption left out were not looked at.
    pub(super) looks: Vec<Look>,
    pub(super) settings: BTreeMap<String, OfSetting>,
    /// When the last event was.
    pub(super) last: i64,
}

impl Looks {
    /// Of a run that began at this time, microseconds since 1970.
    pub(super) fn since(began: i64) -> Self {
        Looks { last: began, ..Looks::default() }
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// An event that the contract of the stream does not allow.
    pub(super) fn take(&mut self, mut event: Event) -> Result<(), IllegalTransition> {
        lighten(&mut event.what);
        self.state.apply(&event)?;
        self.last = event.at;
        match &event.what {
            RunEvent::Connecting { host } => drop(self.began.insert(host.clone(), event.at)),
            RunEvent::HostFinished { host } => self.through(host, event.at),
            // Without a beginning: its turn never came.
            RunEvent::Unreachable { host, .. } if self.state.interrupted && !self.began.contains_key(host) => {}
            RunEvent::Unreachable { host, .. } => self.through(host, event.at),
            _ => {}
        }
        Ok(())
    }

    /// Whether the run came to its end.
    pub(super) fn finished(&self) -> bool {
        self.state.finished
    }

    /// Whether the operator interrupted it.
    pub(super) fn interrupted(&self) -> bool {
        self.state.interrupted
    }

    /// The exit code: see [`RunState::exit_code`].
    pub(super) fn exit_code(&self) -> u8 {
        // The state has forgotten what its hosts did.
        self.code.max(self.state.exit_code())
    }

    fn through(&mut self, name: &str, at: i64) {
        let Some(host) = self.state.hosts.get_mut(name) else { return };
        self.code = self.code.max(host.exit_code());
        let began = self.began.get(name).copied().unwrap_or(at);
        self.looks.push(look(name, host, began, at));
        if host.phase == HostPhase::Finished {
            settings(host, &mut self.settings);
        }
        host.reports.clear();
        host.tasks.clear();
        host.findings.clear();
    }
}

/// What is not counted is not kept.
fn lighten(what: &mut RunEvent) {
    if let RunEvent::Host {
        what: HostEvent::TaskFinished { report, .. } | HostEvent::ItemFinished { report, .. },
        ..
    } = what
    {
        report.changes.clear();
        report.kept = None;
        report.messages.clear();
        report.result = None;
    }
}

fn look(name: &str, host: &HostState, began: i64, at: i64) -> Look {
    let would = host.counts.get(Status::WouldChange) + host.counts.get(Status::MayChange);
    let failed = host.failures();
    let state = match &host.phase {
        HostPhase::Unreachable(_) => "unreachable",
        _ if failed > 0 => "failing",
        _ if host.held.is_some() => "held",
        _ if would > 0 => "pending",
        _ => "fine",
    };
    let left_out = |o: &Outcome| matches!(o, Outcome::Skipped { reason: SkipReason::Interrupted });
    Look {
        host: name.to_owned(),
        at,
        state,
        took: at.saturating_sub(began),
        changed: host.counts.get(Status::Changed),
        would,
        failed,
        findings: host.findings.len() + host.reports.values().map(|r| r.findings.len()).sum::<usize>(),
        trouble: trouble(host).map(|text| text.chars().take(LONGEST).collect()),
        good: host.phase == HostPhase::Finished
            && failed == 0
            && !host.reports.values().any(|report| left_out(&report.outcome)),
    }
}

/// Why it could not be reached, or what failed first.
fn trouble(host: &HostState) -> Option<String> {
    if let HostPhase::Unreachable(failure) = &host.phase {
        return Some(failure.message.clone());
    }
    let mut failed = host.reports.iter().filter(|(_, r)| r.outcome.is_failure() && !r.ignored && !r.rescued);
    let (id, report) = failed.next()?;
    let name = host.tasks.iter().find(|t| t.id == *id).map_or("", |t| t.name.as_str());
    Some(match &report.outcome {
        Outcome::Failed { failure } => format!("{name}: {}", failure.message),
        Outcome::NotConverged { properties } => format!("{name}: still differs: {}", properties.join(", ")),
        _ => name.to_owned(),
    })
}

fn settings(host: &HostState, all: &mut BTreeMap<String, OfSetting>) {
    let mut here: BTreeMap<&str, [bool; 3]> = BTreeMap::new();
    for task in &host.tasks {
        let (Some(rollout), Some(report)) = (&task.rollout, host.reports.get(&task.id)) else { continue };
        let [changed, would, failed] = here.entry(&rollout.setting).or_default();
        match report.outcome.status() {
            Status::Changed => *changed = true,
            Status::WouldChange | Status::MayChange => *would = true,
            Status::Failed | Status::NotConverged if !report.ignored && !report.rescued => *failed = true,
            _ => {}
        }
    }
    for (setting, [changed, would, failed]) in here {
        let sum = all.entry(setting.to_owned()).or_default();
        sum.hosts += 1;
        sum.changed += i64::from(changed);
        sum.would += i64::from(would);
        sum.failed += i64::from(failed);
    }
}
