//! Lists.

use super::{flag, flag_or, int_or, need, text_or};
use crate::template::error::{R, Stop, fail};
use crate::template::eval::{Args, Ev};
use crate::template::ir::Op;
use crate::template::value::{Key, V};
use indexmap::{IndexMap, IndexSet};
use std::cmp::Ordering;

pub(crate) fn length(_: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::Int(match &v {
        V::Str(s) => s.chars().count(),
        V::List(l) => l.len(),
        V::Tuple(t) => t.len(),
        V::Map(m) => m.len(),
        other => return fail(format!("a {} has no length", other.type_name())),
    } as i128))
}

pub(crate) fn list(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::list(ev.iter(&v)?))
}

pub(crate) fn first(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(ev.iter(&v)?.into_iter().next().unwrap_or_else(|| V::undef("`first` was given nothing")))
}

pub(crate) fn last(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(ev.iter(&v)?.pop().unwrap_or_else(|| V::undef("`last` was given nothing")))
}

pub(crate) fn reverse(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    if let V::Str(s) = &v {
        return Ok(V::str(s.chars().rev().collect::<String>()));
    }
    let mut items = ev.iter(&v)?;
    items.reverse();
    Ok(V::list(items))
}

pub(crate) fn join(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [separator, attribute] = args.bind(["d", "attribute"])?;
    let separator = text_or(ev, separator, "")?;
    let mut out = String::new();
    for (i, item) in ev.iter(&v)?.into_iter().enumerate() {
        if i > 0 {
            out.push_str(&separator);
        }
        let item = match &attribute {
            Some(a) => ev.known(path(ev, &item, a)?)?,
            None => item,
        };
        out.push_str(&ev.text(&item)?);
        ev.room_for(out.len(), 0)?;
    }
    Ok(V::str(out))
}

/// `attribute='a.b.0'`, as in `map`, `sort`, `groupby`.
pub(crate) fn path(ev: &Ev<'_>, item: &V, attribute: &V) -> R<V> {
    let mut value = item.clone();
    let text = ev.text(attribute)?;
    for step in text.split('.') {
        let index = step.parse::<i128>().map_or_else(|_| V::str(step), V::Int);
        value = ev.item(&value, &index, None)?;
    }
    Ok(value)
}

/// Sorts stably; errors of the comparison come back.
pub(crate) fn sorted(ev: &Ev<'_>, items: Vec<V>, reverse: bool, key: impl Fn(&V) -> R<V>) -> R<Vec<V>> {
    let mut keyed = items.into_iter().map(|v| Ok((key(&v)?, v))).collect::<R<Vec<_>>>()?;
    let mut failure: Option<Stop> = None;
    crate::small::sort_by(&mut keyed, |(a, _), (b, _)| {
        if failure.is_some() {
            return Ordering::Equal;
        }
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        match ev.order(a, b) {
            Ok(order) => order.unwrap_or(Ordering::Equal),
            Err(stop) => {
                failure = Some(stop);
                Ordering::Equal
            }
        }
    });
    match failure {
        Some(stop) => Err(stop),
        None => Ok(keyed.into_iter().map(|(_, v)| v).collect()),
    }
}

fn folded(v: V, case_sensitive: bool) -> V {
    match v {
        V::Str(s) if !case_sensitive => V::str(s.to_lowercase()),
        other => other,
    }
}

