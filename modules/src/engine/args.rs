//! A task's arguments with their templates rendered.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use rectify_core::{
    arg::{Arg, Scalar},
    event::Failure,
    module::{Because, Module, Operate},
    plan::{FileRef, Task},
    template::{Engine as Templates, Rendered, TemplateError, TemplateOptions, Vars, may_be_template},
};
use serde_json::{Value, json};

use super::{Run, task::template_failure, vars};

/// Why arguments could not be rendered.
pub(crate) enum Unrendered {
    /// They read a result that a check does not have.
    Unknown(Because),
    /// A template is wrong, or reads what is not there.
    Failed(Failure),
}

impl Unrendered {
    fn template(text: &str, error: &TemplateError) -> Self {
        Unrendered::Failed(template_failure(text, error))
    }
}

type Outcome<T> = Result<T, Unrendered>;

/// Renders the arguments of a task for its module: templates, expressions, and the controller's files that `src` names.
pub(crate) fn render(run: &Run<'_>, task: &Task, module: &dyn Module, vars: &Vars, host: &dyn Operate) -> Outcome<Arg> {
    let Arg::Map(given) = &task.args else {
        return Err(Unrendered::Failed(Failure::new("the plan's arguments are no mapping")));
    };
    let mut rendered = IndexMap::new();
    for (key, arg) in given {
        let value = if module.expressions().contains(&key.as_str()) {
            Some(evaluated(run, arg, vars)?)
        } else {
            one(run, arg, vars)?
        };
        if let Some(value) = value {
            rendered.insert(name(run, key, vars)?, value);
        }
    }
    files(run, task, vars, host, &mut rendered)?;
    Ok(Arg::Map(rendered))
}

/// A single argument; `None` if it came to `omit`.
pub(crate) fn one(run: &Run<'_>, arg: &Arg, vars: &Vars) -> Outcome<Option<Arg>> {
    Ok(Some(match arg {
        Arg::Scalar(_) => arg.clone(),
        Arg::Template(text) => match run.templates.render_value(text, vars) {
            Ok(Rendered::Value(value)) => Arg::from_value(&value),
            Ok(Rendered::Omit) => return Ok(None),
            Ok(Rendered::Unknown(tasks)) => return Err(Unrendered::Unknown(vars::because(&tasks))),
            Err(error) => return Err(Unrendered::template(text, &error)),
        },
        Arg::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                list.extend(one(run, item, vars)?);
            }
            Arg::List(list)
        }
        Arg::Map(map) => {
            let mut out = IndexMap::with_capacity(map.len());
            for (key, value) in map {
                if let Some(value) = one(run, value, vars)? {
                    out.insert(name(run, key, vars)?, value);
                }
            }
            Arg::Map(out)
        }
    }))
}

/// A key, which may be a template (`set_fact`).
pub(crate) fn name(run: &Run<'_>, key: &str, vars: &Vars) -> Outcome<String> {
    if !may_be_template(key) {
        return Ok(key.to_owned());
    }
    match run.templates.render_value(key, vars) {
        Ok(Rendered::Value(Value::String(name))) => Ok(name),
        Ok(Rendered::Value(other)) => Ok(other.to_string()),
        Ok(Rendered::Omit) => Err(Unrendered::Failed(Failure::new(format!("{key:?} comes to no name")))),
        Ok(Rendered::Unknown(tasks)) => Err(Unrendered::Unknown(vars::because(&tasks))),
        Err(error) => Err(Unrendered::template(key, &error)),
    }
}

/// Expressions as `{text, value}`, one or a list of them.
fn evaluated(run: &Run<'_>, arg: &Arg, vars: &Vars) -> Outcome<Arg> {
    let text = match arg {
        Arg::List(items) => {
            return items.iter().map(|i| evaluated(run, i, vars)).collect::<Outcome<_>>().map(Arg::List);
        }
        Arg::Scalar(Scalar { text, .. }) | Arg::Template(text) => text,
        Arg::Map(_) => return Err(Unrendered::Failed(Failure::new("expected an expression, found a mapping"))),
    };
    let result = if may_be_template(text) {
        run.templates.render_value(text, vars)
    } else {
        run.templates.eval_expression(text, vars)
    };
    match result {
        Ok(Rendered::Value(value)) => Ok(Arg::from_value(&json!({ "text": text, "value": value }))),
        Ok(Rendered::Omit) => Ok(Arg::from_value(&json!({ "text": text, "value": null }))),
        Ok(Rendered::Unknown(tasks)) => Err(Unrendered::Unknown(vars::because(&tasks))),
        Err(error) => Err(Unrendered::template(text, &error)),
    }
}

