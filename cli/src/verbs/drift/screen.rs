//! What differs, for people.

use jiff::tz::TimeZone;
use rectify_core::{
    drift::Cause,
    event::{Diff, PropertyChange, RunState, Trace},
};
use rectify_server::drift::Open;

use super::{
    Found,
    group::{self, Same},
};
use crate::{
    args::Drift,
    display::{
        Detail, changes,
        page::{Page, Span, meant, plain},
        text::{count, kept, names, time},
    },
    theme::Meaning,
};

/// Of so many hosts with the same difference it is told when and by whom; the others are counted.
const EACH: usize = 3;

/// On a terminal, a difference is cut after so many lines.
const DIFF_LINES: usize = 60;

/// The sections, in the order in which they matter.
const SECTIONS: [(Cause, &str, &str, Meaning); 4] = [
    (Cause::Drift, "DRIFT", "the host moved", Meaning::Failed),
    (Cause::Both, "BOTH", "the host moved, and so did the policy", Meaning::Failed),
    (Cause::New, "NEW", "seen for the first time: who moved is not known", Meaning::Unsure),
    (Cause::Pending, "POLICY", "the policy moved, and is not applied yet", Meaning::Changed),
];

/// Writes everything that was found, and what it comes to.
pub(super) fn report(page: &mut Page, found: &Found, state: &RunState, args: &Drift) {
    let zone = TimeZone::system();
    let most = if crate::width().is_some() && args.verbosity.verbose == 0 { DIFF_LINES } else { usize::MAX };
    let detail =
        Detail { verbose: args.verbosity.verbose, diff: !args.no_diff, diff_lines: most, inventory: "", again: "" };
    write(page, found, detail, &zone);
    recap(page, found, state);
}

/// Writes the sections.
pub(super) fn write(page: &mut Page, found: &Found, detail: Detail<'_>, zone: &TimeZone) {
    for (cause, head, words, meaning) in SECTIONS {
        let all = group::of_cause(&found.open, cause);
        if all.is_empty() {
            continue;
        }
        page.gap();
        page.line(0, &[meant(meaning, head), plain("  "), meant(Meaning::Quiet, words)]);
        for same in &all {
            page.gap();
            one(page, same, found.hosts, detail, zone);
        }
    }
    let fixed = group::fixed(&found.fixed);
    if fixed.is_empty() {
        return;
    }
    page.gap();
    page.line(
        0,
        &[meant(Meaning::Ok, "FIXED"), plain("  "), meant(Meaning::Quiet, "as wanted again, or wanted no more")],
    );
    page.gap();
    for (item, hosts) in fixed {
        let was = match item.was {
            Cause::Drift => "drift",
            Cause::Pending => "a policy that was not applied",
            _ => "drift and policy",
        };
        let mut spans = vec![plain(item.key.to_string()), plain(format!(", was {was}"))];
        spans.extend(whereabouts(&hosts, found.hosts));
        page.line(2, &spans);
    }
}

/// One difference: what it is, where, how it differs, and what is known of when and by whom.
fn one(page: &mut Page, same: &Same<'_>, all: usize, detail: Detail<'_>, zone: &TimeZone) {
    let item = same.first;
    let mut head = vec![meant(Meaning::Heading, item.key.to_string())];
    let hosts: Vec<&str> = same.hosts.iter().map(|open| open.host.as_str()).collect();
    head.extend(whereabouts(&hosts, all));
    page.line(2, &head);
    let task =
        vec![meant(Meaning::Quiet, format!("{}  ", item.known.task)), meant(Meaning::Path, item.known.origin.as_str())];
    page.line(4, &task);
    if let Some(setting) = &item.known.setting {
        page.line(4, &[meant(Meaning::Quiet, format!("setting {setting}"))]);
    }
    let shown = |value: &Option<String>| value.as_deref().map(|value| kept(value).into_owned());
    let value = || Diff::Value { before: shown(&item.known.seen), after: shown(&item.known.wanted) };
    let diff = item.known.difference.clone().unwrap_or_else(value);
    let of = |property: &str, diff| PropertyChange { property: property.to_owned(), diff };
    // Of a thing that is not there at all, the difference is what will be in it.
    let differs = match item.key.property.as_str() {
        "" if !matches!(diff, Diff::Value { .. }) => vec![of("", value()), of("content", diff)],
        property => vec![of(property, diff)],
    };
    changes(page, 4, &differs, detail);
    if item.known.cause == Cause::Both {
        let left = item.known.left.as_ref().map(|left| shown(left).unwrap_or_else(|| "(absent)".into()));
        left.into_iter().for_each(|left| page.line(4, &[plain(format!("the last run left: {left}"))]));
    }
    let most = if detail.verbose >= 3 { usize::MAX } else { EACH };
    for open in same.hosts.iter().take(most) {
        when(page, open, all > 1, zone);
    }
    let more = same.hosts.len().saturating_sub(most);
    if more > 0 {
        page.line(4, &[meant(Meaning::Quiet, format!("and {more} more: -vvv tells of each"))]);
    }
}

