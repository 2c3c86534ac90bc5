//! What the journal says of a setting: how far it came, who was told, who objects.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    journal::{Entry, Item, Journal, Purpose, Record},
    model::{Direction, Setting, Stage, StepName},
};

/// A host that a setting would change, and what its owners must have been told of.
#[derive(Debug, Clone, Copy)]
pub struct Affected<'a> {
    /// The setting.
    pub setting: &'a Setting,
    /// The present revision, or the one before it where its value still holds.
    pub revision: u32,
    /// The host.
    pub host: &'a str,
    /// What the setting's tasks say there.
    pub fingerprint: &'a str,
    /// Those who run the host.
    pub owners: &'a [String],
    /// The stage whose notice period counts.
    pub stage: Stage,
}

/// Whether the owners of a host were told of a setting in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// All of them; the last message reached its last address then.
    InTime {
        /// When.
        at: Timestamp,
    },
    /// An advance was forced, and it covers the host.
    Forced {
        /// Why it was forced.
        reason: String,
    },
    /// No.
    No(WhyNotTold),
}

/// Why a host's owners do not count as told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyNotTold {
    /// The inventory names no owner.
    NoOwner,
    /// No announcement to this owner names the host.
    Never {
        /// The owner.
        owner: String,
    },
    /// What was announced has changed since.
    Altered {
        /// The owner.
        owner: String,
    },
    /// The announcement has not reached every address.
    Undelivered {
        /// The owner.
        owner: String,
        /// The addresses that it did not reach.
        to: Vec<String>,
    },
    /// The day that was named has not come: the file names an earlier one now.
    Promised {
        /// The owner.
        owner: String,
        /// The day.
        date: Date,
    },
    /// The notice period is not over.
    TooRecent {
        /// The owner.
        owner: String,
        /// When it will be.
        until: Timestamp,
    },
}

impl Journal {
    /// The step that the present revision of a setting has reached, as an index of its steps.
    ///
    /// A looser revision goes on where the one before it stood; any other begins at `announced`, or `opt-in` for the first.
    pub fn reached(&self, setting: &Setting) -> usize {
        match self.last_advance(setting, setting.revision.number) {
            Some((_, to)) => setting.step_at(to),
            None if setting.revision.number == 1 => 0,
            None => setting.step_at(StepName::whole(Stage::Announced)),
        }
    }

    /// The step that the revisions before the present one had reached; `None` if there was none or if the present one took it over.
    pub fn reached_before(&self, setting: &Setting) -> Option<usize> {
        if setting.revision.number == 1 || setting.revision.direction == Direction::Looser {
            return None;
        }
        let mut advances = self.advances(setting).filter(|(_, revision, _)| *revision < setting.revision.number);
        advances.next_back().map(|(_, _, to)| setting.step_at(to))
    }

