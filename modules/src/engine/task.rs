//! One task: its condition, its loop, its retries, and what follows from how it went.

use std::time::Instant;

use rectify_core::{
    event::{Failure, HostEvent, Outcome, SkipReason, TaskReport},
    module::Because,
    plan::{Expr, Loop, Play, Task, TaskId},
    template::{Data, Rendered, TemplateError, Tri, Vars},
};
use serde_json::{Map, Value};

use super::{
    Run,
    include::{self, NotFound},
    item::{self, Context},
    results::{self, Done},
    schedule::Gone,
    transaction, vars,
};

/// The word of a `meta:` task.
pub(crate) fn meta(task: &Task) -> Option<&str> {
    if task.module != "meta" {
        return None;
    }
    match &task.args {
        rectify_core::arg::Arg::Map(map) => map.values().next().and_then(|arg| match arg {
            rectify_core::arg::Arg::Scalar(s) => Some(s.text.as_str()),
            _ => None,
        }),
        _ => None,
    }
}

/// Runs a task and reports it; with `perhaps`, whether it runs is not known. The outcome that comes back is what dependents go by: a
/// failure that the task ignores is success. `rescued` says whether a failure makes a `rescue` run.
pub(crate) fn run(run: &Run<'_>, play: &Play, id: TaskId, perhaps: Option<Because>, rescued: bool) -> Gone {
    let task = run.task(id);
    if let Some(gone) = super::observe::instead(run, play, task) {
        return gone;
    }
    if let Some(because) = &perhaps {
        // The rescue of a failure that has not been seen.
        tell_failed(run, vars::unknown(because), vars::unknown(because));
    }
    let vars = vars::of_task(run, play, task);
    let name = match run.templates.render_value(&task.name, &vars) {
        Ok(Rendered::Value(Value::String(name))) if !task.no_log => name,
        _ => task.name.clone(),
    };
    (run.emit)(HostEvent::TaskStarted { task: id, name: name.clone() });
    let done = perform(run, task, &vars, perhaps);
    report(run, task, &name, done, rescued)
}

/// Reports how a task went.
pub(crate) fn report(run: &Run<'_>, task: &Task, name: &str, mut done: Done, rescued: bool) -> Gone {
    let id = task.id;
    let outcome = done.report.outcome.clone();
    let ignored = done.report.ignored;
    if rescued && outcome.is_failure() && !ignored {
        done.report.rescued = true;
        let task = serde_json::json!({ "name": name, "action": task.module });
        tell_failed(run, vars::plain(&task), done.result.clone());
    }
    let unsure = unsure(run, id, &done);
    (run.emit)(HostEvent::TaskFinished { task: id, report: Box::new(done.report) });
    Gone { outcome: if ignored { Outcome::Unchanged } else { outcome }, unsure }
}

/// `ansible_failed_task` and `ansible_failed_result`, for a `rescue`.
fn tell_failed(run: &Run<'_>, task: Data, result: Data) {
    let mut runtime = run.runtime();
    runtime.set("ansible_failed_task", task);
    runtime.set("ansible_failed_result", result);
}

/// Why a rehearsal cannot tell whether a task would fail: it depends on what is not known, or it was not carried out.
fn unsure(run: &Run<'_>, id: TaskId, done: &Done) -> Option<Because> {
    match &done.report.outcome {
        Outcome::MayChange { because } | Outcome::Skipped { reason: SkipReason::Unknown { because } } => {
            Some(because.clone())
        }
        Outcome::WouldChange | Outcome::Skipped { reason: SkipReason::NotRehearsed } if run.checks() => {
            done.result.has_unknown().then(|| Because::task(id))
        }
        _ => None,
    }
}

/// Runs a task without reporting it, registers its result and notifies. A handler that may have been notified is given the
/// reason, and is not run.
pub(crate) fn perform(run: &Run<'_>, task: &Task, vars: &Vars, perhaps: Option<Because>) -> Done {
    let started = Instant::now();
    let mut done = match perhaps {
        Some(because) => unknown(run, task, vars, because),
        None => whole(run, task, vars),
    };
    done.report.took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    if done.report.outcome.is_failure() {
        done.report.ignored = ignores(run, task, vars, &done.result);
    }
    if run.plan.options.verbose > 0 && !task.no_log {
        done.report.result = done.shown.take().map(Value::Object);
    }
    settle(run, task, vars, &done);
    done
}

fn ignores(run: &Run<'_>, task: &Task, vars: &Vars, result: &Data) -> bool {
    let Some(expr) = &task.ignore_errors else { return false };
    let vars = match &task.register {
        Some(name) => vars.with_data(name, result.clone()),
        None => vars.clone(),
    };
    matches!(run.templates.eval_condition(&expr.text, &vars), Ok(Tri::True))
}

