//! Where a host stands with a setting: what it does, and the whole chain of reasons.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde_json::Value;

use super::{
    claims::{Claim, Skip},
    journal::Journal,
    model::{Direction, Rollouts, Setting, Stage, StepName},
    people::owners,
    position::{Affected, Told, WhyNotTold},
};
use crate::{diag::Span, inventory::Inventory};

pub use crate::plan::RolloutMode as Mode;

/// How long an expired skip still holds, days.
const GRACE: i32 = 7;
/// How long before its end a skip is warned of, days.
const WARN: i32 = 14;

/// Everything that has a say, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The settings.
    pub rollouts: &'a Rollouts,
    /// What happened.
    pub journal: &'a Journal,
    /// The hosts.
    pub inventory: &'a Inventory,
    /// The moment.
    pub now: Timestamp,
    /// What is supposed instead of what is so.
    pub assume: &'a Assume,
}

/// What is supposed instead of what is so, to see what would happen then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assume {
    /// These settings have reached these steps.
    pub stages: BTreeMap<String, StepName>,
    /// Every step whose day has come has been reached, and everybody was told of it.
    pub dates: bool,
}

/// The fingerprints of what a setting's tasks say for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prints {
    /// With the present value.
    pub now: String,
    /// With the value of the revision before, if it has one.
    pub was: Option<String>,
}

/// Why a host does what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The setting is retired.
    Retired,
    /// The stage leaves it to the host, and the host did not ask.
    NotAskedFor(Stage),
    /// The host asked for it.
    AskedFor,
    /// It is skipped.
    Skipped(Skip),
    /// Its skip expired a few days ago.
    Grace(Skip),
    /// Its skip expired, and enforcing could lock somebody out.
    LockOut(Skip),
    /// Its turn comes in a later step.
    LaterCohort(StepName),
    /// Its owners were not told in time.
    NotTold(WhyNotTold),
    /// It is due.
    Due(StepName),
    /// It is due although it is skipped: the stage allows no skip.
    SkipIgnored(Skip),
    /// The revision before this one still holds: why the present one is not due.
    Before(Box<Reason>),
}

/// One thing that had a say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub text: String,
    /// Where it was written; `None` for what the journal says.
    pub at: Option<Span>,
}

/// Where a host stands with a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Stance {
    /// What it does.
    pub mode: Mode,
    /// The step that the setting has reached.
    pub step: StepName,
    /// Why.
    pub reason: Reason,
    /// The revision whose value holds.
    pub revision: u32,
    /// That value.
    pub value: Option<Value>,
    /// What somebody should look at: a skip that has expired or is ignored.
    pub findings: Vec<String>,
    /// What will be a finding soon: a skip that is about to expire.
    pub warnings: Vec<String>,
    /// Everything that had a say, the strongest first.
    pub chain: Vec<Link>,
}

