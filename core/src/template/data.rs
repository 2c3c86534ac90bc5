//! Values at rest: what variables hold, shared between threads and evaluations.

use indexmap::IndexMap;
use serde_json::Value as Json;
use std::sync::Arc;

/// The task whose result is missing; the plan's task index.
pub type TaskRef = u32;

/// Whether the strings of a value may be templates.
///
/// Text that came from a host (facts, registered results, file contents) must be `Plain`, so that nothing on a
/// managed host can have an expression evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The operator wrote it: `{{ … }}` in it is evaluated where it is used.
    Template,
    /// Strings are taken as they are.
    Plain,
}

/// A value of a variable: JSON, and what JSON cannot say.
#[derive(Debug, Clone)]
pub enum Data {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float(f64),
    /// Text that is not evaluated.
    Str(Arc<str>),
    /// Text that is evaluated when it is used.
    Template(Arc<str>),
    /// A list.
    List(Arc<DataList>),
    /// A dictionary.
    Map(Arc<DataMap>),
    /// A value that only the run itself would produce; the tasks that would produce it.
    Unknown(Arc<[TaskRef]>),
    /// Ansible's `omit`.
    Omit,
}

/// The elements of a [`Data::List`].
#[derive(Debug)]
pub struct DataList {
    pub(crate) items: Vec<Data>,
    pub(crate) unknown: bool,
}

/// The entries of a [`Data::Map`].
#[derive(Debug)]
pub struct DataMap {
    pub(crate) items: IndexMap<Arc<str>, Data>,
    pub(crate) unknown: bool,
}

impl Data {
    /// Converts JSON.
    pub fn from_json(value: &Json, trust: Trust) -> Data {
        match value {
            Json::Null => Data::Null,
            Json::Bool(b) => Data::Bool(*b),
            Json::Number(n) => match n.as_i128() {
                Some(i) => Data::Int(i),
                None => Data::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(s) if trust == Trust::Template && super::may_be_template(s) => {
                Data::Template(s.as_str().into())
            }
            Json::String(s) => Data::Str(s.as_str().into()),
            Json::Array(items) => Data::list(items.iter().map(|v| Data::from_json(v, trust)).collect()),
            Json::Object(map) => {
                Data::map(map.iter().map(|(k, v)| (Arc::from(k.as_str()), Data::from_json(v, trust))).collect())
            }
        }
    }

    /// Makes a list.
    pub fn list(items: Vec<Data>) -> Data {
        let unknown = items.iter().any(Data::has_unknown);
        Data::List(Arc::new(DataList { items, unknown }))
    }

    /// Makes a dictionary.
    pub fn map(items: IndexMap<Arc<str>, Data>) -> Data {
        let unknown = items.values().any(Data::has_unknown);
        Data::Map(Arc::new(DataMap { items, unknown }))
    }

    /// Makes a value that is not known because those tasks have not run.
    pub fn unknown(because: &[TaskRef]) -> Data {
        Data::Unknown(because.into())
    }

    /// Whether it is, or contains, a value that is not known.
    pub fn has_unknown(&self) -> bool {
        match self {
            Data::Unknown(_) => true,
            Data::List(l) => l.unknown,
            Data::Map(m) => m.unknown,
            _ => false,
        }
    }
}
