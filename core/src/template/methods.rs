//! Python's methods on text, lists and dictionaries.

use super::error::{R, Stop, fail};
use super::eval::{Args, Ev};
use super::ir::Expr;
use super::pyformat;
use super::value::{Key, V};

const STR: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];
const LIST: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const DICT: &[&str] = &["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
const TIME: &[&str] = &["strftime", "isoformat", "timestamp"];

fn of(v: &V) -> &'static [&'static str] {
    match v {
        V::Str(_) | V::Thunk(_) => STR,
        V::List(_) => LIST,
        V::Tuple(_) => &["count", "index"],
        V::Map(_) => DICT,
        V::Time(_) => TIME,
        V::Delta(_) => &["total_seconds"],
        _ => &[],
    }
}

pub(crate) fn is_dict_method(name: &str) -> bool {
    DICT.contains(&name)
}

/// Whether the value has a method of that name.
pub(crate) fn exists(v: &V, name: &str) -> bool {
    of(v).contains(&name)
}

/// `object.name(args)`.
pub(crate) fn call(ev: &Ev<'_>, receiver: V, name: &str, args: Args, source: &Expr) -> R<V> {
    match &receiver {
        V::Undef(_) => return Ok(receiver),
        V::Unknown(u) => return Err(u.stop()),
        _ => {}
    }
    if !exists(&receiver, name) {
        let value = ev.attr(&receiver, name, source)?;
        return ev.call(&value, args);
    }
    call_value(ev, receiver, name, args)
}

/// Calls a method that exists.
pub(crate) fn call_value(ev: &Ev<'_>, receiver: V, name: &str, args: Args) -> R<V> {
    ev.spend(2)?;
    if let Some(because) = args.unknown_with(&V::None) {
        // The method may change its receiver: nothing after it is known.
        return Err(Stop::Unknown(because));
    }
    if let Some(V::Undef(u)) = args.first_undefined(&V::None) {
        return Err(u.stop());
    }
    match &receiver {
        V::Str(s) => str_method(ev, s, name, args),
        V::List(_) => list_method(ev, &receiver, name, args),
        V::Tuple(_) => sequence_method(ev, &receiver, name, args),
        V::Map(_) => dict_method(ev, &receiver, name, args),
        V::Time(t) => match name {
            "strftime" => {
                let [format] = args.bind(["format"])?;
                Ok(V::str(super::pytime::strftime(&ev.text(&format.unwrap_or(V::str("")))?, t)?))
            }
            "timestamp" => Ok(V::Float(super::pytime::timestamp(t))),
            _ => Ok(V::str(super::pytime::isoformat(t, 'T'))),
        },
        V::Delta(d) => Ok(V::Float(*d as f64 / 1e6)),
        other => fail(format!("a {} has no method `{name}`", other.type_name())),
    }
}

fn text_arg(ev: &Ev<'_>, v: Option<V>, what: &str) -> R<String> {
    match v {
        Some(V::Str(s)) => Ok(s.to_string()),
        Some(other) => fail(format!("`{what}` must be text, not a {}", other.type_name())),
        None => {
            ev.spend(0)?;
            fail(format!("`{what}` is missing"))
        }
    }
}

fn int_arg(v: Option<V>, default: i128) -> R<i128> {
    match v {
        None | Some(V::None) => Ok(default),
        Some(V::Int(i)) => Ok(i),
        Some(V::Bool(b)) => Ok(i128::from(b)),
        Some(other) => fail(format!("needs a whole number, not a {}", other.type_name())),
    }
}

fn strip_set<'s>(s: &'s str, set: Option<&str>, left: bool, right: bool) -> &'s str {
    let drop = |c: char| set.map_or(c.is_whitespace(), |set| set.contains(c));
    let s = if left { s.trim_start_matches(drop) } else { s };
    if right { s.trim_end_matches(drop) } else { s }
}

fn strings<'a>(parts: impl Iterator<Item = &'a str>) -> V {
    V::list(parts.map(V::str).collect())
}

