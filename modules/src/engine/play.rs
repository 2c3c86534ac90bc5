//! One play on one host: its tasks by the graph, then its handlers.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use rectify_core::{
    event::{HostEvent, Outcome, SkipReason, TaskReport},
    plan::{Play, Task, TaskId},
};

use super::{
    Run,
    blocks::Blocks,
    handlers,
    schedule::{self, Gone, Turn},
    task, transaction, vars,
};

/// Why the plays that follow do not run.
pub(crate) enum Ended {
    /// A task failed.
    Failed(TaskId),
    /// `meta: end_host`.
    Asked,
}

/// Runs a play, unless the host has ended before it; says in `ended` whether the plays after it may run.
pub(crate) fn run(run: &Run<'_>, play: &Play, ended: &mut Option<Ended>) {
    let tasks: Vec<&Task> = handlers::ids(play).map(|id| run.task(id)).filter(|t| t.handler.is_none()).collect();
    if let Some(why) = ended {
        let reason = match why {
            Ended::Failed(task) => SkipReason::Dependency { task: *task },
            Ended::Asked => SkipReason::Ended,
        };
        handlers::ids(play).for_each(|id| skip(run, id, reason.clone()));
        return;
    }
    run.runtime().begin_play();
    if play.gather_facts {
        let host = run.stage.host(play.first, false);
        if let Err(error) = vars::gather(run, &*host) {
            (run.emit)(HostEvent::Notice { task: None, message: format!("facts could not be gathered: {error}") });
        }
    }
    let turns = handlers::Turns::default();
    let over = AtomicBool::new(false);
    let host_over = Mutex::new(false);
    let blocks = Blocks::new(run.plan, &tasks);
    let work = |id: TaskId, turn: Turn| {
        let stopped = || {
            let ended = over.load(Ordering::SeqCst).then_some(SkipReason::Ended);
            if run.cancel.is_stopped() { Some(SkipReason::Interrupted) } else { ended }
        };
        let perhaps = match turn {
            Turn::End(failed) => return transaction::end(run, play, id, failed, stopped(), blocks.is_rescued(id)),
            Turn::Skip(root) => return skip_outcome(run, id, SkipReason::Dependency { task: root }),
            Turn::Spare if !run.cancel.is_stopped() => return skip_outcome(run, id, SkipReason::NothingFailed),
            Turn::Perhaps(because) => Some(because),
            Turn::Run | Turn::Spare => None,
        };
        if let Some(reason) = stopped() {
            return skip_outcome(run, id, reason);
        }
        let gone = task::run(run, play, id, perhaps, blocks.is_rescued(id));
        if let (Outcome::Unchanged, Some(word)) = (&gone.outcome, task::meta(run.task(id))) {
            if word == "flush_handlers" {
                handlers::flush(run, play, &turns);
            }
            over.fetch_or(matches!(word, "end_play" | "end_host"), Ordering::SeqCst);
            *host_over.lock().expect("nothing panics while it holds this") |= word == "end_host";
        }
        gone
    };
    let walked = schedule::walk(&tasks, &blocks, run.plan.options.parallel as usize, &work);
    handlers::flush(run, play, &turns);
    handlers::settle(run, play, &turns);
    let turns = turns.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let of_handlers = turns.iter().flat_map(|(id, outcomes)| outcomes.iter().map(move |o| (id, o)));
    let of_tasks =
        walked.done.iter().filter(|(id, _)| !walked.rescued.contains(id)).map(|(id, gone)| (id, &gone.outcome));
    // A failure that its task ignores has come back from `task::run` as success.
    if let Some((id, _)) = of_tasks.chain(of_handlers).find(|(_, outcome)| outcome.is_failure()) {
        *ended = Some(Ended::Failed(*id));
    } else if host_over.into_inner().expect("nothing panics while it holds this") {
        *ended = Some(Ended::Asked);
    }
}

fn skip(run: &Run<'_>, id: TaskId, reason: SkipReason) {
    let report = Box::new(TaskReport::of(Outcome::Skipped { reason }));
    (run.emit)(HostEvent::TaskFinished { task: id, report });
}

fn skip_outcome(run: &Run<'_>, id: TaskId, reason: SkipReason) -> Gone {
    skip(run, id, reason.clone());
    Gone::surely(Outcome::Skipped { reason })
}
