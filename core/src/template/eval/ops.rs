//! Operators, as Python has them.

use super::Ev;
use crate::template::error::{R, Stop, fail};
use crate::template::ir::{Cmp, Op};
use crate::template::value::{MAX_NESTING, V};
use crate::template::{pyformat, pytime};
use std::cmp::Ordering;

/// Both as floats, if both are numbers.
fn floats(a: &V, b: &V) -> Option<(f64, f64)> {
    Some((number(a)?, number(b)?))
}

fn number(v: &V) -> Option<f64> {
    match v {
        V::Bool(b) => Some(f64::from(u8::from(*b))),
        V::Int(i) => Some(*i as f64),
        V::Float(f) => Some(*f),
        _ => None,
    }
}

/// A whole number or a truth value, which Python counts as one.
pub(crate) fn int(v: &V) -> Option<i128> {
    match v {
        V::Bool(b) => Some(i128::from(*b)),
        V::Int(i) => Some(*i),
        _ => None,
    }
}

/// Stops at values that do not exist or are not known.
fn both_usable(a: &V, b: &V) -> R<()> {
    let mut because: Vec<u32> = Vec::new();
    for v in [a, b] {
        if let V::Unknown(u) = v {
            because.extend(u.because.iter());
        }
    }
    if !because.is_empty() {
        crate::small::sort(&mut because);
        because.dedup();
        return Err(Stop::Unknown(because));
    }
    for v in [a, b] {
        if let V::Undef(u) = v {
            return Err(u.stop());
        }
    }
    Ok(())
}

