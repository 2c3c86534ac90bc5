//! What is known after a look, from what was known before it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, Item, Key, Known, Look, lines, merge::PRESENT, traces};
use crate::event::{HIDDEN, POLICY, is_hash, split_lines};

/// An item of which something else is known than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Which.
    pub key: Key,
    /// What is known now; `None`: nothing any more, as it was known only for being open.
    pub now: Option<Known>,
    /// What people may want to hear of.
    pub happened: Option<Happened>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Its cause before the look.
    pub old: Cause,
    /// Its cause after it; the same one, where what had drifted moved further.
    pub new: Cause,
    /// The cause that a run put right; `None`: no run did.
    pub corrected: Option<Cause>,
}

/// Gives back the items of which something else is known after the look, and those that it corrected. `known` is what is known of the host; `lines` finds the lines of a content
/// by its hash, where they are known: for [`hashes`] it should.
///
/// What the look did not look at stays as it is known, and so does what was looked at since the look began.
pub fn judge(known: &BTreeMap<Key, Known>, look: &Look, lines: &dyn Fn(&str) -> Option<String>) -> Vec<Judged> {
    let cover = look.cover();
    let mut out = Vec::new();
    for item in look.items.values() {
        let old = known.get(&item.key);
        let newer = old.is_some_and(|old| old.looked > look.began);
        if newer || (item.implied && old.is_none()) {
            continue;
        }
        let now = one(known, old, look, item, &cover, lines);
        let happened = happened(old, &now, item, look, lines, known);
        if happened.is_some() || old != Some(&Known { looked: old.map_or(now.looked, |o| o.looked), ..now.clone() }) {
            out.push(Judged { key: item.key.clone(), now: Some(now), happened });
        }
    }
    out.extend(gone(known, look));
    out
}

/// The contents whose lines it takes to judge a look.
pub fn hashes(known: &BTreeMap<Key, Known>, look: &Look) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for item in look.items.values().filter(|item| item.was_open()) {
        let left = known.get(&item.key).and_then(|old| old.left.as_ref());
        let left = left.map(Option::as_deref);
        if Cause::of(left, item.seen.as_deref(), item.wanted.as_deref()) == Cause::Both {
            let sides = [left.flatten(), item.seen.as_deref(), item.wanted.as_deref()];
            out.extend(sides.into_iter().flatten().filter(|text| is_hash(text)).map(str::to_owned));
        }
    }
    out
}

fn one(
    known: &BTreeMap<Key, Known>,
    old: Option<&Known>,
    look: &Look,
    item: &Item,
    cover: &str,
    lines: &dyn Fn(&str) -> Option<String>,
) -> Known {
    let cause = if item.settled { Cause::Fine } else { cause(known, old, look, item, lines) };
    let same = old.filter(|old| old.cause == cause);
    let open = cause.is_open();
    // Once a run has made it so, what is wanted is what there is.
    let seen = if item.settled { item.wanted.clone() } else { item.seen.clone() };
    Known {
        left: if open { old.and_then(|old| old.left.clone()) } else { Some(item.wanted.clone()) },
        seen,
        wanted: item.wanted.clone(),
        cause,
        since: same.map_or(item.at, |old| old.since),
        before: if open { same.map_or_else(|| old.map(|old| old.looked), |old| old.before) } else { None },
        looks: if open { same.map_or(0, |old| old.looks).saturating_add(1) } else { 0 },
        setting: item.setting.clone(),
        task: item.task.clone(),
        origin: item.origin.clone(),
        difference: item.difference.clone().filter(|_| open),
        traces: if open { traces(old, item).to_vec() } else { Vec::new() },
        run: if same.is_some() && !open {
            same.map_or_else(String::new, |old| old.run.clone())
        } else {
            look.run.clone()
        },
        cover: cover.to_owned(),
        looked: look.began,
    }
}

/// Who moved, of an item that was seen and is not as wanted.
fn cause(
    known: &BTreeMap<Key, Known>,
    old: Option<&Known>,
    look: &Look,
    item: &Item,
    lines: &dyn Fn(&str) -> Option<String>,
) -> Cause {
    if let Some(old) = old
        && old.cause.is_open()
        && (&old.seen, &old.wanted) == (&item.seen, &item.wanted)
    {
        // Nothing moved since it was judged.
        return old.cause;
    }
    let Some(left) = old.map_or_else(|| never_reported(known, item), |old| old.left.clone()) else {
        return by_policy(known, old, look, item);
    };
    match Cause::of(Some(left.as_deref()), item.seen.as_deref(), item.wanted.as_deref()) {
        Cause::Both => by_lines(left.as_deref(), item, look, lines).unwrap_or(Cause::Both),
        clear => clear,
    }
}

