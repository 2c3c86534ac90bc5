//! What looks at the fleet saw: where a setting would change something, since when, where it failed, what it would have blocked.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::journal::BrokenLine;

/// What one run saw of one setting on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLook {
    /// Whether it was enforced there in that run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enforced: bool,
    /// A hash of what would have changed, or did; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Whether a task of the setting failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// How often enforcing would have blocked something, where observing counts that, since the look before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<u64>,
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

/// What is known of one setting on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEvidence {
    /// The last look.
    pub last: Timestamp,
    /// What the last look saw.
    pub seen: HostLook,
    /// The first of the looks, up to the last one, that all saw something to change.
    pub since: Option<Timestamp>,
    /// How many looks these are.
    pub times: u32,
    /// The last apply that enforced it, and whether it failed.
    pub applied: Option<(Timestamp, bool)>,
    /// What was counted as blocked, by look.
    pub blocked: Vec<(Timestamp, u64)>,
}

/// What is known, by setting and host, of the present revisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    hosts: BTreeMap<(String, u32), BTreeMap<String, HostEvidence>>,
}

impl Evidence {
    /// Reads the lines of an evidence file.
    ///
    /// # Errors
    /// Every line that is no look.
    pub fn parse(text: &str) -> Result<Self, Vec<BrokenLine>> {
        let (mut looks, mut broken) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str::<Look>(line) {
                Ok(look) => looks.push(look),
                Err(e) => broken.push(BrokenLine { line: number + 1, problem: e.to_string() }),
            }
        }
        looks.sort_by_key(|look| look.at);
        let mut evidence = Evidence::default();
        looks.iter().for_each(|look| evidence.add(look));
        if broken.is_empty() { Ok(evidence) } else { Err(broken) }
    }

    /// Adds a look that is later than all before.
    pub fn add(&mut self, look: &Look) {
        let hosts = self.hosts.entry((look.setting.clone(), look.revision)).or_default();
        for (host, seen) in &look.hosts {
            let known = hosts.entry(host.clone()).or_insert_with(|| HostEvidence {
                last: look.at,
                seen: seen.clone(),
                since: None,
                times: 0,
                applied: None,
                blocked: Vec::new(),
            });
            known.last = look.at;
            known.seen = seen.clone();
            // What an apply changed is as declared afterwards.
            let open = seen.change.is_some() && !(look.apply && seen.enforced && !seen.failed);
            known.since = open.then(|| known.since.unwrap_or(look.at));
            known.times = if open { known.times + 1 } else { 0 };
            if look.apply && seen.enforced {
                known.applied = Some((look.at, seen.failed));
            }
            known.blocked.extend(seen.blocked.map(|n| (look.at, n)));
        }
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
        let from = now.checked_sub(SignedDuration::from_hours(30 * 24)).unwrap_or(Timestamp::MIN);
        let counts = hosts.into_iter().filter_map(|h| self.host(setting, revision, h)).flat_map(|e| &e.blocked);
        counts.filter(|(at, _)| *at >= from && *at <= now).map(|(_, n)| *n).reduce(u64::saturating_add)
    }
}

impl Look {
    /// The look as its line, with the line's end.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("invariant: a look has no keys but strings");
        line.push('\n');
        line
    }
}
