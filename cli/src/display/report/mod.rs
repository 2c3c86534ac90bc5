//! The report at the end of a run: what happened per task, identical changes grouped over hosts, then the recap.

use std::fmt::Write as _;

use rectify_core::{
    event::{Counts, Diff, HostPhase, PropertyChange, RunState, Status},
    module::Severity,
    plan::Mode,
};

use super::{
    group::{Groups, Same, TaskGroup},
    text::{count, line, names},
    words,
};
use crate::theme::{Meaning, Theme};

/// How much of a report is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail {
    /// `-v`: 1 shows unchanged tasks and results, 2 skipped ones too, 3 names every host.
    pub(crate) verbose: u8,
    /// Whether differences are shown.
    pub(crate) diff: bool,
}

/// The report as text.
pub(crate) fn report(state: &RunState, groups: &Groups, detail: Detail, theme: Theme) -> String {
    let mut out = String::new();
    let mut play = None;
    for group in groups.in_order() {
        let shown: Vec<_> = group.reports.iter().filter(|(same, _)| is_shown(same, detail)).collect();
        if shown.is_empty() {
            continue;
        }
        if play != Some(&group.info.play) {
            play = Some(&group.info.play);
            let _ = writeln!(out, "{}", theme.paint(Meaning::Heading, format!("PLAY {}", line(&group.info.play))));
        }
        heading(&mut out, group, theme);
        for (same, hosts) in shown {
            one(&mut out, same, hosts, detail, theme);
        }
    }
    unreachable(&mut out, state, theme);
    recap(&mut out, state, theme);
    out
}

fn is_shown(same: &Same, detail: Detail) -> bool {
    match same.outcome.status {
        Status::Unchanged => detail.verbose >= 1 || !same.messages.is_empty(),
        Status::Skipped => detail.verbose >= 2,
        _ => true,
    }
}

fn heading(out: &mut String, group: &TaskGroup, theme: Theme) {
    let info = &group.info;
    let role = info.role.as_ref().map(|r| format!("{} : ", line(r))).unwrap_or_default();
    let kind = if info.handler { "handler" } else { "task" };
    let name = theme.paint(Meaning::Heading, format!("{role}{}", line(&info.name)));
    let place = theme.paint(Meaning::Path, line(&info.origin.to_string()));
    let _ = writeln!(out, "  {kind} {name}  {place}");
}

fn one(out: &mut String, same: &Same, hosts: &[String], detail: Detail, theme: Theme) {
    let meaning = words::meaning(same.outcome.status);
    let ignored = if same.outcome.ignored { ", ignored" } else { "" };
    let most = if detail.verbose >= 3 { usize::MAX } else { 5 };
    let mut head = format!(
        "    {} on {}: {}",
        theme.paint(meaning, format!("{}{ignored}", words::status(same.outcome.status))),
        count(hosts.len(), "host"),
        theme.paint(Meaning::Host, names(hosts, most)),
    );
    if let Some(item) = same.item.as_ref().filter(|i| !i.is_empty()) {
        let _ = write!(head, "  ({})", line(item));
    }
    let _ = writeln!(out, "{head}");
    if !same.subject.is_empty() && same.outcome.status != Status::Skipped {
        let _ = writeln!(out, "      {}", line(&same.subject));
    }
    for (index, text) in same.outcome.lines.iter().enumerate() {
        let lead = if index == 0 { "" } else { "  caused by: " };
        let _ = writeln!(out, "      {lead}{}", line(text));
    }
    if let Some(hint) = &same.outcome.hint {
        let _ = writeln!(out, "      {} {}", theme.paint(Meaning::Hint, "hint:"), line(hint));
    }
    for change in &same.changes {
        property(out, change, detail.diff, theme);
    }
    for finding in &same.findings {
        let severity = match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let label = theme.paint(Meaning::Finding, severity);
        let _ = writeln!(out, "      {label} {}: {}", line(&finding.subject), line(&finding.message));
    }
    for message in &same.messages {
        let _ = writeln!(out, "      {}", line(message));
    }
    if let (Some(result), true) = (&same.result, detail.verbose >= 1) {
        for text in result.lines() {
            let _ = writeln!(out, "      {}", theme.paint(Meaning::Quiet, line(text)));
        }
    }
}

fn property(out: &mut String, change: &PropertyChange, diff: bool, theme: Theme) {
    let name = if change.property.is_empty() { "state" } else { &change.property };
    match &change.diff {
        Diff::Value { before, after } => {
            let side = |v: &Option<String>| v.as_ref().map_or_else(|| "(absent)".to_owned(), |v| line(v));
            let removed = theme.paint(Meaning::Removed, side(before));
            let added = theme.paint(Meaning::Added, side(after));
            let _ = writeln!(out, "      {}: {removed} → {added}", line(name));
        }
        Diff::Text { unified, added, removed } => {
            let _ = writeln!(out, "      {}: {} added, {} removed", line(name), lines(*added), lines(*removed));
            if diff {
                hunks(out, unified, theme);
            }
        }
        Diff::Opaque { before, after } => {
            let side = |v: &Option<(u64, String)>| {
                v.as_ref().map_or_else(
                    || "(absent)".to_owned(),
                    |(size, sha)| format!("{size} bytes, sha256 {}", line(sha.get(..12).unwrap_or(sha))),
                )
            };
            let _ = writeln!(out, "      {}: {} → {}", line(name), side(before), side(after));
        }
        Diff::Hidden => {
            let _ = writeln!(out, "      {}: differs (hidden)", line(name));
        }
    }
}

