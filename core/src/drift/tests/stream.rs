//! Event streams of one host, and what is known after each.

use std::collections::BTreeMap;

use crate::{
    drift::{Cause, Fold, Happened, Judged, Key, Known, Look, judge},
    event::{Event, HostEvent, Kept, Outcome, Property, RunEvent, TaskInfo, TaskReport, Thing, lines_of},
    plan::{Mode, Origin, TaskId},
};

/// A task of a stream.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) outcome: Outcome,
    pub(super) kept: Option<Kept>,
}

/// A task that looked at one property.
pub(super) fn task(thing: &str, property: &str, seen: Option<&str>, wanted: Option<&str>) -> Task {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let properties = vec![Property::new(property, text(seen), text(wanted))];
    let thing = Thing { thing: thing.into(), properties, traces: Vec::new() };
    let outcome = if seen == wanted { Outcome::Unchanged } else { Outcome::WouldChange };
    let kept = Some(Kept { things: vec![thing], lines: BTreeMap::new() });
    Task { name: format!("{property} of it"), line: 3, outcome, kept }
}

impl Task {
    pub(super) fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The report of the texts, as hashes and lines.
    pub(super) fn with_lines(mut self, texts: &[&str]) -> Self {
        let kept = self.kept.as_mut().unwrap();
        kept.lines.extend(texts.iter().map(|text| (hash(text), lines_of(text))));
        self
    }
}

/// A content as it is kept.
pub(super) fn hash(text: &str) -> String {
    format!("sha256:{}", crate::digest::sha256(text.as_bytes()))
}

/// The events of a run on one host, from a time on.
pub(super) fn events(mode: Mode, at: i64, tasks: &[Task]) -> Vec<Event> {
    let info = |(id, task): (u32, &Task)| TaskInfo {
        id: TaskId(id),
        name: task.name.clone(),
        module: "file".into(),
        role: None,
        play: "p".into(),
        origin: Origin { file: "site.yml".into(), line: task.line, column: 1 },
        handler: false,
        rollout: None,
    };
    let host = || "h".to_owned();
    let mut all = vec![
        RunEvent::Started {
            run: format!("run{at}"),
            mode,
            playbooks: vec![],
            hosts: vec![host()],
            version: "0".into(),
        },
        RunEvent::Connecting { host: host() },
        RunEvent::Connected { host: host(), tasks: (0..).zip(tasks).map(info).collect() },
    ];
    for (id, task) in (0..).zip(tasks) {
        let report = TaskReport { kept: task.kept.clone(), ..TaskReport::of(task.outcome.clone()) };
        let what = HostEvent::TaskFinished { task: TaskId(id), report: Box::new(report) };
        all.push(RunEvent::Host { host: host(), what });
    }
    all.extend([RunEvent::HostFinished { host: host() }, RunEvent::Finished]);
    (0..).zip(all).map(|(seq, what)| Event { seq, at: at + i64::try_from(seq).unwrap(), what }).collect()
}

/// What a stream saw of its host.
pub(super) fn look(events: &[Event]) -> Look {
    let mut fold = Fold::default();
    let mut looks: Vec<Look> = events.iter().filter_map(|event| fold.take(event)).collect();
    assert_eq!(looks.len(), 1);
    looks.remove(0)
}

/// What is known of a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct World {
    pub(super) known: BTreeMap<Key, Known>,
    contents: BTreeMap<String, String>,
}

impl World {
    pub(super) fn take(&mut self, look: &Look) -> Vec<Judged> {
        let judged = judge(&self.known, look, &|hash| self.contents.get(hash).cloned());
        for Judged { key, now, .. } in judged.clone() {
            match now {
                Some(now) => drop(self.known.insert(key, now)),
                None => drop(self.known.remove(&key)),
            }
        }
        let cover = look.cover();
        self.known.values_mut().filter(|k| k.cover == cover).for_each(|k| k.looked = k.looked.max(look.began));
        self.contents.extend(look.lines.clone());
        judged
    }

    pub(super) fn check(&mut self, at: i64, tasks: &[Task]) -> Vec<Judged> {
        self.take(&look(&events(Mode::Check, at, tasks)))
    }

    pub(super) fn apply(&mut self, at: i64, tasks: &[Task]) -> Vec<Judged> {
        self.take(&look(&events(Mode::Apply, at, tasks)))
    }

    pub(super) fn cause(&self, thing: &str, property: &str) -> Cause {
        self.known[&Key::new(thing, property)].cause
    }
}

/// What happened, in short.
pub(super) fn told(judged: &[Judged]) -> Vec<(String, Happened)> {
    judged.iter().filter_map(|j| Some((j.key.property.clone(), j.happened.clone()?))).collect()
}
