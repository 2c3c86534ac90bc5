//! Laws of the slice itself: names, aliases, schemas.

use std::collections::BTreeSet;

use rectify_core::module::Module;
use rectify_modules::MODULES;
use serde_json::Value;

/// Modules whose arguments have any names: their schema takes what it does not know.
const ANY_ARGUMENTS: &[&str] = &["set_fact"];

fn schema(module: &dyn Module) -> Value {
    serde_json::to_value(module.schema()).unwrap()
}

fn properties(module: &dyn Module) -> Vec<(String, Value)> {
    let schema = schema(module);
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    // What the engine adds, such as the controller's files, is no argument.
    properties.into_iter().filter(|(name, _)| !name.starts_with('_')).collect()
}

/// The names of a module's arguments.
pub(crate) fn arguments(module: &dyn Module) -> Vec<String> {
    properties(module).into_iter().map(|(name, _)| name).collect()
}

/// A task as an item of a list.
pub(crate) fn as_list_item(task: &str) -> String {
    let mut lines = task.trim_end().lines();
    let first = lines.next().unwrap_or_default();
    if first.starts_with("- ") {
        return task.to_owned();
    }
    std::iter::once(format!("- {first}")).chain(lines.map(|l| format!("  {l}"))).collect::<Vec<_>>().join("\n")
}

fn is_snake_case(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn names_are_unique_and_snake_case() {
    let mut seen = BTreeSet::new();
    for module in MODULES {
        for name in std::iter::once(&module.kind()).chain(module.other_names()) {
            assert!(is_snake_case(name), "{name} is not snake_case");
            assert!(seen.insert(*name), "two modules are called {name}");
        }
    }
}

#[test]
fn aliases_lead_to_arguments() {
    for module in MODULES {
        let (kind, arguments) = (module.kind(), arguments(*module));
        let mut seen = BTreeSet::new();
        for (alias, target) in module.aliases() {
            assert!(arguments.iter().any(|a| a == target), "{kind}: the alias {alias} leads to {target}, no argument");
            assert!(!arguments.iter().any(|a| a == alias), "{kind}: the alias {alias} is an argument itself");
            assert!(seen.insert(*alias), "{kind}: two aliases are called {alias}");
        }
        if let Some(free) = module.free_form() {
            assert!(arguments.iter().any(|a| a == free), "{kind}: free text stands for {free}, no argument");
        }
        for expression in module.expressions() {
            assert!(arguments.iter().any(|a| a == expression), "{kind}: the expression {expression} is no argument");
        }
    }
}

#[test]
fn schemas_refuse_what_they_do_not_know() {
    for module in MODULES {
        let strict = schema(*module).get("additionalProperties") == Some(&Value::Bool(false));
        let exempt = ANY_ARGUMENTS.contains(&module.kind());
        assert_eq!(strict, !exempt, "{}: deny_unknown_fields", module.kind());
    }
}

#[test]
fn every_module_and_argument_is_documented() {
    for module in MODULES {
        let kind = module.kind();
        let said = schema(*module).get("description").and_then(Value::as_str).map(str::len);
        assert!(said.is_some_and(|n| n > 10), "{kind} has no doc comment");
        for (name, property) in properties(*module) {
            assert!(is_snake_case(&name), "{kind}: {name} is not snake_case");
            let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(text.len() > 10, "{kind}: {name} has no doc comment");
        }
    }
}
