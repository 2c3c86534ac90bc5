//! What one address is told: what happened, identical things once with all their hosts, bounded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use minijinja::{Value, context, value::Serde};
use rectify_core::{
    drift::Key,
    text::{plain, plain_but},
};
use serde::Serialize;

use super::{
    happening::{Change, Happening, Kind},
    who::Who,
};
use crate::{
    channels::{ChannelError, Letter, Message, why},
    templates::Templates,
    told::text::{count, names},
};

/// The most different things that a message tells; the rest is counted.
const MOST_GROUPS: usize = 40;
/// The most hosts that are named in a text, and in the facts for programs.
const MOST_HOSTS: (usize, usize) = (20, 500);
/// The most lines of a change about who made it on which hosts.
const MOST_WHO: usize = 5;
/// The most lines of differences, and of who made them, in a message.
const MOST_LINES: usize = 1_000;
/// The most characters of a subject.
const SUBJECT: usize = 150;

/// The same that happened to some hosts.
#[derive(Debug, Clone, Serialize)]
struct Group {
    kind: Kind,
    /// In words, with the hosts.
    title: String,
    /// What the hosts are now, where the title does not say so.
    state: String,
    /// When, from the first to the last.
    when: String,
    /// The first of them.
    hosts: Vec<Host>,
    /// How many there are.
    hosts_total: usize,
    changes: Vec<Shown>,
    /// How many more changed.
    more: usize,
}

/// A change, with who made it.
#[derive(Debug, Clone, Serialize)]
struct Shown {
    #[serde(flatten)]
    change: Change,
    /// Who, as far as it is known, on most hosts first.
    who: Vec<Made>,
    /// How many more hosts it is known of.
    who_more: usize,
}

/// Who made a change on some hosts.
#[derive(Debug, Clone, Serialize)]
struct Made {
    #[serde(flatten)]
    who: Who,
    /// These hosts in words; empty: all of the group.
    names: String,
    /// The first of them.
    hosts: Vec<String>,
    /// How many there are.
    hosts_total: usize,
}

#[derive(Debug, Clone, Serialize)]
struct Host {
    name: String,
    at: Timestamp,
    run: String,
    trouble: Option<String>,
}

/// What one address is told.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Notice {
    /// One line, where it is not made from the groups.
    subject: String,
    /// What is said before the groups.
    intro: Vec<String>,
    groups: Vec<Group>,
    /// How many more groups there are.
    more: usize,
    /// What is said after them.
    remarks: Vec<String>,
    /// The most hosts that a text names.
    named: usize,
}

impl Notice {
    /// What these come to.
    pub(super) fn of(happenings: &[&Happening], remarks: Vec<String>) -> Self {
        let mut same: BTreeMap<(Kind, &str, &[Change], usize), Vec<&Happening>> = BTreeMap::new();
        for happening in happenings {
            let key = (happening.kind, happening.state.as_str(), happening.changes.as_slice(), happening.more);
            same.entry(key).or_default().push(happening);
        }
        let mut all: Vec<_> = same.into_iter().collect();
        // The worst first, and of the same kind what is on most hosts.
        all.sort_by_key(|((kind, ..), hosts)| (*kind, std::cmp::Reverse(hosts.len())));
        let subject = subject(&all.iter().map(|(key, of)| (key.0, key.1, key.2, of)).collect::<Vec<_>>());
        let more = all.len().saturating_sub(MOST_GROUPS);
        let mut room = MOST_LINES;
        let groups = all.into_iter().take(MOST_GROUPS);
        let groups = groups.map(|((kind, state, changes, more), of)| Group {
            kind,
            title: title(kind, state, &of),
            state: state.to_owned(),
            when: when(&of),
            hosts: of.iter().take(MOST_HOSTS.1).map(|h| host(h)).collect(),
            hosts_total: of.len(),
            changes: (0..).zip(changes).map(|(n, change)| shown(change, n, &of, &mut room)).collect(),
            more,
        });
        Notice { subject, intro: Vec::new(), groups: groups.collect(), more, remarks, named: MOST_HOSTS.0 }
    }

    /// What operators are told of the server itself.
    pub(super) fn said(subject: &str, text: &str) -> Self {
        let intro = text.lines().take(MOST_LINES).map(|line| plain_but(line, 500, |c| c == '\t')).collect();
        Notice { subject: plain(subject, SUBJECT), intro, named: MOST_HOSTS.0, ..Notice::default() }
    }

    /// As a message. A template of the site that cannot be used is replaced by the built-in one, which says so: nothing is kept from people because of
    /// it.
    ///
    /// # Errors
    /// A built-in template that cannot be rendered.
    pub(super) fn message(&self, templates: &Templates, id: &str, to: &To<'_>) -> Result<Message, ChannelError> {
        let letter = self.letter(templates, to).or_else(|e| {
            let problem = format!("A template of this site cannot be used: {}", why(&e));
            let mut with = self.clone();
            with.remarks.push(problem);
            with.letter(&Templates::load(None)?, to)
        })?;
        Ok(Message {
            id: format!("{id}@{}", to.domain),
            follows: None,
            list: "drift".to_owned(),
            name: to.name.to_owned(),
            addresses: vec![to.address.to_owned()],
            letter,
            facts: [("notice".to_owned(), serde_json::json!(self))].into_iter().collect(),
        })
    }

    fn letter(&self, templates: &Templates, to: &To<'_>) -> Result<Letter, ChannelError> {
        let context = context! { notice => Value::from(Serde(self)), to => to.name, operators => to.operators };
        let text = templates.render("notice.txt", &context)?;
        Ok(Letter { subject: self.subject.clone(), text, html: templates.render("notice.html", &context)? })
    }
}

