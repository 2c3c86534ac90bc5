//! `map`, `select` and their kin: filters and tests applied to every element.

use super::lists::path;
use super::{apply, need};
use crate::template::error::{R, fail};
use crate::template::eval::{Args, Ev};
use crate::template::predicates;
use crate::template::value::V;

pub(crate) fn map(ev: &Ev<'_>, v: V, mut args: Args) -> R<V> {
    let items = ev.iter(&v)?;
    let mut out = Vec::with_capacity(items.len());
    if args.pos.is_empty() {
        let attribute = need(args.take_named("attribute"), "attribute")?;
        let default = args.take_named("default");
        args.none()?;
        for item in items {
            let value = path(ev, &item, &attribute)?;
            out.push(match (&value, &default) {
                (V::Undef(_), Some(d)) => d.clone(),
                _ => value,
            });
        }
        return Ok(V::list(out));
    }
    let name = ev.text(&args.pos.remove(0))?;
    for item in items {
        out.push(apply(ev, &name, item, args.clone())?);
    }
    Ok(V::list(out))
}

fn sift(ev: &Ev<'_>, v: &V, mut args: Args, by_attribute: bool, wanted: bool) -> R<V> {
    let attribute = match by_attribute {
        true if args.pos.is_empty() => return fail("the name of the attribute is missing"),
        true => Some(args.pos.remove(0)),
        false => None,
    };
    let test = match args.pos.is_empty() {
        true => None,
        false => {
            let name = ev.text(&args.pos.remove(0))?;
            match predicates::find(&name) {
                Some(f) => Some((name, f)),
                None => return Err(crate::template::lower::unknown_name("test", &name, predicates::names()).into()),
            }
        }
    };
    let mut out = Vec::new();
    for item in ev.iter(v)? {
        let subject = match &attribute {
            Some(a) => path(ev, &item, a)?,
            None => item.clone(),
        };
        let holds = match &test {
            Some((name, f)) => ev.apply_test(name, *f, subject, args.clone())?,
            None => subject.truth()?,
        };
        if holds == wanted {
            out.push(item);
        }
    }
    Ok(V::list(out))
}

pub(crate) fn select(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    sift(ev, &v, args, false, true)
}

pub(crate) fn reject(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    sift(ev, &v, args, false, false)
}

pub(crate) fn selectattr(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    sift(ev, &v, args, true, true)
}

pub(crate) fn rejectattr(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    sift(ev, &v, args, true, false)
}