    /// The advance that made a setting's present step, and the step.
    pub fn last_advance<'a>(&'a self, setting: &'a Setting, revision: u32) -> Option<(&'a Record, StepName)> {
        let looser = setting.revision.direction == Direction::Looser;
        let counts = |of: u32| of == revision || (looser && of < revision);
        self.advances(setting).rfind(|(_, of, _)| counts(*of)).map(|(record, _, to)| (record, to))
    }

    fn advances<'a>(
        &'a self,
        setting: &'a Setting,
    ) -> impl DoubleEndedIterator<Item = (&'a Record, u32, StepName)> + 'a {
        self.advances_of(&setting.id).filter_map(|record| match &record.what {
            Entry::Advance { revision, to, .. } => Some((record, *revision, *to)),
            _ => None,
        })
    }

    /// The last advance of a setting's present revision, if it was forced: with the step, and the reason.
    pub fn forced_advance<'a>(&'a self, setting: &'a Setting) -> Option<(&'a Record, StepName, &'a str)> {
        let (record, to) = self.last_advance(setting, setting.revision.number)?;
        match &record.what {
            Entry::Advance { forced: Some(reason), .. } => Some((record, to, reason)),
            _ => None,
        }
    }

    /// The objections to a setting that nobody has answered.
    pub fn objections(&self, setting: &Setting) -> Vec<&Record> {
        let answered: BTreeSet<&str> = self
            .records()
            .iter()
            .filter_map(|r| match &r.what {
                Entry::Answered { of, .. } => Some(of.as_str()),
                _ => None,
            })
            .collect();
        let about = |r: &&Record| matches!(&r.what, Entry::Objection { setting: id, revision, .. } if *id == setting.id && *revision == setting.revision.number);
        self.records().iter().filter(about).filter(|r| !answered.contains(r.id.as_str())).collect()
    }

    /// Whether somebody looked again at the present revision of a setting, an emergency.
    pub fn reviewed(&self, setting: &Setting) -> bool {
        self.records().iter().any(|r| match &r.what {
            Entry::Reviewed { setting: id, revision, .. } => *id == setting.id && *revision == setting.revision.number,
            _ => false,
        })
    }

    /// Whether everybody who runs a host was told, at least the notice period ago, of what its fingerprint stands for, and of no later day
    /// than `today`, which is the day of `now` in the rollouts file's zone.
    pub fn told(&self, affected: &Affected<'_>, now: Timestamp, today: Date) -> Told {
        if let Some(reason) = self.forced(affected) {
            return Told::Forced { reason };
        }
        if affected.owners.is_empty() {
            return Told::No(WhyNotTold::NoOwner);
        }
        let notice = SignedDuration::from_hours(i64::from(affected.setting.notice_for(affected.stage)) * 24);
        let mut last = Timestamp::MIN;
        for owner in affected.owners {
            match self.told_owner(affected, owner, today) {
                Err(why) => return Told::No(why),
                Ok(at) => {
                    let until = at.checked_add(notice).unwrap_or(Timestamp::MAX);
                    if now < until {
                        return Told::No(WhyNotTold::TooRecent { owner: owner.clone(), until });
                    }
                    last = last.max(at);
                }
            }
        }
        Told::InTime { at: last }
    }

    fn forced(&self, affected: &Affected<'_>) -> Option<String> {
        self.advances_of(&affected.setting.id).rev().find_map(|record| match &record.what {
            Entry::Advance { revision, forced: Some(reason), hosts, .. }
                if *revision == affected.revision
                    && hosts.get(affected.host).is_some_and(|f| f == affected.fingerprint) =>
            {
                Some(reason.clone())
            }
            _ => None,
        })
    }

    /// When the first announcement to this owner that still holds was delivered in full.
    fn told_owner(&self, affected: &Affected<'_>, owner: &str, today: Date) -> Result<Timestamp, WhyNotTold> {
        let owned = || owner.to_owned();
        let mut verdict = WhyNotTold::Never { owner: owned() };
        let mut told: Option<Timestamp> = None;
        for (record, to, item) in self.announcements(&affected.setting.id, owner) {
            // A message about a later stage tells of the earlier ones too, but not the other way round.
            if item.revision != affected.revision || item.step.stage < affected.stage {
                continue;
            }
            match item.hosts.get(affected.host) {
                None => {}
                Some(then) if then != affected.fingerprint => verdict = WhyNotTold::Altered { owner: owned() },
                Some(_) if item.step.stage == affected.stage && today < item.date => {
                    verdict = WhyNotTold::Promised { owner: owned(), date: item.date };
                }
                Some(_) => match self.delivered(record, to) {
                    Ok(at) => told = Some(told.map_or(at, |t| t.min(at))),
                    Err(to) => verdict = WhyNotTold::Undelivered { owner: owned(), to },
                },
            }
        }
        told.ok_or(verdict)
    }

    fn announcements<'a>(
        &'a self,
        setting: &str,
        owner: &str,
    ) -> impl Iterator<Item = (&'a Record, &'a [String], &'a Item)> + use<'a> {
        let messages = self.messages(setting, owner).filter(|(_, _, purpose, _)| *purpose == Purpose::Announcement);
        messages.map(|(record, to, _, item)| (record, to, item))
    }

    /// Whether an owner was told of an advance after it was made: of one that was forced, that is.
    pub fn heard_of(&self, advance: &Record, owner: &str) -> bool {
        let Entry::Advance { setting, revision, to: step, .. } = &advance.what else { return false };
        self.announcements(setting, owner).any(|(message, to, item)| {
            (item.revision, item.step) == (*revision, *step)
                && message.at > advance.at
                && (to.is_empty() || self.delivered(message, to).is_ok())
        })
    }

    /// When a message reached its last address, or the addresses that it has not reached. One without addresses reached nobody.
    pub fn delivered(&self, message: &Record, to: &[String]) -> Result<Timestamp, Vec<String>> {
        let reached = |address: &String| self.reached_address(message, address);
        let open: Vec<String> = to.iter().filter(|a| reached(a).is_none()).cloned().collect();
        match to.iter().filter_map(reached).max() {
            Some(last) if open.is_empty() => Ok(last),
            _ => Err(open),
        }
    }
}
