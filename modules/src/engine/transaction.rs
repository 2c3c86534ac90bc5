//! Transactions: what the tasks of a block change is kept if all goes well and the whole is valid, and taken back otherwise.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rectify_core::{
    arg::Arg,
    event::{Failure, HostEvent, Outcome, SkipReason, TaskReport},
    module::{Command, HostError, Output},
    plan::{Plan, Play, Section, Task, TaskId},
};
use serde_json::{Map, Value};

use super::{
    HostRef, Run,
    args::{self, Unrendered},
    handlers::Notified,
    item::{self, Context},
    results::Done,
    schedule::Gone,
    task, vars,
};
use crate::host::{kept::Kept, recorded::Recorded};

/// The transactions that are open, by the task that ends each.
pub(crate) type Open = Mutex<BTreeMap<TaskId, Pending>>;

/// What the tasks of a transaction have done so far.
#[derive(Default)]
pub(crate) struct Pending {
    kept: Arc<Mutex<Kept>>,
    /// The tasks that changed something, or would.
    changed: Vec<TaskId>,
    /// Whether a task may have changed something.
    perhaps: bool,
    /// Nobody hears of these before the end.
    notified: Notified,
}

/// The task that ends the transaction in which this one stands.
fn end_of(plan: &Plan, task: &Task) -> Option<TaskId> {
    let mut bodies = plan.places(task).filter(|place| place.section == Section::Body);
    bodies.find_map(|place| Some(plan.blocks.get(place.block.0 as usize)?.transaction.as_ref()?.end))
}