/// When it happened, by whom, and what of that is not known.
fn when(page: &mut Page, open: &Open, named: bool, zone: &TimeZone) {
    let at = |micros: i64| time(micros, zone);
    let mut spans: Vec<Span<'_>> = Vec::new();
    if named {
        spans.extend([meant(Meaning::Host, open.host.as_str()), plain(": ")]);
    }
    let looks = match open.known.looks {
        0 | 1 => String::new(),
        n => format!(", by {} in a row", count(usize::try_from(n).unwrap_or(usize::MAX), "look")),
    };
    spans.push(plain(match open.known.before {
        _ if open.known.cause == Cause::New => format!("first seen at {}{looks}", at(open.known.since)),
        Some(before) => format!("between the looks of {} and {}{looks}", at(before), at(open.known.since)),
        None => format!("before {}{looks}", at(open.known.since)),
    }));
    page.line(4, &spans);
    if !matches!(open.known.cause, Cause::Drift | Cause::Both) {
        return;
    }
    for trace in &open.known.traces {
        page.line(6, &told(trace, zone));
    }
    if open.known.traces.is_empty() {
        page.line(6, &[meant(Meaning::Quiet, "when exactly and by whom: this host keeps nothing that would say it")]);
    }
}

/// `audit  2026-11-22 07:18:54 UTC  changed /etc/motd, by joe with /usr/bin/chmod`.
fn told(trace: &Trace, zone: &TimeZone) -> Vec<Span<'static>> {
    let mut spans = vec![meant(Meaning::Quiet, format!("{}: ", trace.source))];
    spans.extend(trace.at.map(|at| plain(format!("{}  ", time(at, zone)))));
    spans.push(plain(trace.what.clone()));
    let account = trace.account.as_ref().map(|account| [plain(", by "), meant(Meaning::Host, account.clone())]);
    spans.extend(account.into_iter().flatten());
    spans.extend(trace.program.as_ref().map(|program| plain(format!(", with {program}"))));
    spans
}

/// What it comes to.
pub(super) fn recap(page: &mut Page, found: &Found, state: &RunState) {
    page.gap();
    let mut words = Vec::new();
    for (cause, head, _, meaning) in SECTIONS {
        let items: Vec<&Open> = found.open.iter().filter(|item| item.known.cause == cause).collect();
        if items.is_empty() {
            continue;
        }
        let hosts: std::collections::BTreeSet<&str> = items.iter().map(|item| item.host.as_str()).collect();
        words.push(meant(
            meaning,
            format!("{}: {} on {}", head.to_lowercase(), items.len(), count(hosts.len(), "host")),
        ));
    }
    let looked = state.hosts.values().filter(|host| host.phase == rectify_core::event::HostPhase::Finished).count();
    let mut spans = vec![plain(format!("{} looked at", count(looked, "host")))];
    if looked < state.hosts.len() {
        let lost = state.hosts.len() - looked;
        spans.extend([plain(", "), meant(Meaning::Failed, format!("{} not", count(lost, "host")))]);
    }
    let held = state.hosts.values().filter(|host| host.held.is_some()).count();
    if held > 0 {
        spans.extend([plain(", "), meant(Meaning::Unsure, format!("{held} held"))]);
    }
    if words.is_empty() {
        let unknown = state.hosts.values().any(|host| host.failures() > 0) || looked < state.hosts.len();
        let fine = if unknown { "nothing else is known to have moved" } else { "nothing has moved" };
        spans.extend([plain("; "), meant(Meaning::Ok, fine)]);
    }
    for word in words {
        spans.extend([plain("; "), word]);
    }
    page.line(0, &spans);
}

/// ` on all 10 hosts`, ` on 2 of 10 hosts: web1, web2`; nothing where there is one host only.
fn whereabouts(hosts: &[&str], all: usize) -> Vec<Span<'static>> {
    match hosts.len() {
        _ if all <= 1 => Vec::new(),
        n if n == all => vec![plain(format!("  on all {}", count(all, "host")))],
        1 => vec![plain("  on "), meant(Meaning::Host, names(hosts, 1))],
        n => vec![plain(format!("  on {n} of {}: ", count(all, "host"))), meant(Meaning::Host, names(hosts, 5))],
    }
}