/// Registers, notifies.
fn settle(run: &Run<'_>, task: &Task, vars: &Vars, done: &Done) {
    if let Some(name) = &task.register {
        run.runtime().set(name, done.result.clone());
    }
    let mut topics = Vec::new();
    for topic in &task.notify {
        match run.templates.render_value(topic, vars) {
            Ok(Rendered::Value(Value::String(topic))) => topics.push(topic),
            Ok(Rendered::Value(Value::Array(list))) => {
                topics.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => (run.emit)(HostEvent::Notice {
                task: Some(task.id),
                message: format!("notify: {topic:?} does not come to a handler's name"),
            }),
        }
    }
    transaction::take(run, task, &topics, &done.report.outcome);
}

/// The task without its reporting: once, or once per item.
fn whole(run: &Run<'_>, task: &Task, vars: &Vars) -> Done {
    if meta(task).is_some() {
        return match condition(run, &task.when, vars) {
            Verdict::Yes => Done::of(task.id, TaskReport::of(Outcome::Unchanged), Map::new()),
            verdict => verdict.into_done(task),
        };
    }
    match &task.r#loop {
        None => once(run, task, vars),
        Some(looping) => each(run, task, looping, vars),
    }
}

fn each(run: &Run<'_>, task: &Task, looping: &Loop, vars: &Vars) -> Done {
    let items = match item::loop_items(run, looping, vars) {
        Ok(Ok(items)) => items,
        // A condition that holds for no item spares the loop; one that reads the item cannot be asked before it.
        Ok(Err(because)) => return unknown(run, task, vars, because),
        Err(failure) => {
            if let verdict @ Verdict::No(_) = condition(run, &task.when, vars) {
                return verdict.into_done(task);
            }
            return Done::of(task.id, TaskReport::of(Outcome::Failed { failure }), Map::new());
        }
    };
    let mut all = TaskReport::of(Outcome::Skipped { reason: SkipReason::EmptyLoop });
    let mut outcomes = Vec::new();
    let mut kept = Vec::new();
    for (index, value) in items.into_iter().enumerate() {
        if run.cancel.is_stopped() {
            break;
        }
        let mut inner = vars.with_data(&looping.var, value.clone());
        if let Some(name) = &looping.index_var {
            inner = inner.with_data(name, vars::plain(&index.into()));
        }
        inner = inner.with(&run.plan.extra_vars);
        let label = item::label(run, looping, &inner, &value, task.no_log);
        let mut done = once(run, task, &inner);
        outcomes.push(done.report.outcome.clone());
        kept.push(item::with_item(&done, &looping.var, value));
        if run.plan.options.verbose > 0 && !task.no_log {
            done.report.result = done.shown.take().map(Value::Object);
        }
        all.findings.extend(done.report.findings.iter().cloned());
        (run.emit)(HostEvent::ItemFinished { task: task.id, item: label, report: Box::new(done.report) });
    }
    if !outcomes.is_empty() {
        all.outcome = together(outcomes);
    }
    let result = results::of_loop(kept, &all);
    Done { result, shown: None, report: all }
}

/// One outcome for a loop: the most serious of its items' outcomes.
pub(crate) fn together(outcomes: Vec<Outcome>) -> Outcome {
    let rank = |o: &Outcome| match o {
        Outcome::Failed { .. } => 8,
        Outcome::RolledBack { .. } => 7,
        Outcome::NotConverged { .. } => 6,
        Outcome::Changed => 5,
        Outcome::WouldChange => 4,
        Outcome::MayChange { .. } => 3,
        Outcome::Finding { .. } => 2,
        Outcome::Unchanged => 1,
        Outcome::Skipped { .. } => 0,
    };
    let all_skipped = outcomes.iter().all(|o| rank(o) == 0);
    let mut worst =
        outcomes.into_iter().reduce(|a, b| if rank(&b) > rank(&a) { b } else { a }).unwrap_or(Outcome::Unchanged);
    if let (true, Outcome::Skipped { reason }) = (all_skipped, &mut worst)
        && matches!(reason, SkipReason::Condition { .. } | SkipReason::Guard { .. })
    {
        *reason = SkipReason::AllItems;
    }
    worst
}

