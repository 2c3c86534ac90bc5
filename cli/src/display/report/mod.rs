//! The report at the end of a run: what happened per task, identical changes grouped over hosts, then the recap.

mod change;
mod recap;
mod settings;
mod unreachable;

use rectify_core::{
    event::{RunState, Status},
    module::Severity,
    plan::Mode,
};

pub(crate) use self::change::properties as changes;
use super::{
    group::{Groups, Same, TaskGroup},
    page::{Page, Span, meant, plain},
    text::{count, names},
    words,
};
use crate::theme::Meaning;

/// Where what a task did is indented to.
const BODY: usize = 4;

/// How much of a report is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail<'a> {
    /// `-v`: 1 shows unchanged tasks and results, 2 skipped ones too, 3 names every host.
    pub(crate) verbose: u8,
    /// Whether differences are shown.
    pub(crate) diff: bool,
    /// The most lines of one text's difference; the rest is counted.
    pub(crate) diff_lines: usize,
    /// The words that choose this run's inventory, for commands to run next: ` -i hosts.ini`.
    pub(crate) inventory: &'a str,
    /// The words that choose this run's playbooks and inventory, for the verbs of `rollout`: ` -p site.yml -i hosts.ini`.
    pub(crate) again: &'a str,
}

impl Detail<'_> {
    /// How many names of hosts are written out.
    fn names(self) -> usize {
        if self.verbose >= 3 { usize::MAX } else { 5 }
    }
}

/// Writes the report. `took` is how long the run lasted, in microseconds.
pub(crate) fn report(page: &mut Page, state: &RunState, groups: &Groups, detail: Detail<'_>, took: i64) {
    tasks(page, state, groups, detail, &|same| is_shown(same, detail));
    unreachable::unreachable(page, state, detail);
    settings::settings(page, state, detail);
    recap::recap(page, state, detail.names(), took);
}

/// Writes only what went wrong.
pub(crate) fn troubles(page: &mut Page, state: &RunState, groups: &Groups, detail: Detail<'_>) {
    let failed =
        |same: &Same| matches!(same.outcome.status, Status::Failed | Status::NotConverged | Status::RolledBack);
    tasks(page, state, groups, detail, &failed);
    unreachable::unreachable(page, state, detail);
}

fn tasks(page: &mut Page, state: &RunState, groups: &Groups, detail: Detail<'_>, wanted: &dyn Fn(&Same) -> bool) {
    let mut play = None;
    for group in groups.in_order() {
        let mut shown: Vec<Told<'_>> = group
            .reports
            .iter()
            .filter(|(same, _)| wanted(same))
            .map(|(same, hosts)| Told { same, hosts: in_order(hosts, state) })
            .collect();
        if shown.is_empty() {
            continue;
        }
        if !shown.iter().all(|told| is_in_full(told.same, state, detail)) {
            shown = together(shown, state, detail);
        }
        // What most hosts say comes first.
        shown.sort_by_key(|told| std::cmp::Reverse(told.hosts.len()));
        if play != Some(&group.info.play) {
            play = Some(&group.info.play);
            page.gap();
            page.line(0, &[meant(Meaning::Heading, format!("PLAY {}", group.info.play))]);
        }
        page.gap();
        heading(page, group);
        // The items of a loop that went alike on the same hosts stand below one heading.
        for alike in shown.chunk_by(|a, b| a.hosts == b.hosts && a.same.outcome == b.same.outcome) {
            outcome(page, &alike[0], state, detail);
            if is_in_full(alike[0].same, state, detail) {
                alike.iter().for_each(|told| body(page, told.same, detail));
            }
        }
    }
}

/// The same report of several hosts.
struct Told<'a> {
    same: &'a Same,
    hosts: Vec<&'a str>,
}

/// Hosts in the order of the inventory, not in that in which they were heard of.
fn in_order<'a>(hosts: &'a [String], state: &RunState) -> Vec<&'a str> {
    let mut hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    hosts.sort_by_key(|host| state.hosts.get_index_of(*host));
    hosts
}

fn is_shown(same: &Same, detail: Detail<'_>) -> bool {
    match same.outcome.status {
        Status::Unchanged => detail.verbose >= 1 || !same.messages.is_empty() || same.blocked.is_some(),
        Status::Skipped => detail.verbose >= 2 || same.outcome.stands.as_ref().is_some_and(|s| s.open().is_some()),
        _ => true,
    }
}

/// Of what is not told in full the outcome counts alone: hosts that differ in nothing else are put together.
fn together<'a>(shown: Vec<Told<'a>>, state: &RunState, detail: Detail<'_>) -> Vec<Told<'a>> {
    let mut all: Vec<Told<'a>> = Vec::new();
    for told in shown {
        let brief = !is_in_full(told.same, state, detail);
        match all.iter_mut().find(|t| brief && t.same.outcome == told.same.outcome) {
            Some(same) => {
                same.hosts.extend(told.hosts);
                same.hosts.sort_by_key(|host| state.hosts.get_index_of(*host));
                same.hosts.dedup();
            }
            None => all.push(told),
        }
    }
    all
}

/// Whether more than the outcome is told. An apply is about what it did, not about what a setting would do later.
fn is_in_full(same: &Same, state: &RunState, detail: Detail<'_>) -> bool {
    let observed = same.outcome.stands.as_ref().is_some_and(|stands| stands.would.is_some());
    !observed || detail.verbose >= 1 || matches!(state.run, Some((_, Mode::Check)))
}