fn str_method(ev: &Ev<'_>, s: &str, name: &str, args: Args) -> R<V> {
    ev.spend(s.len() as u64 / 64)?;
    let all = |f: fn(char) -> bool| V::Bool(!s.is_empty() && s.chars().all(f));
    Ok(match name {
        "lower" | "casefold" => {
            args.none()?;
            V::str(s.to_lowercase())
        }
        "upper" => {
            args.none()?;
            V::str(s.to_uppercase())
        }
        "capitalize" => V::str(super::filters::capitalize(s)),
        "title" => V::str(super::filters::title(s)),
        "swapcase" => V::str(
            s.chars()
                .flat_map(|c| {
                    if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() }
                })
                .collect::<String>(),
        ),
        "strip" | "lstrip" | "rstrip" => {
            let [set] = args.bind(["chars"])?;
            let set = set.filter(|v| !matches!(v, V::None)).map(|v| text_arg(ev, Some(v), "chars")).transpose()?;
            V::str(strip_set(s, set.as_deref(), name != "rstrip", name != "lstrip"))
        }
        "startswith" | "endswith" => {
            let [part] = args.bind(["prefix"])?;
            let parts = match part {
                Some(t @ V::Tuple(_)) => ev.iter(&t)?,
                Some(v) => vec![v],
                None => return fail("`prefix` is missing"),
            };
            let mut found = false;
            for p in parts {
                let p = text_arg(ev, Some(p), "prefix")?;
                found |= if name == "startswith" { s.starts_with(&p) } else { s.ends_with(&p) };
            }
            V::Bool(found)
        }
        "split" | "rsplit" => {
            let [sep, max] = args.bind(["sep", "maxsplit"])?;
            split(ev, s, sep, int_arg(max, -1)?, name == "rsplit")?
        }
        "splitlines" => {
            let [keep] = args.bind(["keepends"])?;
            let keep = keep.map(|k| k.truth()).transpose()?.unwrap_or(false);
            let lines = s.split_inclusive('\n');
            strings(lines.map(|l| if keep { l } else { l.trim_end_matches('\n').trim_end_matches('\r') }))
        }
        "join" => {
            let [items] = args.bind(["iterable"])?;
            let items = ev.iter(&items.unwrap_or(V::None))?;
            let texts = items.into_iter().map(|v| text_arg(ev, Some(v), "element")).collect::<R<Vec<_>>>()?;
            ev.room(texts.iter().map(|t| t.len() + s.len()).sum())?;
            V::str(texts.join(s))
        }
        "replace" => {
            let [old, new, count] = args.bind(["old", "new", "count"])?;
            let (old, new) = (text_arg(ev, old, "old")?, text_arg(ev, new, "new")?);
            replace(ev, s, &old, &new, int_arg(count, -1)?)?
        }
        "find" | "rfind" | "index" | "rindex" => {
            let [sub, start] = args.bind(["sub", "start"])?;
            let sub = text_arg(ev, sub, "sub")?;
            let start = int_arg(start, 0)?.max(0) as usize;
            let from = s.char_indices().nth(start).map_or(s.len(), |(i, _)| i);
            let found = if name.starts_with('r') { s[from..].rfind(&sub) } else { s[from..].find(&sub) };
            match found {
                Some(at) => V::Int(s[..from + at].chars().count() as i128),
                None if name.ends_with("index") => return fail("the text does not contain it"),
                None => V::Int(-1),
            }
        }
        "count" => {
            let [sub] = args.bind(["sub"])?;
            let sub = text_arg(ev, sub, "sub")?;
            V::Int(if sub.is_empty() { s.chars().count() + 1 } else { s.matches(&sub).count() } as i128)
        }
        "partition" | "rpartition" => {
            let [sep] = args.bind(["sep"])?;
            let sep = text_arg(ev, sep, "sep")?;
            let found = if name == "partition" { s.split_once(&sep) } else { s.rsplit_once(&sep) };
            V::tuple(match found {
                Some((a, b)) => vec![V::str(a), V::str(&sep), V::str(b)],
                None if name == "partition" => vec![V::str(s), V::str(""), V::str("")],
                None => vec![V::str(""), V::str(""), V::str(s)],
            })
        }
        "removeprefix" => {
            let [p] = args.bind(["prefix"])?;
            V::str(s.strip_prefix(&text_arg(ev, p, "prefix")?).unwrap_or(s))
        }
        "removesuffix" => {
            let [p] = args.bind(["suffix"])?;
            V::str(s.strip_suffix(&text_arg(ev, p, "suffix")?).unwrap_or(s))
        }
        "center" | "ljust" | "rjust" | "zfill" => {
            let [width, fill] = args.bind(["width", "fillchar"])?;
            let fill = fill.map(|f| text_arg(ev, Some(f), "fillchar")).transpose()?;
            pad(ev, s, name, int_arg(width, 0)?, fill.as_deref().unwrap_or(" "))?
        }
        "expandtabs" => V::str(s.replace('\t', "        ")),
        "format" => V::str(pyformat::format(ev, s, &args)?),
        "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => V::Bool(s.is_ascii()),
        "islower" => V::Bool(s.chars().any(char::is_lowercase) && !s.chars().any(char::is_uppercase)),
        "isupper" => V::Bool(s.chars().any(char::is_uppercase) && !s.chars().any(char::is_lowercase)),
        "istitle" => V::Bool(!s.is_empty() && super::filters::title(s) == s),
        "isidentifier" => V::Bool(
            s.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && s.chars().all(|c| c.is_alphanumeric() || c == '_'),
        ),
        _ => return fail(format!("text has no method `{name}`")),
    })
}

