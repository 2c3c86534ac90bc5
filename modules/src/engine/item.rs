//! One item of a task: arguments in, outcome out.

use indexmap::IndexMap;
use rectify_core::{
    arg::Arg,
    event::{Failure, Outcome, SkipReason, TaskReport, compare},
    module::{
        Because, Declared, Entity, ErasedAction, ErasedResource, Extent, Finding, HostError, Instance, Module,
        ModuleError, Operate, Ran, Relations, Report, Seen,
    },
    plan::{Loop, Task},
    template::{Data, Rendered, Vars},
};
use serde_json::{Map, Value};

use super::{
    HostRef, Run,
    args::{self, Unrendered},
    include, kept,
    results::Done,
    task::{Verdict, condition, template_failure, with_result},
    transaction, vars,
};
use crate::host::as_user::AsUser;

/// What an item is run with.
pub(crate) struct Context<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) task: &'a Task,
    pub(crate) vars: &'a Vars,
}

/// Runs one item whose condition holds.
pub(crate) fn run(context: &Context<'_>) -> Done {
    let Context { run, task, vars, .. } = context;
    if include::is_include(task) {
        return include::run(context);
    }
    let Some(module) = run.registry.find(&task.module) else {
        return failed(task, Failure::new(format!("this helper has no module {:?}", task.module)));
    };
    let host = run.stage.host(task.id, task.check_mode == Some(true));
    let host = match as_user(context, transaction::host(run, task, host)) {
        Ok(host) => host,
        Err(failure) => return failed(task, failure),
    };
    let rendered = match args::render(run, task, module, vars, &*host) {
        Ok(rendered) => rendered,
        Err(Unrendered::Failed(failure)) => return failed(task, failure),
        Err(Unrendered::Unknown(because)) if module.kind() == "set_fact" => return set_facts(context, &because),
        Err(Unrendered::Unknown(because)) => return not_known(context, module.is_pure(), because),
    };
    keep_arguments(run, module, &rendered);
    let instance = match module.instance(&rendered) {
        Ok(instance) => instance,
        Err(error) => return failed(task, Failure::new(format!("{}: {error}", module.kind()))),
    };
    if let Err(message) = instance.validate() {
        return failed(task, Failure::new(format!("{}: {message}", module.kind())));
    }
    let subject = instance.subject();
    let mut done = match instance {
        Instance::Resource(resource) => {
            let lock = resource.exclusive().map(|class| exclusive(run, class));
            let _held = lock.as_ref().map(|l| l.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            converge(context, &*resource, &rendered, &*host)
        }
        Instance::Action(mut action) => match declared(context) {
            Ok(declared) => {
                action.declare(&declared);
                act(context, &*action, module.is_pure(), &*host)
            }
            Err(Unrendered::Failed(failure)) => failed(task, failure),
            Err(Unrendered::Unknown(because)) => not_known(context, module.is_pure(), because),
        },
    };
    judge(context, &mut done);
    done.report.subject = subject;
    if task.no_log {
        keep_results(run, &done);
        censor(&mut done);
    } else if is_secret(task) {
        hide_contents(&mut done);
    }
    done
}

/// Whether nothing of what it finds may be told or kept: the task says `no_log`, or places what is encrypted on the controller.
fn is_secret(task: &Task) -> bool {
    task.no_log || task.files.values().flatten().any(|file| file.secret)
}

/// The values of arguments that are secret by their nature count as secret from here on.
fn keep_arguments(run: &Run<'_>, module: &dyn Module, rendered: &Arg) {
    let Arg::Map(args) = rendered else { return };
    for name in module.secrets() {
        if let Some(Arg::Scalar(value)) = args.get(*name) {
            run.templates.secrets().keep(&value.text);
        }
    }
}

/// What a task with `no_log` found out is secret also in the hands of later tasks.
fn keep_results(run: &Run<'_>, done: &Done) {
    let found = done.shown.iter().flat_map(|shown| ["stdout", "stderr", "content"].map(|key| shown.get(key)));
    for text in found.flatten().filter_map(Value::as_str) {
        run.templates.secrets().keep(text);
    }
}

/// What came out of an encrypted file is not shown, line by line or otherwise.
fn hide_contents(done: &mut Done) {
    use rectify_core::event::Diff;
    let contents = done.report.changes.iter_mut().filter(|c| matches!(c.diff, Diff::Text { .. } | Diff::Opaque { .. }));
    contents.for_each(|change| change.diff = Diff::Hidden);
}

fn exclusive(run: &Run<'_>, class: &'static str) -> std::sync::Arc<std::sync::Mutex<()>> {
    let mut classes = run.exclusive.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    classes.entry(class).or_default().clone()
}

/// The host, working for the account of the task.
pub(crate) fn as_user<'h>(context: &Context<'_>, host: HostRef<'h>) -> Result<HostRef<'h>, Failure> {
    let Some(user) = &context.task.become_user else { return Ok(host) };
    let name = match context.run.templates.render_value(user, context.vars) {
        Ok(Rendered::Value(Value::String(name))) => name,
        Ok(Rendered::Value(other)) => other.to_string(),
        Ok(_) => return Err(Failure::new(format!("become_user: {user:?} comes to no name"))),
        Err(error) => return Err(template_failure(user, &error)),
    };
    AsUser::wrap(host, &name).map_err(|e| Failure::from_error(&e))
}

fn declared(context: &Context<'_>) -> Result<Declared, Unrendered> {
    let Context { run, task, vars, .. } = context;
    let mut environment = indexmap::IndexMap::new();
    for (key, arg) in &task.environment {
        if let Some(Arg::Scalar(value)) = args::one(run, arg, vars)? {
            environment.insert(key.clone(), value.text);
        }
    }
    let constant = |word: &str| {
        task.changed_when.as_ref().is_some_and(|all| all.iter().any(|e| e.text.trim().eq_ignore_ascii_case(word)))
    };
    Ok(Declared {
        environment,
        changes_nothing: constant("false"),
        probe: run.checks() && task.check_mode == Some(false),
    })
}

/// Observe, compare, apply, observe again.
fn converge(context: &Context<'_>, resource: &dyn ErasedResource, args: &Arg, host: &dyn Operate) -> Done {
    let Context { run, task, .. } = context;
    let rehearsed = run.checks() || task.check_mode == Some(true);
    let first = match resource.look(host) {
        Ok(seen) => seen,
        Err(error) => return trouble(context, error, &resource.relations(), TaskReport::of(Outcome::Unchanged)),
    };
    let mut report = TaskReport::of(Outcome::Unchanged);
    if !is_secret(task) {
        report.kept = Some(kept::of(run, resource, args, &first, host));
    }
    report.findings.clone_from(&first.findings);
    if !first.differs {
        return Done::of(task.id, with_finding(report), first.returns);
    }
    report.changes = compare(&first.before, &first.after, true, run.plan.options.diff);
    report.outcome = if rehearsed { Outcome::WouldChange } else { Outcome::Changed };
    match resource.apply(&first, host) {
        Ok(()) => {}
        Err(ModuleError::Host(HostError::NotRehearsed | HostError::Unknown(_))) if rehearsed => {
            note(run, &resource.relations(), &Because::task(task.id));
            return Done::without_value(task.id, report);
        }
        Err(error) => return trouble(context, error, &resource.relations(), report),
    }
    match resource.look(host) {
        Ok(second) => after_second_look(context, report, second),
        Err(error) if rehearsed && error.because().is_some() => Done::without_value(task.id, report),
        Err(error) => trouble(context, error, &resource.relations(), report),
    }
}

fn after_second_look(context: &Context<'_>, mut report: TaskReport, second: Seen) -> Done {
    if second.differs {
        let still = compare(&second.before, &second.after, true, false);
        let properties = still.into_iter().map(|c| c.property).collect();
        report.outcome = Outcome::NotConverged { properties };
    }
    Done::of(context.task.id, report, second.returns)
}

/// Runs what has no state.
fn act(context: &Context<'_>, action: &dyn ErasedAction, pure: bool, host: &dyn Operate) -> Done {
    let Context { run, task, .. } = context;
    let rehearsed = run.checks() || task.check_mode == Some(true);
    let Report { ran, data, facts, host_facts, mut messages, verbosity, findings, blocked } = match action.run(host) {
        Ok(report) => report,
        Err(ModuleError::Host(HostError::NotRehearsed)) if rehearsed => return would_run(context),
        Err(error) if pure && error.because().is_some() => {
            return not_known(context, true, error.because().cloned().unwrap_or_default());
        }
        Err(error) => return trouble(context, error, &action.relations(), TaskReport::of(Outcome::Unchanged)),
    };
    for (name, value) in &facts {
        run.runtime().set(name, vars::plain(value));
    }
    if !host_facts.is_empty() {
        run.runtime().add_facts(host_facts);
    }
    if verbosity > run.plan.options.verbose {
        messages.clear();
    }
    let outcome = match ran {
        Ran::Looked => Outcome::Unchanged,
        Ran::Acted if task.check_mode == Some(false) && run.checks() => Outcome::Unchanged,
        Ran::Acted if rehearsed => Outcome::WouldChange,
        Ran::Acted => Outcome::Changed,
        Ran::Guarded(found) => Outcome::Skipped { reason: SkipReason::Guard { found } },
    };
    let report = TaskReport { messages, findings, blocked, ..TaskReport::of(outcome) };
    Done::of(task.id, with_finding(report), data)
}

/// A command that a check does not run: its result has no value, and whether it changes something is for `changed_when`.
fn would_run(context: &Context<'_>) -> Done {
    let task = context.task;
    let outcome = match &task.changed_when {
        None => Outcome::WouldChange,
        Some(all) => {
            match condition(context.run, all, &with_result(task, context.vars, &vars::unknown(&Because::task(task.id))))
            {
                Verdict::Yes => Outcome::WouldChange,
                Verdict::No(_) => Outcome::Skipped { reason: SkipReason::NotRehearsed },
                Verdict::Unknown(_) => Outcome::MayChange { because: Because::task(task.id) },
                Verdict::Error(failure) => Outcome::Failed { failure },
            }
        }
    };
    Done::without_value(task.id, TaskReport::of(outcome))
}

/// Facts of which some are not known: those have no value, the others do.
fn set_facts(context: &Context<'_>, because: &Because) -> Done {
    let Context { run, task, vars, .. } = context;
    if let Arg::Map(map) = &task.args {
        for (key, arg) in map {
            let Ok(name) = args::name(run, key, vars) else { continue };
            let value = match args::one(run, arg, vars) {
                Ok(Some(arg)) => vars::plain(&arg.to_value()),
                Ok(None) => continue,
                Err(Unrendered::Unknown(because)) => vars::unknown(&because),
                Err(Unrendered::Failed(failure)) => return failed(task, failure),
            };
            run.runtime().set(&name, value);
        }
    }
    let outcome = Outcome::Skipped { reason: SkipReason::Unknown { because: because.clone() } };
    Done::without_value(task.id, TaskReport::of(outcome))
}

/// Facts of a task that may or may not set them: none has a value that is known.
pub(crate) fn forget_facts(run: &Run<'_>, task: &Task, vars: &Vars, because: &Because) {
    let Arg::Map(map) = &task.args else { return };
    for name in map.keys().filter_map(|key| args::name(run, key, vars).ok()) {
        run.runtime().set(&name, vars::unknown(because));
    }
}

/// What it reads is not known.
fn not_known(context: &Context<'_>, pure: bool, because: Because) -> Done {
    let outcome = if pure {
        Outcome::Skipped { reason: SkipReason::Unknown { because } }
    } else {
        note_relations(context.run, context.task, context.vars, &because);
        Outcome::MayChange { because }
    };
    Done::without_value(context.task.id, TaskReport::of(outcome))
}

/// An error of a module as an outcome; `report` is what was found before it.
fn trouble(context: &Context<'_>, error: ModuleError, relations: &Relations, report: TaskReport) -> Done {
    let TaskReport { changes, kept, .. } = report;
    let report = |outcome| TaskReport { changes, kept, ..TaskReport::of(outcome) };
    let task = context.task;
    if let Some(because) = error.because().cloned() {
        note(context.run, relations, &because);
        return Done::of(task.id, report(Outcome::MayChange { because }), Map::new());
    }
    let data = match &error {
        ModuleError::Failed { data, .. } => data.clone(),
        _ => Map::new(),
    };
    Done::of(task.id, report(Outcome::Failed { failure: Failure::from_error(&error) }), data)
}

/// `failed_when` and `changed_when`, on a result that has a value.
fn judge(context: &Context<'_>, done: &mut Done) {
    let Context { run, task, vars, .. } = context;
    if done.shown.is_none() || matches!(done.report.outcome, Outcome::Skipped { .. }) {
        return;
    }
    let inner = with_result(task, vars, &done.result);
    let mut outcome = done.report.outcome.clone();
    if let Some(all) = &task.failed_when {
        match condition(run, all, &inner) {
            Verdict::Yes if !matches!(outcome, Outcome::Failed { .. }) => {
                let text = all.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join(" and ");
                outcome = Outcome::Failed { failure: Failure::new(format!("failed_when holds: {text}")) };
            }
            Verdict::No(_) if matches!(outcome, Outcome::Failed { .. }) => {
                // Nobody looked again whether it came to what was wanted.
                done.report.kept = None;
                outcome = if run.checks() { Outcome::WouldChange } else { Outcome::Changed };
            }
            Verdict::Error(failure) => outcome = Outcome::Failed { failure },
            _ => {}
        }
    }
    if let Some(all) = &task.changed_when
        && !matches!(outcome, Outcome::Failed { .. } | Outcome::NotConverged { .. })
    {
        match condition(run, all, &inner) {
            Verdict::Yes => outcome = if run.checks() { Outcome::WouldChange } else { Outcome::Changed },
            Verdict::No(_) => outcome = Outcome::Unchanged,
            Verdict::Unknown(because) => outcome = Outcome::MayChange { because },
            Verdict::Error(failure) => outcome = Outcome::Failed { failure },
        }
    }
    if outcome != done.report.outcome {
        let report = TaskReport { outcome, ..done.report.clone() };
        *done = Done::of(task.id, report, done.shown.take().unwrap_or_default());
    }
}

fn with_finding(mut report: TaskReport) -> TaskReport {
    let worst = report.findings.iter().map(|f: &Finding| f.severity).max();
    if let (Some(severity), Outcome::Unchanged) = (worst, &report.outcome) {
        report.outcome = Outcome::Finding { severity };
    }
    report
}

fn failed(task: &Task, failure: Failure) -> Done {
    let mut done = Done::of(task.id, TaskReport::of(Outcome::Failed { failure }), Map::new());
    if task.no_log {
        censor(&mut done);
    }
    done
}

/// Takes out everything that may carry what `no_log` hides.
fn censor(done: &mut Done) {
    const HIDDEN: &str = "hidden, because the task says no_log";
    let report = &mut done.report;
    report.subject.clear();
    report.messages.clear();
    report.findings.iter_mut().for_each(|f| HIDDEN.clone_into(&mut f.message));
    report.blocked.iter_mut().for_each(|blocked| blocked.most.clear());
    report.changes.iter_mut().for_each(|c| c.diff = rectify_core::event::Diff::Hidden);
    report.result = None;
    done.shown = None;
    if let Outcome::Failed { failure } = &mut report.outcome {
        *failure = Failure::new(format!("failed; the reason is {HIDDEN}"));
    }
}

/// Notes as unknown what a task touches that may, or would, change it.
pub(crate) fn note_relations(run: &Run<'_>, task: &Task, vars: &Vars, because: &Because) {
    let Some(module) = run.registry.find(&task.module) else { return };
    if module.is_pure() {
        return;
    }
    let host = run.stage.host(task.id, false);
    let relations = match args::render(run, task, module, vars, &*host).map(|args| module.instance(&args)) {
        Ok(Ok(instance)) => instance.relations(),
        // Not even what it is about is known.
        _ => Relations::writes([Entity::Tree("/".into())]),
    };
    note(run, &relations, because);
}

fn note(run: &Run<'_>, relations: &Relations, because: &Because) {
    let extents: Vec<Extent> = relations
        .writes
        .iter()
        .map(|entity| match entity {
            Entity::Tree(root) if root == std::path::Path::new("/") => Extent::Anything,
            other => Extent::Entity(other.clone()),
        })
        .collect();
    if !extents.is_empty() {
        run.stage.note_unknown(&extents, because.clone());
    }
}

/// The items of a loop; the inner error is a loop over something that is not known.
pub(crate) fn loop_items(run: &Run<'_>, looping: &Loop, vars: &Vars) -> Result<Result<Vec<Data>, Because>, Failure> {
    let value = match args::one(run, &looping.over, vars) {
        Ok(Some(arg)) => arg.to_value(),
        Ok(None) => Value::Array(Vec::new()),
        Err(Unrendered::Unknown(because)) => return Ok(Err(because)),
        Err(Unrendered::Failed(failure)) => return Err(failure),
    };
    let list = match value {
        Value::Object(map) if looping.dict => {
            map.into_iter().map(|(key, value)| serde_json::json!({ "key": key, "value": value })).collect()
        }
        Value::Array(items) if looping.flatten => items
            .into_iter()
            .flat_map(|item| match item {
                Value::Array(inner) => inner,
                other => vec![other],
            })
            .collect(),
        Value::Array(items) => items,
        other if looping.flatten => vec![other],
        other => {
            return Err(Failure::new(format!("loop: expected a list, found {}", kind_of(&other)))
                .hinting("write `loop: \"{{ [x] }}\"` for a single value, `| dict2items` for a mapping"));
        }
    };
    Ok(Ok(list.iter().map(vars::plain).collect()))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// What an item is called on the screen.
pub(crate) fn label(run: &Run<'_>, looping: &Loop, vars: &Vars, value: &Data, no_log: bool) -> String {
    if no_log {
        return "(hidden)".into();
    }
    let template = looping.label.clone().unwrap_or_else(|| format!("{{{{ {} }}}}", looping.var));
    let text = match run.templates.render_value(&template, vars) {
        Ok(Rendered::Value(Value::String(text))) => text,
        Ok(Rendered::Value(other)) => other.to_string(),
        _ => format!("{value:?}"),
    };
    if text.chars().count() > 200 { text.chars().take(199).chain(['…']).collect() } else { text }
}

/// An item's result with the item itself in it, as loops register it. A result without a value stays without.
pub(crate) fn with_item(done: &Done, var: &str, item: Data) -> Data {
    let Some(shown) = &done.shown else { return done.result.clone() };
    let mut map: IndexMap<std::sync::Arc<str>, Data> =
        shown.iter().map(|(key, value)| (key.as_str().into(), vars::plain(value))).collect();
    map.insert("item".into(), item);
    map.insert("ansible_loop_var".into(), vars::plain(&var.into()));
    Data::map(map)
}
