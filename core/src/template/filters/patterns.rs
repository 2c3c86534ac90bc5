//! Regular expressions.

use super::{flag, int_or, need, text_or};
use crate::template::error::{R, fail};
use crate::template::eval::{Args, Ev};
use crate::template::pyregex::{Captures, PyRegex, escape};
use crate::template::value::V;

pub(crate) fn regex_replace(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [pattern, replacement, ignore, multiline, count, mandatory] =
        args.bind(["pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count"])?;
    let pattern = text_or(ev, pattern, "")?;
    let regex = PyRegex::new(&pattern, flag(ignore)?, flag(multiline)?)?;
    let text = ev.text(&v)?;
    ev.spend(text.len() as u64)?;
    let count = usize::try_from(int_or(count, 0)?).unwrap_or(0);
    let replacement = text_or(ev, replacement, "")?;
    let (out, hits) = regex.replace(&text, &replacement, count, ev.engine.options.max_output)?;
    let mandatory = int_or(mandatory, 0)?;
    if mandatory != 0 && mandatory != hits as i128 {
        return fail(format!("`{pattern}` should match {mandatory} times but matches {hits} times"));
    }
    Ok(V::str(out))
}

pub(crate) fn regex_search(ev: &Ev<'_>, v: V, mut args: Args) -> R<V> {
    let ignore = flag(args.take_named("ignorecase"))?;
    let multiline = flag(args.take_named("multiline"))?;
    let pattern = match args.take_named("regex") {
        Some(p) => p,
        None if !args.pos.is_empty() => args.pos.remove(0),
        None => return fail("the argument `regex` is missing"),
    };
    let regex = PyRegex::new(&ev.text(&pattern)?, ignore, multiline)?;
    let text = ev.text(&v)?;
    ev.spend(text.len() as u64)?;
    let found = regex.search(&text)?;
    if args.pos.is_empty() {
        return Ok(found.and_then(|c| c.get(0).map(|m| V::str(m.as_str()))).unwrap_or(V::None));
    }
    let Some(caps) = found else { return Ok(V::None) };
    let mut out = Vec::new();
    for group in &args.pos {
        let group = ev.text(group)?;
        let name = group.strip_prefix("\\g<").and_then(|g| g.strip_suffix('>')).or_else(|| group.strip_prefix('\\'));
        let Some(name) = name else { return fail(format!("`{group}` is not a group; write `\\\\1` or `\\\\g<name>`")) };
        let hit = match name.parse::<usize>() {
            Ok(n) if n > regex.groups() => return fail(format!("the pattern has no group {n}")),
            Ok(n) => caps.get(n),
            Err(_) => caps.name(name),
        };
        out.push(hit.map_or(V::None, |m| V::str(m.as_str())));
    }
    Ok(V::list(out))
}

pub(crate) fn regex_findall(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [pattern, multiline, ignore] = args.bind(["regex", "multiline", "ignorecase"])?;
    let regex = PyRegex::new(&ev.text(&need(pattern, "regex")?)?, flag(ignore)?, flag(multiline)?)?;
    let text = ev.text(&v)?;
    ev.spend(text.len() as u64)?;
    let group = |c: &Captures<'_>, n: usize| V::str(c.get(n).map_or("", |m| m.as_str()));
    let groups = regex.groups();
    let found = regex.all(&text, 0)?;
    ev.spend(found.len() as u64 * 4)?;
    Ok(V::list(
        found
            .iter()
            .map(|c| match groups {
                0 => group(c, 0),
                1 => group(c, 1),
                n => V::tuple((1..=n).map(|i| group(c, i)).collect()),
            })
            .collect(),
    ))
}

pub(crate) fn regex_escape(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [kind] = args.bind(["re_type"])?;
    let text = ev.text(&v)?;
    match text_or(ev, kind, "python")?.as_str() {
        "python" => Ok(V::str(escape(&text))),
        "posix_basic" => {
            let mut out = String::new();
            for c in text.chars() {
                if "].[^$*\\".contains(c) {
                    out.push('\\');
                }
                out.push(c);
            }
            Ok(V::str(out))
        }
        other => fail(format!("there is no way to escape for `{other}`: python, posix_basic")),
    }
}
