//! Includes whose file the host decides on, and the variables of `include_vars`.

use rectify_core::{
    arg::Arg,
    event::{Failure, Outcome, SkipReason, TaskReport},
    module::Because,
    plan::{Found, Task, found_names},
    template::{Data, Trust, Vars},
};
use serde_json::{Map, Value};

use super::{
    Run,
    args::{self, Unrendered},
    item::Context,
    results::Done,
    vars,
};

/// Whether a task includes something rather than doing it.
pub(crate) fn is_include(task: &Task) -> bool {
    matches!(task.module.as_str(), "include_tasks" | "include_vars")
}

/// Takes the file whose name comes out. The tasks of an `include_tasks` ask its result which one it was.
pub(crate) fn run(context: &Context<'_>) -> Done {
    let Context { run, task, vars } = context;
    let file = match argument(run, task, "file", vars) {
        Ok(file) => file,
        Err(Unrendered::Failed(failure)) => return failed(task, failure),
        Err(Unrendered::Unknown(because)) => return unknown(run, task, &because),
    };
    let Some(included) = task.choices.get(&file) else {
        let names: Vec<&str> = task.choices.keys().map(String::as_str).collect();
        let failure = Failure::new(format!("{}: no file {file:?} came with the plan", task.module));
        let hint = match names.as_slice() {
            [] => "it is for a system that rectify does not manage".to_owned(),
            names => format!("these could be taken: {}", names.join(", ")),
        };
        return failed(task, failure.hinting(hint));
    };
    let mut data = Map::from_iter([("file".to_owned(), Value::from(file.clone()))]);
    if task.module == "include_vars" {
        data.insert("ansible_included_var_files".into(), Value::from(vec![file.clone()]));
        data.insert("ansible_facts".into(), Value::Object(included.clone()));
        let mut runtime = run.runtime();
        for (name, value) in included {
            runtime.include(name, Data::from_json(value, Trust::Template), level(task));
        }
    }
    let report = TaskReport { subject: file, ..TaskReport::of(Outcome::Unchanged) };
    Done::of(task.id, report, data)
}

/// Which file it is depends on what is not known: neither are the variables of any of them.
pub(crate) fn unknown(run: &Run<'_>, task: &Task, because: &Because) -> Done {
    let mut runtime = run.runtime();
    for name in task.choices.values().flat_map(|vars| vars.keys()) {
        runtime.include(name, vars::unknown(because), level(task));
    }
    let outcome = Outcome::Skipped { reason: SkipReason::Unknown { because: because.clone() } };
    Done { report: TaskReport::of(outcome), result: vars::unknown(because), shown: None }
}

/// How strong the variables of a task's file are.
fn level(task: &Task) -> vars::Level {
    let of_play = matches!(&task.args, Arg::Map(map) if map.contains_key("play"));
    if of_play { vars::Level::Play } else { vars::Level::Host }
}

fn argument(run: &Run<'_>, task: &Task, name: &str, vars: &Vars) -> Result<String, Unrendered> {
    let fail = || Unrendered::Failed(Failure::new(format!("{}: {name} is no text", task.module)));
    let Arg::Map(map) = &task.args else { return Err(fail()) };
    match args::one(run, map.get(name).ok_or_else(fail)?, vars)? {
        Some(Arg::Scalar(text)) => Ok(text.text),
        _ => Err(fail()),
    }
}

/// Why `first_found` gave no file.
pub(crate) enum NotFound {
    /// None is there, and the task says that it is skipped then.
    Skip,
    /// None is there, or a name could not be rendered.
    Failed(Failure),
    /// Which it is depends on what is not known.
    Unknown(Because),
}

/// The variables with that of `first_found`.
pub(crate) fn with_found(run: &Run<'_>, found: &Found, vars: &Vars) -> Result<Vars, NotFound> {
    let mut terms = Vec::new();
    for term in &found.names {
        match args::one(run, term, vars) {
            Ok(Some(term)) => terms.push(term.to_value()),
            Ok(None) => {}
            Err(Unrendered::Unknown(because)) => return Err(NotFound::Unknown(because)),
            // A name of which a part is not defined is passed over, as long as another one can be meant.
            Err(Unrendered::Failed(_)) if found.names.len() > 1 => {}
            Err(Unrendered::Failed(failure)) => return Err(NotFound::Failed(failure)),
        }
    }
    let (names, skip) = found_names(&terms);
    match names.iter().find_map(|name| found.known.get(name)) {
        Some(path) => Ok(vars.with_data(&found.var, vars::plain(&Value::from(path.clone())))),
        None if skip || found.skip => Err(NotFound::Skip),
        None => {
            let failure =
                Failure::new(format!("none of these files was there when the plan was made: {}", names.join(", ")));
            Err(NotFound::Failed(failure.hinting("add `skip: true` if that is meant")))
        }
    }
}

fn failed(task: &Task, failure: Failure) -> Done {
    let data = Map::from_iter([("file".to_owned(), Value::from(""))]);
    Done::of(task.id, TaskReport::of(Outcome::Failed { failure }), data)
}
