//! What happened to one host in one run, as people are told of it.

use rectify_core::{
    drift::Key,
    event::{Diff, PropertyChange},
    text::plain,
};
use serde::{Deserialize, Serialize};

use super::{gather::Row, who::Who};
use crate::told;

/// The most characters of a name, a path or a reason that are told.
const WORDS: usize = 300;
/// The most changed things of one host that are told, each with its difference.
const MOST_CHANGES: usize = 20;

/// What can happen to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It could not be reached.
    Unreachable,
    /// Something failed on it.
    Failing,
    /// It moved away from what was declared, or further away.
    Drifted,
    /// It changes too often for each change to be told.
    Flapping,
    /// What had drifted was made right.
    Corrected,
    /// It is as declared again, or can be reached again.
    Fine,
    /// It no longer flaps.
    Quiet,
}

/// One thing that changed, with its difference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct Change {
    /// What and which of its properties, for people: `/etc/motd  mode`.
    pub(super) title: String,
    /// What: `path:/etc/motd`.
    pub(super) thing: String,
    /// Its property: `mode`; empty for the thing as a whole.
    pub(super) property: String,
    /// The setting that wants it.
    pub(super) setting: Option<String>,
    /// The difference, by lines.
    pub(super) lines: Vec<String>,
}

/// What happened to one host in one run.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    /// What.
    pub(super) kind: Kind,
    /// The host.
    pub(super) host: String,
    /// Who runs it.
    pub(super) owners: Vec<String>,
    /// When: microseconds since 1970.
    pub(super) at: i64,
    /// The run that saw it.
    pub(super) run: String,
    /// What the host is now, where what happened does not say so.
    pub(super) state: String,
    /// What changed.
    pub(super) changes: Vec<Change>,
    /// Of each of these, who made it, as far as that is known: it differs where the changes do not.
    pub(super) who: Vec<Option<Who>>,
    /// How many more things did.
    pub(super) more: usize,
    /// Why it fails or cannot be reached.
    pub(super) trouble: Option<String>,
    /// The transitions that it stands for.
    pub(super) ids: Vec<String>,
}

impl Happening {
    /// What is said of a host because of this transition alone.
    pub(super) fn about(kind: Kind, row: &Row) -> Self {
        Happening::from(kind, row, &[row])
    }

    fn from(kind: Kind, host: &Row, of: &[&Row]) -> Self {
        let things: Vec<&&Row> = of.iter().filter(|r| r.thing.is_some()).collect();
        Happening {
            kind,
            host: plain(&host.host, WORDS),
            owners: host.owners.clone(),
            at: of.iter().map(|r| r.at).max().unwrap_or(host.at),
            run: host.run.clone(),
            state: String::new(),
            changes: things.iter().take(MOST_CHANGES).map(|r| change(r)).collect(),
            who: things.iter().take(MOST_CHANGES).map(|r| Who::of(r.traces.as_deref(), r.before)).collect(),
            more: things.len().saturating_sub(MOST_CHANGES),
            trouble: None,
            ids: of.iter().map(|r| r.id.clone()).collect(),
        }
    }
}

/// Whether people are told of this change of a host's state. Policy that waits to be applied, and holds, are the operators' own doing.
pub(super) fn worth(old: &str, new: &str) -> Option<Kind> {
    let open = |state: &str| matches!(state, "drifted" | "failing" | "unreachable");
    match new {
        _ if old == new => None,
        "unreachable" => Some(Kind::Unreachable),
        "failing" => Some(Kind::Failing),
        "drifted" => Some(Kind::Drifted),
        "fine" | "pending" if open(old) => Some(Kind::Fine),
        _ => None,
    }
}

/// What the transitions of one host in one run come to.
pub(super) fn of(rows: &[Row]) -> Vec<Happening> {
    let Some(first) = rows.first() else { return Vec::new() };
    let new = |kind, of: &[&Row]| Happening::from(kind, first, of);
    let of_kind = |kind: &str| -> Vec<&Row> { rows.iter().filter(|r| r.kind == kind).collect() };
    // What an apply made new is no news to who applied it.
    let corrected: Vec<&Row> =
        of_kind("corrected").into_iter().filter(|r| matches!(r.old.as_str(), "drift" | "both")).collect();
    let moved: Vec<&Row> =
        of_kind("item").into_iter().filter(|r| matches!(r.new.as_str(), "drift" | "both") && r.old != r.new).collect();
    let states = of_kind("state");
    let mut all = Vec::new();
    if !corrected.is_empty() {
        all.push(new(Kind::Corrected, &corrected));
    }
    let mut told_drift = false;
    for state in states {
        let mut happening = match worth(&state.old, &state.new) {
            // What was made right is fine: that need not be said twice.
            Some(Kind::Fine) if !corrected.is_empty() => {
                if let Some(told) = all.first_mut() {
                    told.ids.push(state.id.clone());
                    told.state = now(&state.new);
                }
                continue;
            }
            // It can be seen again, and is as it was.
            Some(Kind::Drifted) if moved.is_empty() && matches!(state.old.as_str(), "failing" | "unreachable") => {
                Happening { state: state.new.clone(), ..new(Kind::Fine, &[state]) }
            }
            Some(Kind::Drifted) => {
                told_drift = true;
                let with: Vec<&Row> = std::iter::once(state).chain(moved.iter().copied()).collect();
                new(Kind::Drifted, &with)
            }
            Some(Kind::Fine) => Happening { state: now(&state.new), ..new(Kind::Fine, &[state]) },
            Some(kind) => new(kind, &[state]),
            None => continue,
        };
        if matches!(happening.kind, Kind::Failing | Kind::Unreachable) {
            happening.trouble = state.trouble.as_deref().map(|t| plain(t, WORDS));
        }
        all.push(happening);
    }
    // A host that had drifted already, and moved further.
    if !told_drift && !moved.is_empty() {
        all.push(new(Kind::Drifted, &moved));
    }
    all
}

/// What a host is that is not simply fine.
fn now(state: &str) -> String {
    if state == "fine" { String::new() } else { state.to_owned() }
}

fn change(row: &Row) -> Change {
    let property = row.property.clone().unwrap_or_default();
    let diff: Option<Diff> = row.difference.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let diff = diff.map(|diff| PropertyChange { property: property.clone(), diff });
    let key = Key::new(row.thing.as_deref().unwrap_or_default(), property.as_str());
    Change {
        title: plain(&key.to_string(), WORDS),
        thing: plain(row.thing.as_deref().unwrap_or_default(), WORDS),
        property: plain(&property, WORDS),
        setting: row.setting.as_deref().map(|s| plain(s, WORDS)),
        lines: told::lines(diff.as_slice()),
    }
}
