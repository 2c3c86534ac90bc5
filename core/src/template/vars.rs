//! The variables that an evaluation sees: layers over layers, cheap to extend per task and loop item.

use super::data::{Data, TaskRef, Trust};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A set of variables.
///
/// It is a chain of layers, the newest first; cloning and adding a layer cost one allocation however many variables
/// there are. Values are converted once, when their layer is made.
///
/// ```
/// use rectify_core::template::{Engine, EngineOptions, Rendered, Vars};
/// use serde_json::json;
/// let base = Vars::new(json!({"port": 8080, "url": "http://h:{{ port }}/"}).as_object().unwrap());
/// let task = base.with(json!({"port": 81}).as_object().unwrap());
/// let engine = Engine::new(EngineOptions::default());
/// assert_eq!(engine.render_value("{{ url }}", &task).unwrap(), Rendered::Value(json!("http://h:81/")));
/// assert_eq!(engine.render_value("{{ port }}", &base).unwrap(), Rendered::Value(json!(8080)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Vars {
    top: Option<Arc<Layer>>,
}

#[derive(Debug)]
struct Layer {
    items: IndexMap<Arc<str>, Data>,
    below: Option<Arc<Layer>>,
}

impl Vars {
    /// Starts from variables that the operator wrote (their strings may be templates).
    pub fn new(base: &Map<String, Json>) -> Vars {
        Vars::default().with(base)
    }

    /// Adds a layer of variables that the operator wrote; they hide older ones of the same name.
    pub fn with(&self, layer: &Map<String, Json>) -> Vars {
        self.layer(layer, Trust::Template)
    }

    /// Adds a layer of values that came from a host: facts, registered results. Their strings are never evaluated.
    pub fn with_plain(&self, layer: &Map<String, Json>) -> Vars {
        self.layer(layer, Trust::Plain)
    }

    fn layer(&self, layer: &Map<String, Json>, trust: Trust) -> Vars {
        self.push(layer.iter().map(|(k, v)| (Arc::from(k.as_str()), Data::from_json(v, trust))).collect())
    }

    /// Adds one variable.
    pub fn with_data(&self, name: &str, value: Data) -> Vars {
        self.push(IndexMap::from([(Arc::from(name), value)]))
    }

    /// Adds one variable whose value is not known because those tasks have not run.
    pub fn with_unknown(&self, name: &str, because: &[TaskRef]) -> Vars {
        self.with_data(name, Data::unknown(because))
    }

    fn push(&self, items: IndexMap<Arc<str>, Data>) -> Vars {
        Vars { top: Some(Arc::new(Layer { items, below: self.top.clone() })) }
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        let mut next = self.top.as_deref();
        std::iter::from_fn(move || {
            let layer = next?;
            next = layer.below.as_deref();
            Some(layer)
        })
    }

    /// The value of a variable, as it was put in.
    pub fn get(&self, name: &str) -> Option<&Data> {
        self.layers().find_map(|l| l.items.get(name))
    }

    /// Every name once, sorted.
    pub fn names(&self) -> BTreeSet<&str> {
        self.layers().flat_map(|l| l.items.keys().map(|k| &**k)).collect()
    }
}
