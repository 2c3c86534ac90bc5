//! Skips and their use: those that nothing needs any more, and those that a host has and the inventory does not.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

use super::{
    claims::Skip,
    evidence::{Evidence, HostEvidence, Look},
    gate::Subject,
    gather::Gather,
    model::{Rollouts, Setting},
    people::owners,
    stance::{Mode, View},
};
use crate::{inventory::Inventory, module::Finding, text::plain};

/// How long nothing must have been blocked before a skip counts as not needed, days.
const QUIET: i64 = 30;
/// How long an imported skip holds at most, days: long enough to talk about it.
const IMPORTED: u16 = 90;
/// What a name begins with that skips a setting on a host.
const PREFIX: &str = "RECTIFY_SKIP_";

/// Whether a skip is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Without it something would change, and might be missed.
    Needed,
    /// Nothing has looked at the host lately.
    NotSeen,
    /// The host is as the setting wants it, and has been since the first of the looks that say so.
    AsWanted {
        /// Since when.
        since: Timestamp,
    },
    /// Something would change, and for 30 days nobody has done anything that it would block.
    NothingBlocked,
}

/// A skip that holds, and whether it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipUse {
    /// The setting.
    pub setting: String,
    /// The host.
    pub host: String,
    /// The skip.
    pub skip: Skip,
    /// Its use.
    pub used: Use,
}

/// The skips of a setting that keep it from being enforced now, each with its use.
pub fn skip_uses(
    view: &View<'_>,
    setting: &Setting,
    subjects: &BTreeMap<String, Subject>,
    evidence: &Evidence,
) -> Vec<SkipUse> {
    let held = subjects.iter().filter_map(|(host, subject)| {
        let claim = subject.claim.as_ref();
        let skip = claim?.skip.clone()?;
        let stance = view.stance(setting, host, claim, &subject.prints);
        let known = evidence.of(setting, host);
        let used = known.map_or(Use::NotSeen, |known| used(setting, known, view.now));
        (stance.mode == Mode::Observe).then(|| SkipUse { setting: setting.id.clone(), host: host.clone(), skip, used })
    });
    held.collect()
}

fn used(setting: &Setting, known: &HostEvidence, now: Timestamp) -> Use {
    let before = |days: i64| now.checked_sub(SignedDuration::from_hours(days * 24)).unwrap_or(Timestamp::MIN);
    let fresh = before(i64::from(setting.limits.evidence_age));
    if known.last < fresh || known.seen.failed {
        return Use::NotSeen;
    }
    if let Some(since) = known.calm {
        return Use::AsWanted { since };
    }
    let counts = known.counted.is_some_and(|last| last >= fresh);
    let long = known.counts_since.is_some_and(|first| first <= before(QUIET));
    let quiet = known.blocked_within(now) == 0;
    if counts && long && quiet { Use::NothingBlocked } else { Use::Needed }
}

impl SkipUse {
    /// Whether it should go.
    pub fn is_unneeded(&self) -> bool {
        matches!(self.used, Use::AsWanted { .. } | Use::NothingBlocked)
    }
}

impl fmt::Display for SkipUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SkipUse { setting, host, skip, used } = self;
        write!(f, "{host}: the skip of {setting} by {} until {}: ", skip.owner, skip.until)?;
        match used {
            Use::Needed => write!(f, "needed"),
            Use::NotSeen => write!(f, "whether it is needed has not been seen lately: run a check"),
            Use::AsWanted { since } => {
                write!(f, "no longer needed, the host has been as wanted since {since}: please remove it")
            }
            Use::NothingBlocked => {
                write!(f, "no longer needed, in {QUIET} days nothing came that it would let through: please remove it")
            }
        }
    }
}

/// A skip that a host has and its inventory does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undocumented {
    /// The host.
    pub host: String,
    /// The name that is defined there.
    pub name: String,
    /// The setting that it skips; `None` if no setting is called so.
    pub setting: Option<String>,
    /// Where it stands there, as the host says.
    pub place: String,
}