fn lines(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "line")
}

fn hunks(out: &mut String, unified: &str, theme: Theme) {
    for text in unified.lines() {
        let meaning = match text.as_bytes().first() {
            Some(b'+') => Meaning::Added,
            Some(b'-') => Meaning::Removed,
            _ => Meaning::Quiet,
        };
        let _ = writeln!(out, "        {}", theme.paint(meaning, line(text)));
    }
}

fn unreachable(out: &mut String, state: &RunState, theme: Theme) {
    let mut same: indexmap::IndexMap<String, (Vec<String>, &rectify_core::event::Failure)> = indexmap::IndexMap::new();
    for (host, known) in &state.hosts {
        if let HostPhase::Unreachable(failure) = &known.phase {
            // The host's own name and address are what differs between otherwise equal failures.
            let key = failure.message.replace(host.as_str(), "HOST");
            same.entry(key).or_insert_with(|| (Vec::new(), failure)).0.push(host.clone());
        }
    }
    if same.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", theme.paint(Meaning::Heading, "UNREACHABLE"));
    for (hosts, failure) in same.values() {
        let _ = writeln!(out, "  {}: {}", count(hosts.len(), "host"), theme.paint(Meaning::Host, names(hosts, 5)));
        let _ = writeln!(out, "    {}", theme.paint(Meaning::Failed, line(&failure.message)));
        for cause in &failure.causes {
            let _ = writeln!(out, "      caused by: {}", line(cause));
        }
        if let Some(hint) = &failure.hint {
            let _ = writeln!(out, "    {} {}", theme.paint(Meaning::Hint, "hint:"), line(hint));
        }
    }
}

/// The statuses in the order of the recap.
const COUNTED: [Status; 8] = [
    Status::Unchanged,
    Status::Changed,
    Status::WouldChange,
    Status::MayChange,
    Status::Finding,
    Status::Skipped,
    Status::Failed,
    Status::NotConverged,
];

fn recap(out: &mut String, state: &RunState, theme: Theme) {
    let _ = writeln!(out, "{}", theme.paint(Meaning::Heading, "RECAP"));
    // Hosts that ended alike are one line once there are more than fit on a screen.
    let width = state.hosts.keys().map(|h| h.chars().count()).max().unwrap_or_default().min(40);
    if state.hosts.len() <= 20 {
        for (name, host) in &state.hosts {
            let _ = writeln!(
                out,
                "  {:<width$}  {}",
                theme.paint(Meaning::Host, line(name)),
                ended(&host.phase, &host.counts, theme)
            );
        }
    } else {
        let mut alike: indexmap::IndexMap<String, Vec<String>> = indexmap::IndexMap::new();
        for (name, host) in &state.hosts {
            alike.entry(ended(&host.phase, &host.counts, theme)).or_default().push(name.clone());
        }
        for (words, hosts) in &alike {
            let _ = writeln!(out, "  {}  {}: {}", words, count(hosts.len(), "host"), names(hosts, 5));
        }
    }
    let _ = writeln!(out, "{}", summary(state));
}

fn ended(phase: &HostPhase, counts: &Counts, theme: Theme) -> String {
    let mut parts = Vec::new();
    for status in COUNTED {
        let n = counts.get(status);
        if n > 0 {
            parts.push(theme.paint(words::meaning(status), format!("{n} {}", words::status(status))).to_string());
        }
    }
    match phase {
        HostPhase::Unreachable(_) => parts.push(theme.paint(Meaning::Failed, "unreachable").to_string()),
        HostPhase::Waiting | HostPhase::Connecting => parts.push("not begun".into()),
        HostPhase::Running => parts.push("not finished".into()),
        HostPhase::Finished if parts.is_empty() => parts.push("nothing to do".into()),
        HostPhase::Finished => {}
    }
    parts.join(" · ")
}

/// One sentence: how many hosts, and whether anything was changed.
fn summary(state: &RunState) -> String {
    let hosts =
        |test: &dyn Fn(&rectify_core::event::HostState) -> bool| state.hosts.values().filter(|h| test(h)).count();
    let has = |status: Status| hosts(&|h| h.counts.get(status) > 0);
    let mut parts = Vec::new();
    for (n, words) in [
        (has(Status::Changed), "changed"),
        (has(Status::WouldChange), "would change"),
        (has(Status::MayChange), "may change"),
        (hosts(&|h| h.failures() > 0), "failed"),
        (hosts(&|h| matches!(h.phase, HostPhase::Unreachable(_))), "unreachable"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {words}"));
        }
    }
    let check = matches!(state.run, Some((_, Mode::Check)));
    let tail = if check { " This was a check: nothing was changed." } else { "" };
    let interrupted = if state.interrupted { " The run was interrupted." } else { "" };
    let what = if parts.is_empty() { "everything is as declared".into() } else { parts.join(", ") };
    format!("{}: {what}.{tail}{interrupted}", count(state.hosts.len(), "host"))
}
