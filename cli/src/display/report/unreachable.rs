//! Hosts that were not reached: one paragraph for each way in which that went wrong.

use indexmap::IndexMap;
use rectify_core::event::{Failure, HostPhase, RunState};

use super::super::{
    page::{Page, meant, plain},
    text::{count, names},
    words,
};
use super::Detail;
use crate::theme::Meaning;

/// What must be the same for two hosts to be told of together: the message and the hint. What one host's causes say is
/// told for that host.
type Way<'a> = (String, Option<&'a str>);

/// Writes the paragraphs, if there is a host to tell of.
pub(super) fn unreachable(page: &mut Page, state: &RunState, detail: Detail<'_>) {
    let most = detail.names();
    let mut ways: IndexMap<Way<'_>, Vec<(&str, &Failure)>> = IndexMap::new();
    for (host, known) in &state.hosts {
        if let HostPhase::Unreachable(failure) = &known.phase
            && !words::not_begun(&known.phase)
        {
            let way = (without(&failure.message, host), failure.hint.as_deref());
            ways.entry(way).or_default().push((host, failure));
        }
    }
    if ways.is_empty() {
        return;
    }
    page.gap();
    page.line(0, &[meant(Meaning::Heading, "UNREACHABLE")]);
    for ((message, hint), hosts) in &ways {
        page.gap();
        let all: Vec<&str> = hosts.iter().map(|(host, _)| *host).collect();
        let lead = if all.len() == 1 { String::new() } else { format!("{}: ", count(all.len(), "host")) };
        page.line(2, &[plain(lead), meant(Meaning::Host, names(&all, most))]);
        page.line(4, &[meant(Meaning::Failed, message.as_str())]);
        causes(page, hosts, most);
        if let Some(hint) = hint {
            // A command that is copied has to be about the same hosts.
            let hint = hint.replace("`rectify trust`", &format!("`rectify trust{}`", detail.inventory));
            page.line(4, &[meant(Meaning::Hint, "hint: "), plain(hint)]);
        }
    }
}

/// Once if they are the same everywhere, otherwise host by host.
fn causes(page: &mut Page, hosts: &[(&str, &Failure)], most: usize) {
    let said = |host: &str, failure: &Failure| -> Vec<String> {
        failure.causes.iter().map(|cause| without(cause, host)).collect()
    };
    let first = hosts.first().map(|(host, failure)| said(host, failure)).unwrap_or_default();
    if hosts.iter().all(|(host, failure)| said(host, failure) == first) {
        first.iter().for_each(|cause| page.line(6, &[plain(cause.as_str())]));
        return;
    }
    let width = hosts.iter().take(most).map(|(host, _)| console::measure_text_width(host)).max().unwrap_or(0);
    for (host, failure) in hosts.iter().take(most) {
        let host = console::pad_str(host, width, console::Alignment::Left, None);
        page.line(6, &[meant(Meaning::Host, host), plain(format!("  {}", failure.causes.join("; ")))]);
    }
    if hosts.len() > most {
        page.line(6, &[meant(Meaning::Quiet, format!("… {} more (-vvv names all)", hosts.len() - most))]);
    }
}

/// The text without the host's own name at its beginning, which is what would keep equal failures apart.
fn without(text: &str, host: &str) -> String {
    text.strip_prefix(host).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(text).to_owned()
}
