//! What was notified, and by whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use rectify_core::{
    event::{HostEvent, Outcome, SkipReason, TaskReport},
    module::Because,
    plan::{Play, TaskId},
};

use super::{Run, task, vars};

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
                Outcome::MayChange { because } => self.doubt(topic.clone(), because.clone()),
                _ => {}
            }
        }
    }

    fn doubt(&mut self, topic: String, because: Because) {
        let known = self.perhaps.remove(&topic).unwrap_or_default();
        self.perhaps.insert(topic, known.and(because));
    }

    /// Takes in what was held back.
    pub(crate) fn add(&mut self, more: Notified) {
        self.certain.extend(more.certain);
        more.perhaps.into_iter().for_each(|(topic, because)| self.doubt(topic, because));
    }

    fn due(&self, topics: &[String]) -> Due {
        if topics.iter().any(|t| self.certain.contains(t)) {
            return Due::Yes;
        }
        let because = topics.iter().filter_map(|t| self.perhaps.get(t)).cloned().reduce(Because::and);
        because.map_or(Due::No, Due::Perhaps)
    }
}

/// Whether a handler is due.
enum Due {
    No,
    Yes,
    Perhaps(Because),
}

/// The handlers of a play that have begun, and how each of their turns ended: one turn for every flush that found it owed.
pub(crate) type Turns = Mutex<BTreeMap<TaskId, Vec<Outcome>>>;

/// Runs the handlers of a play that are owed, in the order in which they are written, each at most once. One that is notified
/// by another handler below it is owed again, and stays so until the next flush.
pub(crate) fn flush(run: &Run<'_>, play: &Play, turns: &Turns) {
    let mut ran = BTreeSet::new();
    loop {
        let owed = std::mem::take(&mut *lock(run.notified));
        let next: Vec<(TaskId, Due)> = ids(play)
            .filter_map(|id| run.task(id).handler.as_ref().map(|handler| (id, owed.due(&handler.topics))))
            .filter(|(id, due)| !matches!(due, Due::No) && !ran.contains(id))
            .collect();
        if next.is_empty() {
            return;
        }
        for (id, due) in next {
            if run.cancel.is_stopped() {
                return;
            }
            ran.insert(id);
            turn(run, play, id, due, turns);
        }
    }
}

fn turn(run: &Run<'_>, play: &Play, id: TaskId, due: Due, turns: &Turns) {
    let task = run.task(id);
    let vars = vars::of_task(run, play, task);
    let earlier = lock(turns).get(&id).map_or(0, Vec::len);
    if earlier == 0 {
        (run.emit)(HostEvent::TaskStarted { task: id, name: task.name.clone() });
    }
    let because = match due {
        Due::Perhaps(because) => Some(because),
        _ => None,
    };
    let done = task::perform(run, task, &vars, because);
    let outcome = if done.report.ignored { Outcome::Unchanged } else { done.report.outcome.clone() };
    // Whether there will be a second turn is not known yet, so each is an item; the first needs no name.
    let item = if earlier == 0 { String::new() } else { format!("turn {}", earlier + 1) };
    (run.emit)(HostEvent::ItemFinished { task: id, item, report: Box::new(done.report) });
    lock(turns).entry(id).or_default().push(outcome);
}

/// Ends every handler of a play: with what became of its turns, or with why it had none.
pub(crate) fn settle(run: &Run<'_>, play: &Play, turns: &Turns) {
    let owed = std::mem::take(&mut *lock(run.notified));
    let turns = lock(turns);
    for id in ids(play) {
        let Some(handler) = &run.task(id).handler else { continue };
        let outcome = match turns.get(&id) {
            Some(outcomes) => task::together(outcomes.clone()),
            None if run.cancel.is_stopped() && !matches!(owed.due(&handler.topics), Due::No) => {
                Outcome::Skipped { reason: SkipReason::Interrupted }
            }
            None => Outcome::Skipped { reason: SkipReason::NotNotified },
        };
        (run.emit)(HostEvent::TaskFinished { task: id, report: Box::new(TaskReport::of(outcome)) });
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The tasks of a play, handlers included.
pub(crate) fn ids(play: &Play) -> impl Iterator<Item = TaskId> + use<> {
    (play.first.0..play.first.0 + play.count).map(TaskId)
}