impl View<'_> {
    /// Where a host stands with a setting, given what it asks for and the fingerprints of its tasks.
    pub fn stance(&self, setting: &Setting, host: &str, claim: Option<&Claim>, prints: &Prints) -> Stance {
        let reached = self.reached(setting);
        let mut stance = Stance {
            mode: Mode::Observe,
            step: setting.steps[reached].name,
            reason: Reason::NotAskedFor(setting.steps[reached].name.stage),
            revision: setting.revision.number,
            value: setting.revision.value.clone(),
            findings: Vec::new(),
            warnings: Vec::new(),
            chain: Vec::new(),
        };
        let today = self.rollouts.day(self.now);
        let skip = claim.and_then(|c| c.skip.as_ref());
        stance.findings.extend(skip.and_then(|skip| expired(setting, skip, today)));
        stance.warnings.extend(skip.and_then(|skip| expires(setting, skip, today)));
        let opted = claim.and_then(|c| c.opt_in);
        (stance.mode, stance.reason) = self.decide(setting, host, reached, skip, opted, prints, today);
        if let Reason::SkipIgnored(skip) = &stance.reason {
            stance.findings.push(format!("{} is mandatory: the skip of {} is ignored", setting.id, skip.owner));
        }
        self.hold_before(setting, host, skip, prints, &mut stance, today);
        stance.chain = self.chain(setting, host, reached, &stance, opted);
        stance
    }

    /// The step that a setting has reached, or is supposed to have, as an index of its steps.
    pub fn reached(&self, setting: &Setting) -> usize {
        if let Some(step) = self.assume.stages.get(&setting.id) {
            return setting.step_at(*step);
        }
        let reached = self.journal.reached(setting);
        if !self.assume.dates {
            return reached;
        }
        let today = self.rollouts.day(self.now);
        setting.steps.iter().rposition(|s| s.date <= today).unwrap_or(0).max(reached)
    }

    /// Whether everybody is taken to have been told of this setting.
    fn all_told(&self, setting: &Setting) -> bool {
        self.assume.dates || self.assume.stages.contains_key(&setting.id)
    }

    /// The rules, the strongest first.
    #[expect(clippy::too_many_arguments, reason = "everything that the rules look at, and nothing else")]
    fn decide(
        &self,
        setting: &Setting,
        host: &str,
        reached: usize,
        skip: Option<&Skip>,
        opted: Option<Span>,
        prints: &Prints,
        today: Date,
    ) -> (Mode, Reason) {
        let step = setting.steps[reached].name;
        if step.stage == Stage::Retired {
            return (Mode::Off, Reason::Retired);
        }
        let ignored = skip.filter(|s| step.stage == Stage::Mandatory && !s.exception);
        let held = skip.filter(|_| ignored.is_none()).and_then(|skip| holds(setting, skip, today));
        if let Some(reason) = held {
            return (Mode::Observe, reason);
        }
        if opted.is_some() {
            return (Mode::Enforce, Reason::AskedFor);
        }
        if step.stage < Stage::OptOut {
            return (Mode::Observe, Reason::NotAskedFor(step.stage));
        }
        if !setting.covers(host, step.percent) {
            return (Mode::Observe, Reason::LaterCohort(self.turn(setting, host)));
        }
        // Only those whose skip ends with the stage need news of that stage; the others are as they were.
        let stage = if ignored.is_some() { Stage::Mandatory } else { Stage::OptOut };
        if !self.all_told(setting) {
            let owners: Vec<String> = owners(self.inventory, host).into_iter().map(|(name, _)| name).collect();
            let revision = setting.revision.number;
            let affected = Affected { setting, revision, host, fingerprint: &prints.now, owners: &owners, stage };
            if let Told::No(why) = self.told(&affected, prints) {
                return (Mode::Observe, Reason::NotTold(why));
            }
        }
        match ignored {
            Some(skip) => (Mode::Enforce, Reason::SkipIgnored(skip.clone())),
            None => (Mode::Enforce, Reason::Due(step)),
        }
    }

    /// Whether everybody was told in time. Who was told of a value was told of a looser one.
    pub(super) fn told(&self, affected: &Affected<'_>, prints: &Prints) -> Told {
        let told = |affected| self.journal.told(affected, self.now, self.rollouts.day(self.now));
        let before = prints.was.as_ref().filter(|_| affected.setting.revision.direction == Direction::Looser);
        match (told(affected), before) {
            (Told::No(why), Some(was)) => {
                let before = Affected { revision: affected.revision - 1, fingerprint: was, ..*affected };
                match told(&before) {
                    Told::No(_) => Told::No(why),
                    of_before => of_before,
                }
            }
            (told, _) => told,
        }
    }

    /// The step of the ramp that covers a host.
    fn turn(&self, setting: &Setting, host: &str) -> StepName {
        let step = setting.steps.iter().find(|s| s.name.stage == Stage::OptOut && setting.covers(host, s.name.percent));
        step.map_or(StepName::whole(Stage::OptOut), |s| s.name)
    }

    /// Where the present revision is not due, the one before holds on, if it held.
    fn hold_before(
        &self,
        setting: &Setting,
        host: &str,
        skip: Option<&Skip>,
        prints: &Prints,
        stance: &mut Stance,
        today: Date,
    ) {
        let (Some(before), Some(print)) = (self.journal.reached_before(setting), &prints.was) else { return };
        let step = setting.steps[before].name;
        let skipped = skip.is_some_and(|s| holds(setting, s, today).is_some());
        if stance.mode != Mode::Observe || skipped || step.stage < Stage::OptOut || step.stage == Stage::Retired {
            return;
        }
        let owners: Vec<String> = owners(self.inventory, host).into_iter().map(|(name, _)| name).collect();
        let revision = setting.revision.number - 1;
        let stage = Stage::OptOut;
        let affected = Affected { setting, revision, host, fingerprint: print, owners: &owners, stage };
        let told = self.journal.told(&affected, self.now, self.rollouts.day(self.now));
        if setting.covers(host, step.percent) && !matches!(told, Told::No(_)) {
            stance.mode = Mode::Enforce;
            stance.revision = revision;
            stance.value.clone_from(&setting.revision.was);
            stance.reason = Reason::Before(Box::new(stance.reason.clone()));
        }
    }

    fn chain(&self, setting: &Setting, host: &str, reached: usize, stance: &Stance, opted: Option<Span>) -> Vec<Link> {
        let mut chain = vec![Link { text: format!("{}: {}", stance.mode, stance.reason), at: None }];
        let mut link = |text: String, at: Option<Span>| chain.push(Link { text, at });
        match &stance.reason {
            Reason::Skipped(s) | Reason::Grace(s) | Reason::LockOut(s) | Reason::SkipIgnored(s) => {
                link(format!("skip by {} until {}: {}", s.owner, s.until, s.reason), Some(s.at));
            }
            _ => {}
        }
        if let Some(at) = opted {
            link(format!("opts in to {}", setting.id), Some(at));
        }
        let step = &setting.steps[reached];
        link(format!("{} has reached `{}`", setting.id, step.name), Some(step.at));
        if let Some((record, to)) = self.journal.last_advance(setting, setting.revision.number) {
            link(format!("{} advanced it to `{to}` at {} ({})", record.by, record.at, record.id), None);
        }
        if step.name.stage == Stage::OptOut {
            let place = setting.place(host) * 100.0;
            link(format!("the host stands at {place:.1} % of the line (seed {:?})", setting.seed), Some(step.at));
        }
        for (owner, at) in owners(self.inventory, host) {
            link(format!("owner: {owner}"), Some(at));
        }
        if setting.revision.number > 1 {
            link(format!("revision {}", setting.revision.number), Some(setting.revision.at));
        }
        link(format!("setting {}: {}", setting.id, setting.title), Some(setting.at));
        chain
    }
}

