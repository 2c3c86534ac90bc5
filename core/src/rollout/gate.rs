//! The gate: what the next step of a setting still lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    claims::Claim,
    evidence::{Evidence, HostEvidence},
    model::{Setting, Stage, Step, StepName},
    people::owners,
    position::{Affected, Told, WhyNotTold},
    stance::{Mode, Prints, View},
};

/// A host that has tasks of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The fingerprints of these tasks.
    pub prints: Prints,
    /// What the host asks for of this setting.
    pub claim: Option<Claim>,
}

/// One thing that keeps a setting from advancing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// No step follows.
    LastStep,
    /// The step's day has not come.
    Date(Date),
    /// Nothing advances today.
    Frozen {
        /// The last day of the freeze.
        until: Date,
        /// Why.
        reason: String,
    },
    /// Somebody objects, and nobody has answered.
    Objection {
        /// The id of the objection.
        id: String,
        /// Who.
        owner: String,
        /// Why.
        reason: String,
    },
    /// Owners were not told in time: the hosts, by why.
    NotTold {
        /// Why.
        why: WhyNotTold,
        /// The hosts.
        hosts: Vec<String>,
    },
    /// Hosts were not looked at lately.
    Stale {
        /// The hosts.
        hosts: Vec<String>,
        /// How old a look may be, days.
        days: u16,
    },
    /// It would change too many hosts.
    TooMany {
        /// On how many hosts it would change something.
        change: usize,
        /// Of how many.
        of: usize,
        /// How many per cent are allowed.
        limit: u8,
    },
    /// Too many hosts of the cohort before failed.
    Failures {
        /// The hosts that failed.
        hosts: Vec<String>,
        /// Of how many.
        of: usize,
        /// How many per cent are allowed.
        limit: u8,
    },
    /// Hosts of the cohort before have not been through an apply since.
    NotApplied {
        /// The hosts.
        hosts: Vec<String>,
    },
    /// Nothing has counted lately what enforcing would block, although there is a limit for it.
    NotCounted {
        /// The hosts.
        hosts: Vec<String>,
        /// How old a count may be, days.
        days: u16,
    },
    /// Observing saw too much that enforcing would block.
    WouldBlock {
        /// How often in 30 days.
        times: u64,
        /// How often is allowed.
        limit: u64,
    },
}

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The step that the setting has reached.
    pub from: StepName,
    /// The step that it would reach; `None` if it is the last.
    pub to: Option<StepName>,
    /// Everything that is missing; nothing: it may advance.
    pub missing: Vec<Missing>,
    /// The hosts that the step would begin to change something on.
    pub affected: Vec<String>,
}

/// Whether a setting may take its next step; `subjects` are all hosts that have tasks of it.
pub fn gate(view: &View<'_>, setting: &Setting, subjects: &BTreeMap<String, Subject>, evidence: &Evidence) -> Gate {
    let reached = view.journal.reached(setting);
    let from = setting.steps[reached].name;
    let Some(next) = setting.steps.get(reached + 1) else {
        return Gate { from, to: None, missing: vec![Missing::LastStep], affected: Vec::new() };
    };
    let judge = Judge { view, setting, subjects, evidence, next, from };
    let affected = judge.affected();
    let mut missing = judge.calendar();
    missing.extend(judge.objections());
    missing.extend(judge.told(&affected));
    missing.extend(judge.seen());
    missing.extend(judge.cohort_before(reached));
    Gate { from, to: Some(next.name), missing, affected }
}

struct Judge<'a> {
    view: &'a View<'a>,
    setting: &'a Setting,
    subjects: &'a BTreeMap<String, Subject>,
    evidence: &'a Evidence,
    next: &'a Step,
    from: StepName,
}

