//! Rendering what is known before any host is contacted.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::{
    arg::Arg,
    template::{Engine, EngineOptions, Rendered, Vars, may_be_template},
};

/// Compiled templates are shared by all hosts. A template that takes longer than this is left to the host.
static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(EngineOptions { fuel: 500_000, max_output: 1 << 20, ..EngineOptions::default() }));

/// Renders with a fixed set of variables; `None` where something is missing or wrong (the host will tell).
#[derive(Clone, Default)]
pub(crate) struct Static {
    vars: Vars,
}

impl Static {
    pub(crate) fn new(vars: Map<String, Value>) -> Static {
        Static { vars: Vars::new(&vars) }
    }

    /// The value of a text that may be a template.
    pub(crate) fn value(&self, text: &str) -> Option<Value> {
        if !may_be_template(text) {
            return Some(Value::String(text.to_owned()));
        }
        match ENGINE.render_value(text, &self.vars) {
            Ok(Rendered::Value(value)) => Some(value),
            _ => None,
        }
    }

    /// An argument without templates; what came to `omit` is left out.
    pub(crate) fn arg(&self, arg: &Arg) -> Option<Arg> {
        self.rendered(arg)?
    }

    /// `None`: not known; `Some(None)`: omitted.
    #[expect(clippy::option_option, reason = "unknown and omitted are different, and both are common")]
    pub(crate) fn rendered(&self, arg: &Arg) -> Option<Option<Arg>> {
        Some(Some(match arg {
            Arg::Scalar(_) => arg.clone(),
            Arg::Template(text) => match ENGINE.render_value(text, &self.vars) {
                Ok(Rendered::Value(value)) => Arg::from_value(&value),
                Ok(Rendered::Omit) => return Some(None),
                _ => return None,
            },
            Arg::List(items) => {
                let items: Option<Vec<Option<Arg>>> = items.iter().map(|i| self.rendered(i)).collect();
                Arg::List(items?.into_iter().flatten().collect())
            }
            Arg::Map(map) => {
                let mut out = IndexMap::new();
                for (key, value) in map {
                    if let Some(value) = self.rendered(value)? {
                        out.insert(key.clone(), value);
                    }
                }
                Arg::Map(out)
            }
        }))
    }

    /// With a few more variables.
    pub(crate) fn with(&self, more: &Map<String, Value>) -> Static {
        if more.is_empty() { self.clone() } else { Static { vars: self.vars.with(more) } }
    }
}

/// Every text in a value that may be a template.
pub(crate) fn texts<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if may_be_template(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|i| texts(i, out)),
        Value::Object(map) if map.contains_key(crate::yaml::KEY_UNSAFE) || map.contains_key(crate::yaml::KEY_VAULT) => {
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            if may_be_template(key) {
                out.push(key);
            }
            texts(value, out);
        }),
        _ => {}
    }
}
