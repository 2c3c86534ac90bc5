//! Some hosts' looks, judged and written together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rectify_core::{
    drift::{Cause, Judged, Key, Known, Look, hashes, judge, state, unwanted},
    event::Diff,
};
use sqlx::AnyConnection;

use super::{
    hosts::{self, Host, Transition},
    rows::{self, Items},
};
use crate::store::StoreError;

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
            if let Some(happened) = happened {
                transitions.push(told(&key, old, now.as_ref(), look, &happened));
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
    Transition {
        at: item.map_or(look.ended, |item| item.at),
        run: look.run.clone(),
        kind,
        old: from.word().to_owned(),
        new: to.word().to_owned(),
        thing: Some(key.thing.clone()),
        property: Some(key.property.clone()),
        setting: now.or(old).and_then(|known| known.setting.clone()),
        cause: Some(if to.is_open() { to } else { from }.word()),
        difference: difference.map(rows::text::<Diff>),
        ..Transition::default()
    }
}
