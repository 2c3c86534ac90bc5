//! What looks at the fleet saw: where a setting would change something, since when, where it failed, what it would have blocked.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    jsonl::{self, BrokenLine},
    model::Setting,
};
use crate::{module::Blocked, text::plain};

/// The most days and names that are kept of what a host counted: it is not trusted to be brief.
const MOST: (usize, usize) = (400, 10);

/// What one run saw of one setting on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLook {
    /// Whether it was enforced there in that run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enforced: bool,
    /// A hash of what would have changed, or did; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The fingerprint of what was looked at: a look at other tasks says nothing of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<String>,
    /// Whether a task of the setting failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// How often enforcing would have blocked something, where observing counts that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Counted>,
    /// Where the host's own people skip the setting on the host itself without a word in the inventory; empty: nowhere. `None` if nothing looked
    /// for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_skip: Option<String>,
}

/// How often enforcing a setting would have blocked something on a host, as one look counted it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How often on each day, as the host dates them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub days: BTreeMap<Date, u64>,
    /// What most of it came from, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub most: Vec<(String, u64)>,
}

impl Counted {
    /// Takes what one task counted; the tasks of a setting add up. What is no day is left out.
    pub fn take(&mut self, blocked: &Blocked) {
        let days = blocked.days.iter().filter_map(|(day, n)| Some((day.parse::<Date>().ok()?, *n)));
        for (day, n) in days {
            let sum = self.days.entry(day).or_default();
            *sum = sum.saturating_add(n);
        }
        while self.days.len() > MOST.0 {
            self.days.pop_first();
        }
        // Whoever it came from chose the text: it is shown in terminals and mails.
        self.most.extend(blocked.most.iter().map(|(who, n)| (plain(who, 200), *n)));
        self.most.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        self.most.truncate(MOST.1);
    }
}

/// What one run saw of one setting: a line of the evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// The run.
    pub run: String,
    /// The setting.
    pub setting: String,
    /// Its revision.
    pub revision: u32,
    /// Whether the run was an apply.
    pub apply: bool,
    /// The hosts that were looked at.
    pub hosts: BTreeMap<String, HostLook>,
}

/// What the looks at one setting came to: a line of the evidence file in the place of many.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Folded {
    /// The setting.
    folded: String,
    revision: u32,
    hosts: BTreeMap<String, HostEvidence>,
}

enum Line {
    Look(Look),
    Folded(Folded),
}

impl Line {
    fn read(line: &str) -> Result<Line, String> {
        // Not serde's untagged enum: its errors say only that neither fits.
        let folded = line.starts_with("{\"folded\":");
        let read = if folded {
            serde_json::from_str(line).map(Line::Folded)
        } else {
            serde_json::from_str(line).map(Line::Look)
        };
        read.map_err(|e| e.to_string())
    }
}

/// What is known of one setting on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvidence {
    /// The last look.
    pub last: Timestamp,
    /// What the last look saw.
    pub seen: HostLook,
    /// The first of the looks, up to the last one, that all saw something to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many looks these are.
    pub times: u32,
    /// The last apply that enforced it and changed something, and did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// The last apply that enforced it, and whether it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<(Timestamp, bool)>,
    /// The first of the looks, up to the last one, that all saw nothing to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calm: Option<Timestamp>,
    /// When something first counted what enforcing would block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_since: Option<Timestamp>,
    /// When something last counted what enforcing would block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Timestamp>,
    /// What was counted, by day: the most that any look saw of a day, because logs go and days do not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub blocked: BTreeMap<Date, u64>,
    /// Where the host's own people skip it on the host itself, as the last look for that saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_skip: Option<String>,
}

/// What is known, by setting and host, of the present revisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    hosts: BTreeMap<(String, u32), BTreeMap<String, HostEvidence>>,
}

impl HostEvidence {
    /// Whether what was looked at is what the tasks say now.
    pub fn is_of(&self, print: &str) -> bool {
        self.seen.print.as_ref().is_none_or(|seen| seen == print)
    }
}

impl Evidence {
    /// Reads the lines of an evidence file: looks, and what earlier ones came to.
    ///
    /// # Errors
    /// Every line that is neither.
    pub fn parse(text: &str) -> Result<Self, Vec<BrokenLine>> {
        let (mut looks, mut evidence) = (Vec::new(), Evidence::default());
        jsonl::read(text, |line| {
            match Line::read(line)? {
                Line::Look(look) => looks.push(look),
                Line::Folded(folded) => evidence.adopt(folded),
            }
            Ok(())
        })?;
        looks.sort_by_key(|look| look.at);
        looks.iter().for_each(|look| evidence.add(look));
        Ok(evidence)
    }

