//! The tree as JSON values.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::{Kind, Node, Resolved};

/// The key of the one-entry object that stands for a `!vault` value in JSON; its value is the ciphertext.
pub const KEY_VAULT: &str = "__ansible_vault";
/// The key of the one-entry object that stands for an `!unsafe` string in JSON; its value is the string.
pub const KEY_UNSAFE: &str = "__ansible_unsafe";

impl Node {
    /// The resolved value, keys in order.
    ///
    /// A `!vault` or `!unsafe` string becomes the one-entry object that Ansible's JSON uses. What JSON has no number for (an infinity, an
    /// integer beyond 64 bits) keeps its text. Keys that are no strings are written as Python's `json` writes them (`true`, `null`, `1`).
    pub fn to_json(&self) -> Value {
        convert(self, false)
    }

    /// A mapping's key as JSON has it.
    pub fn key_text(&self) -> Cow<'_, str> {
        let Some(scalar) = self.as_scalar() else {
            return Cow::Borrowed("");
        };
        match scalar.value {
            Resolved::Str => Cow::Borrowed(&scalar.text),
            Resolved::Null => Cow::Borrowed("null"),
            Resolved::Bool(true) => Cow::Borrowed("true"),
            Resolved::Bool(false) => Cow::Borrowed("false"),
            Resolved::Int(n) => Cow::Owned(n.to_string()),
            Resolved::Float(f) if f.is_finite() => Cow::Owned(format!("{f:?}")),
            Resolved::Float(_) => Cow::Borrowed(&scalar.text),
        }
    }
}

impl From<&Node> for Value {
    fn from(node: &Node) -> Self {
        node.to_json()
    }
}

fn convert(node: &Node, in_unsafe: bool) -> Value {
    let unsafe_here = in_unsafe || node.has_tag("!unsafe");
    match &node.kind {
        Kind::Seq(items) => Value::Array(items.iter().map(|n| convert(n, unsafe_here)).collect()),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|(k, v)| (k.key_text().into_owned(), convert(v, unsafe_here)));
            Value::Object(entries.collect())
        }
        Kind::Scalar(s) if node.has_tag("!vault") => wrap(KEY_VAULT, &s.text),
        Kind::Scalar(s) => match s.value {
            Resolved::Null => Value::Null,
            Resolved::Bool(b) => Value::Bool(b),
            Resolved::Int(n) => number(n).unwrap_or_else(|| Value::String(n.to_string())),
            Resolved::Float(f) => Number::from_f64(f).map_or_else(|| Value::String(s.text.clone()), Value::Number),
            Resolved::Str if unsafe_here => wrap(KEY_UNSAFE, &s.text),
            Resolved::Str => Value::String(s.text.clone()),
        },
    }
}

fn number(n: i128) -> Option<Value> {
    i64::try_from(n).map(Value::from).ok().or_else(|| u64::try_from(n).map(Value::from).ok())
}

fn wrap(key: &str, text: &str) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), Value::String(text.to_owned()))]))
}