/// What hosts reported of skips that nobody documented, by host: see [`super::Gather::skips`].
pub fn undocumented(found: &BTreeMap<String, Vec<Finding>>, rollouts: &Rollouts) -> Vec<Undocumented> {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let mut all = Vec::new();
    for (host, findings) in found {
        for Finding { subject, message, .. } in findings {
            let Some(name) = subject.strip_prefix(PREFIX) else { continue };
            // By its own name, or by the one that its description tells people to write.
            let called = rollouts.settings.values().find(|s| plain(&s.id) == plain(name));
            let told = || rollouts.settings.values().find(|s| words(&s.skip).any(|word| word == subject));
            let setting = called.or_else(told).map(|s| s.id.clone());
            let place = message.split(" defines it").next().unwrap_or_default().to_owned();
            all.push(Undocumented { host: host.clone(), name: subject.clone(), setting, place });
        }
    }
    all
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}

/// Writes down in the looks of a run which settings hosts skip by themselves, for hosts on which somebody looked for that.
pub fn note_skips(looks: &mut [Look], gather: &Gather, rollouts: &Rollouts) {
    let all = undocumented(&gather.skips(), rollouts);
    for host in gather.looked_for_skips() {
        for look in looks.iter_mut() {
            let place = all.iter().find(|u| u.host == host && u.setting.as_ref() == Some(&look.setting));
            if let Some(seen) = look.hosts.get_mut(host) {
                let text = place.map(|u| format!("{} in {}", u.name, u.place)).unwrap_or_default();
                seen.own_skip = Some(plain(&text, 500));
            }
        }
    }
}

/// The skips that hosts have by themselves, as the last looks saw them, of settings that the inventory does not skip there.
pub fn own_skips(setting: &Setting, subjects: &BTreeMap<String, Subject>, evidence: &Evidence) -> Vec<Undocumented> {
    let open = subjects.iter().filter(|(_, s)| s.claim.as_ref().is_none_or(|claim| claim.skip.is_none()));
    let own = open.filter_map(|(host, _)| {
        let known = evidence.of(setting, host)?;
        let (name, place) = known.own_skip.as_deref()?.split_once(" in ")?;
        let (host, name, place) = (host.clone(), name.to_owned(), place.to_owned());
        Some(Undocumented { host, name, setting: Some(setting.id.clone()), place })
    });
    own.collect()
}

/// The lines that document the skips of a host, for its variables in the inventory, and the names that no setting has.
///
/// They hold for 90 days at most: whoever asked for the skip is to say why, and then writes better ones.
pub fn import_lines(
    found: &[Undocumented],
    host: &str,
    rollouts: &Rollouts,
    inventory: &Inventory,
    today: Date,
) -> (String, Vec<String>) {
    let owner = owners(inventory, host).into_iter().next().map_or_else(|| "unknown".to_owned(), |(name, _)| name);
    let (mut lines, mut unknown) = (String::new(), Vec::new());
    for skip in found.iter().filter(|u| u.host == host) {
        let Some(setting) = skip.setting.as_ref().and_then(|id| rollouts.settings.get(id)) else {
            unknown.push(skip.name.clone());
            continue;
        };
        let days = i64::from(setting.skip_at_most.min(IMPORTED));
        let until = today.checked_add(days.days()).unwrap_or(today);
        let reason = format!("found on the host, {}: {}", skip.name, skip.place);
        let (reason, owner) = (quoted(&reason), quoted(&owner));
        lines.push_str(&format!("  {}: {{reason: {reason}, owner: {owner}, until: {until}}}\n", quoted(&setting.id)));
    }
    if !lines.is_empty() {
        lines.insert_str(0, "rollout_skip:\n");
    }
    (lines, unknown)
}

/// A text of a host as a YAML scalar on one line.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) {
        return text.to_owned();
    }
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
    format!("'{}'", clean.replace('\'', "''"))
}