impl Ev<'_> {
    pub(crate) fn binary(&self, op: Op, a: &V, b: &V) -> R<V> {
        both_usable(a, b)?;
        match (op, a, b) {
            (Op::Concat, _, _) => {
                let mut text = self.text(a)?;
                let right = self.text(b)?;
                self.room(text.len() + right.len())?;
                text.push_str(&right);
                Ok(V::str(text))
            }
            (Op::Add, V::Str(x), V::Str(y)) => {
                self.room(x.len() + y.len())?;
                Ok(V::str(format!("{x}{y}")))
            }
            (Op::Add, V::List(x), V::List(y)) => {
                self.spend((x.len() + y.len()) as u64)?;
                let mut items = x.items();
                items.extend(y.items());
                Ok(V::list(items))
            }
            (Op::Add, V::Tuple(x), V::Tuple(y)) => {
                self.spend((x.len() + y.len()) as u64)?;
                Ok(V::tuple(x.iter().chain(y.iter()).cloned().collect()))
            }
            (Op::Mul, V::Str(s), n) | (Op::Mul, n, V::Str(s)) if int(n).is_some() => {
                let n = usize::try_from(int(n).unwrap_or(0).max(0)).unwrap_or(usize::MAX);
                self.room(s.len().saturating_mul(n))?;
                Ok(V::str(s.repeat(n)))
            }
            (Op::Mul, list @ (V::List(_) | V::Tuple(_)), n) | (Op::Mul, n, list @ (V::List(_) | V::Tuple(_)))
                if int(n).is_some() =>
            {
                let items = list.elements().unwrap_or_default();
                let n = usize::try_from(int(n).unwrap_or(0).max(0)).unwrap_or(usize::MAX);
                self.spend((items.len().saturating_mul(n) as u64).saturating_mul(4))?;
                let all = (0..n).flat_map(|_| items.iter().cloned()).collect();
                Ok(if matches!(list, V::Tuple(_)) { V::tuple(all) } else { V::list(all) })
            }
            (Op::Sub, V::Time(x), V::Time(y)) => Ok(V::Delta(pytime::difference(x, y))),
            (Op::Rem, V::Str(format), values) => pyformat::percent(self, format, values),
            _ => self.arithmetic(op, a, b),
        }
    }

    fn arithmetic(&self, op: Op, a: &V, b: &V) -> R<V> {
        let symbol = match op {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::FloorDiv => "//",
            Op::Rem => "%",
            Op::Pow => "**",
            Op::Concat => "~",
        };
        let Some((x, y)) = floats(a, b) else {
            return fail(format!("`{symbol}` does not work between a {} and a {}", a.type_name(), b.type_name()));
        };
        if matches!(op, Op::Div | Op::FloorDiv | Op::Rem) && y == 0.0 {
            return fail("division by zero");
        }
        if let (Some(i), Some(j)) = (int(a), int(b)) {
            let whole = match op {
                Op::Add => i.checked_add(j),
                Op::Sub => i.checked_sub(j),
                Op::Mul => i.checked_mul(j),
                Op::FloorDiv => i.checked_div_euclid(j).map(|_| floor_div(i, j)),
                Op::Rem => i.checked_rem(j).map(|_| i - floor_div(i, j) * j),
                Op::Pow if j >= 0 => u32::try_from(j).ok().and_then(|j| i.checked_pow(j)),
                _ => return Ok(V::Float(if op == Op::Pow { x.powf(y) } else { x / y })),
            };
            return match whole {
                Some(n) => Ok(V::Int(n)),
                None => fail(format!("the result of `{symbol}` is too large")),
            };
        }
        Ok(V::Float(match op {
            Op::Add => x + y,
            Op::Sub => x - y,
            Op::Mul => x * y,
            Op::Div => x / y,
            Op::FloorDiv => (x / y).floor(),
            Op::Rem => x - (x / y).floor() * y,
            _ => x.powf(y),
        }))
    }

    pub(crate) fn negate(&self, v: &V) -> R<V> {
        match v {
            V::Undef(u) => Err(u.stop()),
            V::Unknown(u) => Err(u.stop()),
            V::Float(f) => Ok(V::Float(-f)),
            other => match int(other).and_then(i128::checked_neg) {
                Some(i) => Ok(V::Int(i)),
                None => fail(format!("`-` does not work on a {}", other.type_name())),
            },
        }
    }

    pub(crate) fn compare(&self, cmp: Cmp, a: &V, b: &V) -> R<bool> {
        self.spend(1)?;
        both_usable(a, b)?;
        Ok(match cmp {
            Cmp::Eq => self.equal(a, b)?,
            Cmp::Ne => !self.equal(a, b)?,
            Cmp::In => self.contains(b, a)?,
            Cmp::NotIn => !self.contains(b, a)?,
            Cmp::Lt => self.order(a, b)?.is_some_and(Ordering::is_lt),
            Cmp::Le => self.order(a, b)?.is_some_and(Ordering::is_le),
            Cmp::Gt => self.order(a, b)?.is_some_and(Ordering::is_gt),
            Cmp::Ge => self.order(a, b)?.is_some_and(Ordering::is_ge),
        })
    }

    /// Python's `==`, into lists and dictionaries.
    pub(crate) fn equal(&self, a: &V, b: &V) -> R<bool> {
        self.equal_at(a, b, 0)
    }

    fn equal_at(&self, a: &V, b: &V, depth: u32) -> R<bool> {
        if depth > MAX_NESTING {
            return fail("the value is nested too deeply to be compared");
        }
        self.spend(1)?;
        let (a, b) = (self.force(a.clone())?, self.force(b.clone())?);
        both_usable(&a, &b)?;
        if let (Some(i), Some(j)) = (int(&a), int(&b)) {
            return Ok(i == j);
        }
        if let Some((x, y)) = floats(&a, &b) {
            return Ok(x == y);
        }
        match (&a, &b) {
            (V::Str(x), V::Str(y)) => Ok(x == y),
            (V::None, V::None) | (V::Omit, V::Omit) => Ok(true),
            (V::Time(x), V::Time(y)) => Ok(x == y),
            (V::Delta(x), V::Delta(y)) => Ok(x == y),
            (V::List(_), V::List(_)) | (V::Tuple(_), V::Tuple(_)) => {
                let (x, y) = (a.elements().unwrap_or_default(), b.elements().unwrap_or_default());
                // Elements that are not known make the whole unknown, even where the lengths differ.
                let mut same = x.len() == y.len();
                for (v, w) in x.iter().zip(&y) {
                    same &= self.equal_at(v, w, depth + 1)?;
                }
                Ok(same)
            }
            (V::Map(x), V::Map(y)) => {
                let mut same = x.len() == y.len();
                for (k, v) in x.entries() {
                    match y.get(&k) {
                        Some(w) => same &= self.equal_at(&v, &w, depth + 1)?,
                        None => same = false,
                    }
                }
                Ok(same)
            }
            _ => Ok(false),
        }
    }

    /// Python's `<` and its kin; `None` only for NaN.
    pub(crate) fn order(&self, a: &V, b: &V) -> R<Option<Ordering>> {
        self.order_at(a, b, 0)
    }

    fn order_at(&self, a: &V, b: &V, depth: u32) -> R<Option<Ordering>> {
        if depth > MAX_NESTING {
            return fail("the value is nested too deeply to be compared");
        }
        self.spend(1)?;
        let (a, b) = (self.force(a.clone())?, self.force(b.clone())?);
        both_usable(&a, &b)?;
        if let (Some(i), Some(j)) = (int(&a), int(&b)) {
            return Ok(Some(i.cmp(&j)));
        }
        if let Some((x, y)) = floats(&a, &b) {
            return Ok(x.partial_cmp(&y));
        }
        match (&a, &b) {
            (V::Str(x), V::Str(y)) => Ok(Some(x.cmp(y))),
            (V::Time(x), V::Time(y)) => Ok(Some(x.cmp(y))),
            (V::Delta(x), V::Delta(y)) => Ok(Some(x.cmp(y))),
            (V::List(_), V::List(_)) | (V::Tuple(_), V::Tuple(_)) => {
                let (x, y) = (a.elements().unwrap_or_default(), b.elements().unwrap_or_default());
                for (v, w) in x.iter().zip(&y) {
                    if !self.equal_at(v, w, depth + 1)? {
                        return self.order_at(v, w, depth + 1);
                    }
                }
                Ok(Some(x.len().cmp(&y.len())))
            }
            _ => fail(format!("a {} and a {} have no order", a.type_name(), b.type_name())),
        }
    }

    /// Python's `in`.
    pub(crate) fn contains(&self, container: &V, item: &V) -> R<bool> {
        both_usable(container, item)?;
        match (container, item) {
            (V::Str(text), V::Str(part)) => Ok(text.contains(&**part)),
            (V::Str(_), other) => fail(format!("only text can be in a text, not a {}", other.type_name())),
            (V::Map(map), key) => Ok(map.get(&key.key()?).is_some()),
            (V::List(_) | V::Tuple(_), _) => {
                let mut found = false;
                for v in self.iter(container)? {
                    found |= self.equal(&v, item)?;
                }
                Ok(found)
            }
            (V::Call(c), V::Str(name)) => match &**c {
                super::callable::Callable::AllVars => Ok(self.vars.get(name).is_some()),
                super::callable::Callable::Namespace(m) => Ok(m.get_str(name).is_some()),
                _ => fail("nothing can be in a function"),
            },
            (other, _) => fail(format!("nothing can be in a {}", other.type_name())),
        }
    }
}

fn floor_div(i: i128, j: i128) -> i128 {
    let q = i / j;
    if (i % j != 0) && ((i < 0) != (j < 0)) { q - 1 } else { q }
}
