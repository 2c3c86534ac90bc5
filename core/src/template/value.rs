//! Values in motion: what an expression computes with. Python's data model as far as templates can see it.

use super::data::{Data, DataList, DataMap};
use super::error::{R, Stop, fail};
use super::eval::callable::Callable;
use indexmap::IndexMap;
use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The greatest nesting that a recursive operation follows.
pub(crate) const MAX_NESTING: u32 = 100;

/// A value. Cloning is cheap; lists and dictionaries are shared and mutable, as in Python.
#[derive(Clone)]
pub(crate) enum V {
    Undef(Rc<Undef>),
    Unknown(Unknown),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
    /// Text of a variable that is still to be evaluated.
    Thunk(Arc<str>),
    List(ListRef),
    Tuple(Rc<Vec<V>>),
    Map(MapRef),
    Omit,
    Time(jiff::civil::DateTime),
    /// The difference of two times, in microseconds.
    Delta(i64),
    Call(Rc<Callable>),
}

/// A name that does not exist: what to say if it is used after all.
#[derive(Debug)]
pub(crate) struct Undef {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) via: Vec<String>,
    /// Where it was looked for, in the text at hand.
    pub(crate) span: Option<std::ops::Range<usize>>,
    /// The missing `else` of an inline `if`: nothing, where it is printed among other text.
    pub(crate) quiet: bool,
}

/// A value that a rehearsal does not have.
#[derive(Clone, Debug)]
pub(crate) struct Unknown {
    pub(crate) because: Arc<[u32]>,
    /// Whether it is the registered variable itself, which exists, and not a part of it, which may not.
    pub(crate) exists: bool,
}

#[derive(Clone)]
pub(crate) struct ListRef(Rc<RefCell<ListRepr>>);

enum ListRepr {
    Shared(Arc<DataList>),
    Own(Vec<V>),
}

#[derive(Clone)]
pub(crate) struct MapRef(Rc<RefCell<MapRepr>>);

enum MapRepr {
    Shared(Arc<DataMap>),
    Own(IndexMap<Key, V>),
}

/// The key of a dictionary.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Key {
    Str(Arc<str>),
    Int(i128),
    Bool(bool),
    None,
    Float(u64),
}

impl Key {
    pub(crate) fn to_v(&self) -> V {
        match self {
            Key::Str(s) => V::Str(s.clone()),
            Key::Int(i) => V::Int(*i),
            Key::Bool(b) => V::Bool(*b),
            Key::None => V::None,
            Key::Float(f) => V::Float(f64::from_bits(*f)),
        }
    }

    /// The key as JSON spells it.
    pub(crate) fn json(&self) -> String {
        match self {
            Key::Str(s) => s.to_string(),
            Key::Bool(b) => b.to_string(),
            Key::None => "null".into(),
            Key::Int(i) => i.to_string(),
            Key::Float(f) => float_repr(f64::from_bits(*f)),
        }
    }
}

impl From<&str> for Key {
    fn from(s: &str) -> Self {
        Key::Str(s.into())
    }
}

impl ListRef {
    pub(crate) fn len(&self) -> usize {
        match &*self.0.borrow() {
            ListRepr::Shared(l) => l.items.len(),
            ListRepr::Own(l) => l.len(),
        }
    }

    pub(crate) fn get(&self, i: usize) -> Option<V> {
        match &*self.0.borrow() {
            ListRepr::Shared(l) => l.items.get(i).map(V::from_data),
            ListRepr::Own(l) => l.get(i).cloned(),
        }
    }

    /// A copy of the elements, texts not yet evaluated.
    pub(crate) fn items(&self) -> Vec<V> {
        match &*self.0.borrow() {
            ListRepr::Shared(l) => l.items.iter().map(V::from_data).collect(),
            ListRepr::Own(l) => l.clone(),
        }
    }

    /// The elements, to be changed in place.
    pub(crate) fn own(&self) -> RefMut<'_, Vec<V>> {
        let mut repr = self.0.borrow_mut();
        if let ListRepr::Shared(l) = &*repr {
            let items = l.items.iter().map(V::from_data).collect();
            *repr = ListRepr::Own(items);
        }
        RefMut::map(repr, |r| match r {
            ListRepr::Own(l) => l,
            ListRepr::Shared(_) => unreachable!("invariant: converted above"),
        })
    }

    pub(crate) fn same(&self, other: &ListRef) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || match (&*self.0.borrow(), &*other.0.borrow()) {
                (ListRepr::Shared(a), ListRepr::Shared(b)) => Arc::ptr_eq(a, b),
                _ => false,
            }
    }
}

