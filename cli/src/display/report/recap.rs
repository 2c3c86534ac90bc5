//! How each host ended, and one sentence about all of them.

use indexmap::IndexMap;
use rectify_core::{
    event::{HostPhase, HostState, RunState, Status},
    plan::Mode,
};

use super::super::{
    page::{Page, Span, meant, plain},
    text::{count, names},
    words,
};
use crate::theme::Meaning;

/// At most so many hosts have a line each; of more, those that ended alike share one.
const EACH: usize = 20;
/// So do those of fewer, where so many hosts ended in one way on average.
const ALIKE: usize = 3;

/// Writes the recap.
pub(super) fn recap(page: &mut Page, state: &RunState, most: usize, took: i64) {
    page.gap();
    page.line(0, &[meant(Meaning::Heading, "RECAP")]);
    match table(state) {
        _ if state.hosts.len() > EACH.min(ways(state) * ALIKE) => alike(page, state, most),
        rows if rows.iter().all(|row| page.fits(2, row)) => rows.iter().for_each(|row| page.line(2, row)),
        _ => each(page, state),
    }
    page.gap();
    summary(page, state, took);
}

/// In how many ways hosts ended.
fn ways(state: &RunState) -> usize {
    let ends: std::collections::HashSet<String> = state.hosts.values().map(|host| words_of(state, host)).collect();
    ends.len()
}

/// How a host ended, as it reads.
fn words_of(state: &RunState, host: &HostState) -> String {
    spans(state, host).iter().map(|(_, text)| text.as_ref()).collect()
}

/// A line per host, without columns.
fn each(page: &mut Page, state: &RunState) {
    for (name, host) in &state.hosts {
        let mut line = vec![meant(Meaning::Host, name.as_str()), plain(": ")];
        line.extend(spans(state, host));
        page.line(2, &line);
    }
}

/// A line per host, with a column for every status that any host has.
fn table(state: &RunState) -> Vec<Vec<Span<'_>>> {
    let all: Vec<_> = state.hosts.values().map(words::counts).collect();
    // The digits of each column's greatest number; none for a column that no host has.
    let most = |column: usize| all.iter().map(|counts| counts[column].0).max().filter(|n| *n > 0);
    let columns = all.first().map_or(0, Vec::len);
    let digits: Vec<usize> = (0..columns).map(|c| most(c).map_or(0, |n| n.to_string().len())).collect();
    let width = state.hosts.keys().map(|h| console::measure_text_width(h)).max().unwrap_or(0).min(40);
    let row = |(name, host): (&'_ String, &'_ HostState)| {
        let name = console::pad_str(name, width, console::Alignment::Left, None).into_owned();
        let mut spans = vec![meant(Meaning::Host, name)];
        let mut blank = 0;
        for ((n, word, meaning), digits) in words::counts(host).into_iter().zip(&digits).filter(|(_, d)| **d > 0) {
            if n == 0 {
                blank += 2 + digits + 1 + word.len();
            } else {
                spans.push(plain(" ".repeat(std::mem::take(&mut blank) + 2)));
                spans.push(meant(meaning, format!("{n:>digits$} {word}")));
            }
        }
        spans.extend(ended(state, host).map(|(meaning, text)| (meaning, format!("  {text}").into())));
        spans
    };
    state.hosts.iter().map(row).collect()
}

/// One line for all hosts that ended alike, the worst last, where it is seen.
fn alike(page: &mut Page, state: &RunState, most: usize) {
    let mut alike: IndexMap<String, (Vec<&str>, &HostState)> = IndexMap::new();
    for (name, host) in &state.hosts {
        alike.entry(words_of(state, host)).or_insert_with(|| (Vec::new(), host)).0.push(name);
    }
    let mut all: Vec<_> = alike.into_values().collect();
    all.sort_by_key(|(hosts, host)| {
        (matches!(host.phase, HostPhase::Unreachable(_)), host.failures() > 0, std::cmp::Reverse(hosts.len()))
    });
    for (hosts, host) in all {
        let mut line = vec![plain(format!("{}: ", count(hosts.len(), "host")))];
        line.extend(spans(state, host));
        line.push(plain("  "));
        line.push(meant(Meaning::Host, names(&hosts, most)));
        page.line(2, &line);
    }
}