fn open<'r>(run: &'r Run<'_>) -> MutexGuard<'r, BTreeMap<TaskId, Pending>> {
    run.transactions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host for a task: in a transaction, one that keeps what it replaces.
pub(crate) fn host<'h>(run: &Run<'_>, task: &Task, host: HostRef<'h>) -> HostRef<'h> {
    match end_of(run.plan, task) {
        None => host,
        Some(end) => Recorded::wrap(host, open(run).entry(end).or_default().kept.clone()),
    }
}

/// Takes in how a task went, and whom it notifies.
pub(crate) fn take(run: &Run<'_>, task: &Task, topics: &[String], outcome: &Outcome) {
    let Some(end) = end_of(run.plan, task) else {
        let mut notified = run.notified.lock().expect("no thread panics while it holds the notifications");
        notified.take(topics, outcome);
        return;
    };
    let mut open = open(run);
    let pending = open.entry(end).or_default();
    pending.notified.take(topics, outcome);
    match outcome {
        Outcome::Changed | Outcome::WouldChange => pending.changed.push(task.id),
        Outcome::MayChange { .. } => pending.perhaps = true,
        _ => {}
    }
}

/// Ends a transaction. It is taken back if a task failed on which its end depends, or if it was not gone through.
pub(crate) fn end(
    run: &Run<'_>,
    play: &Play,
    id: TaskId,
    failed: Option<TaskId>,
    stopped: Option<SkipReason>,
    rescued: bool,
) -> Gone {
    let task = run.task(id);
    let pending = open(run).remove(&id).unwrap_or_default();
    (run.emit)(HostEvent::TaskStarted { task: id, name: task.name.clone() });
    let broken = match (failed, stopped) {
        (_, Some(SkipReason::Interrupted)) => Some(SkipReason::Interrupted),
        (Some(task), _) => Some(SkipReason::Dependency { task }),
        (None, stopped) => stopped,
    };
    let done = match broken {
        Some(reason) => {
            let outcome = match take_back(run, id, &pending, failed.unwrap_or(id)) {
                Ok(()) => Outcome::Skipped { reason },
                Err(failure) => Outcome::Failed { failure },
            };
            Done::of(id, TaskReport::of(outcome), Map::new())
        }
        None if pending.changed.is_empty() && !pending.perhaps => {
            let reason = SkipReason::Guard { found: "nothing in the transaction changed".into() };
            Done::of(id, TaskReport::of(Outcome::Skipped { reason }), Map::new())
        }
        None => settle(run, play, task, pending),
    };
    task::report(run, task, &task.name, done, rescued)
}

/// All tasks went well: is the whole valid?
fn settle(run: &Run<'_>, play: &Play, task: &Task, pending: Pending) -> Done {
    let vars = vars::of_task(run, play, task);
    match validate(&Context { run, task, vars: &vars }) {
        Ok(valid) => {
            run.notified.lock().expect("no thread panics while it holds the notifications").add(pending.notified);
            match valid {
                Valid::Is => Done::of(task.id, TaskReport::of(Outcome::Unchanged), Map::new()),
                Valid::NotRehearsed => {
                    let outcome = Outcome::Skipped { reason: SkipReason::NotRehearsed };
                    Done::without_value(task.id, TaskReport::of(outcome))
                }
            }
        }
        Err(invalid) => {
            let Invalid { mut failure, data } = *invalid;
            match take_back(run, task.id, &pending, task.id) {
                Ok(()) => {
                    failure.hint = Some("everything is as it was before the block, and no handler was notified".into())
                }
                Err(second) => failure.causes.extend(std::iter::once(second.message).chain(second.causes)),
            }
            Done::of(task.id, TaskReport::of(Outcome::Failed { failure }), data)
        }
    }
}

/// Puts back what the transaction replaced, and says so.
fn take_back(run: &Run<'_>, id: TaskId, pending: &Pending, because: TaskId) -> Result<(), Failure> {
    let kept = pending.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let restored = kept.restore(&*run.stage.host(id, false));
    match restored {
        // A rehearsal of what is not known has nothing to put back.
        Err(HostError::Unknown(_)) if run.checks() => {}
        Err(error) => {
            let mut failure = Failure::from_error(&error);
            failure.causes.insert(0, std::mem::take(&mut failure.message));
            failure.message = "what the transaction had changed could not all be put back".into();
            return Err(failure);
        }
        Ok(()) => {}
    }
    if !pending.changed.is_empty() {
        let tasks = pending.changed.clone();
        (run.emit)(HostEvent::RolledBack { tasks, because });
    }
    Ok(())
}

/// Why a transaction is not valid, and what its result says of it.
struct Invalid {
    failure: Failure,
    data: Map<String, Value>,
}

impl Invalid {
    fn plain(failure: Failure) -> Box<Invalid> {
        Box::new(Invalid { failure, data: Map::new() })
    }
}

enum Valid {
    Is,
    /// A check does not run the commands.
    NotRehearsed,
}

/// Runs the commands that say whether the whole is valid, one after the other.
fn validate(context: &Context<'_>) -> Result<Valid, Box<Invalid>> {
    let Context { run, task, vars } = context;
    let plain = Invalid::plain;
    let host = item::as_user(context, run.stage.host(task.id, false)).map_err(plain)?;
    let mut valid = Valid::Is;
    for command in commands(task) {
        let text = match args::one(run, command, vars) {
            Ok(Some(Arg::Scalar(text))) => text.text,
            Ok(_) => return Err(plain(Failure::new("transaction: validate is no command"))),
            Err(Unrendered::Failed(failure)) => return Err(plain(failure)),
            Err(Unrendered::Unknown(_)) => {
                valid = Valid::NotRehearsed;
                continue;
            }
        };
        let argv = shlex::split(&text).filter(|words| !words.is_empty());
        let argv = argv.ok_or_else(|| plain(Failure::new(format!("transaction: validate: {text:?} is no command"))))?;
        if run.checks() || task.check_mode == Some(true) {
            // It would be asked about what is on the disk, not about what would be there.
            valid = Valid::NotRehearsed;
            continue;
        }
        match host.probe(&Command::new(argv)) {
            Ok(output) if output.code == 0 => {}
            Ok(output) => return Err(refused(&text, &output, task.no_log)),
            Err(error) => return Err(plain(Failure::from_error(&error))),
        }
    }
    Ok(valid)
}

fn commands(task: &Task) -> &[Arg] {
    match &task.args {
        Arg::Map(map) => match map.get("validate") {
            Some(Arg::List(commands)) => commands,
            _ => &[],
        },
        _ => &[],
    }
}

fn refused(command: &str, output: &Output, hidden: bool) -> Box<Invalid> {
    let mut failure = Failure::new(format!("`{command}` says that it is not valid (exit {})", output.code));
    if hidden {
        let hidden = "the validation failed; what it said is hidden, because the block says no_log";
        return Invalid::plain(Failure::new(hidden));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let said = if stderr.trim().is_empty() { &stdout } else { &stderr };
    failure.causes = said.lines().map(str::trim_end).filter(|l| !l.is_empty()).take(20).map(str::to_owned).collect();
    let data = [("rc", output.code.into()), ("stdout", stdout.into()), ("stderr", stderr.into())];
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Box::new(Invalid { failure, data })
}