pub(crate) fn sort(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [reverse, case, attribute] = args.bind(["reverse", "case_sensitive", "attribute"])?;
    let case = flag(case)?;
    let attributes: Vec<String> = match attribute.filter(|a| !matches!(a, V::None)) {
        Some(a) => ev.text(&a)?.split(',').map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let key = |item: &V| -> R<V> {
        match attributes.as_slice() {
            [] => Ok(folded(item.clone(), case)),
            names => {
                let keys = names.iter().map(|a| Ok(folded(path(ev, item, &V::str(a))?, case))).collect::<R<_>>()?;
                Ok(V::tuple(keys))
            }
        }
    };
    Ok(V::list(sorted(ev, ev.iter(&v)?, flag(reverse)?, key)?))
}

fn extreme(ev: &Ev<'_>, v: &V, args: Args, wanted: Ordering) -> R<V> {
    let [case, attribute] = args.bind(["case_sensitive", "attribute"])?;
    // Ansible's own `min` and `max` compare text as it is.
    let case = flag_or(case, true)?;
    let mut best: Option<(V, V)> = None;
    for item in ev.iter(v)? {
        let key = match &attribute {
            Some(a) => path(ev, &item, a)?,
            None => item.clone(),
        };
        let key = folded(key, case);
        let better = match &best {
            Some((k, _)) => ev.order(&key, k)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| V::undef("there is no element to choose from"), |(_, v)| v))
}

pub(crate) fn min(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    extreme(ev, &v, args, Ordering::Less)
}

pub(crate) fn max(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    extreme(ev, &v, args, Ordering::Greater)
}

pub(crate) fn sum(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [attribute, start] = args.bind(["attribute", "start"])?;
    let mut total = start.unwrap_or(V::Int(0));
    for item in ev.iter(&v)? {
        let item = match &attribute {
            Some(a) if !matches!(a, V::None) => path(ev, &item, a)?,
            _ => item,
        };
        total = ev.binary(Op::Add, &total, &item)?;
    }
    Ok(total)
}

pub(crate) fn flatten(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [levels, skip] = args.bind(["levels", "skip_nulls"])?;
    let levels = match levels {
        None | Some(V::None) => None,
        some => Some(int_or(some, 0)?),
    };
    let skip = flag_or(skip, true)?;
    let mut out = Vec::new();
    flatten_into(ev, &v, levels, skip, &mut out, 0)?;
    Ok(V::list(out))
}

fn flatten_into(ev: &Ev<'_>, v: &V, levels: Option<i128>, skip: bool, out: &mut Vec<V>, depth: u32) -> R<()> {
    if depth > crate::template::value::MAX_NESTING {
        return fail("the list is nested too deeply");
    }
    for item in ev.iter(v)? {
        match &item {
            V::None if skip => {}
            V::Str(s) if skip && (&**s == "None" || &**s == "null") => {}
            V::List(_) | V::Tuple(_) if levels.is_none_or(|l| l >= 1) => {
                flatten_into(ev, &item, levels.map(|l| l - 1), skip, out, depth + 1)?;
            }
            _ => out.push(item),
        }
    }
    Ok(())
}

/// A set of values that remembers order; scalars by hash, the rest by comparison.
#[derive(Default)]
struct Seen {
    keys: IndexSet<Key>,
    others: Vec<V>,
}

impl Seen {
    fn of(ev: &Ev<'_>, items: &[V]) -> R<Seen> {
        let mut seen = Seen::default();
        for v in items {
            seen.insert(ev, v)?;
        }
        Ok(seen)
    }

    /// One key for values that Python finds equal.
    fn key(v: &V) -> Option<Key> {
        match v {
            V::Str(s) => Some(Key::Str(s.clone())),
            V::Int(i) => Some(Key::Int(*i)),
            V::Bool(b) => Some(Key::Int(i128::from(*b))),
            V::Float(f) if f.fract() == 0.0 && f.abs() < 1e18 => Some(Key::Int(*f as i128)),
            V::Float(f) => Some(Key::Float(f.to_bits())),
            V::None => Some(Key::None),
            _ => None,
        }
    }

    fn has(&self, ev: &Ev<'_>, v: &V) -> R<bool> {
        if let Some(key) = Self::key(v) {
            return Ok(self.keys.contains(&key));
        }
        for other in &self.others {
            if ev.equal(other, v)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn insert(&mut self, ev: &Ev<'_>, v: &V) -> R<bool> {
        if self.has(ev, v)? {
            return Ok(false);
        }
        match Self::key(v) {
            Some(key) => drop(self.keys.insert(key)),
            None => self.others.push(v.clone()),
        }
        Ok(true)
    }
}

fn distinct(ev: &Ev<'_>, items: impl IntoIterator<Item = V>) -> R<V> {
    let mut seen = Seen::default();
    let mut out = Vec::new();
    for v in items {
        if seen.insert(ev, &v)? {
            out.push(v);
        }
    }
    Ok(V::list(out))
}

pub(crate) fn unique(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [case, attribute] = args.bind(["case_sensitive", "attribute"])?;
    let case = flag(case)?;
    let mut seen = Seen::default();
    let mut out = Vec::new();
    for item in ev.iter(&v)? {
        let key = match &attribute {
            Some(a) if !matches!(a, V::None) => path(ev, &item, a)?,
            _ => item.clone(),
        };
        if seen.insert(ev, &folded(key, case))? {
            out.push(item);
        }
    }
    Ok(V::list(out))
}

fn two(ev: &Ev<'_>, v: &V, args: Args) -> R<(Vec<V>, Vec<V>)> {
    let [other] = args.bind(["b"])?;
    Ok((ev.iter(v)?, ev.iter(&need(other, "b")?)?))
}

pub(crate) fn difference(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let (a, b) = two(ev, &v, args)?;
    let not = Seen::of(ev, &b)?;
    let mut kept = Vec::new();
    for v in a {
        if !not.has(ev, &v)? {
            kept.push(v);
        }
    }
    distinct(ev, kept)
}

pub(crate) fn intersect(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let (a, b) = two(ev, &v, args)?;
    let both = Seen::of(ev, &b)?;
    let mut kept = Vec::new();
    for v in a {
        if both.has(ev, &v)? {
            kept.push(v);
        }
    }
    distinct(ev, kept)
}

pub(crate) fn union(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let (a, b) = two(ev, &v, args)?;
    distinct(ev, a.into_iter().chain(b))
}

pub(crate) fn symmetric_difference(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let (a, b) = two(ev, &v, args)?;
    let (in_a, in_b) = (Seen::of(ev, &a)?, Seen::of(ev, &b)?);
    let mut kept = Vec::new();
    for v in a {
        if !in_b.has(ev, &v)? {
            kept.push(v);
        }
    }
    for v in b {
        if !in_a.has(ev, &v)? {
            kept.push(v);
        }
    }
    distinct(ev, kept)
}

fn lists_of(ev: &Ev<'_>, v: &V, args: &Args) -> R<Vec<Vec<V>>> {
    let mut lists = vec![ev.iter(v)?];
    for other in &args.pos {
        lists.push(ev.iter(other)?);
    }
    Ok(lists)
}

pub(crate) fn zip(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let lists = lists_of(ev, &v, &args)?;
    let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
    Ok(V::list((0..shortest).map(|i| V::tuple(lists.iter().map(|l| l[i].clone()).collect())).collect()))
}

pub(crate) fn zip_longest(ev: &Ev<'_>, v: V, mut args: Args) -> R<V> {
    let fill = args.take_named("fillvalue").unwrap_or(V::None);
    let lists = lists_of(ev, &v, &args)?;
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |i| V::tuple(lists.iter().map(|l| l.get(i).cloned().unwrap_or(fill.clone())).collect());
    Ok(V::list((0..longest).map(row).collect()))
}

/// The Cartesian product.
pub(crate) fn products(ev: &Ev<'_>, lists: &[Vec<V>]) -> R<Vec<Vec<V>>> {
    let total = lists.iter().fold(1u64, |n, l| n.saturating_mul(l.len() as u64));
    ev.spend(total.saturating_mul(4 + lists.len() as u64))?;
    let mut rows = vec![Vec::new()];
    for list in lists {
        let extended = rows.iter().flat_map(|row: &Vec<V>| {
            list.iter().map(|v| {
                let mut row = row.clone();
                row.push(v.clone());
                row
            })
        });
        rows = extended.collect();
    }
    Ok(rows)
}

pub(crate) fn product(ev: &Ev<'_>, v: V, mut args: Args) -> R<V> {
    let repeat = int_or(args.take_named("repeat"), 1)?;
    let lists = lists_of(ev, &v, &args)?;
    let all: Vec<Vec<V>> = (0..repeat.clamp(0, 20)).flat_map(|_| lists.clone()).collect();
    Ok(V::list(products(ev, &all)?.into_iter().map(V::tuple).collect()))
}

fn choose(ev: &Ev<'_>, v: &V, args: Args, ordered: bool) -> R<V> {
    let [size] = args.bind(["r"])?;
    let items = ev.iter(v)?;
    let default = items.len() as i128;
    if size.is_none() && !ordered {
        return fail("the argument `r` is missing");
    }
    let size = usize::try_from(int_or(size, default)?).unwrap_or(0);
    let mut out = Vec::new();
    choose_into(ev, &items, size, ordered, &mut Vec::new(), &mut out)?;
    Ok(V::list(out))
}

fn choose_into(
    ev: &Ev<'_>,
    items: &[V],
    size: usize,
    ordered: bool,
    chosen: &mut Vec<usize>,
    out: &mut Vec<V>,
) -> R<()> {
    ev.spend(4 + size as u64)?;
    if size > 100 {
        return fail("too many at a time");
    }
    if chosen.len() == size {
        out.push(V::tuple(chosen.iter().map(|i| items[*i].clone()).collect()));
        return Ok(());
    }
    let from = if ordered { 0 } else { chosen.last().map_or(0, |l| l + 1) };
    for i in from..items.len() {
        if !chosen.contains(&i) {
            chosen.push(i);
            choose_into(ev, items, size, ordered, chosen, out)?;
            chosen.pop();
        }
    }
    Ok(())
}

pub(crate) fn combinations(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    choose(ev, &v, args, false)
}

pub(crate) fn permutations(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    choose(ev, &v, args, true)
}

pub(crate) fn batch(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [count, fill] = args.bind(["linecount", "fill_with"])?;
    let count = usize::try_from(int_or(Some(need(count, "linecount")?), 1)?.clamp(1, 1 << 20)).unwrap_or(1);
    let mut rows: Vec<Vec<V>> = ev.iter(&v)?.chunks(count).map(<[V]>::to_vec).collect();
    if let (Some(fill), Some(row)) = (fill.filter(|f| !matches!(f, V::None)), rows.last_mut()) {
        row.resize(count, fill);
    }
    Ok(V::list(rows.into_iter().map(V::list).collect()))
}

pub(crate) fn slice(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [count, fill] = args.bind(["slices", "fill_with"])?;
    let count = usize::try_from(int_or(Some(need(count, "slices")?), 1)?.clamp(1, 1 << 20)).unwrap_or(1);
    let items = ev.iter(&v)?;
    ev.spend(count as u64)?;
    let (each, more) = (items.len() / count, items.len() % count);
    let mut at = 0;
    let mut rows = Vec::new();
    for i in 0..count {
        let end = at + each + usize::from(i < more);
        let mut row = items[at..end].to_vec();
        if let Some(fill) = fill.as_ref().filter(|f| !matches!(f, V::None) && i >= more) {
            row.push(fill.clone());
        }
        rows.push(V::list(row));
        at = end;
    }
    Ok(V::list(rows))
}

/// Elements by the key that they share, in order of appearance.
pub(crate) fn grouped(items: Vec<(Key, V)>) -> IndexMap<Key, Vec<V>> {
    let mut groups: IndexMap<Key, Vec<V>> = IndexMap::new();
    for (key, item) in items {
        groups.entry(key).or_default().push(item);
    }
    groups
}
