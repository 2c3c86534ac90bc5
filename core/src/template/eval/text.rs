//! Values as text, and as JSON for the caller.

use super::Ev;
use crate::template::error::{R, fail};
use crate::template::value::{MAX_NESTING, V, float_repr, str_repr};
use serde_json::{Map, Number, Value as Json};

impl Ev<'_> {
    /// Python's `str(x)`.
    pub(crate) fn text(&self, v: &V) -> R<String> {
        match v {
            V::Str(s) => Ok(s.to_string()),
            V::Thunk(_) => self.text(&self.force(v.clone())?),
            _ => {
                let mut out = String::new();
                self.repr(v, &mut out)?;
                Ok(out)
            }
        }
    }

    /// The text of a printed value: nothing for none.
    pub(crate) fn text_of_output(&self, v: &V) -> R<String> {
        match v {
            V::None => Ok(String::new()),
            V::Undef(u) if u.quiet => Ok(String::new()),
            V::List(_) | V::Tuple(_) | V::Map(_) => {
                let mut out = String::new();
                self.repr_as(v, &mut out, 0, false)?;
                Ok(out)
            }
            other => self.text(other),
        }
    }

    /// Python's `repr(x)`.
    pub(crate) fn repr(&self, v: &V, out: &mut String) -> R<()> {
        self.repr_as(v, out, 0, true)
    }

    /// `tuples`: printed values have lists in their place.
    fn repr_as(&self, v: &V, out: &mut String, depth: u32, tuples: bool) -> R<()> {
        if depth > MAX_NESTING {
            return fail("the value is nested too deeply to be printed");
        }
        self.room_for(out.len(), 8)?;
        match v {
            V::Undef(u) => return Err(u.stop()),
            V::Unknown(u) => return Err(u.stop()),
            V::None => out.push_str("None"),
            V::Bool(b) => out.push_str(if *b { "True" } else { "False" }),
            V::Int(i) => out.push_str(&i.to_string()),
            V::Float(f) => out.push_str(&float_repr(*f)),
            V::Str(s) => {
                self.room_for(out.len(), s.len())?;
                str_repr(s, out);
            }
            V::Thunk(_) => return self.repr_as(&self.force(v.clone())?, out, depth, tuples),
            V::List(_) | V::Tuple(_) => {
                let tuple = matches!(v, V::Tuple(_)) && tuples;
                let items = v.elements().unwrap_or_default();
                out.push(if tuple { '(' } else { '[' });
                for (i, item) in items.iter().filter(|v| !matches!(v, V::Omit)).enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    self.repr_as(item, out, depth + 1, tuples)?;
                }
                out.push_str(if tuple && items.len() == 1 {
                    ",)"
                } else if tuple {
                    ")"
                } else {
                    "]"
                });
            }
            V::Map(m) => {
                out.push('{');
                for (i, (k, item)) in m.entries().iter().filter(|(_, v)| !matches!(v, V::Omit)).enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    self.repr_as(&k.to_v(), out, depth + 1, tuples)?;
                    out.push_str(": ");
                    self.repr_as(item, out, depth + 1, tuples)?;
                }
                out.push('}');
            }
            V::Omit => return fail("`omit` cannot be part of a text"),
            V::Time(t) => out.push_str(&crate::template::pytime::isoformat(t, ' ')),
            V::Delta(d) => out.push_str(&crate::template::pytime::delta_text(*d)),
            V::Call(c) => return fail(format!("a {} has no text", c.type_name())),
        }
        Ok(())
    }

    /// Checks that a text of `len` bytes may grow by `more`, which costs only what is added.
    pub(crate) fn room_for(&self, len: usize, more: usize) -> R<()> {
        if len + more > self.engine.options.max_output {
            return self.room(len + more);
        }
        self.spend(more as u64 / 256)
    }

    /// The result of an evaluation; `None` for `omit`.
    pub(crate) fn finalize(&self, v: &V) -> R<Option<Json>> {
        self.finalize_at(v, 0)
    }

    fn finalize_at(&self, v: &V, depth: u32) -> R<Option<Json>> {
        if depth > MAX_NESTING {
            return fail("the value is nested too deeply");
        }
        self.spend(1)?;
        Ok(Some(match v {
            V::Omit => return Ok(None),
            V::Undef(u) => return Err(u.stop()),
            V::Unknown(u) => {
                // Go on, so that every reason is found.
                self.note_unknown(&u.because);
                Json::Null
            }
            V::None => Json::Null,
            V::Bool(b) => Json::Bool(*b),
            V::Int(i) => match (i64::try_from(*i), u64::try_from(*i)) {
                (Ok(i), _) => Json::from(i),
                (_, Ok(u)) => Json::from(u),
                _ => return fail(format!("the number {i} is too large")),
            },
            V::Float(f) => match Number::from_f64(*f) {
                Some(n) => Json::Number(n),
                None => return fail(format!("the number {f} cannot be passed on")),
            },
            V::Str(s) => Json::String(s.to_string()),
            V::Thunk(_) => return self.finalize_at(&self.force(v.clone())?, depth),
            V::List(_) | V::Tuple(_) => {
                let mut out = Vec::new();
                for item in v.elements().unwrap_or_default() {
                    out.extend(self.finalize_at(&item, depth + 1)?);
                }
                Json::Array(out)
            }
            V::Map(m) => {
                let mut out = Map::new();
                for (k, item) in m.entries() {
                    if let Some(item) = self.finalize_at(&item, depth + 1)? {
                        out.insert(k.json(), item);
                    }
                }
                Json::Object(out)
            }
            V::Time(t) => Json::String(crate::template::pytime::isoformat(t, 'T')),
            V::Delta(d) => Json::String(crate::template::pytime::delta_text(*d)),
            V::Call(c) => match &**c {
                super::callable::Callable::AllVars => return fail("`vars` as a whole cannot be used as a value"),
                other => return fail(format!("a {} cannot be used as a value", other.type_name())),
            },
        }))
    }
}