/// To whom a notice goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct To<'a> {
    pub(super) name: &'a str,
    pub(super) address: &'a str,
    pub(super) operators: bool,
    pub(super) domain: &'a str,
}

fn host(happening: &Happening) -> Host {
    Host {
        name: happening.host.clone(),
        at: Timestamp::from_microsecond(happening.at).unwrap_or_default(),
        run: plain(&happening.run, 100),
        trouble: happening.trouble.clone(),
    }
}

/// The change that these hosts have at this place, and who made it, with as many lines as there is room for.
fn shown(change: &Change, place: usize, of: &[&Happening], room: &mut usize) -> Shown {
    let mut made: BTreeMap<&Who, BTreeSet<&str>> = BTreeMap::new();
    for happening in of {
        if let Some(who) = happening.who.get(place).and_then(Option::as_ref) {
            made.entry(who).or_default().insert(&happening.host);
        }
    }
    let mut made: Vec<_> = made.into_iter().collect();
    made.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
    let rest = made.split_off(made.len().min(MOST_WHO).min(*room));
    *room -= made.len();
    let all = hosts(of).len();
    let made = made.into_iter().map(|(who, hosts)| {
        let hosts: Vec<&str> = hosts.into_iter().collect();
        Made {
            who: who.clone(),
            names: if hosts.len() == all { String::new() } else { names(&hosts, MOST_WHO) },
            hosts: hosts.iter().take(MOST_HOSTS.0).map(|host| (*host).to_owned()).collect(),
            hosts_total: hosts.len(),
        }
    });
    let (who, more) = (made.collect(), rest.into_iter().flat_map(|(_, hosts)| hosts).collect::<BTreeSet<_>>());
    Shown { change: fit(change, room), who, who_more: more.len() }
}

/// A change with as many lines as there is room for.
fn fit(change: &Change, room: &mut usize) -> Change {
    let mut change = change.clone();
    if change.lines.len() > *room {
        change.lines.truncate(*room);
        change.lines.push("… (this message is full)".to_owned());
    }
    *room -= change.lines.len().min(*room);
    change
}

fn title(kind: Kind, state: &str, of: &[&Happening]) -> String {
    let hosts = hosts(of);
    let who = match hosts.len() {
        1 => hosts[0].to_owned(),
        n => format!("{} ({n} hosts)", names(&hosts, MOST_HOSTS.0)),
    };
    format!("{who} {}", long(kind, state, hosts.len() == 1))
}

fn hosts<'h>(of: &[&'h Happening]) -> Vec<&'h str> {
    of.iter().map(|h| h.host.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What happened, as a sentence goes on after the hosts.
fn long(kind: Kind, state: &str, one: bool) -> String {
    match kind {
        Kind::Flapping if one => {
            "is flapping: it changed more than 4 times in 24 hours. Nothing more is said of it until it was quiet for 24 hours.".into()
        }
        Kind::Flapping => {
            "are flapping: they changed more than 4 times in 24 hours. Nothing more is said of them until they were quiet for 24 hours.".into()
        }
        Kind::Quiet if one => "is quiet again: it did not change for 24 hours".into(),
        Kind::Quiet => "are quiet again: they did not change for 24 hours".into(),
        other => short(other, state, one).into(),
    }
}

/// What happened, in a word or two.
fn short(kind: Kind, state: &str, one: bool) -> &'static str {
    match kind {
        Kind::Unreachable => "cannot be reached",
        Kind::Failing if one => "fails",
        Kind::Failing => "fail",
        Kind::Drifted => "drifted",
        Kind::Flapping if one => "is flapping",
        Kind::Flapping => "are flapping",
        Kind::Corrected if one => "was corrected",
        Kind::Corrected => "were corrected",
        Kind::Fine if !state.is_empty() => "recovered",
        Kind::Fine if one => "is fine again",
        Kind::Fine => "are fine again",
        Kind::Quiet if one => "is quiet again",
        Kind::Quiet => "are quiet again",
    }
}

/// `web1 drifted: /etc/motd`, `3 hosts drifted, db1 cannot be reached`.
fn subject(groups: &[(Kind, &str, &[Change], &Vec<&Happening>)]) -> String {
    let mut kinds: BTreeMap<(Kind, &str), BTreeSet<&str>> = BTreeMap::new();
    for (kind, state, _, of) in groups {
        let state = if *kind == Kind::Fine { state } else { "" };
        kinds.entry((*kind, state)).or_default().extend(of.iter().map(|h| h.host.as_str()));
    }
    let said = kinds.iter().map(|((kind, state), hosts)| match hosts.first() {
        Some(host) if hosts.len() == 1 => format!("{host} {}", short(*kind, state, true)),
        _ => format!("{} {}", count(hosts.len(), "host"), short(*kind, state, false)),
    });
    let mut line = said.collect::<Vec<_>>().join(", ");
    if let [(_, _, [change, rest @ ..], _)] = groups {
        line = format!("{line}: {}", Key::new(change.thing.as_str(), ""));
        if !rest.is_empty() {
            line = format!("{line} and {} more", rest.len());
        }
    }
    plain(&line, SUBJECT)
}

/// `2026-11-22 07:15 UTC`, or from when to when.
fn when(of: &[&Happening]) -> String {
    let time = |at: Option<i64>| {
        let at = at.and_then(|at| Timestamp::from_microsecond(at).ok()).unwrap_or_default();
        at.strftime("%Y-%m-%d %H:%M UTC").to_string()
    };
    let (first, last) = (time(of.iter().map(|h| h.at).min()), time(of.iter().map(|h| h.at).max()));
    if first == last { first } else { format!("{first} to {last}") }
}
