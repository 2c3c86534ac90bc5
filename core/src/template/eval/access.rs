//! Attributes, items and slices. What does not exist is undefined, and stays so however far one goes into it.

use super::callable::Callable;
use super::ops::int;
use super::{Ev, Frame};
use crate::template::error::{R, fail, nearest};
use crate::template::ir::{Expr, Kind};
use crate::template::methods;
use crate::template::value::{Key, Undef, V};
use std::rc::Rc;

impl Ev<'_> {
    /// `object.name`: a method, or else an item.
    pub(crate) fn attr(&self, object: &V, name: &str, source: &Expr) -> R<V> {
        match object {
            V::Undef(_) => Ok(object.clone()),
            V::Unknown(u) => Ok(u.part()),
            V::Map(m) => match m.get_str(name) {
                Some(value) if !methods::is_dict_method(name) => self.force(value),
                Some(value) => self.force(value),
                None if methods::is_dict_method(name) => Ok(method(object, name)),
                None => Ok(missing_key(object, name, Some(source))),
            },
            V::Call(c) => self.callable_attr(c, name, source),
            V::Time(t) => Ok(match name {
                "year" => V::Int(i128::from(t.year())),
                "month" => V::Int(i128::from(t.month())),
                "day" => V::Int(i128::from(t.day())),
                "hour" => V::Int(i128::from(t.hour())),
                "minute" => V::Int(i128::from(t.minute())),
                "second" => V::Int(i128::from(t.second())),
                _ if methods::exists(object, name) => method(object, name),
                _ => missing_key(object, name, Some(source)),
            }),
            V::Delta(d) => {
                let (days, seconds, micro) = crate::template::pytime::delta_parts(*d);
                Ok(match name {
                    "days" => V::Int(i128::from(days)),
                    "seconds" => V::Int(i128::from(seconds)),
                    "microseconds" => V::Int(i128::from(micro)),
                    "total_seconds" => method(object, name),
                    _ => missing_key(object, name, Some(source)),
                })
            }
            _ if methods::exists(object, name) => Ok(method(object, name)),
            _ => Ok(missing_key(object, name, Some(source))),
        }
    }

    fn callable_attr(&self, c: &Rc<Callable>, name: &str, source: &Expr) -> R<V> {
        let value = match &**c {
            Callable::Namespace(m) | Callable::Module(m) => m.get_str(name),
            Callable::AllVars => self.variable(name)?,
            Callable::Loop(info) => {
                let (i, n) = (info.index as i128, info.items.len() as i128);
                match name {
                    "index" => Some(V::Int(i + 1)),
                    "index0" => Some(V::Int(i)),
                    "revindex" => Some(V::Int(n - i)),
                    "revindex0" => Some(V::Int(n - i - 1)),
                    "first" => Some(V::Bool(i == 0)),
                    "last" => Some(V::Bool(i + 1 == n)),
                    "length" => Some(V::Int(n)),
                    "depth" => Some(V::Int(1)),
                    "depth0" => Some(V::Int(0)),
                    "previtem" => Some(match info.index.checked_sub(1) {
                        Some(before) => info.items[before].clone(),
                        None => V::undef("there is no previous item"),
                    }),
                    "nextitem" => Some(
                        info.items.get(info.index + 1).cloned().unwrap_or_else(|| V::undef("there is no next item")),
                    ),
                    "cycle" => Some(V::Call(Rc::new(Callable::LoopMethod(c.clone(), "cycle")))),
                    "changed" => Some(V::Call(Rc::new(Callable::LoopMethod(c.clone(), "changed")))),
                    _ => None,
                }
            }
            Callable::Macro(m) => match name {
                "name" => Some(V::str(&*m.decl.name)),
                _ => None,
            },
            _ => None,
        };
        Ok(value.unwrap_or_else(|| missing_key(&V::Call(c.clone()), name, Some(source))))
    }

    /// `object[index]`: an item, or else an attribute.
    pub(crate) fn item(&self, object: &V, index: &V, source: Option<&Expr>) -> R<V> {
        if let V::Undef(_) = object {
            return Ok(object.clone());
        }
        match (object, index) {
            // Text and numbers find something or nothing; with anything else the access itself may fail.
            (V::Unknown(u), V::Str(_) | V::Int(_) | V::Undef(_)) => Ok(u.part()),
            (V::Unknown(u), _) | (_, V::Unknown(u)) => Err(u.stop()),
            (_, V::Undef(_)) => Ok(index.clone()),
            (V::Map(m), _) => match m.get(&index.key()?) {
                Some(value) => self.force(value),
                None => Ok(missing_key(object, &index.key()?.json(), source)),
            },
            (V::Call(c), V::Str(name)) => match &**c {
                Callable::AllVars => match self.variable(name)? {
                    Some(value) => Ok(value),
                    None => Ok(self.undefined(name, &Frame::new())),
                },
                Callable::Namespace(m) => Ok(m.get_str(name).unwrap_or_else(|| missing_key(object, name, source))),
                _ => Ok(missing_key(object, name, source)),
            },
            (V::List(_) | V::Tuple(_) | V::Str(_), _) => match int(index) {
                Some(i) => self.element(object, i, source),
                None => Ok(missing_key(object, &self.text(index)?, source)),
            },
            _ => Ok(missing_key(object, &self.text(index)?, source)),
        }
    }

    fn element(&self, object: &V, i: i128, source: Option<&Expr>) -> R<V> {
        let found = match object {
            V::List(l) => position(i, l.len()).and_then(|i| l.get(i)),
            V::Tuple(t) => position(i, t.len()).map(|i| t[i].clone()),
            V::Str(s) => position(i, s.chars().count())
                .and_then(|i| s.chars().nth(i))
                .map(|c| V::str(c.encode_utf8(&mut [0; 4]))),
            _ => None,
        };
        match found {
            Some(value) => self.force(value),
            None => Ok(missing_key(object, &i.to_string(), source)),
        }
    }

    pub(crate) fn slice(&self, object: &Expr, bounds: &[Option<Box<Expr>>; 3], frame: &mut Frame) -> R<V> {
        let value = self.eval(object, frame)?;
        let value = self.known(value)?;
        let mut limits = [None; 3];
        for (limit, bound) in limits.iter_mut().zip(bounds) {
            if let Some(e) = bound {
                let v = self.eval(e, frame)?;
                let v = self.known(v)?;
                match &v {
                    V::None => {}
                    V::Undef(u) => return Err(u.stop()),
                    other => match int(other) {
                        Some(i) => *limit = Some(i),
                        None => return fail(format!("a slice needs whole numbers, not a {}", other.type_name())),
                    },
                }
            }
        }
        match &value {
            V::Undef(_) => Ok(value),
            V::Str(s) => {
                let chars: Vec<char> = s.chars().collect();
                self.spend(chars.len() as u64)?;
                let part = slice_indices(chars.len(), limits)?.into_iter().map(|i| chars[i]).collect::<String>();
                let part = V::str(part);
                self.derive_secret(&value, &part);
                Ok(part)
            }
            V::List(_) | V::Tuple(_) => {
                let items = value.elements().unwrap_or_default();
                self.spend(items.len() as u64)?;
                let part = slice_indices(items.len(), limits)?.into_iter().map(|i| items[i].clone()).collect();
                Ok(if matches!(value, V::Tuple(_)) { V::tuple(part) } else { V::list(part) })
            }
            other => fail(format!("a {} cannot be sliced", other.type_name())),
        }
    }
}