impl MapRef {
    pub(crate) fn len(&self) -> usize {
        match &*self.0.borrow() {
            MapRepr::Shared(m) => m.items.len(),
            MapRepr::Own(m) => m.len(),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<V> {
        match &*self.0.borrow() {
            MapRepr::Shared(m) => match key {
                Key::Str(s) => m.items.get(&**s).map(V::from_data),
                _ => None,
            },
            MapRepr::Own(m) => m.get(key).cloned(),
        }
    }

    pub(crate) fn get_str(&self, key: &str) -> Option<V> {
        match &*self.0.borrow() {
            MapRepr::Shared(m) => m.items.get(key).map(V::from_data),
            MapRepr::Own(m) => m.get(&Key::from(key)).cloned(),
        }
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        match &*self.0.borrow() {
            MapRepr::Shared(m) => m.items.keys().map(|k| Key::Str(k.clone())).collect(),
            MapRepr::Own(m) => m.keys().cloned().collect(),
        }
    }

    pub(crate) fn entries(&self) -> Vec<(Key, V)> {
        match &*self.0.borrow() {
            MapRepr::Shared(m) => m.items.iter().map(|(k, v)| (Key::Str(k.clone()), V::from_data(v))).collect(),
            MapRepr::Own(m) => m.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }

    pub(crate) fn own(&self) -> RefMut<'_, IndexMap<Key, V>> {
        let mut repr = self.0.borrow_mut();
        if let MapRepr::Shared(m) = &*repr {
            let items = m.items.iter().map(|(k, v)| (Key::Str(k.clone()), V::from_data(v))).collect();
            *repr = MapRepr::Own(items);
        }
        RefMut::map(repr, |r| match r {
            MapRepr::Own(m) => m,
            MapRepr::Shared(_) => unreachable!("invariant: converted above"),
        })
    }

    pub(crate) fn same(&self, other: &MapRef) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || match (&*self.0.borrow(), &*other.0.borrow()) {
                (MapRepr::Shared(a), MapRepr::Shared(b)) => Arc::ptr_eq(a, b),
                _ => false,
            }
    }
}

impl V {
    pub(crate) fn from_data(d: &Data) -> V {
        match d {
            Data::Null => V::None,
            Data::Bool(b) => V::Bool(*b),
            Data::Int(i) => V::Int(*i),
            Data::Float(f) => V::Float(*f),
            Data::Str(s) => V::Str(s.clone()),
            Data::Template(s) => V::Thunk(s.clone()),
            Data::List(l) => V::List(ListRef(Rc::new(RefCell::new(ListRepr::Shared(l.clone()))))),
            Data::Map(m) => V::Map(MapRef(Rc::new(RefCell::new(MapRepr::Shared(m.clone()))))),
            Data::Unknown(because) => V::Unknown(Unknown { because: because.clone(), exists: true }),
            Data::Omit => V::Omit,
        }
    }

    pub(crate) fn str(s: impl AsRef<str>) -> V {
        V::Str(s.as_ref().into())
    }

    pub(crate) fn list(items: Vec<V>) -> V {
        V::List(ListRef(Rc::new(RefCell::new(ListRepr::Own(items)))))
    }

    pub(crate) fn map(items: IndexMap<Key, V>) -> V {
        V::Map(MapRef(Rc::new(RefCell::new(MapRepr::Own(items)))))
    }

    pub(crate) fn tuple(items: Vec<V>) -> V {
        V::Tuple(Rc::new(items))
    }

    pub(crate) fn undef(message: impl Into<String>) -> V {
        V::Undef(Rc::new(Undef { message: message.into(), help: None, via: Vec::new(), span: None, quiet: false }))
    }

