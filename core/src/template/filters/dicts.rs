//! Dictionaries, and lists of them.

use super::lists::{grouped, path, sorted};
use super::{elements, flag, need, text_or};
use crate::template::calls::map_of;
use crate::template::error::{R, fail};
use crate::template::eval::{Args, Ev};
use crate::template::value::{Key, MapRef, V};
use indexmap::IndexMap;

fn dict(v: &V) -> R<&MapRef> {
    match v {
        V::Map(m) => Ok(m),
        other => fail(format!("needs a dictionary, not a {}", other.type_name())),
    }
}

pub(crate) fn items(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let map = dict(&v)?;
    ev.spend(map.len() as u64)?;
    Ok(V::list(map.entries().into_iter().map(|(k, v)| V::tuple(vec![k.to_v(), v])).collect()))
}

pub(crate) fn attr(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [name] = args.bind(["name"])?;
    ev.item(&v, &need(name, "name")?, None)
}

pub(crate) fn dict2items(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [key, value] = args.bind(["key_name", "value_name"])?;
    let (key, value) = (text_or(ev, key, "key")?, text_or(ev, value, "value")?);
    let map = dict(&v)?;
    ev.spend(map.len() as u64 * 4)?;
    Ok(V::list(map.entries().into_iter().map(|(k, v)| map_of(vec![(&key, k.to_v()), (&value, v)])).collect()))
}

pub(crate) fn items2dict(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [key, value] = args.bind(["key_name", "value_name"])?;
    let (key, value) = (text_or(ev, key, "key")?, text_or(ev, value, "value")?);
    let mut out = IndexMap::new();
    for item in elements(ev, &v)? {
        let map = dict(&item)?;
        let (Some(k), Some(v)) = (map.get_str(&key), map.get_str(&value)) else {
            return fail(format!("each element needs the keys `{key}` and `{value}`"));
        };
        out.insert(ev.known(k)?.key()?, v);
    }
    Ok(V::map(out))
}

pub(crate) fn dictsort(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [case, by, reverse] = args.bind(["case_sensitive", "by", "reverse"])?;
    let (case, by, reverse) = (flag(case)?, text_or(ev, by, "key")?, flag(reverse)?);
    let pairs = dict(&v)?.entries().into_iter().map(|(k, v)| V::tuple(vec![k.to_v(), v])).collect();
    let at = usize::from(by == "value");
    let key = |pair: &V| -> R<V> {
        let part = pair.elements().and_then(|p| p.into_iter().nth(at)).unwrap_or(V::None);
        Ok(match ev.known(part)? {
            V::Str(s) if !case => V::str(s.to_lowercase()),
            other => other,
        })
    };
    Ok(V::list(sorted(ev, pairs, reverse, key)?))
}

pub(crate) fn groupby(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [attribute, default] = args.bind(["attribute", "default"])?;
    let attribute = need(attribute, "attribute")?;
    let key = |item: &V| -> R<V> {
        let value = match path(ev, item, &attribute)? {
            V::Undef(u) => default.clone().map_or_else(|| Err(u.stop()), Ok)?,
            other => other,
        };
        Ok(match ev.known(value)? {
            V::Str(s) => V::str(s.to_lowercase()),
            other => other,
        })
    };
    let items = sorted(ev, ev.iter(&v)?, false, key)?;
    let keyed = items.into_iter().map(|v| Ok((key(&v)?.key()?, v))).collect::<R<Vec<_>>>()?;
    let groups = grouped(keyed).into_iter().map(|(folded, items)| {
        // The group is named as its first element spells it.
        let name = items.first().and_then(|i| path(ev, i, &attribute).ok()).filter(|n| !matches!(n, V::Undef(_)));
        V::tuple(vec![name.unwrap_or_else(|| folded.to_v()), V::list(items)])
    });
    Ok(V::list(groups.collect()))
}

#[derive(Clone, Copy, PartialEq)]
enum ListMerge {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendRp,
    PrependRp,
}

pub(crate) fn combine(ev: &Ev<'_>, v: V, mut args: Args) -> R<V> {
    let recursive = flag(args.take_named("recursive"))?;
    let mode = match text_or(ev, args.take_named("list_merge"), "replace")?.as_str() {
        "replace" => ListMerge::Replace,
        "keep" => ListMerge::Keep,
        "append" => ListMerge::Append,
        "prepend" => ListMerge::Prepend,
        "append_rp" => ListMerge::AppendRp,
        "prepend_rp" => ListMerge::PrependRp,
        other => return fail(format!("there is no list_merge `{other}`")),
    };
    if let Some((name, _)) = args.named.first() {
        return fail(format!("takes no argument `{name}`, only recursive and list_merge"));
    }
    let mut terms = Vec::new();
    for term in std::iter::once(v).chain(args.pos) {
        match term {
            V::List(_) | V::Tuple(_) => terms.extend(ev.iter(&term)?),
            other => terms.push(other),
        }
    }
    let mut out = V::map(IndexMap::new());
    for term in terms {
        out = merge(ev, &out, &term, recursive, mode, 0)?;
    }
    Ok(out)
}

