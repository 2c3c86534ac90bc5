//! What was announced, as a hash: it alters exactly when what the announcement said alters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    digest::hex,
    plan::{Plan, RolloutOn, ScopeId, Task},
    playbook::magic::OF_RUN,
};

/// A hash of what a setting's tasks say for one host, lower-case hexadecimal; `None` if none of the host's tasks belongs to it.
///
/// It covers module, arguments, conditions, loops, files and the variables within reach of the tasks' templates, and the value of the
/// setting's revision. It does not cover names, tags, comments, where a task stands, how a run was started, or the tasks that only
/// measure (`on: observe`): these change nothing that anybody was told of.
pub fn fingerprint(plan: &Plan, setting: &str, value: Option<&Value>) -> Option<String> {
    let mut tasks: Vec<&Task> =
        plan.tasks.iter().filter(|t| t.rollout.as_ref().is_some_and(|r| r.setting == setting)).collect();
    if tasks.is_empty() {
        return None;
    }
    tasks.retain(|t| t.rollout.as_ref().is_some_and(|r| r.on != RolloutOn::Observe));
    let said: Vec<Value> = tasks.iter().map(|task| said(task)).collect();
    let mut reads = BTreeSet::new();
    for text in &said {
        words(text, &mut reads);
    }
    // An announcement is made by a check of all hosts, and holds in an apply on one.
    reads.retain(|name| !OF_RUN.contains(&name.as_str()));
    let vars = within_reach(plan, &tasks, reads);
    let whole = json!({"value": value, "tasks": said, "vars": vars});
    let mut hash = Sha256::new();
    hash.update(canonical(&whole).to_string());
    Some(hex(&hash.finalize()[..16]))
}

fn said(task: &Task) -> Value {
    let texts = |list: &[crate::plan::Expr]| list.iter().map(|e| e.text.clone()).collect::<Vec<_>>();
    json!({
        "module": task.module,
        "args": task.args,
        "when": texts(&task.when),
        "loop": task.r#loop,
        "become_user": task.become_user,
        "environment": task.environment,
        "files": task.files,
        "found": task.found,
        "choices": task.choices,
        "notify": task.notify,
        "on": task.rollout.as_ref().map(|r| r.on),
    })
}

/// The variables that the tasks can see under these names, and those that their values name in turn.
fn within_reach(plan: &Plan, tasks: &[&Task], mut reads: BTreeSet<String>) -> BTreeMap<String, Vec<Value>> {
    let mut layers: Vec<&serde_json::Map<String, Value>> = vec![&plan.inventory_vars, &plan.extra_vars];
    let mut scopes: BTreeSet<ScopeId> = BTreeSet::new();
    for task in tasks {
        let mut scope = task.scope;
        while let Some(id) = scope.filter(|id| scopes.insert(*id)) {
            scope = plan.scopes.get(id.0 as usize).and_then(|s| s.parent);
        }
        let play = plan.plays.iter().find(|p| p.first.0 <= task.id.0 && task.id.0 < p.first.0 + p.count);
        layers.extend(play.into_iter().flat_map(|p| [&p.defaults, &p.vars]));
    }
    layers.extend(scopes.iter().filter_map(|id| plan.scopes.get(id.0 as usize)).flat_map(|s| [&s.vars, &s.params]));
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut open: Vec<String> = reads.iter().cloned().collect();
    while let Some(name) = open.pop() {
        for value in layers.iter().filter_map(|layer| layer.get(&name)) {
            let seen = found.entry(name.clone()).or_default();
            if seen.contains(value) {
                continue;
            }
            seen.push(value.clone());
            let mut more = BTreeSet::new();
            words(value, &mut more);
            let new = |word: &String| !OF_RUN.contains(&word.as_str()) && reads.insert(word.clone());
            open.extend(more.into_iter().filter(new));
        }
    }
    found
}

/// Every word in a value's texts that could be a variable's name: more than are read, never fewer.
fn words(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            out.extend(parts.filter(|p| p.starts_with(|c: char| c.is_alphabetic() || c == '_')).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, out)),
        Value::Object(entries) => entries.values().for_each(|item| words(item, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same value with all keys sorted.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, Value> = entries.iter().map(|(k, v)| (k, canonical(v))).collect();
            sorted.into_iter().map(|(k, v)| (k.clone(), v)).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}