impl Judge<'_> {
    fn claim<'s>(&self, subject: &'s Subject) -> Option<&'s Claim> {
        subject.claim.as_ref()
    }

    /// The hosts that the next step would enforce on and this one does not, and on which something would change as far as is known.
    fn affected(&self) -> Vec<String> {
        let then = |host: &str, subject: &Subject| {
            let mut assume = self.view.assume.clone();
            assume.stages.insert(self.setting.id.clone(), self.next.name);
            let view = View { assume: &assume, ..*self.view };
            view.stance(self.setting, host, self.claim(subject), &subject.prints).mode
        };
        let now = |host: &str, subject: &Subject| {
            let stance = self.view.stance(self.setting, host, self.claim(subject), &subject.prints);
            stance.mode == Mode::Enforce && stance.revision == self.setting.revision.number
        };
        // `announced` enforces nothing: those are affected on whom the stage after it will act.
        let whole = self.next.name.stage <= Stage::Announced;
        self.subjects
            .iter()
            .filter(|(host, subject)| !now(host, subject) && (whole || then(host, subject) == Mode::Enforce))
            .filter(|(host, _)| self.would_change(host))
            .map(|(host, _)| host.clone())
            .collect()
    }

    /// Whether something would change on a host; a host that was never looked at counts as one.
    fn would_change(&self, host: &str) -> bool {
        self.known(host).is_none_or(|e| e.since.is_some() || e.seen.failed)
    }

    /// What is known of the tasks as they are now on a host.
    fn known(&self, host: &str) -> Option<&HostEvidence> {
        let print = &self.subjects.get(host)?.prints.now;
        let known = self.evidence.of(self.setting, host);
        known.filter(|e| e.is_of(print))
    }

    fn calendar(&self) -> Vec<Missing> {
        let today = self.view.rollouts.day(self.view.now);
        let early = (today < self.next.date).then_some(Missing::Date(self.next.date));
        let frozen = self.view.rollouts.freeze(today);
        let frozen = frozen.map(|f| Missing::Frozen { until: f.to, reason: f.reason.clone() });
        early.into_iter().chain(frozen).collect()
    }

    fn objections(&self) -> Vec<Missing> {
        let open = self.view.journal.objections(self.setting);
        open.into_iter()
            .filter_map(|record| match &record.what {
                super::journal::Entry::Objection { owner, reason, .. } => {
                    Some(Missing::Objection { id: record.id.clone(), owner: owner.clone(), reason: reason.clone() })
                }
                _ => None,
            })
            .collect()
    }

    fn told(&self, affected: &[String]) -> Vec<Missing> {
        let mut by_reason: BTreeMap<WhyNotTold, Vec<String>> = BTreeMap::new();
        for host in affected {
            let Some(subject) = self.subjects.get(host) else { continue };
            let skip = self.claim(subject).and_then(|c| c.skip.as_ref());
            let stage = match self.next.name.stage {
                Stage::Mandatory if skip.is_some() => Stage::Mandatory,
                stage => stage.min(Stage::OptOut),
            };
            let names: Vec<String> = owners(self.view.inventory, host).into_iter().map(|(name, _)| name).collect();
            let affected = Affected {
                setting: self.setting,
                revision: self.setting.revision.number,
                host,
                fingerprint: &subject.prints.now,
                owners: &names,
                stage,
            };
            if let Told::No(why) = self.view.told(&affected, &subject.prints) {
                by_reason.entry(why).or_default().push(host.clone());
            }
        }
        by_reason.into_iter().map(|(why, hosts)| Missing::NotTold { why, hosts }).collect()
    }

    /// What the looks at the hosts must have shown.
    fn seen(&self) -> Vec<Missing> {
        let limits = self.setting.limits;
        let mut missing = Vec::new();
        let age = SignedDuration::from_hours(i64::from(limits.evidence_age) * 24);
        let from = self.view.now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let stale = |host: &&String| self.known(host).is_none_or(|e| e.last < from);
        let hosts: Vec<String> = self.subjects.keys().filter(stale).cloned().collect();
        if !hosts.is_empty() {
            missing.push(Missing::Stale { hosts, days: limits.evidence_age });
        }
        if self.next.name.stage == Stage::OptOut {
            let change = self.subjects.keys().filter(|h| self.would_change(h)).count();
            if beyond(change, self.subjects.len(), limits.would_change) {
                missing.push(Missing::TooMany { change, of: self.subjects.len(), limit: limits.would_change });
            }
            missing.extend(limits.blocked.into_iter().flat_map(|limit| self.blocked(limit, from)));
        }
        missing
    }

    /// Whether observing saw little enough that enforcing would block, and saw anything at all since `from`.
    fn blocked(&self, limit: u64, from: Timestamp) -> Vec<Missing> {
        let (setting, days) = (self.setting, self.setting.limits.evidence_age);
        let counts = |host: &str| {
            let known = self.evidence.of(setting, host);
            // Where it is enforced already, or would change nothing, there is nothing left to be blocked.
            known.is_some_and(|e| e.seen.enforced || e.counted.is_some_and(|at| at >= from))
        };
        let blind = |host: &&String| self.would_change(host) && !counts(host);
        let hosts: Vec<String> = self.subjects.keys().filter(blind).cloned().collect();
        let missing = (!hosts.is_empty()).then_some(Missing::NotCounted { hosts, days });
        let all = self.subjects.keys().map(String::as_str);
        let times = self.evidence.blocked(&setting.id, setting.revision.number, all, self.view.now).unwrap_or(0);
        missing.into_iter().chain((times > limit).then_some(Missing::WouldBlock { times, limit })).collect()
    }

    /// How the hosts fared on which it is enforced since the last step.
    fn cohort_before(&self, reached: usize) -> Vec<Missing> {
        if self.from.stage < Stage::OptOut {
            return Vec::new();
        }
        let setting = self.setting;
        let advanced = self.view.journal.last_advance(setting, setting.revision.number).map(|(record, _)| record.at);
        let before = reached.checked_sub(1).map(|i| setting.steps[i].name);
        let before = before.filter(|s| s.stage == Stage::OptOut).map_or(0, |s| s.percent);
        let enforced: Vec<&String> = self
            .subjects
            .iter()
            .filter(|(host, subject)| {
                let stance = self.view.stance(setting, host, self.claim(subject), &subject.prints);
                stance.mode == Mode::Enforce && stance.revision == setting.revision.number
            })
            .map(|(host, _)| host)
            .collect();
        let applied = |host: &String| self.evidence.of(setting, host)?.applied;
        let mut open: BTreeSet<String> = BTreeSet::new();
        let mut failed = Vec::new();
        for host in &enforced {
            let new = !setting.covers(host, before);
            match applied(host) {
                Some((_, true)) => failed.push((*host).clone()),
                Some((at, false)) if !new || advanced.is_none_or(|advance| at >= advance) => {}
                // A host that was as declared already needs no apply to show that it holds.
                _ if !self.would_change(host) => {}
                _ => {
                    open.insert((*host).clone());
                }
            }
        }
        let mut missing = Vec::new();
        if beyond(failed.len(), enforced.len(), setting.limits.failed) {
            missing.push(Missing::Failures { hosts: failed, of: enforced.len(), limit: setting.limits.failed });
        }
        if !open.is_empty() {
            missing.push(Missing::NotApplied { hosts: open.into_iter().collect() });
        }
        missing
    }
}

