//! What a rollouts file says.

use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::diag::Span;

/// How far a setting's default has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It holds where it was asked for.
    OptIn,
    /// The same; the date of the next stage is public and was sent to the people affected.
    Announced,
    /// It holds everywhere but where it is skipped.
    OptOut,
    /// It holds everywhere; a skip is a finding.
    Mandatory,
    /// It is undone.
    Retired,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Stage; 5] = [Stage::OptIn, Stage::Announced, Stage::OptOut, Stage::Mandatory, Stage::Retired];

    /// Its word in the rollouts file.
    pub fn word(self) -> &'static str {
        match self {
            Stage::OptIn => "opt-in",
            Stage::Announced => "announced",
            Stage::OptOut => "opt-out",
            Stage::Mandatory => "mandatory",
            Stage::Retired => "retired",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A stage, and for `opt-out` how many per cent of the hosts it covers: `opt-out 25%`, `mandatory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct StepName {
    /// The stage.
    pub stage: Stage,
    /// Per cent of the hosts, 1 to 100.
    pub percent: u8,
}

impl StepName {
    /// The step of a stage that covers every host.
    pub fn whole(stage: Stage) -> Self {
        StepName { stage, percent: 100 }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.percent == 100 { self.stage.fmt(f) } else { write!(f, "{} {}%", self.stage, self.percent) }
    }
}

impl From<StepName> for String {
    fn from(step: StepName) -> String {
        step.to_string()
    }
}

/// A text that names no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no step: expected opt-in, announced, opt-out, `opt-out 25%`, mandatory or retired")]
pub struct UnknownStep(pub String);

impl FromStr for StepName {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let unknown = || UnknownStep(text.to_owned());
        let (word, percent) = text.trim().split_once([' ', ':']).unwrap_or((text.trim(), "100%"));
        let stage = Stage::ALL.into_iter().find(|s| s.word() == word).ok_or_else(unknown)?;
        let percent = percent_of(percent).filter(|p| *p == 100 || stage == Stage::OptOut).ok_or_else(unknown)?;
        Ok(StepName { stage, percent })
    }
}

impl TryFrom<String> for StepName {
    type Error = UnknownStep;

    fn try_from(text: String) -> Result<Self, UnknownStep> {
        text.parse()
    }
}

/// `25%` as 25; 1 to 100 only.
pub(super) fn percent_of(text: &str) -> Option<u8> {
    text.trim().strip_suffix('%')?.trim().parse().ok().filter(|p| (1..=100).contains(p))
}

/// A step and the earliest day for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// The earliest day, in the file's time zone.
    pub date: Date,
    /// Where it was written.
    pub at: Span,
}

/// Whether a new value asks more of people than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It allows more: it applies at once.
    Looser,
    /// It allows less, or nobody said: it is announced anew.
    Stricter,
}

/// Why a revision could not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// What happened, such as an advisory's number.
    pub reason: String,
    /// By when someone looks at it again.
    pub review: Date,
}

/// A setting's present value, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// From 1, rising.
    pub number: u32,
    /// How it compares with the revision before; the first is stricter than nothing.
    pub direction: Direction,
    /// The value, seen by the setting's tasks as `rollout_value`.
    pub value: Option<Value>,
    /// The value of the revision before, which holds where this one is not due yet.
    pub was: Option<Value>,
    /// Why it changed.
    pub why: Option<String>,
    /// Set if it did not wait for the notice period.
    pub emergency: Option<Emergency>,
    /// Where it was written; the setting's place for the first one.
    pub at: Span,
}

/// How many days pass between the delivery of an announcement and the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Before `opt-out`: 14 unless set.
    pub opt_out: u16,
    /// Before `mandatory`: 30 unless set.
    pub mandatory: u16,
}

impl Default for Notice {
    fn default() -> Self {
        Notice { opt_out: 14, mandatory: 30 }
    }
}

/// What the evidence must show before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// On how many per cent of the hosts `opt-out` may change something: 100 unless set.
    pub would_change: u8,
    /// On how many per cent of the hosts of the cohort before it may have failed: 0 unless set.
    pub failed: u8,
    /// How many times in 30 days observing may have seen something that enforcing would block, over all hosts; any number unless set.
    pub blocked: Option<u64>,
    /// How old the last look at a host may be, days: 7 unless set.
    pub evidence_age: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { would_change: 100, failed: 0, blocked: None, evidence_age: 7 }
    }
}

/// A named default that moves over the fleet.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name in playbooks and inventories.
    pub id: String,
    /// Where it was written.
    pub at: Span,
    /// One line.
    pub title: String,
    /// Why it is there.
    pub reason: String,
    /// What the people who use a host will notice, in plain words.
    pub impact: String,
    /// What a site does that cannot live with it, in plain words, besides the lines to add.
    pub skip: String,
    /// How anyone can see that it holds.
    pub verify: String,
    /// Who answers questions: a name in `contacts`.
    pub owner: String,
    /// Where to read more.
    pub links: Vec<String>,
    /// Whether enforcing it behind an expired skip could lock somebody out: then that never happens by itself.
    pub lock_out: bool,
    /// The present value.
    pub revision: Revision,
    /// How long people are told before.
    pub notice: Notice,
    /// What the evidence must show.
    pub limits: Limits,
    /// The longest that a skip may last from today, days: 365 unless set.
    pub skip_at_most: u16,
    /// What the order of the hosts in the cohorts follows from, with their names.
    pub seed: String,
    /// The steps, in order; the first one is the stage that it starts in.
    pub steps: Vec<Step>,
}

impl Setting {
    /// Whether a host is among the first `percent` per cent.
    pub fn covers(&self, host: &str, percent: u8) -> bool {
        self.place(host) < f64::from(percent) / 100.0
    }

    /// A host's place in the line of all hosts, from 0 to below 1: the same for ever, as long as name and seed are.
    #[expect(clippy::cast_precision_loss, reason = "a place in a line needs no more than 53 bits")]
    pub fn place(&self, host: &str) -> f64 {
        let hash = Sha256::new().chain_update(&self.seed).chain_update([0]).chain_update(host).finalize();
        let head = hash.iter().take(8).fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
        (head >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The step of this name, or the last one that is not beyond it: a file may have lost a cohort that the journal knows.
    pub fn step_at(&self, name: StepName) -> usize {
        self.steps.iter().rposition(|s| s.name <= name).unwrap_or(0)
    }

    /// The step of this name, or the first one beyond it: a file may have lost a cohort that was announced.
    pub fn from_step(&self, name: StepName) -> Option<&Step> {
        self.steps.iter().find(|s| s.name >= name)
    }

    /// The days between delivery and a stage.
    pub fn notice_for(&self, stage: Stage) -> u16 {
        match stage {
            _ if self.revision.emergency.is_some() => 0,
            Stage::OptOut => self.notice.opt_out,
            Stage::Mandatory => self.notice.mandatory,
            Stage::OptIn | Stage::Announced | Stage::Retired => 0,
        }
    }
}

/// Days on which nothing advances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// Why.
    pub reason: String,
    /// Where it was written.
    pub at: Span,
}

/// A rollouts file.
#[derive(Debug, Clone)]
pub struct Rollouts {
    /// The zone that dates are in: UTC unless set.
    pub zone: TimeZone,
    /// Days on which nothing advances.
    pub freezes: Vec<Freeze>,
    /// By id, in the order of the file.
    pub settings: IndexMap<String, Setting>,
}

impl Default for Rollouts {
    fn default() -> Self {
        Rollouts { zone: TimeZone::UTC, freezes: Vec::new(), settings: IndexMap::new() }
    }
}

impl Rollouts {
    /// The day that it is in the file's time zone.
    pub fn day(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }

    /// The freeze that this day is in.
    pub fn freeze(&self, day: Date) -> Option<&Freeze> {
        self.freezes.iter().find(|f| f.from <= day && day <= f.to)
    }
}