fn merge(ev: &Ev<'_>, low: &V, high: &V, recursive: bool, mode: ListMerge, depth: u32) -> R<V> {
    if depth > crate::template::value::MAX_NESTING {
        return fail("the dictionaries are nested too deeply");
    }
    let (low, high) = (dict(low)?, dict(high)?);
    ev.spend((low.len() + high.len()) as u64 * 4)?;
    let mut out: IndexMap<Key, V> = low.entries().into_iter().collect();
    for (key, new) in high.entries() {
        let old = out.get(&key).cloned();
        let value = match old {
            Some(old) if recursive || mode != ListMerge::Replace => {
                let (old, new) = (ev.known(old)?, ev.known(new)?);
                match (&old, &new) {
                    (V::Map(_), V::Map(_)) if recursive => merge(ev, &old, &new, recursive, mode, depth + 1)?,
                    (V::List(a), V::List(b)) => merge_lists(ev, a.items(), b.items(), mode)?,
                    _ => new,
                }
            }
            _ => new,
        };
        out.insert(key, value);
    }
    Ok(V::map(out))
}

fn merge_lists(ev: &Ev<'_>, a: Vec<V>, b: Vec<V>, mode: ListMerge) -> R<V> {
    let without = |items: Vec<V>, drop: &[V]| -> R<Vec<V>> {
        let mut kept = Vec::new();
        for item in items {
            let mut found = false;
            for d in drop {
                found |= ev.equal(&item, d)?;
            }
            if !found {
                kept.push(item);
            }
        }
        Ok(kept)
    };
    Ok(V::list(match mode {
        ListMerge::Replace => b,
        ListMerge::Keep => a,
        ListMerge::Append => [a, b].concat(),
        ListMerge::Prepend => [b, a].concat(),
        ListMerge::AppendRp => [without(a, &b)?, b].concat(),
        ListMerge::PrependRp => {
            let kept = without(a, &b)?;
            [b, kept].concat()
        }
    }))
}

pub(crate) fn extract(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [container, more] = args.bind(["container", "morekeys"])?;
    let mut value = ev.item(&need(container, "container")?, &v, None)?;
    let keys = match more {
        None | Some(V::None) => Vec::new(),
        Some(list @ V::List(_)) => ev.iter(&list)?,
        Some(one) => vec![one],
    };
    for key in keys {
        value = ev.item(&value, &key, None)?;
    }
    Ok(value)
}

pub(crate) fn subelements(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [names, skip] = args.bind(["subelements", "skip_missing"])?;
    let skip = flag(skip)?;
    let names: Vec<V> = match need(names, "subelements")? {
        list @ V::List(_) => ev.iter(&list)?,
        other => ev.text(&other)?.split('.').map(V::str).collect(),
    };
    let outer = match &v {
        V::Map(m) => m.entries().into_iter().map(|(_, v)| ev.known(v)).collect::<R<Vec<_>>>()?,
        V::List(_) => ev.iter(&v)?,
        other => return fail(format!("needs a list of dictionaries or a dictionary, not a {}", other.type_name())),
    };
    let mut out = Vec::new();
    for element in outer {
        let mut inner = element.clone();
        for name in &names {
            let Some(found) = dict(&inner)?.get(&name.key()?) else {
                if skip {
                    inner = V::list(Vec::new());
                    break;
                }
                return fail(format!("an element has no key `{}`", ev.text(name)?));
            };
            inner = ev.known(found)?;
        }
        for item in elements(ev, &inner)? {
            out.push(V::tuple(vec![element.clone(), item]));
        }
    }
    Ok(V::list(out))
}

pub(crate) fn rekey_on_member(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [key, duplicates] = args.bind(["key", "duplicates"])?;
    let key = need(key, "key")?;
    let overwrite = text_or(ev, duplicates, "error")? == "overwrite";
    let items = match &v {
        V::Map(m) => m.entries().into_iter().map(|(_, v)| ev.known(v)).collect::<R<Vec<_>>>()?,
        _ => elements(ev, &v)?,
    };
    let mut out = IndexMap::new();
    for item in items {
        let Some(name) = dict(&item)?.get(&key.key()?) else {
            return fail(format!("an element has no key `{}`", ev.text(&key)?));
        };
        if out.insert(ev.known(name)?.key()?, item).is_some() && !overwrite {
            return fail(format!("two elements have the same `{}`", ev.text(&key)?));
        }
    }
    Ok(V::map(out))
}