/// Whether `part` of `whole` is more than `limit` per cent.
fn beyond(part: usize, whole: usize, limit: u8) -> bool {
    part * 100 > whole * usize::from(limit)
}

/// The most hosts that are named where not all of them are asked for.
const NAMED: usize = 8;

/// Names every host with `{:#}`, the first few with `{}`.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = if f.alternate() { usize::MAX } else { NAMED };
        let named = |hosts: &[String]| match hosts.len().saturating_sub(most) {
            0 => hosts.join(", "),
            more => format!("{} and {more} more", hosts[..most].join(", ")),
        };
        match self {
            Missing::LastStep => write!(f, "no step follows"),
            Missing::Date(date) => write!(f, "its day is {date}"),
            Missing::Frozen { until, reason } => write!(f, "nothing advances until {until}: {reason}"),
            Missing::Objection { id, owner, reason } => write!(f, "{owner} objects: {reason} (answer objection {id})"),
            Missing::NotTold { why, hosts } => write!(f, "{why}: {}", named(hosts)),
            Missing::Stale { hosts, days } => {
                write!(f, "no look in the last {days} days: {} (run a check)", named(hosts))
            }
            Missing::TooMany { change, of, limit } => {
                write!(f, "it would change {change} of {of} hosts, {limit} % are allowed")
            }
            Missing::Failures { hosts, of, limit } => {
                write!(f, "failed on {} of {of} hosts, {limit} % are allowed: {}", hosts.len(), named(hosts))
            }
            Missing::NotApplied { hosts } => {
                write!(f, "not applied yet since the last step: {} (run an apply)", named(hosts))
            }
            Missing::NotCounted { hosts, days } => {
                write!(
                    f,
                    "nothing has counted in the last {days} days what it would block: {} (its tasks `on: observe` do)",
                    named(hosts)
                )
            }
            Missing::WouldBlock { times, limit } => {
                write!(f, "enforcing would have blocked {times} times in 30 days, {limit} are allowed")
            }
        }
    }
}