/// Why a skip holds today; `None` if it does not.
fn holds(setting: &Setting, skip: &Skip, today: Date) -> Option<Reason> {
    let over = days_between(skip.until, today);
    match over {
        _ if over <= 0 => Some(Reason::Skipped(skip.clone())),
        _ if setting.lock_out => Some(Reason::LockOut(skip.clone())),
        _ if over <= GRACE => Some(Reason::Grace(skip.clone())),
        _ => None,
    }
}

/// That a skip ends soon.
fn expires(setting: &Setting, skip: &Skip, today: Date) -> Option<String> {
    let (id, owner, until) = (&setting.id, &skip.owner, skip.until);
    match days_between(today, until) {
        0 => Some(format!("the skip of {id} by {owner} ends today")),
        1 => Some(format!("the skip of {id} by {owner} ends tomorrow, on {until}")),
        left if (0..=WARN).contains(&left) => {
            Some(format!("the skip of {id} by {owner} ends in {left} days, on {until}"))
        }
        _ => None,
    }
}

/// That a skip is over, and what that means.
fn expired(setting: &Setting, skip: &Skip, today: Date) -> Option<String> {
    let left = GRACE - days_between(skip.until, today);
    let what = match left {
        _ if left >= GRACE => return None,
        _ if setting.lock_out => "it stays, because enforcing could lock somebody out: renew or remove it".to_owned(),
        0 => "it holds until the end of today".to_owned(),
        1 => "it holds for one more day".to_owned(),
        _ if left > 0 => format!("it holds for {left} more days"),
        _ => "it counts no more: remove it".to_owned(),
    };
    Some(format!("the skip of {} by {} expired on {}: {what}", setting.id, skip.owner, skip.until))
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Retired => write!(f, "retired"),
            Reason::NotAskedFor(stage) => write!(f, "{stage} (not asked for)"),
            Reason::AskedFor => write!(f, "opted in"),
            Reason::Skipped(s) => write!(f, "skipped until {} by {}: {}", s.until, s.owner, s.reason),
            Reason::Grace(s) => write!(f, "skip by {} expired on {}, in grace: {}", s.owner, s.until, s.reason),
            Reason::LockOut(s) => {
                write!(f, "skip by {} expired on {}, not enforced lest somebody is locked out", s.owner, s.until)
            }
            Reason::LaterCohort(step) => write!(f, "its turn comes with `{step}`"),
            Reason::NotTold(why) => why.fmt(f),
            Reason::Due(step) => step.fmt(f),
            Reason::SkipIgnored(_) => write!(f, "mandatory: skip ignored"),
            Reason::Before(why) => write!(f, "the revision before still holds ({why})"),
        }
    }
}

impl fmt::Display for WhyNotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNotTold::NoOwner => write!(f, "no owner: nobody can be told"),
            WhyNotTold::Never { owner } => write!(f, "{owner} was not told"),
            WhyNotTold::Altered { owner } => {
                write!(f, "what {owner} was told has changed since: the announcement is void")
            }
            WhyNotTold::Undelivered { owner, to } if to.is_empty() => write!(f, "{owner} has no address"),
            WhyNotTold::Undelivered { owner, to } => {
                write!(f, "the announcement to {owner} has not reached {}", to.join(", "))
            }
            WhyNotTold::Promised { owner, date } => write!(f, "{owner} was told of {date}, which has not come"),
            WhyNotTold::TooRecent { owner, until } => write!(f, "{owner} was told too recently: not before {until:.0}"),
        }
    }
}