fn heading(page: &mut Page, group: &TaskGroup) {
    let info = &group.info;
    let role = info.role.as_ref().map(|r| format!("{r} : ")).unwrap_or_default();
    let mut spans = vec![meant(Meaning::Heading, format!("{role}{}", group.name()))];
    if info.handler {
        spans.push(meant(Meaning::Quiet, "  handler"));
    }
    spans.push(plain("  "));
    spans.push(meant(Meaning::Path, info.origin.to_string()));
    page.line(2, &spans);
}

/// How it went, where, and why.
fn outcome(page: &mut Page, told: &Told<'_>, state: &RunState, detail: Detail<'_>) {
    let said = &told.same.outcome;
    let would = said.stands.as_ref().and_then(|stands| stands.would);
    let mut spans = match would {
        Some(would) => vec![meant(Meaning::Quiet, "observed, "), meant(words::meaning(would), words::would(would))],
        None => vec![meant(words::meaning(said.status), words::status(said.status))],
    };
    if said.rescued {
        spans.push(meant(Meaning::Quiet, ", rescued"));
    }
    if said.ignored {
        spans.push(meant(Meaning::Quiet, ", ignored"));
    }
    spans.extend(whereabouts(&told.hosts, state, detail));
    let left = said.stands.as_ref().filter(|stands| said.lines.first() == Some(&stands.why));
    match said.lines.first() {
        Some(why) if said.status == Status::Skipped && left.is_none() => {
            spans.push(plain(format!(": {why}")));
            return page.line(BODY, &spans);
        }
        _ => page.line(BODY, &spans),
    }
    if let Some(stands) = &said.stands {
        page.line(BODY + 2, &[meant(Meaning::Quiet, format!("setting {}: {}", stands.setting, stands.why))]);
    }
    if left.is_some() {
        return;
    }
    for (index, text) in said.lines.iter().enumerate() {
        let mut lines = text.trim_end().lines();
        let lead = if index == 0 { "" } else { "caused by: " };
        page.line(BODY + 2, &[plain(lead), plain(lines.next().unwrap_or_default())]);
        lines.for_each(|more| page.line(BODY + 4, &[plain(more)]));
    }
    if let Some(hint) = &said.hint {
        page.line(BODY + 2, &[meant(Meaning::Hint, "hint: "), plain(hint.as_str())]);
    }
}

/// ` on all 10 hosts`, ` on 2 of 10 hosts: web1, web2`; nothing where there is one host only.
fn whereabouts<'t>(hosts: &[&str], state: &RunState, detail: Detail<'_>) -> Vec<Span<'t>> {
    let all = state.hosts.len();
    if all == 1 {
        return Vec::new();
    }
    let named = meant(Meaning::Host, names(hosts, detail.names()));
    match hosts.len() {
        2 if all == 2 && detail.verbose < 3 => vec![plain(" on both hosts")],
        n if n == all && detail.verbose < 3 => vec![plain(format!(" on all {}", count(all, "host")))],
        1 => vec![plain(" on "), named],
        n => vec![plain(format!(" on {n} of {}: ", count(all, "host"))), named],
    }
}

/// What changed, what was found, what was said.
fn body(page: &mut Page, same: &Same, detail: Detail<'_>) {
    let subject = subject(same);
    let mut indent = BODY + 2;
    let would = same.outcome.stands.as_ref().and_then(|stands| stands.would);
    let status = would.unwrap_or(same.outcome.status);
    let skipped = status == Status::Skipped;
    let acts = matches!(status, Status::Changed | Status::WouldChange | Status::MayChange);
    let said = acts || !same.changes.is_empty() || !same.findings.is_empty();
    if !subject.is_empty() && !skipped && !change::on_one_line(page, indent, &subject, &same.changes) {
        if said || same.item.is_some() || (detail.verbose >= 1 && same.messages.is_empty()) {
            page.line(indent, &[plain(subject.as_str())]);
            indent += 2;
        }
        change::properties(page, indent, &same.changes, detail);
    } else if subject.is_empty() {
        change::properties(page, indent, &same.changes, detail);
    }
    for finding in &same.findings {
        let severity = match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let about = if finding.subject.is_empty() { String::new() } else { format!(" {}", finding.subject) };
        page.line(indent, &[meant(Meaning::Finding, severity), plain(format!("{about}: {}", finding.message))]);
    }
    if let Some(blocked) = &same.blocked {
        page.line(BODY + 2, &[plain(blocked.as_str())]);
    }
    for message in &same.messages {
        message.trim_end().lines().for_each(|text| page.line(BODY + 2, &[plain(text)]));
    }
    // What a task is there to say is its result.
    let enough = if same.messages.is_empty() { 1 } else { 3 };
    if let (Some(result), true) = (&same.result, detail.verbose >= enough) {
        result.lines().for_each(|text| page.line(indent, &[meant(Meaning::Quiet, text)]));
    }
}

/// What a task manages, and the loop's item where that says something else.
fn subject(same: &Same) -> String {
    match same.about() {
        (subject, None) => subject.to_owned(),
        (subject, Some(item)) => format!("{subject}  ({item})"),
    }
}
