//! Where the hosts stand with the settings of the playbook: enforced, observed or left out, and why.

use indexmap::IndexMap;
use rectify_core::{
    event::{HostState, Outcome, RunState, SkipReason, TaskInfo},
    plan::{Rollout, RolloutMode, RolloutOn},
};

use super::{
    super::{
        group::Stands,
        page::{Page, meant, plain},
        text::{count, names},
    },
    Detail,
};
use crate::theme::Meaning;

/// Hosts that stand alike with a setting.
#[derive(Default)]
struct Alike<'a> {
    hosts: Vec<&'a str>,
    /// How many of them would change.
    open: usize,
    /// On how many of them no task was for this host.
    idle: usize,
}

/// What is told of one line's settings: those that would change something, those that would not, those that have nothing to do.
type Named = [Vec<String>; 3];

/// Writes a line for all settings that the same hosts treat alike for the same reason.
pub(super) fn settings(page: &mut Page, state: &RunState, detail: Detail<'_>) {
    let mut standing: IndexMap<(&str, RolloutMode, &str), Alike<'_>> = IndexMap::new();
    for (name, host) in &state.hosts {
        for (rollout, open, idle) in of_host(host) {
            let alike = standing.entry((&rollout.setting, rollout.mode, &rollout.why)).or_default();
            alike.hosts.push(name);
            alike.open += usize::from(open);
            alike.idle += usize::from(idle);
        }
    }
    if standing.is_empty() {
        return;
    }
    let mut told: IndexMap<(RolloutMode, &str, Vec<&str>), Named> = IndexMap::new();
    for ((setting, mode, why), Alike { hosts, open, idle }) in standing {
        let part = if open > 0 && open < hosts.len() { format!(" (on {open})") } else { String::new() };
        let alike = hosts.len();
        let named = told.entry((mode, why, hosts)).or_default();
        let place = if open > 0 { 0 } else { 1 + usize::from(idle == alike) };
        named[place].push(format!("{setting}{part}"));
    }
    // What is enforced comes first.
    told.sort_by(|(mode, ..), _, (other, ..), _| other.cmp(mode));
    page.gap();
    page.line(0, &[meant(Meaning::Heading, "SETTINGS")]);
    let later = told.iter().any(|((mode, ..), [open, ..])| *mode == RolloutMode::Observe && !open.is_empty());
    for ((mode, why, hosts), [open, same, idle]) in told {
        let (meaning, word) = words(mode);
        let mut spans = vec![meant(meaning, word)];
        spans.push(plain(whereabouts(&hosts, state, detail)));
        spans.push(plain(format!(": {why}")));
        page.line(2, &spans);
        let observed = mode == RolloutMode::Observe;
        for (lead, settings) in [("would change: ", open), ("as declared already: ", same), ("nothing to do: ", idle)] {
            if !settings.is_empty() {
                let lead = if observed { lead } else { "" };
                page.line(4, &[plain(lead), plain(settings.join(", "))]);
            }
        }
    }
    if later {
        let hint = format!("`rectify rollout status{}` says what is enforced when", detail.again);
        page.line(2, &[meant(Meaning::Hint, "hint: "), plain(hint)]);
    }
}

/// The settings of a host's tasks, whether they would change something there that they do not enforce, and whether no task of
/// theirs was for this host.
fn of_host(host: &HostState) -> Vec<(&Rollout, bool, bool)> {
    let mut all: IndexMap<&str, (&Rollout, bool, bool)> = IndexMap::new();
    for info in &host.tasks {
        let Some(rollout) = info.rollout.as_ref().filter(|r| r.on == RolloutOn::Enforce) else { continue };
        let known = all.entry(&rollout.setting).or_insert((rollout, false, true));
        known.1 |= is_open(host, info);
        known.2 &= is_idle(host, info);
    }
    all.into_values().collect()
}

fn is_open(host: &HostState, info: &TaskInfo) -> bool {
    let stands = host.reports.get(&info.id).and_then(|report| Stands::of(info, report));
    stands.is_some_and(|stands| stands.open().is_some())
}

/// ` on all 10 hosts`, ` on 2 of 10 hosts (web1, web2)`; nothing where there is one host only.
fn whereabouts(hosts: &[&str], state: &RunState, detail: Detail<'_>) -> String {
    let (all, named) = (state.hosts.len(), names(hosts, detail.names()));
    match hosts.len() {
        _ if all == 1 => String::new(),
        1 => format!(" on {named}"),
        n if n == all => format!(" on all {}", count(all, "host")),
        n => format!(" on {n} of {} ({named})", count(all, "host")),
    }
}

/// Whether a task was skipped for its own condition.
fn is_idle(host: &HostState, info: &TaskInfo) -> bool {
    host.reports.get(&info.id).is_some_and(|report| match &report.outcome {
        Outcome::Skipped { reason } => !matches!(reason, SkipReason::Rollout { .. }),
        _ => false,
    })
}

fn words(mode: RolloutMode) -> (Meaning, &'static str) {
    match mode {
        RolloutMode::Enforce => (Meaning::Ok, "enforced"),
        RolloutMode::Observe => (Meaning::Unsure, "observed"),
        RolloutMode::Off => (Meaning::Skipped, "left out"),
    }
}
