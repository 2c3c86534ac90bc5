//! What the operator should know and what stops nothing: said once, however many hosts say it.

use indexmap::IndexMap;
use rectify_core::{
    event::{Event, HostEvent, RunEvent, RunState},
    plan::Mode,
};

use super::{
    page::{Page, meant, plain},
    text::names,
};
use crate::theme::Meaning;

/// Warnings of the run and notices of its hosts, by their words.
#[derive(Debug, Default)]
pub(crate) struct Notices(IndexMap<(Lead, String), Vec<String>>);

/// What a notice begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lead {
    Warning,
    Finding,
    Note,
}

impl Notices {
    /// Takes an event in.
    pub(crate) fn take(&mut self, event: &Event, state: &RunState) {
        match &event.what {
            RunEvent::Warning { host, message } => self.put(Lead::Warning, host.as_deref(), message.clone()),
            RunEvent::Host { host, what: HostEvent::Notice { task, message } } => {
                let known = state.hosts.get(host).map_or(&[][..], |h| &h.tasks);
                let task = known.iter().find(|t| Some(t.id) == *task);
                let place = task.map(|t| format!("{}: ", t.origin)).unwrap_or_default();
                self.put(Lead::Note, Some(host), format!("{place}{message}"));
            }
            RunEvent::Host { host, what: HostEvent::Held { hold } } => {
                let so = match state.run {
                    Some((_, Mode::Check)) => "an apply changes nothing there",
                    _ => "nothing was changed there",
                };
                self.put(Lead::Warning, Some(host), format!("{hold}: {so}"));
            }
            RunEvent::Host { host, what: HostEvent::Found { finding } } => {
                self.put(Lead::Finding, Some(host), format!("{}: {}", finding.subject, finding.message));
            }
            _ => {}
        }
    }

    fn put(&mut self, lead: Lead, host: Option<&str>, message: String) {
        let hosts = self.0.entry((lead, message)).or_default();
        if let Some(host) = host.filter(|host| !hosts.iter().any(|h| h == host)) {
            hosts.push(host.to_owned());
        }
    }

    /// Writes all of them.
    pub(crate) fn show(&self, page: &mut Page, state: &RunState) {
        for ((lead, message), hosts) in &self.0 {
            let lead = match lead {
                Lead::Warning => meant(Meaning::Unsure, "warning: "),
                Lead::Finding => meant(Meaning::Finding, "finding: "),
                Lead::Note => meant(Meaning::Hint, "note: "),
            };
            let mut hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            hosts.sort_by_key(|host| state.hosts.get_index_of(*host));
            let about = if hosts.is_empty() { String::new() } else { format!("{}: ", names(&hosts, 5)) };
            page.line(0, &[lead, plain(about), plain(message.as_str())]);
        }
    }
}
