//! Paths, as text: nothing here looks at a disk.

use super::{elements, text_or};
use crate::template::error::{ErrorKind, R, fail, fail_as};
use crate::template::eval::{Args, Ev};
use crate::template::value::V;

pub(crate) fn basename(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    Ok(V::str(text.rsplit('/').next().unwrap_or_default()))
}

pub(crate) fn dirname(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    let head = text.rfind('/').map_or("", |i| &text[..=i]);
    let trimmed = head.trim_end_matches('/');
    Ok(V::str(if trimmed.is_empty() { head } else { trimmed }))
}

pub(crate) fn win_basename(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::str(ev.text(&v)?.rsplit(['/', '\\', ':']).next().unwrap_or_default()))
}

pub(crate) fn win_dirname(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    let head = text.rfind(['/', '\\']).map_or("", |i| &text[..=i]);
    let trimmed = head.trim_end_matches(['/', '\\']);
    Ok(V::str(if trimmed.is_empty() || trimmed.ends_with(':') { head } else { trimmed }))
}

pub(crate) fn splitext(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    let name = text.rfind('/').map_or(0, |i| i + 1);
    let stem = name + text[name..].len() - text[name..].trim_start_matches('.').len();
    let at = text[stem..].rfind('.').map_or(text.len(), |i| stem + i);
    Ok(V::tuple(vec![V::str(&text[..at]), V::str(&text[at..])]))
}

pub(crate) fn path_join(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    if let V::Str(_) = v {
        return Ok(v);
    }
    let mut out = String::new();
    for part in elements(ev, &v)? {
        let V::Str(part) = &part else { return fail(format!("needs text, not a {}", part.type_name())) };
        if part.starts_with('/') || out.is_empty() {
            out = part.to_string();
        } else {
            if !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(part);
        }
        ev.room(out.len())?;
    }
    Ok(V::str(out))
}

fn normal(text: &str) -> String {
    let absolute = text.starts_with('/');
    let root = if text.starts_with("//") && !text.starts_with("///") { "//" } else { "/" };
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if absolute && parts.is_empty() => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("{root}{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

pub(crate) fn normpath(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    Ok(V::str(normal(&ev.text(&v)?)))
}

pub(crate) fn relpath(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [start] = args.bind(["start"])?;
    let path = normal(&ev.text(&v)?);
    let start = normal(&text_or(ev, start, ".")?);
    if path.starts_with('/') != start.starts_with('/') {
        return fail("one path is absolute and the other is not; the working directory is not known here");
    }
    let split = |p: &str| p.split('/').filter(|s| !s.is_empty() && *s != ".").map(str::to_owned).collect::<Vec<_>>();
    let (path, start) = (split(&path), split(&start));
    let common = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let mut out = vec![".."; start.len() - common];
    out.extend(path[common..].iter().map(String::as_str));
    Ok(V::str(if out.is_empty() { ".".to_owned() } else { out.join("/") }))
}

pub(crate) fn commonpath(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let paths = elements(ev, &v)?.iter().map(|p| ev.text(p)).collect::<R<Vec<_>>>()?;
    let Some(first) = paths.first() else { return fail("needs at least one path") };
    let split = |p: &str| p.split('/').filter(|s| !s.is_empty() && *s != ".").map(str::to_owned).collect::<Vec<_>>();
    let mut common = split(first);
    for p in &paths {
        if p.starts_with('/') != first.starts_with('/') {
            return fail("absolute and relative paths have nothing in common");
        }
        let n = split(p).iter().zip(&common).take_while(|(a, b)| a == b).count();
        common.truncate(n);
    }
    Ok(V::str(format!("{}{}", if first.starts_with('/') { "/" } else { "" }, common.join("/"))))
}

/// `~` is the home of whoever runs the play, which only the caller's environment tells.
pub(crate) fn expanduser(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?;
    if !text.starts_with('~') {
        return Ok(V::str(text));
    }
    let (user, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
    match ev.engine.options.env.and_then(|env| env("HOME")) {
        Some(home) if user == "~" => Ok(V::str(format!("{}{rest}", home.trim_end_matches('/')))),
        _ => fail_as(ErrorKind::Unsupported, format!("the home of `{user}` is not known here; write the path out")),
    }
}