fn method(object: &V, name: &str) -> V {
    V::Call(Rc::new(Callable::Method(object.clone(), name.into())))
}

fn position(i: i128, len: usize) -> Option<usize> {
    let i = if i < 0 { i + len as i128 } else { i };
    usize::try_from(i).ok().filter(|i| *i < len)
}

fn slice_indices(len: usize, [start, stop, step]: [Option<i128>; 3]) -> R<Vec<usize>> {
    let len = len as i128;
    let step = step.unwrap_or(1);
    if step == 0 {
        return fail("the step of a slice cannot be zero");
    }
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |b: i128| (if b < 0 { b + len } else { b }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    let mut out = Vec::new();
    let mut i = start;
    while (step > 0 && i < stop) || (step < 0 && i > stop) {
        out.push(i as usize);
        i += step;
    }
    Ok(out)
}

/// The undefined value for a key or index that is not there, with what is near it.
pub(crate) fn missing_key(object: &V, key: &str, source: Option<&Expr>) -> V {
    let place = source.and_then(path);
    let what = match object {
        V::List(_) | V::Tuple(_) => format!("has no element {key}"),
        V::Map(_) => format!("has no key `{key}`"),
        _ => format!("has no attribute `{key}`"),
    };
    let owner = place.map_or_else(|| format!("the {}", object.type_name()), |p| format!("`{p}`"));
    let help = match object {
        V::Map(m) => {
            let keys: Vec<String> = m.keys().iter().map(Key::json).collect();
            nearest(key, keys.iter().map(String::as_str)).map(|n| format!("did you mean `{n}`?"))
        }
        _ => None,
    };
    V::Undef(Rc::new(Undef { message: format!("{owner} {what}"), help, via: Vec::new(), span: None, quiet: false }))
}

/// The expression as written, if it is a plain path.
fn path(e: &Expr) -> Option<String> {
    match &e.kind {
        Kind::Var(name) => Some(name.to_string()),
        Kind::Attr(object, name) => Some(format!("{}.{name}", path(object)?)),
        Kind::Item(object, index) => match &index.kind {
            Kind::Const(crate::template::ir::Const::Str(s)) => Some(format!("{}['{s}']", path(object)?)),
            Kind::Const(crate::template::ir::Const::Int(i)) => Some(format!("{}[{i}]", path(object)?)),
            Kind::Var(name) => Some(format!("{}[{name}]", path(object)?)),
            _ => None,
        },
        _ => None,
    }
}