    /// The type as Python names it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            V::Undef(_) => "Undefined",
            V::Unknown(_) => "unknown",
            V::None => "NoneType",
            V::Bool(_) => "bool",
            V::Int(_) => "int",
            V::Float(_) => "float",
            V::Str(_) | V::Thunk(_) => "str",
            V::List(_) => "list",
            V::Tuple(_) => "tuple",
            V::Map(_) => "dict",
            V::Omit => "Omit",
            V::Time(_) => "datetime",
            V::Delta(_) => "timedelta",
            V::Call(c) => c.type_name(),
        }
    }

    /// Python's `bool(x)`.
    pub(crate) fn truth(&self) -> R<bool> {
        Ok(match self {
            V::Undef(u) => return Err(u.stop()),
            V::Unknown(u) => return Err(u.stop()),
            V::None => false,
            V::Bool(b) => *b,
            V::Int(i) => *i != 0,
            V::Float(f) => *f != 0.0,
            V::Str(s) | V::Thunk(s) => !s.is_empty(),
            V::List(l) => l.len() != 0,
            V::Tuple(t) => !t.is_empty(),
            V::Map(m) => m.len() != 0,
            V::Delta(d) => *d != 0,
            V::Omit | V::Time(_) | V::Call(_) => true,
        })
    }

    /// The tasks because of which this value, or anything inside it, is not known.
    pub(crate) fn unknown_inside(&self) -> Option<Vec<u32>> {
        let mut found = BTreeSet::new();
        self.collect_unknown(&mut found, 0);
        (!found.is_empty()).then(|| found.into_iter().collect())
    }

    fn collect_unknown(&self, found: &mut BTreeSet<u32>, depth: u32) {
        if depth > MAX_NESTING {
            return;
        }
        match self {
            V::Unknown(u) => found.extend(u.because.iter()),
            V::List(l) => match &*l.0.borrow() {
                ListRepr::Shared(d) if !d.unknown => {}
                ListRepr::Shared(d) => d.items.iter().for_each(|d| V::from_data(d).collect_unknown(found, depth + 1)),
                ListRepr::Own(items) => items.iter().for_each(|v| v.collect_unknown(found, depth + 1)),
            },
            V::Tuple(t) => t.iter().for_each(|v| v.collect_unknown(found, depth + 1)),
            V::Map(m) => match &*m.0.borrow() {
                MapRepr::Shared(d) if !d.unknown => {}
                MapRepr::Shared(d) => d.items.values().for_each(|d| V::from_data(d).collect_unknown(found, depth + 1)),
                MapRepr::Own(items) => items.values().for_each(|v| v.collect_unknown(found, depth + 1)),
            },
            V::Call(c) => c.each_value(&mut |v| v.collect_unknown(found, depth + 1)),
            _ => {}
        }
    }

    /// The elements of a list or tuple, not yet evaluated.
    pub(crate) fn elements(&self) -> Option<Vec<V>> {
        match self {
            V::List(l) => Some(l.items()),
            V::Tuple(t) => Some(t.to_vec()),
            _ => None,
        }
    }

    /// The value as the key of a dictionary.
    pub(crate) fn key(&self) -> R<Key> {
        Ok(match self {
            V::Str(s) | V::Thunk(s) => Key::Str(s.clone()),
            V::Int(i) => Key::Int(*i),
            V::Bool(b) => Key::Bool(*b),
            V::None => Key::None,
            V::Float(f) => Key::Float(f.to_bits()),
            V::Undef(u) => return Err(u.stop()),
            V::Unknown(u) => return Err(u.stop()),
            other => return fail(format!("a {} cannot be the key of a dictionary", other.type_name())),
        })
    }

    pub(crate) fn identical(&self, other: &V) -> bool {
        match (self, other) {
            (V::None, V::None) => true,
            (V::Bool(a), V::Bool(b)) => a == b,
            (V::Int(a), V::Int(b)) => a == b,
            (V::Str(a), V::Str(b)) => a == b,
            (V::List(a), V::List(b)) => a.same(b),
            (V::Map(a), V::Map(b)) => a.same(b),
            _ => false,
        }
    }
}

impl Undef {
    /// The same with a place.
    pub(crate) fn located(&self, span: &std::ops::Range<usize>) -> V {
        let (message, help, via) = (self.message.clone(), self.help.clone(), self.via.clone());
        V::Undef(Rc::new(Undef { message, help, via, span: Some(span.clone()), quiet: self.quiet }))
    }

    pub(crate) fn stop(&self) -> Stop {
        let mut e = super::error::TemplateError::new(super::error::ErrorKind::Undefined, self.message.clone());
        e.help = self.help.clone();
        e.via = self.via.clone();
        e.span = self.span.clone();
        e.into()
    }
}

impl Unknown {
    pub(crate) fn stop(&self) -> Stop {
        Stop::Unknown(self.because.to_vec())
    }

    /// A part of it, which may or may not exist.
    pub(crate) fn part(&self) -> V {
        V::Unknown(Unknown { because: self.because.clone(), exists: false })
    }
}

/// An unknown value because of several tasks.
pub(crate) fn unknown(because: Vec<u32>) -> V {
    V::Unknown(Unknown { because: because.into(), exists: false })
}

/// Python's `repr(float)`.
pub(crate) fn float_repr(f: f64) -> String {
    if f.is_nan() {
        return "nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let magnitude = f.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let s = format!("{f:e}");
        let (mantissa, exponent) = s.split_once('e').unwrap_or((&s, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(d) => ('-', d),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    if f == f.trunc() { format!("{f:.1}") } else { format!("{f}") }
}

/// Python's `repr(str)`.
pub(crate) fn str_repr(s: &str, out: &mut String) {
    let quote = if s.contains('\'') && !s.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in s.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
}