/// `str.split` and the filter of that name.
pub(crate) fn split(ev: &Ev<'_>, s: &str, sep: Option<V>, max: i128, from_right: bool) -> R<V> {
    let limit = usize::try_from(max).ok();
    let Some(sep) = sep.filter(|v| !matches!(v, V::None)) else {
        let Some(limit) = limit else { return Ok(strings(s.split_whitespace())) };
        let mut parts = Vec::new();
        let mut rest = s.trim_start();
        while !rest.is_empty() {
            match rest.find(char::is_whitespace) {
                Some(end) if parts.len() < limit => {
                    parts.push(&rest[..end]);
                    rest = rest[end..].trim_start();
                }
                _ => {
                    parts.push(rest);
                    rest = "";
                }
            }
        }
        return Ok(strings(parts.into_iter()));
    };
    let sep = text_arg(ev, Some(sep), "sep")?;
    if sep.is_empty() {
        return fail("the separator is empty");
    }
    Ok(match (limit, from_right) {
        (None, _) => strings(s.split(sep.as_str())),
        (Some(n), false) => strings(s.splitn(n + 1, sep.as_str())),
        (Some(n), true) => {
            let mut parts: Vec<&str> = s.rsplitn(n + 1, sep.as_str()).collect();
            parts.reverse();
            strings(parts.into_iter())
        }
    })
}

pub(crate) fn replace(ev: &Ev<'_>, s: &str, old: &str, new: &str, count: i128) -> R<V> {
    let hits = if old.is_empty() { s.chars().count() + 1 } else { s.matches(old).count() };
    ev.room(s.len().saturating_add(hits.saturating_mul(new.len())))?;
    Ok(V::str(match usize::try_from(count) {
        Ok(n) => s.replacen(old, new, n),
        Err(_) => s.replace(old, new),
    }))
}

pub(crate) fn pad(ev: &Ev<'_>, s: &str, how: &str, width: i128, fill: &str) -> R<V> {
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    ev.room(width.max(s.len()))?;
    let len = s.chars().count();
    let missing = width.saturating_sub(len);
    let fill = if how == "zfill" { "0" } else { fill };
    Ok(V::str(match how {
        "ljust" => format!("{s}{}", fill.repeat(missing)),
        "rjust" => format!("{}{s}", fill.repeat(missing)),
        "zfill" => {
            let (sign, digits) = if s.starts_with(['-', '+']) { s.split_at(1) } else { ("", s) };
            format!("{sign}{}{digits}", fill.repeat(missing))
        }
        _ => {
            let left = missing / 2 + (missing & width & 1);
            format!("{}{s}{}", fill.repeat(left), fill.repeat(missing - left))
        }
    }))
}

fn sequence_method(ev: &Ev<'_>, receiver: &V, name: &str, args: Args) -> R<V> {
    let [value] = args.bind(["value"])?;
    let Some(value) = value else { return fail("`value` is missing") };
    let mut count = 0;
    let mut first = None;
    for (i, item) in ev.iter(receiver)?.iter().enumerate() {
        if ev.equal(item, &value)? {
            count += 1;
            first = first.or(Some(i));
        }
    }
    match (name, first) {
        ("count", _) => Ok(V::Int(count)),
        (_, Some(i)) => Ok(V::Int(i as i128)),
        _ => fail("the list does not contain it"),
    }
}

