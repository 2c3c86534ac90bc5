//! What a task leaves for `register`.

use indexmap::IndexMap;
use rectify_core::{
    event::{Outcome, SkipReason, TaskReport},
    module::Because,
    plan::TaskId,
    template::Data,
};
use serde_json::{Map, Value};

use super::vars::{plain, unknown};

/// How an item of a task went, and what it leaves behind.
pub(crate) struct Done {
    pub(crate) report: TaskReport,
    /// The registered result.
    pub(crate) result: Data,
    /// The result as data, for verbose output; absent where it has no value.
    pub(crate) shown: Option<Map<String, Value>>,
}

impl Done {
    /// With an outcome and the result that follows from it.
    pub(crate) fn of(task: TaskId, report: TaskReport, data: Map<String, Value>) -> Self {
        match &report.outcome {
            Outcome::MayChange { because } => {
                let result = unknown(&because.clone().and(Because::task(task)));
                Done { report, result, shown: None }
            }
            Outcome::Skipped { reason: SkipReason::NotRehearsed } => {
                Done { report, result: unknown(&Because::task(task)), shown: None }
            }
            _ => {
                let map = standard(&report, data);
                Done { result: plain(&Value::Object(map.clone())), shown: Some(map), report }
            }
        }
    }

    /// A task that would run, and whose result has no value for that reason.
    pub(crate) fn without_value(task: TaskId, report: TaskReport) -> Self {
        Done { report, result: unknown(&Because::task(task)), shown: None }
    }
}

/// The keys that every result has.
fn standard(report: &TaskReport, data: Map<String, Value>) -> Map<String, Value> {
    let mut map = data;
    let outcome = &report.outcome;
    let changed = matches!(outcome, Outcome::Changed | Outcome::WouldChange | Outcome::NotConverged { .. });
    map.insert("changed".into(), changed.into());
    map.insert("failed".into(), matches!(outcome, Outcome::Failed { .. } | Outcome::NotConverged { .. }).into());
    match outcome {
        Outcome::Skipped { reason } => {
            map.insert("skipped".into(), true.into());
            if let SkipReason::Condition { when } = reason {
                map.insert("skip_reason".into(), "Conditional result was False".into());
                map.insert("false_condition".into(), when.clone().into());
            }
        }
        Outcome::Failed { failure } => {
            map.entry("msg").or_insert_with(|| failure.message.clone().into());
        }
        _ => {}
    }
    map
}

/// The result of a loop: its items' results, and whether any of them changed, failed or was skipped.
pub(crate) fn of_loop(items: Vec<Data>, report: &TaskReport) -> Data {
    let mut map: IndexMap<std::sync::Arc<str>, Data> = IndexMap::new();
    if let Outcome::MayChange { because } = &report.outcome {
        map.insert("changed".into(), unknown(because));
    }
    for (key, value) in standard(report, Map::new()) {
        map.entry(key.as_str().into()).or_insert_with(|| plain(&value));
    }
    map.insert("msg".into(), plain(&"All items completed".into()));
    map.insert("results".into(), Data::list(items));
    Data::map(map)
}
