//! Several tasks that manage one thing count together.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Item, Key, Look, bounds,
    fold::{End, Manager, Report},
};
use crate::{
    event::{Diff, POLICY, Property, PropertyChange, Thing},
    plan::TaskId,
};

/// What stands for a thing that is there.
pub(super) const PRESENT: &str = "present";

/// Puts the reports, in the order in which the tasks ended, into a look: what was seen of a property is what the first of its tasks saw, what is
/// wanted is what the last of them wants, and it is as wanted if each of them left it so.
pub(super) fn into(look: &mut Look, reports: impl Iterator<Item = Report>, manager: &dyn Fn(TaskId) -> Manager) {
    let mut unsure = BTreeSet::new();
    let mut managers: BTreeMap<TaskId, Manager> = BTreeMap::new();
    for report in reports {
        look.lines.extend(bounds::lines(report.kept.lines));
        let manager = &*managers.entry(report.task).or_insert_with(|| manager(report.task));
        for thing in report.kept.things {
            if report.end == End::Unsure {
                unsure.insert(bounds::name(&thing.thing));
                continue;
            }
            let one = One { at: report.at, end: report.end, changes: &report.changes, manager };
            one.take(&mut look.items, thing);
        }
    }
    // A later task may change what an earlier one saw.
    look.items.retain(|key, _| !unsure.contains(&key.thing));
    settle(&mut look.items);
}

/// One report on one thing.
struct One<'a> {
    at: i64,
    end: End,
    changes: &'a [PropertyChange],
    manager: &'a Manager,
}

impl One<'_> {
    fn take(&self, items: &mut BTreeMap<Key, Item>, thing: Thing) {
        let Thing { thing, properties, traces } = thing;
        let (thing, traces) = (bounds::name(&thing), bounds::traces(&traces));
        let whole = properties.iter().any(|p| p.property.is_empty());
        // Properties of a thing that is there and shall be: that it is there goes without saying.
        let implied = (!whole).then(|| Property::new("", Some(PRESENT.into()), Some(PRESENT.into())));
        for (property, implied) in properties.iter().map(|p| (p, false)).chain(implied.iter().map(|p| (p, true))) {
            let open = property.seen() != property.wanted();
            let item = Item {
                key: Key::new(&*thing, bounds::name(&property.property)),
                seen: property.seen().map(bounds::value),
                wanted: property.wanted().map(bounds::value),
                settled: !open || self.end == End::Made,
                implied,
                at: self.at,
                setting: self.manager.setting.clone(),
                task: self.manager.name.clone(),
                origin: self.manager.origin.clone(),
                difference: open.then(|| bounds::difference(self.difference(&thing, property))),
                traces: if open { traces.clone() } else { Vec::new() },
            };
            let full = items.len() >= bounds::ITEMS;
            match items.get_mut(&item.key) {
                Some(first) => together(first, item),
                None if full => {}
                None => drop(items.insert(item.key.clone(), item)),
            }
        }
    }

    /// The difference as the report shows it; of a file that comes or goes, its content.
    fn difference(&self, thing: &str, property: &Property) -> Diff {
        let name = thing.split_once(':').map_or(thing, |(_, name)| name);
        let inner = format!(".{name}.{}", property.property);
        let find =
            |wanted: &dyn Fn(&str) -> bool| self.changes.iter().find(|c| wanted(&c.property)).map(|c| c.diff.clone());
        let found = match property.property.as_str() {
            "" => find(&|p| p == "content"),
            "hidden" => Some(Diff::Hidden),
            own => find(&|p| p == own),
        };
        let value =
            || Diff::Value { before: property.seen().map(str::to_owned), after: property.wanted().map(str::to_owned) };
        found.or_else(|| find(&|p| p.ends_with(&inner))).unwrap_or_else(value)
    }
}

fn together(first: &mut Item, last: Item) {
    let difference = match (first.difference.take(), last.difference) {
        (Some(Diff::Text { unified: a, added: b, removed: c }), Some(Diff::Text { unified, added, removed })) => {
            Some(Diff::Text { unified: a + &unified, added: b + added, removed: c + removed })
        }
        (Some(Diff::Value { before, .. }), Some(Diff::Value { after, .. })) => Some(Diff::Value { before, after }),
        (first, last) => last.or(first),
    };
    let traces = if first.traces.is_empty() { last.traces } else { std::mem::take(&mut first.traces) };
    *first = Item {
        seen: first.seen.take(),
        settled: first.settled && last.settled,
        implied: first.implied && last.implied,
        at: first.at,
        difference,
        traces,
        ..last
    };
}

/// Where a thing is not there, or shall not be, its properties follow from that: they are not judged for themselves. Once the run has made it, they
/// are as wanted.
fn settle(items: &mut BTreeMap<Key, Item>) {
    let gone: BTreeSet<String> = items
        .values()
        .filter(|item| {
            item.key.property.is_empty() && (item.wanted.is_none() || (item.seen.is_none() && !item.settled))
        })
        .map(|item| item.key.thing.clone())
        .collect();
    items.retain(|key, _| key.property.is_empty() || key.property == POLICY || !gone.contains(&key.thing));
    for item in items.values_mut().filter(|item| !item.was_open()) {
        // Tasks that undo each other's work.
        item.difference = None;
        item.traces.clear();
    }
}