    /// All that is known, as the lines of a file that says the same as the one that it was read from, and is shorter.
    pub fn folded(&self) -> String {
        let line = |((setting, revision), hosts): (&(String, u32), &BTreeMap<String, HostEvidence>)| {
            let folded = Folded { folded: setting.clone(), revision: *revision, hosts: hosts.clone() };
            jsonl::line(&folded)
        };
        self.hosts.iter().map(line).collect()
    }

    /// Takes what looks came to that stand here no more; of two such states of a host the later one.
    fn adopt(&mut self, folded: Folded) {
        let hosts = self.hosts.entry((folded.folded, folded.revision)).or_default();
        for (host, known) in folded.hosts {
            if hosts.get(&host).is_none_or(|here| here.last < known.last) {
                hosts.insert(host, known);
            }
        }
    }

    /// Adds a look; of hosts that something later is known of, nothing.
    pub fn add(&mut self, look: &Look) {
        let hosts = self.hosts.entry((look.setting.clone(), look.revision)).or_default();
        for (host, seen) in &look.hosts {
            let known = hosts.entry(host.clone()).or_insert_with(|| HostEvidence {
                last: look.at,
                seen: seen.clone(),
                since: None,
                times: 0,
                changed: None,
                applied: None,
                calm: None,
                counts_since: None,
                counted: None,
                blocked: BTreeMap::new(),
                own_skip: None,
            });
            if look.at < known.last {
                continue;
            }
            if known.seen.print != seen.print {
                (known.since, known.times, known.calm) = (None, 0, None);
            }
            known.last = look.at;
            known.seen = seen.clone();
            // What an apply changed is as declared afterwards.
            let open = seen.change.is_some() && !(look.apply && seen.enforced && !seen.failed);
            known.since = open.then(|| known.since.unwrap_or(look.at));
            known.calm = (!open && !seen.failed).then(|| known.calm.unwrap_or(look.at));
            known.times = if open { known.times + 1 } else { 0 };
            if look.apply && seen.enforced {
                known.changed = if seen.change.is_some() && !seen.failed { Some(look.at) } else { known.changed };
                known.applied = Some((look.at, seen.failed));
            }
            if let Some(place) = &seen.own_skip {
                known.own_skip = Some(place.clone()).filter(|place| !place.is_empty());
            }
            if let Some(counted) = &seen.blocked {
                known.counts_since.get_or_insert(look.at);
                known.counted = Some(look.at);
                for (day, n) in &counted.days {
                    let most = known.blocked.entry(*day).or_default();
                    *most = (*most).max(*n);
                }
                while known.blocked.len() > MOST.0 {
                    known.blocked.pop_first();
                }
            }
        }
    }

    /// What is known of a setting's present revision on a host.
    pub fn of(&self, setting: &Setting, host: &str) -> Option<&HostEvidence> {
        self.host(&setting.id, setting.revision.number, host)
    }

    /// What is known of a setting's revision on a host.
    pub fn host(&self, setting: &str, revision: u32, host: &str) -> Option<&HostEvidence> {
        self.hosts.get(&(setting.to_owned(), revision))?.get(host)
    }

    /// How often observing saw something that enforcing would have blocked, over these hosts, in the 30 days before `now`; `None`
    /// if nothing counted.
    pub fn blocked<'a>(
        &self,
        setting: &str,
        revision: u32,
        hosts: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> Option<u64> {
        let known = hosts.into_iter().filter_map(|h| self.host(setting, revision, h)).filter(|e| e.counted.is_some());
        known.map(|e| e.blocked_within(now)).reduce(u64::saturating_add)
    }
}

impl HostEvidence {
    /// How often observing saw something that enforcing would have blocked, in the 30 days before `now`.
    pub fn blocked_within(&self, now: Timestamp) -> u64 {
        let today = now.to_zoned(TimeZone::UTC).date();
        let from = today.checked_sub(30.days()).unwrap_or(Date::MIN);
        // A host's day may have begun before ours.
        let to = today.checked_add(1.day()).unwrap_or(Date::MAX);
        self.blocked.range(from..=to).fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}

impl Look {
    /// The look as its line, with the line's end.
    pub fn to_line(&self) -> String {
        jsonl::line(self)
    }
}
