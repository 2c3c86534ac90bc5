//! The DAG of a play, worked off by a bounded pool of threads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex},
};

use rectify_core::{
    event::Outcome,
    plan::{Task, TaskId},
};

/// What becomes of a task whose turn it is.
pub(crate) enum Turn {
    /// All that it waits for went well: run it.
    Run,
    /// Something that it depends on, directly or not, failed: this task.
    Skip(TaskId),
}

struct State {
    /// How many of a task's predecessors are still open.
    open: BTreeMap<TaskId, usize>,
    /// Tasks whose turn it is; the lowest number goes first, which keeps the playbook's order where the graph leaves it open.
    ready: BTreeSet<TaskId>,
    /// For a task with a failed predecessor: the task at the root of it.
    poisoned: BTreeMap<TaskId, TaskId>,
    done: BTreeMap<TaskId, Outcome>,
    running: usize,
}

/// Calls `work` for each of `tasks` once everything that it needs is done, from up to `threads` threads. Predecessors that
/// are not among `tasks` count as done. Returns how each went.
pub(crate) fn walk(
    tasks: &[&Task],
    threads: usize,
    work: &(dyn Fn(TaskId, Turn) -> Outcome + Sync),
) -> BTreeMap<TaskId, Outcome> {
    let ids: BTreeSet<TaskId> = tasks.iter().map(|t| t.id).collect();
    let mut followers: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    let mut open = BTreeMap::new();
    for task in tasks {
        let before: BTreeSet<TaskId> = task.needs.iter().map(|e| e.on).filter(|on| ids.contains(on)).collect();
        open.insert(task.id, before.len());
        for on in before {
            followers.entry(on).or_default().push(task.id);
        }
    }
    let ready = open.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    let state = Mutex::new(State { open, ready, poisoned: BTreeMap::new(), done: BTreeMap::new(), running: 0 });
    let changed = Condvar::new();
    let threads = threads.clamp(1, tasks.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| worker(&state, &changed, &followers, work));
        }
        worker(&state, &changed, &followers, work);
    });
    state.into_inner().expect("no worker panics while it holds the state").done
}

fn worker(
    state: &Mutex<State>,
    changed: &Condvar,
    followers: &BTreeMap<TaskId, Vec<TaskId>>,
    work: &(dyn Fn(TaskId, Turn) -> Outcome + Sync),
) {
    let mut now = state.lock().expect("no worker panics while it holds the state");
    loop {
        let Some(id) = now.ready.pop_first() else {
            if now.running == 0 {
                changed.notify_all();
                return;
            }
            now = changed.wait(now).expect("no worker panics while it holds the state");
            continue;
        };
        now.running += 1;
        let turn = now.poisoned.get(&id).map_or(Turn::Run, |root| Turn::Skip(*root));
        drop(now);
        let outcome = work(id, turn);
        now = state.lock().expect("no worker panics while it holds the state");
        now.running -= 1;
        now.finish(id, outcome, followers.get(&id).map_or(&[], Vec::as_slice));
        changed.notify_all();
    }
}

impl State {
    fn finish(&mut self, id: TaskId, outcome: Outcome, followers: &[TaskId]) {
        let root = self.poisoned.get(&id).copied().or((!outcome.is_success()).then_some(id));
        for next in followers {
            if let Some(root) = root {
                self.poisoned.entry(*next).or_insert(root);
            }
            let open = self.open.get_mut(next).expect("followers are tasks of this walk");
            *open -= 1;
            if *open == 0 {
                self.ready.insert(*next);
            }
        }
        self.done.insert(id, outcome);
    }
}