/// One item, or the task if it has no loop: the file that it is about, condition, then retries.
fn once(run: &Run<'_>, task: &Task, vars: &Vars) -> Done {
    let with_file = task.found.as_ref().map(|found| include::with_found(run, found, vars)).transpose();
    let vars = &match with_file {
        Ok(with_file) => with_file.unwrap_or_else(|| vars.clone()),
        Err(why) => {
            if let verdict @ Verdict::No(_) = condition(run, &task.when, vars) {
                return verdict.into_done(task);
            }
            return match why {
                NotFound::Skip => {
                    let reason = SkipReason::Guard { found: "none of the files is there".into() };
                    not_included(task, Outcome::Skipped { reason })
                }
                NotFound::Failed(failure) => not_included(task, Outcome::Failed { failure }),
                NotFound::Unknown(because) => unknown(run, task, vars, because),
            };
        }
    };
    match condition(run, &task.when, vars) {
        Verdict::Yes => {}
        Verdict::Unknown(because) => return unknown(run, task, vars, because),
        verdict => return verdict.into_done(task),
    }
    let context = Context { run, task, vars };
    let Some(retry) = &task.retry else { return item::run(&context) };
    let mut attempt = 0;
    loop {
        let mut done = item::run(&context);
        let inner = with_result(task, vars, &done.result);
        let satisfied = if retry.until.is_empty() {
            !done.report.outcome.is_failure()
        } else {
            match condition(run, &retry.until, &inner) {
                Verdict::Yes => true,
                Verdict::No(_) => false,
                // A check cannot wait for a result that it does not produce.
                Verdict::Unknown(_) => return done,
                Verdict::Error(failure) => {
                    done.report.outcome = Outcome::Failed { failure };
                    return done;
                }
            }
        };
        if satisfied || run.cancel.is_stopped() || (run.checks() && !done.report.outcome.is_failure()) {
            return done;
        }
        if attempt >= retry.retries {
            if !done.report.outcome.is_failure() {
                let failure =
                    Failure::new(format!("still not so after {} tries: {}", attempt + 1, words(&retry.until)));
                done.report.outcome = Outcome::Failed { failure };
            }
            return done;
        }
        attempt += 1;
        std::thread::sleep(std::time::Duration::from_secs_f64(retry.delay.clamp(0.0, 86_400.0)));
    }
}

/// The variables with the result under the name that `register` gives it.
pub(crate) fn with_result(task: &Task, vars: &Vars, result: &Data) -> Vars {
    match &task.register {
        Some(name) => vars.with_data(name, result.clone()),
        None => vars.clone(),
    }
}

/// A task that does nothing; an include says that it took no file.
fn not_included(task: &Task, outcome: Outcome) -> Done {
    let mut data = Map::new();
    if include::is_include(task) {
        data.insert("file".into(), "".into());
    }
    Done::of(task.id, TaskReport::of(outcome), data)
}

/// A task that cannot be decided: what it would touch is unknown from here on.
fn unknown(run: &Run<'_>, task: &Task, vars: &Vars, because: Because) -> Done {
    if include::is_include(task) {
        return include::unknown(run, task, &because);
    }
    if task.module == "set_fact" {
        item::forget_facts(run, task, vars, &because);
    }
    if run.registry.find(&task.module).is_some_and(|module| module.is_pure()) {
        let outcome = Outcome::Skipped { reason: SkipReason::Unknown { because: because.clone() } };
        return Done { report: TaskReport::of(outcome), result: vars::unknown(&because), shown: None };
    }
    item::note_relations(run, task, vars, &because);
    Done::of(task.id, TaskReport::of(Outcome::MayChange { because }), Map::new())
}

/// What a list of conditions comes to.
pub(crate) enum Verdict {
    Yes,
    No(String),
    Unknown(Because),
    Error(Failure),
}

impl Verdict {
    fn into_done(self, task: &Task) -> Done {
        let outcome = match self {
            Verdict::Yes => Outcome::Unchanged,
            Verdict::No(when) => Outcome::Skipped { reason: SkipReason::Condition { when } },
            Verdict::Unknown(because) => Outcome::MayChange { because },
            Verdict::Error(failure) => Outcome::Failed { failure },
        };
        not_included(task, outcome)
    }
}

/// Whether all hold. The first that does not decides, so that later ones may rely on earlier ones; one that is not known
/// gives way to a later one that is certainly false.
pub(crate) fn condition(run: &Run<'_>, all: &[Expr], vars: &Vars) -> Verdict {
    let mut open: Option<Because> = None;
    for expr in all {
        match run.templates.eval_condition(&expr.text, vars) {
            Ok(Tri::True) => {}
            Ok(Tri::False) => return Verdict::No(expr.text.clone()),
            Ok(Tri::Unknown(tasks)) => {
                let because = vars::because(&tasks);
                open = Some(open.map_or_else(|| because.clone(), |b| b.and(because.clone())));
            }
            Err(_) if open.is_some() => {}
            Err(error) => return Verdict::Error(template_failure(&expr.text, &error)),
        }
    }
    open.map_or(Verdict::Yes, Verdict::Unknown)
}

/// A template's error in words that name the template.
pub(crate) fn template_failure(text: &str, error: &TemplateError) -> Failure {
    let mut shown: String = text.chars().take(120).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let mut failure = Failure::from_error(error);
    failure.causes.insert(0, format!("in: {shown}"));
    failure
}

fn words(all: &[Expr]) -> String {
    all.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join(" and ")
}
