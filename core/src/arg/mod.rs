//! A task's arguments on their way from the playbook to a module.
//!
//! ```text
//! playbook text ─► Arg (scalars keep their text, templates stay text)  ─► rendered on the host ─► a module's own struct
//! ```
//!
//! The struct's types decide how a scalar is read, as Ansible's argument specifications do: where a string is expected the
//! text counts as it was written (`version: 1.10` stays `1.10`), where a list is expected a single value is a list of one.

mod coerce;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub(crate) use coerce::truth;
pub use coerce::{ArgError, from_arg};

/// A value as the playbook has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Arg {
    /// A plain or quoted scalar without a template in it.
    Scalar(Scalar),
    /// Text with `{{` or `{%` in it, to be rendered on the host.
    Template(String),
    /// A sequence.
    List(Vec<Arg>),
    /// A mapping; keys are text.
    Map(IndexMap<String, Arg>),
}

/// A scalar: what it means and how it was written.
///
/// A module's struct may have a field of this type, for the rare argument to which both matter (`mode`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "$scalar")]
pub struct Scalar {
    /// The text as written, without quotes; for a value that came out of a template, its text form.
    pub text: String,
    /// The value as YAML 1.1 (or the template) has it: null, boolean, number or string.
    pub value: serde_json::Value,
}

impl Arg {
    /// A string argument.
    pub fn text(text: impl Into<String>) -> Arg {
        let text = text.into();
        Arg::Scalar(Scalar { value: serde_json::Value::String(text.clone()), text })
    }

    /// The argument for a value that has no text of its own, such as a template's result. Numbers and booleans get the
    /// text that Ansible gives them (`True`, `42`).
    pub fn from_value(value: &serde_json::Value) -> Arg {
        use serde_json::Value;
        match value {
            Value::Array(items) => Arg::List(items.iter().map(Arg::from_value).collect()),
            Value::Object(map) => Arg::Map(map.iter().map(|(k, v)| (k.clone(), Arg::from_value(v))).collect()),
            Value::String(s) => Arg::text(s.clone()),
            Value::Null => Arg::Scalar(Scalar { text: String::new(), value: Value::Null }),
            Value::Bool(b) => {
                Arg::Scalar(Scalar { text: if *b { "True" } else { "False" }.into(), value: value.clone() })
            }
            Value::Number(n) => Arg::Scalar(Scalar { text: n.to_string(), value: value.clone() }),
        }
    }

    /// The resolved value; a template stands as its own text.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Arg::Scalar(s) => s.value.clone(),
            Arg::Template(t) => Value::String(t.clone()),
            Arg::List(items) => Value::Array(items.iter().map(Arg::to_value).collect()),
            Arg::Map(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), v.to_value())).collect()),
        }
    }

    /// Whether a template is anywhere in it.
    pub fn has_template(&self) -> bool {
        match self {
            Arg::Scalar(_) => false,
            Arg::Template(_) => true,
            Arg::List(items) => items.iter().any(Arg::has_template),
            Arg::Map(map) => map.values().any(Arg::has_template),
        }
    }
}