/// A host's counts and end.
fn spans<'a>(state: &RunState, host: &'a HostState) -> Vec<Span<'a>> {
    let counted = words::counts(host).into_iter().filter(|(n, ..)| *n > 0);
    let all = counted.map(|(n, word, meaning)| meant(meaning, format!("{n} {word}"))).chain(ended(state, host));
    let mut spans = Vec::new();
    for span in all {
        if !spans.is_empty() {
            spans.push(plain(" · "));
        }
        spans.push(span);
    }
    spans
}

/// How a host ended, where that is not plain from its counts.
fn ended(state: &RunState, host: &HostState) -> Option<Span<'static>> {
    match host.phase {
        _ if words::not_begun(&host.phase) => Some(meant(Meaning::Skipped, "not begun")),
        HostPhase::Unreachable(_) if host.tasks.is_empty() => Some(meant(Meaning::Failed, "unreachable")),
        HostPhase::Unreachable(_) => Some(meant(Meaning::Failed, "lost")),
        HostPhase::Waiting | HostPhase::Connecting => Some(meant(Meaning::Skipped, "not begun")),
        HostPhase::Running => Some(meant(Meaning::Failed, "not finished")),
        HostPhase::Finished if host.held.is_some() && checks(state) => Some(meant(Meaning::Unsure, "held")),
        HostPhase::Finished if host.held.is_some() => Some(meant(Meaning::Unsure, "held: nothing was changed")),
        HostPhase::Finished if host.reports.is_empty() => Some(meant(Meaning::Skipped, "nothing to do")),
        HostPhase::Finished => None,
    }
}

/// One sentence: how many hosts, what became of them, and whether anything was changed.
fn summary(page: &mut Page, state: &RunState, took: i64) {
    let all = state.hosts.len();
    let hosts = |test: &dyn Fn(&HostState) -> bool| state.hosts.values().filter(|h| test(h)).count();
    let has = |status: Status| hosts(&|h| h.counts.get(status) > 0);
    let part =
        |n: usize, word: &str, meaning| meant(meaning, if all == 1 { word.to_owned() } else { format!("{n} {word}") });
    let mut spans = vec![plain(format!("{} in {}: ", count(all, "host"), seconds(took)))];
    let mut parts = Vec::new();
    for (n, word, meaning) in [
        (has(Status::Changed), "changed", Meaning::Changed),
        (has(Status::WouldChange), "would change", Meaning::Changed),
        (has(Status::MayChange), "may change", Meaning::Unsure),
        (hosts(&words::changes_later), "would change once settings are enforced", Meaning::Unsure),
        (hosts(&HostState::has_findings), "with findings", Meaning::Finding),
        (hosts(&|h| h.failures() > 0), "failed", Meaning::Failed),
        (hosts(&|h| words::unreachable(&h.phase)), "unreachable", Meaning::Failed),
        (hosts(&|h| words::not_begun(&h.phase)), "not begun", Meaning::Skipped),
        // Only of a record whose run goes on, or broke off.
        (hosts(&|h| !h.is_over()), "not finished", Meaning::Failed),
    ] {
        if n > 0 {
            parts.push(part(n, word, meaning));
        }
    }
    if parts.is_empty() && !state.interrupted {
        parts.push(meant(Meaning::Ok, "everything is as declared"));
    } else if parts.is_empty() {
        parts.push(plain("nothing happened"));
    }
    // Says nothing of how the hosts are.
    match hosts(&|h| h.held.is_some()) {
        0 => {}
        n => parts.push(part(n, "held", Meaning::Unsure)),
    }
    for (at, part) in parts.into_iter().enumerate() {
        spans.extend((at > 0).then(|| plain(", ")));
        spans.push(part);
    }
    spans.push(plain("."));
    if checks(state) {
        spans.push(plain(" This was a check: nothing was changed."));
    }
    if state.interrupted {
        spans.push(meant(Meaning::Failed, " The run was interrupted."));
    }
    page.line(0, &spans);
}

fn checks(state: &RunState) -> bool {
    matches!(state.run, Some((_, Mode::Check)))
}

/// `0.4 s`, `12 s`, `2:05`.
fn seconds(took: i64) -> String {
    let tenths = u64::try_from(took).unwrap_or(0) / 100_000;
    if tenths < 100 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    super::super::text::passed(tenths / 10)
}
