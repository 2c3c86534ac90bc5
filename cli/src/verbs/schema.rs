//! `rectify schema`: the JSON Schema of playbooks, for editors.

use std::io::Write;

use rectify_core::{module::Module, playbook::keywords};
use rectify_modules::REGISTRY;
use serde_json::{Map, Value, json};

use crate::exit;

/// Prints the schema.
pub(crate) fn run() -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &playbook())?;
    writeln!(out)?;
    Ok(exit::OK)
}

/// The words of a task that are neither its keys nor modules.
const INCLUDES: &[&str] = &["import_tasks", "include_tasks", "import_role", "include_role", "meta"];

/// The words that may stand at these places.
fn words(places: &[&str]) -> Map<String, Value> {
    let all = keywords().into_iter().filter(|(place, _)| places.contains(place));
    all.flat_map(|(_, words)| words).map(|word| (word.to_owned(), json!(true))).collect()
}

fn playbook() -> Value {
    let tasks = json!({ "type": "array", "items": { "$ref": "#/$defs/task" } });
    let mut play = words(&["play", "import_playbook"]);
    for list in ["tasks", "pre_tasks", "post_tasks", "handlers"] {
        play.insert(list.to_owned(), tasks.clone());
    }
    play.insert("order".into(), json!({ "enum": ["listed", "graph"] }));
    let mut task = words(&["task", "handler", "block", "include"]);
    task.extend(INCLUDES.iter().map(|w| ((*w).to_owned(), json!(true))));
    for list in ["block", "rescue", "always"] {
        task.insert(list.to_owned(), tasks.clone());
    }
    for module in REGISTRY.iter() {
        let arguments = arguments(module);
        for name in std::iter::once(module.kind()).chain(module.other_names().iter().copied()) {
            task.insert(name.to_owned(), arguments.clone());
            task.insert(format!("ansible.builtin.{name}"), arguments.clone());
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rectify playbook",
        "type": "array",
        "items": { "type": "object", "properties": play, "additionalProperties": false },
        "$defs": { "task": { "type": "object", "properties": task, "additionalProperties": false } },
    })
}

/// A module's arguments. Any of them may be a template instead, and free text stands for the arguments as a whole.
fn arguments(module: &dyn Module) -> Value {
    let mut schema = module.schema().to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|name, _| !name.starts_with('_'));
        for (alias, argument) in module.aliases() {
            if let Some(same) = properties.get(*argument).cloned() {
                properties.insert((*alias).to_owned(), same);
            }
        }
        for property in properties.values_mut() {
            let template = json!({ "type": "string", "pattern": "\\{\\{|\\{%" });
            *property = json!({ "anyOf": [property.clone(), template] });
        }
    }
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
        object.remove("$schema");
    }
    json!({ "anyOf": [schema, { "type": "string" }, { "type": "null" }] })
}
