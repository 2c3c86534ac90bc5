//! What becomes on a host of includes that were left open: one that is known beforehand is carried out now.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::render::Static;
use crate::{
    arg::Arg,
    diag::Diagnostic,
    plan::{Expr, Found, found_names},
    playbook::{Include, PlayDef, TaskDef},
};

/// The tasks of a play that a host may run.
pub(crate) struct Narrowed {
    pub(crate) selected: Vec<bool>,
    /// Conditions that are known to hold.
    settled: HashSet<String>,
    pub(crate) problems: Vec<Diagnostic>,
}

impl Narrowed {
    /// Leaves out what the host will not include. `values` gives what an include's name reads, if that is known.
    pub(crate) fn new(
        play: &PlayDef,
        selected: &[bool],
        values: impl Fn(&TaskDef) -> Option<Map<String, Value>>,
    ) -> Narrowed {
        let mut out = Narrowed { selected: selected.to_vec(), settled: HashSet::new(), problems: Vec::new() };
        // An include within another stands before it.
        for include in play.includes.iter().rev() {
            let task = &play.tasks[include.task];
            if !out.selected[include.task] {
                continue;
            }
            let Some(name) = values(task).and_then(|values| file(task, &Static::new(values))) else { continue };
            out.take(include, task, &name);
        }
        out
    }

    fn take(&mut self, include: &Include, task: &TaskDef, name: &str) {
        for (_, tasks) in include.parts.iter().filter(|(file, _)| file != name) {
            self.selected[tasks.clone()].fill(false);
        }
        if include.parts.iter().any(|(file, _)| file == name) {
            self.selected[include.task] = false;
            self.settled.insert(include.condition(name));
        } else if task.proto.when.is_empty() {
            self.problems.push(no_such_file(task, name));
        }
    }

    /// The conditions that are left.
    pub(crate) fn conditions(&self, when: &[Expr]) -> Vec<Expr> {
        when.iter().filter(|expr| !self.settled.contains(&expr.text)).cloned().collect()
    }
}

/// The problem of an include whose file is known on a host and does not exist.
pub(crate) fn no_such_file(task: &TaskDef, name: &str) -> Diagnostic {
    let span = task.arg_spans.get("file").map_or(task.span(), |(_, value)| *value);
    let names: Vec<String> = task.proto.choices.keys().map(|name| format!("`{name}`")).collect();
    let problem = Diagnostic::error("missing-file", format!("the name comes to `{name}`, and there is no such file"));
    problem.at(span, "").note(format!("it could be {}", names.join(", ")))
}

/// The name of the file that a task includes, if it is known.
pub(crate) fn file(task: &TaskDef, known: &Static) -> Option<String> {
    let Arg::Map(args) = &task.proto.args else { return None };
    let known = match &task.proto.found {
        Some(found) => with_found(found, known)?,
        None => known.clone(),
    };
    match known.arg(args.get("file")?)? {
        Arg::Scalar(name) => Some(name.text),
        _ => None,
    }
}

/// With the variable of `first_found`; `None` if the file is not known, or none is there.
pub(crate) fn with_found(found: &Found, known: &Static) -> Option<Static> {
    let terms: Option<Vec<Value>> = found.names.iter().map(|term| known.arg(term).map(|arg| arg.to_value())).collect();
    let (names, _) = found_names(&terms?);
    let path = names.iter().find_map(|name| found.known.get(name))?;
    Some(known.with(&Map::from_iter([(found.var.clone(), path.clone().into())])))
}
