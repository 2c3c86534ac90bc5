//! Some hosts' looks, judged and written together.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use rectify_core::{
    drift::{Cause, Item, Judged, Key, Known, Look, Tells, hashes, judge, state, traces, unwanted},
    event::{Diff, Trace},
};
use sqlx::AnyConnection;

use super::{
    hosts::{self, Host, Learned, Transition},
    rows::{self, Items},
};
use crate::store::StoreError;

/// The most traces of a transition.
const TRACES: usize = 8;

/// What is to be written.
#[derive(Default)]
struct Writes {
    items: Vec<(i64, Key, Known)>,
    gone: Vec<(i64, Key)>,
    covers: Vec<rows::Covered>,
    /// Hosts some of whose items are in another set of things now.
    moved: BTreeSet<i64>,
    contents: BTreeMap<String, (String, i64)>,
    transitions: Vec<Transition>,
    learned: Vec<Learned>,
    states: Vec<hosts::Now>,
}

/// Judges looks at hosts, each of which is there once, and writes what is known after them.
///
/// `playbooks` are those of the run, if it was a run of all their tasks, and empty otherwise.
pub(super) async fn take_in(
    db: &mut AnyConnection,
    looks: Vec<(i64, Look)>,
    playbooks: &str,
) -> Result<(), StoreError> {
    if looks.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = looks.iter().map(|(id, _)| *id).collect();
    let mut known = rows::read(db, &ids).await?;
    let before = hosts::read(db, &looks).await?;
    let mut wanted = HashSet::new();
    for (id, look) in &looks {
        wanted.extend(hashes(known.entry(*id).or_default(), look));
    }
    let lines = rows::lines(db, &wanted).await?;
    let mut covers = match playbooks {
        "" => HashMap::new(),
        some => rows::covers(db, &ids, some).await?,
    };
    let mut writes = Writes::default();
    for (id, look) in looks {
        let (Some(items), Some(host)) = (known.remove(&id), before.get(&id)) else { continue };
        let of = Of { id, look: &look, host, playbooks, covers: covers.remove(&id).unwrap_or_default() };
        of.judge(&mut writes, items, &lines);
    }
    rows::write(db, &writes.items).await?;
    rows::remove(db, &writes.gone).await?;
    rows::cover(db, &writes.covers, &writes.moved.into_iter().collect::<Vec<_>>()).await?;
    rows::put_lines(db, &writes.contents).await?;
    hosts::put_transitions(db, &writes.transitions).await?;
    hosts::learn(db, &writes.learned).await?;
    hosts::put(db, &writes.states).await?;
    Ok(())
}

/// A look at a host, and what is known of the host as a whole.
struct Of<'a> {
    id: i64,
    look: &'a Look,
    host: &'a Host,
    playbooks: &'a str,
    /// The sets of things that the same playbooks looked at before.
    covers: BTreeSet<String>,
}

impl Of<'_> {
    fn judge(&self, writes: &mut Writes, mut items: Items, lines: &HashMap<String, String>) {
        let (id, look) = (self.id, self.look);
        let mut transitions = Vec::new();
        let mut judged = judge(&items, look, &|hash| lines.get(hash).cloned());
        judged.extend(unwanted(&items, look, &self.covers));
        for Judged { key, now, happened } in judged {
            let old = items.get(&key);
            match happened {
                Some(happened) => transitions.push(told(&key, old, now.as_ref(), look, &happened)),
                None => writes.learned.extend(learned(id, &key, old, now.as_ref())),
            }
            if old.is_none_or(|old| now.as_ref().is_none_or(|now| now.cover != old.cover)) {
                writes.moved.insert(id);
            }
            match now {
                // What a run put right is written only where that changed something of it.
                Some(now) if old.is_some_and(|old| Known { looked: now.looked, ..old.clone() } == now) => {}
                Some(now) => {
                    writes.items.push((id, key.clone(), now.clone()));
                    items.insert(key, now);
                }
                None => {
                    items.remove(&key);
                    writes.gone.push((id, key));
                }
            }
        }
        if !look.items.is_empty() {
            let playbooks = if look.whole { self.playbooks } else { "" };
            writes.covers.push((id, look.cover(), look.began, playbooks.to_owned()));
        }
        writes.contents.extend(look.lines.iter().map(|(hash, lines)| (hash.clone(), (lines.clone(), look.ended))));
        let now = state(look, items.values().map(|known| known.cause));
        writes.states.push(hosts::judge(id, self.host, look, now, &mut transitions));
        let number =
            |(n, transition)| Transition { host: id, id: format!("{}/{}/{n}", look.run, look.host), ..transition };
        writes.transitions.extend((0..).zip(transitions).map(number));
    }
}

/// An item's transition.
fn told(
    key: &Key,
    old: Option<&Known>,
    now: Option<&Known>,
    look: &Look,
    happened: &rectify_core::drift::Happened,
) -> Transition {
    let item = look.items.get(key);
    let (kind, from, to) = match happened.corrected {
        Some(cause) => ("corrected", cause, Cause::Fine),
        None => ("item", happened.old, happened.new),
    };
    let difference = item.and_then(|i| i.difference.as_ref()).or_else(|| old.and_then(|old| old.difference.as_ref()));
    let cause = if to.is_open() { to } else { from };
    let who = cause.is_drift().then(|| who(old, item));
    let (before, traces) = who.map_or((None, None), |(before, traces)| (before, shown(traces, before)));
    Transition {
        at: item.map_or(look.ended, |item| item.at),
        run: look.run.clone(),
        kind,
        old: from.word().to_owned(),
        new: to.word().to_owned(),
        thing: Some(key.thing.clone()),
        property: Some(key.property.clone()),
        setting: now.or(old).and_then(|known| known.setting.clone()),
        cause: Some(cause.word()),
        difference: difference.map(rows::text::<Diff>),
        before,
        traces,
        ..Transition::default()
    }
}

/// What is known of who moved an item, and the last look that did not see it moved: of the item as the look found it, or as it was before it was put right.
fn who<'a>(old: Option<&'a Known>, item: Option<&'a Item>) -> (Option<i64>, &'a [Trace]) {
    let item = item.filter(|item| item.was_open());
    let same = |old: &&Known| old.cause.is_open() && item.is_none_or(|item| item.seen == old.seen);
    let before = match old.filter(same) {
        Some(same) => same.before,
        None => old.map(|old| old.looked),
    };
    let known = match item {
        Some(item) => traces(old, item),
        None => old.map_or(&[][..], |old| &old.traces),
    };
    (before, known)
}

/// Traces as a transition has them: those that tell most.
fn shown(traces: &[Trace], before: Option<i64>) -> Option<String> {
    let mut all: Vec<&Trace> = traces.iter().collect();
    all.sort_by_key(|trace| Reverse(Tells::of(trace, before)));
    all.truncate(TRACES);
    (!all.is_empty()).then(|| rows::text(&all))
}

/// What a look told of a drift that had been seen before without it.
fn learned(host: i64, key: &Key, old: Option<&Known>, now: Option<&Known>) -> Option<Learned> {
    let (old, now) = (old?, now?);
    let tells = |known: &Known| Tells::most(&known.traces, now.before);
    let more = now.cause.is_drift() && old.seen == now.seen && tells(now) > tells(old);
    Some(Learned {
        host,
        key: key.clone(),
        since: now.since,
        difference: rows::text(now.difference.as_ref().filter(|_| more)?),
        traces: shown(&now.traces, now.before)?,
    })
}