/// What was left of an item that no look reported: a thing of which properties are known was there.
fn never_reported(known: &BTreeMap<Key, Known>, item: &Item) -> Option<Option<String>> {
    if !item.key.property.is_empty() {
        return None;
    }
    let properties = known.range(Key::new(&*item.key.thing, "")..).take_while(|(key, _)| key.thing == item.key.thing);
    let there = properties.into_iter().any(|(key, row)| key.property != POLICY && row.left.is_some());
    there.then(|| Some(PRESENT.into()))
}

/// Of a thing that reports only what is not as wanted, what was not reported was as wanted: who moved is told by whether the policy did.
fn by_policy(known: &BTreeMap<Key, Known>, old: Option<&Known>, look: &Look, item: &Item) -> Cause {
    let key = Key::new(&*item.key.thing, POLICY);
    match (known.get(&key), look.items.get(&key)) {
        _ if old.is_some() => Cause::New,
        (Some(before), Some(now)) if before.wanted == now.wanted => Cause::Drift,
        (Some(_), Some(_)) => Cause::Pending,
        _ => Cause::New,
    }
}

fn by_lines(left: Option<&str>, item: &Item, look: &Look, lines: &dyn Fn(&str) -> Option<String>) -> Option<Cause> {
    let text = |side: Option<&str>| {
        let hash = side.filter(|side| is_hash(side))?;
        look.lines.get(hash).cloned().or_else(|| lines(hash))
    };
    let sides = [text(left)?, text(item.seen.as_deref())?, text(item.wanted.as_deref())?];
    let [left, seen, wanted] = [split_lines(&sides[0])?, split_lines(&sides[1])?, split_lines(&sides[2])?];
    Some(lines::cause(&left, &seen, &wanted))
}

/// What was reported only because it was not as wanted, and is not any more.
fn gone<'a>(known: &'a BTreeMap<Key, Known>, look: &'a Look) -> impl Iterator<Item = Judged> + 'a {
    let over = |(key, old): &(&Key, &Known)| {
        let policy = Key::new(&*key.thing, POLICY);
        let whole = Key::new(&*key.thing, "");
        // Of a thing that is not there, nothing was looked at.
        let there = look.items.get(&whole).is_some_and(|whole| whole.seen.is_some() && whole.wanted.is_some());
        let listed = look.items.contains_key(&policy) && known.contains_key(&policy);
        (there && (listed || key.property == HIDDEN))
            && !key.property.is_empty()
            && !look.items.contains_key(*key)
            && old.looked <= look.began
    };
    known.iter().filter(over).map(|(key, old)| {
        let corrected = (look.apply && old.cause.is_open()).then_some(old.cause);
        let told = old.cause.is_open() && old.cause != Cause::New;
        let happened = told.then_some(Happened { old: old.cause, new: Cause::Fine, corrected });
        Judged { key: key.clone(), now: None, happened }
    })
}

/// What is open, and that nothing wants any more: an item that this look did not see, although it saw everything that its playbooks manage, and they
/// managed it before. `covers` are the sets of things that whole runs of the same playbooks looked at. What is as wanted stays known: it may be wanted
/// again.
pub fn unwanted(known: &BTreeMap<Key, Known>, look: &Look, covers: &BTreeSet<String>) -> Vec<Judged> {
    let cover = look.cover();
    let things: BTreeSet<&str> = look.items.keys().map(|key| key.thing.as_str()).collect();
    let over = |(key, old): &(&Key, &Known)| {
        let managed = old.cover != cover && covers.contains(&old.cover) && old.looked <= look.began;
        look.whole && old.cause.is_open() && managed && !things.contains(key.thing.as_str())
    };
    let gone = known.iter().filter(over).map(|(key, old)| Judged {
        key: key.clone(),
        now: None,
        happened: (old.cause != Cause::New).then_some(Happened { old: old.cause, new: Cause::Fine, corrected: None }),
    });
    gone.collect()
}

/// What people may want to hear of: a cause that came, went or changed. That an item is new, or no longer so, tells nothing of who moved.
fn happened(
    old: Option<&Known>,
    now: &Known,
    item: &Item,
    look: &Look,
    lines: &dyn Fn(&str) -> Option<String>,
    known: &BTreeMap<Key, Known>,
) -> Option<Happened> {
    let corrected = (item.settled && item.was_open()).then(|| cause(known, old, look, item, lines));
    let before = old.map_or(Cause::Fine, |old| old.cause);
    let tells = |cause: Cause| matches!(cause, Cause::Drift | Cause::Pending | Cause::Both);
    let moved = before != now.cause && (tells(before) || tells(now.cause));
    let further = before == now.cause && now.cause.is_drift() && old.is_some_and(|old| old.seen != now.seen);
    (moved || further || corrected.is_some_and(tells)).then_some(Happened { old: before, new: now.cause, corrected })
}
