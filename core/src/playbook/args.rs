//! Whether the arguments of a task fit its module, as far as that can be known before any host is contacted.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{
    loader::Loader,
    module::{ModuleInfo, ModuleUse, list},
};
use crate::{
    arg::{Arg, ArgError},
    diag::{Diagnostic, did_you_mean},
    module::Module,
};

/// Arguments whose templates are replaced by something plausible, so that the rest can be read by the module itself.
pub(crate) struct Trial {
    pub(crate) args: IndexMap<String, Arg>,
    /// The arguments that are not what the task will have.
    pub(crate) invented: Vec<String>,
}

impl Trial {
    pub(crate) fn new(args: &IndexMap<String, Arg>, module: &'static dyn Module, info: &ModuleInfo) -> Trial {
        let mut trial = Trial { args: IndexMap::new(), invented: Vec::new() };
        for (name, arg) in args {
            if module.expressions().contains(&name.as_str()) {
                trial.args.insert(name.clone(), evaluated(arg));
            } else if arg.has_template() {
                trial.invented.push(name.clone());
                if info.required.contains(name) {
                    trial.args.insert(name.clone(), info.plausible(name));
                }
            } else {
                trial.args.insert(name.clone(), arg.clone());
            }
        }
        if info.places_files() && args.contains_key("src") {
            info.inject(&mut trial.args);
        }
        trial
    }
}

/// What the engine makes of an expression.
fn evaluated(arg: &Arg) -> Arg {
    match arg {
        Arg::List(items) => Arg::List(items.iter().map(evaluated).collect()),
        Arg::Scalar(s) => Arg::from_value(&json!({"text": s.text, "value": true})),
        Arg::Template(t) => Arg::from_value(&json!({"text": t, "value": true})),
        Arg::Map(_) => arg.clone(),
    }
}

impl ModuleInfo {
    /// Whether `src` names files of the controller: the module takes what the engine makes of them.
    pub(crate) fn places_files(&self) -> bool {
        self.has("_files") || self.has("_content")
    }

    /// Whether `src` names a template.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.schema["properties"].get(name).is_some()
    }

    /// Adds what the engine adds: expressions with their values, and the files that `src` names.
    pub(crate) fn complete(
        &self,
        args: &mut IndexMap<String, Arg>,
        given: &IndexMap<String, Arg>,
        module: &'static dyn Module,
    ) {
        for (name, arg) in given.iter().filter(|(name, _)| module.expressions().contains(&name.as_str())) {
            args.insert(name.clone(), evaluated(arg));
        }
        if self.places_files() && given.contains_key("src") {
            self.inject(args);
        }
    }

    /// Whether any name is an argument (`set_fact`).
    pub(crate) fn is_open(&self) -> bool {
        self.schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false))
    }

    fn inject(&self, args: &mut IndexMap<String, Arg>) {
        if self.has("_files") {
            let entry = json!([{"below": "", "sha256": "0".repeat(64), "mode": 0o644}]);
            args.insert("_files".into(), Arg::from_value(&entry));
        }
        if self.has("_content") {
            args.insert("_content".into(), Arg::text(""));
        }
    }

    /// A value that the argument's schema allows.
    fn plausible(&self, name: &str) -> Arg {
        Arg::from_value(&self.example(&self.schema["properties"][name], 8))
    }

    fn example(&self, schema: &Value, depth: u8) -> Value {
        let text = || Value::from("rectify");
        if depth == 0 {
            return text();
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            return self.example(&self.schema["$defs"][name], depth - 1);
        }
        if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return value.clone();
        }
        for several in ["oneOf", "anyOf", "allOf"] {
            if let Some(first) = schema[several].get(0) {
                return self.example(first, depth - 1);
            }
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match kind {
            Some("boolean") => Value::from(true),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| Value::from(1)),
            Some("array") => Value::Array(vec![self.example(&schema["items"], depth - 1)]),
            Some("object") => json!({}),
            _ => text(),
        }
    }

    /// The words that an argument can be, if its schema lists them.
    fn choices(&self, schema: &Value, depth: u8) -> Vec<String> {
        if depth == 0 {
            return Vec::new();
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            return self.choices(&self.schema["$defs"][name], depth - 1);
        }
        if let Some(word) = schema["const"].as_str() {
            return vec![word.to_owned()];
        }
        let lists = ["enum", "oneOf", "anyOf", "allOf"].into_iter().filter_map(|k| schema[k].as_array());
        lists
            .flatten()
            .flat_map(|one| match one {
                Value::String(word) => vec![word.clone()],
                other => self.choices(other, depth - 1),
            })
            .collect()
    }
}