fn list_method(ev: &Ev<'_>, receiver: &V, name: &str, mut args: Args) -> R<V> {
    let V::List(list) = receiver else { return fail("not a list") };
    Ok(match name {
        "append" => {
            let [value] = args.bind(["value"])?;
            let Some(value) = value else { return fail("`value` is missing") };
            list.own().push(value);
            V::None
        }
        "extend" => {
            let [more] = args.bind(["iterable"])?;
            let more = ev.iter(&more.unwrap_or(V::None))?;
            ev.spend(more.len() as u64 * 4)?;
            list.own().extend(more);
            V::None
        }
        "insert" => {
            let [index, value] = args.bind(["index", "value"])?;
            let Some(value) = value else { return fail("`value` is missing") };
            let len = list.len() as i128;
            let i = int_arg(index, 0)?;
            ev.spend(len as u64)?;
            let i = (if i < 0 { i + len } else { i }).clamp(0, len) as usize;
            list.own().insert(i, value);
            V::None
        }
        "pop" => {
            let [index] = args.bind(["index"])?;
            let len = list.len() as i128;
            let i = int_arg(index, -1)?;
            let i = if i < 0 { i + len } else { i };
            if !(0..len).contains(&i) {
                return fail("there is no such element to pop");
            }
            let value = list.own().remove(i as usize);
            ev.force(value)?
        }
        "remove" => {
            let V::Int(i) = sequence_method(ev, receiver, "index", args)? else { return fail("not found") };
            list.own().remove(i as usize);
            V::None
        }
        "clear" => {
            list.own().clear();
            V::None
        }
        "copy" => V::list(list.items()),
        "reverse" => {
            list.own().reverse();
            V::None
        }
        "sort" => {
            let reverse = args.take_named("reverse").map(|r| r.truth()).transpose()?.unwrap_or(false);
            args.none()?;
            let sorted = super::filters::sorted(ev, ev.iter(receiver)?, reverse, |v| Ok(v.clone()))?;
            *list.own() = sorted;
            V::None
        }
        _ => return sequence_method(ev, receiver, name, args),
    })
}

fn dict_method(ev: &Ev<'_>, receiver: &V, name: &str, args: Args) -> R<V> {
    let V::Map(map) = receiver else { return fail("not a dictionary") };
    ev.spend(1)?;
    Ok(match name {
        "keys" => V::list(map.keys().iter().map(Key::to_v).collect()),
        "values" => {
            ev.spend(map.len() as u64)?;
            V::list(map.entries().into_iter().map(|(_, v)| v).collect())
        }
        "items" => {
            ev.spend(map.len() as u64)?;
            V::list(map.entries().into_iter().map(|(k, v)| V::tuple(vec![k.to_v(), v])).collect())
        }
        "get" => {
            let [key, default] = args.bind(["key", "default"])?;
            match map.get(&key.unwrap_or(V::None).key()?) {
                Some(v) => ev.force(v)?,
                None => default.unwrap_or(V::None),
            }
        }
        "copy" => V::map(map.entries().into_iter().collect()),
        "clear" => {
            map.own().clear();
            V::None
        }
        "update" => {
            let mut more: Vec<(Key, V)> = Vec::new();
            for other in &args.pos {
                match ev.force(other.clone())? {
                    V::Map(m) => more.extend(m.entries()),
                    pairs => {
                        for pair in ev.iter(&pairs)? {
                            let pair = ev.iter(&pair)?;
                            let [k, v] = pair.as_slice() else { return fail("`update` needs a dictionary or pairs") };
                            more.push((k.key()?, v.clone()));
                        }
                    }
                }
            }
            more.extend(args.named.iter().map(|(k, v)| (Key::Str(k.clone()), v.clone())));
            ev.spend(more.len() as u64 * 4)?;
            map.own().extend(more);
            V::None
        }
        "pop" => {
            let [key, default] = args.bind(["key", "default"])?;
            let key = key.unwrap_or(V::None).key()?;
            let removed = map.own().shift_remove(&key);
            match (removed, default) {
                (Some(v), _) | (None, Some(v)) => ev.force(v)?,
                (None, None) => return fail(format!("there is no key `{}` to pop", key.json())),
            }
        }
        "popitem" => match map.own().pop() {
            Some((k, v)) => V::tuple(vec![k.to_v(), v]),
            None => return fail("the dictionary is empty"),
        },
        "setdefault" => {
            let [key, default] = args.bind(["key", "default"])?;
            let key = key.unwrap_or(V::None).key()?;
            let value = map.own().entry(key).or_insert_with(|| default.unwrap_or(V::None)).clone();
            ev.force(value)?
        }
        _ => return fail(format!("a dictionary has no method `{name}`")),
    })
}
