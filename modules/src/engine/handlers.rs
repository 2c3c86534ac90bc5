//! What was notified, and by whom.

use std::collections::{BTreeMap, BTreeSet};

use rectify_core::{
    event::{HostEvent, Outcome, SkipReason, TaskReport},
    module::Because,
    plan::{Play, TaskId},
};

use super::{Run, task};

/// Notifications that are owed.
#[derive(Default)]
pub(crate) struct Notified {
    /// Topics whose notifier changed something, or would.
    certain: BTreeSet<String>,
    /// Topics whose notifier may change something.
    perhaps: BTreeMap<String, Because>,
}

impl Notified {
    /// A task that notifies these topics ended so.
    pub(crate) fn take(&mut self, topics: &[String], outcome: &Outcome) {
        for topic in topics {
            match outcome {
                Outcome::Changed | Outcome::WouldChange => {
                    self.certain.insert(topic.clone());
                }
                Outcome::MayChange { because } => {
                    let known = self.perhaps.remove(topic).unwrap_or_default();
                    self.perhaps.insert(topic.clone(), known.and(because.clone()));
                }
                _ => {}
            }
        }
    }
}

/// Whether a handler is due.
enum Due {
    No,
    Yes,
    Perhaps(Because),
}

fn due(run: &Run<'_>, id: TaskId) -> Due {
    let notified = run.notified.lock().expect("no thread panics while it holds the notifications");
    let Some(handler) = &run.task(id).handler else { return Due::No };
    if handler.topics.iter().any(|t| notified.certain.contains(t)) {
        return Due::Yes;
    }
    let because = handler.topics.iter().filter_map(|t| notified.perhaps.get(t)).cloned().reduce(Because::and);
    because.map_or(Due::No, Due::Perhaps)
}

/// Runs the handlers of a play that are due, in the order in which they are written. A handler may notify one that stands
/// below it, or above it: then it runs in the next round.
pub(crate) fn flush(run: &Run<'_>, play: &Play, done: &mut BTreeMap<TaskId, Outcome>) {
    let handlers: Vec<TaskId> = ids(play).filter(|id| run.task(*id).handler.is_some()).collect();
    loop {
        let mut ran_one = false;
        for id in &handlers {
            if run.cancel.is_stopped() || done.contains_key(id) {
                continue;
            }
            let because = match due(run, *id) {
                Due::No => continue,
                Due::Yes => None,
                Due::Perhaps(because) => Some(because),
            };
            ran_one = true;
            let outcome = task::run(run, play, *id, because);
            done.insert(*id, outcome);
        }
        if !ran_one {
            return;
        }
    }
}

/// Says of every handler of a play that has not run why it did not.
pub(crate) fn settle(run: &Run<'_>, play: &Play, done: &BTreeMap<TaskId, Outcome>) {
    for id in ids(play).filter(|id| run.task(*id).handler.is_some() && !done.contains_key(id)) {
        let interrupted = run.cancel.is_stopped() && !matches!(due(run, id), Due::No);
        let reason = if interrupted { SkipReason::Interrupted } else { SkipReason::NotNotified };
        let report = Box::new(TaskReport::of(Outcome::Skipped { reason }));
        (run.emit)(HostEvent::TaskFinished { task: id, report });
    }
    *run.notified.lock().expect("no thread panics while it holds the notifications") = Notified::default();
}

/// The tasks of a play, handlers included.
pub(crate) fn ids(play: &Play) -> impl Iterator<Item = TaskId> + use<> {
    (play.first.0..play.first.0 + play.count).map(TaskId)
}