impl Loader<'_> {
    /// Checks what a task's arguments say by themselves.
    pub(crate) fn check_args(&mut self, used: &ModuleUse, info: &ModuleInfo, misnamed: Option<&[String]>) {
        let Some(module) = used.module else { return };
        let is_misnamed = |name: &String| misnamed.is_some_and(|m| m.iter().any(|m| m == name || m == "*"));
        let absent = info.required.iter().filter(|r| !r.starts_with('_') && !used.args.contains_key(*r));
        let (excused, missing): (Vec<String>, Vec<String>) = absent.cloned().partition(is_misnamed);
        if !missing.is_empty() {
            let plural = if missing.len() == 1 { "argument" } else { "arguments" };
            let message = format!("`{}` needs the {plural} {}", used.kind, list(&missing));
            self.push(Diagnostic::error("missing-argument", message).at(used.word_span, ""));
        }
        let mut trial = Trial::new(&used.args, module, info);
        for name in excused.iter().chain(&missing) {
            trial.args.insert(name.clone(), info.plausible(name));
            trial.invented.push(name.clone());
        }
        let mut whole = misnamed.is_none() && trial.invented.is_empty();
        // The module's own reading stops at the first argument that does not fit: take it out, and read on.
        for _ in 0..=used.args.len() {
            let error = match module.instance(&Arg::Map(trial.args.clone())) {
                Ok(instance) => {
                    if whole && let Err(words) = instance.validate() {
                        self.push(Diagnostic::error("arguments", words).at(used.word_span, ""));
                    }
                    return;
                }
                Err(error) => error,
            };
            whole = false;
            let Some(name) = error.path.first().cloned() else {
                if missing.is_empty() && trial.invented.is_empty() {
                    let message = format!("`{}`: {}", used.kind, error.message);
                    self.push(Diagnostic::error("arguments", message).at(used.word_span, ""));
                }
                return;
            };
            if !trial.invented.contains(&name) && !name.starts_with('_') {
                self.wrong_argument(used, info, &name, &error);
            }
            if trial.invented.contains(&name) || info.required.contains(&name) {
                if trial.args.get(&name) == Some(&info.plausible(&name)) {
                    return;
                }
                trial.args.insert(name.clone(), info.plausible(&name));
            } else {
                trial.args.shift_remove(&name);
            }
            trial.invented.push(name);
        }
    }

    fn wrong_argument(&mut self, used: &ModuleUse, info: &ModuleInfo, name: &str, error: &ArgError) {
        let span = used.spans.get(name).map_or(used.word_span, |(_, value)| *value);
        let message = format!("`{}`: {}: {}", used.kind, error.path.join("."), error.message);
        let problem = Diagnostic::error("wrong-argument", message);
        let choices = info.choices(&info.schema["properties"][name], 6);
        let given = match used.args.get(name) {
            Some(Arg::Scalar(s)) => s.text.as_str(),
            _ => "",
        };
        self.push(match did_you_mean(given, choices.iter().map(String::as_str)) {
            Some(meant) => problem.at(span, "").suggest(span, meant, format!("did you mean `{meant}`?")),
            None => problem.at(span, ""),
        });
    }
}