/// Adds what `src` stands for: `_files`, the entries to place; for a template file, `_content`, its rendered text.
fn files(run: &Run<'_>, task: &Task, vars: &Vars, host: &dyn Operate, args: &mut IndexMap<String, Arg>) -> Outcome<()> {
    if task.files.is_empty() {
        return Ok(());
    }
    let Some(Arg::Scalar(src)) = args.get("src") else { return Ok(()) };
    let Some(entries) = task.files.get(&src.text) else {
        let known: Vec<&str> = task.files.keys().map(String::as_str).collect();
        return Err(Unrendered::Failed(Failure::new(format!(
            "src came to {:?} on the host, and only these files came with the plan: {}",
            src.text,
            known.join(", ")
        ))));
    };
    if task.module == "template" {
        let content = template_file((run, task), &src.text.clone(), entries, vars, host, args)?;
        args.insert("_content".into(), Arg::text(content));
    } else {
        let size = |f: &FileRef| f.sha256.as_ref().and_then(|hash| run.plan.blobs.get(hash).copied());
        let list: Vec<Value> = entries
            .iter()
            .map(|f| json!({ "below": f.below, "sha256": f.sha256, "size": size(f), "mode": f.mode }))
            .collect();
        args.insert("_files".into(), Arg::from_value(&Value::Array(list)));
    }
    Ok(())
}

fn template_file(
    (run, task): (&Run<'_>, &Task),
    src: &str,
    entries: &[FileRef],
    vars: &Vars,
    host: &dyn Operate,
    args: &IndexMap<String, Arg>,
) -> Outcome<String> {
    let fail = |message: String| Unrendered::Failed(Failure::new(message));
    let sha256 = entries.first().and_then(|f| f.sha256.as_deref());
    let sha256 = sha256.ok_or_else(|| fail(format!("{src} is a folder, not a template")))?;
    let bytes = host.blob(sha256).map_err(|e| fail(e.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|e| fail(format!("{src} is not UTF-8 text: {e}")))?;
    let options = template_options(args);
    let own = included(run, task, host).map_err(fail)?;
    match own.as_ref().unwrap_or(run.templates).render_text(text, src, vars, &options) {
        Ok(Rendered::Value(Value::String(text))) => Ok(text),
        Ok(Rendered::Value(other)) => Ok(other.to_string()),
        Ok(Rendered::Omit) => Ok(String::new()),
        Ok(Rendered::Unknown(tasks)) => Err(Unrendered::Unknown(vars::because(&tasks))),
        Err(error) => Err(Unrendered::template(src, &error)),
    }
}

/// What renders a template that includes others; `None` if it includes none.
fn included(run: &Run<'_>, task: &Task, host: &dyn Operate) -> Result<Option<Templates>, String> {
    if task.templates.is_empty() {
        return Ok(None);
    }
    let mut texts = BTreeMap::new();
    for (name, sha256) in &task.templates {
        let bytes = host.blob(sha256).map_err(|e| e.to_string())?;
        let text = std::str::from_utf8(&bytes).map_err(|e| format!("{name} is not UTF-8 text: {e}"))?;
        texts.insert(name.clone(), text.to_owned());
    }
    Ok(Some(vars::templates_with(texts, run.templates.secrets())))
}

/// The `template` module's own options about the template's language.
fn template_options(args: &IndexMap<String, Arg>) -> TemplateOptions {
    let text = |name: &str| match args.get(name) {
        Some(Arg::Scalar(s)) => Some(s.text.clone()),
        _ => None,
    };
    let flag = |name: &str| args.get(name).and_then(|arg| rectify_core::arg::from_arg::<bool>(arg).ok());
    let mut options = TemplateOptions::default();
    for (name, slot) in [
        ("newline_sequence", &mut options.newline_sequence),
        ("variable_start_string", &mut options.variable_start_string),
        ("variable_end_string", &mut options.variable_end_string),
        ("block_start_string", &mut options.block_start_string),
        ("block_end_string", &mut options.block_end_string),
        ("comment_start_string", &mut options.comment_start_string),
        ("comment_end_string", &mut options.comment_end_string),
    ] {
        if let Some(given) = text(name) {
            *slot = given;
        }
    }
    options.trim_blocks = flag("trim_blocks").unwrap_or(options.trim_blocks);
    options.lstrip_blocks = flag("lstrip_blocks").unwrap_or(options.lstrip_blocks);
    options
}
