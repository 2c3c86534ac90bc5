//! The DAG of a play, worked off by a bounded pool of threads.
//!
//! A failure skips what depends on it. It goes along the edges as the *root* of what it skips, past tasks under `rescue` and `always` of
//! the same block, which run all the same, and ends where a `rescue` went well.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex},
};

use rectify_core::{
    event::{Outcome, SkipReason},
    module::Because,
    plan::{Section, Task, TaskId},
    small::gather,
};

use super::blocks::Blocks;

/// What becomes of a task whose turn it is.
pub(crate) enum Turn {
    /// All that it waits for went well: run it.
    Run,
    /// Something that it depends on, directly or not, failed: this task.
    Skip(TaskId),
    /// It stands under `rescue`, and nothing in the block failed.
    Spare,
    /// It stands under `rescue`, and whether something in the block fails is not known.
    Perhaps(Because),
    /// It ends a transaction, and depends on this failure, if on any.
    End(Option<TaskId>),
}

/// How a task went.
pub(crate) struct Gone {
    pub(crate) outcome: Outcome,
    /// Why a rehearsal cannot tell whether it would fail.
    pub(crate) unsure: Option<Because>,
}

impl Gone {
    pub(crate) fn surely(outcome: Outcome) -> Gone {
        Gone { outcome, unsure: None }
    }
}

/// How all tasks of a play went.
pub(crate) struct Walked {
    pub(crate) done: BTreeMap<TaskId, Gone>,
    /// The failures that a `rescue` made good.
    pub(crate) rescued: BTreeSet<TaskId>,
}

struct State<'a> {
    blocks: &'a Blocks,
    /// How many of a task's predecessors are still open.
    open: BTreeMap<TaskId, usize>,
    /// Tasks whose turn it is; the lowest number goes first, which keeps the playbook's order where the graph leaves it open.
    ready: BTreeSet<TaskId>,
    /// The failures that a task depends on, directly or not.
    roots: BTreeMap<TaskId, BTreeSet<TaskId>>,
    done: BTreeMap<TaskId, Gone>,
    rescued: BTreeSet<TaskId>,
    running: usize,
}

/// Calls `work` for each of `tasks` once everything that it needs is done, from up to `threads` threads. Predecessors that
/// are not among `tasks` count as done. Returns how each went.
pub(crate) fn walk(
    tasks: &[&Task],
    blocks: &Blocks,
    threads: usize,
    work: &(dyn Fn(TaskId, Turn) -> Gone + Sync),
) -> Walked {
    let ids: BTreeSet<TaskId> = gather(tasks.iter().map(|t| t.id));
    let mut followers: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    let mut open = BTreeMap::new();
    for task in tasks {
        let before: BTreeSet<TaskId> = gather(task.needs.iter().map(|e| e.on).filter(|on| ids.contains(on)));
        open.insert(task.id, before.len());
        for on in before {
            followers.entry(on).or_default().push(task.id);
        }
    }
    let ready = open.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    let (roots, done, rescued) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let state = Mutex::new(State { blocks, open, ready, roots, done, rescued, running: 0 });
    let changed = Condvar::new();
    let threads = threads.clamp(1, tasks.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| worker(&state, &changed, &followers, work));
        }
        worker(&state, &changed, &followers, work);
    });
    let state = state.into_inner().expect("no worker panics while it holds the state");
    Walked { done: state.done, rescued: state.rescued }
}

fn worker(
    state: &Mutex<State<'_>>,
    changed: &Condvar,
    followers: &BTreeMap<TaskId, Vec<TaskId>>,
    work: &(dyn Fn(TaskId, Turn) -> Gone + Sync),
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
        let turn = now.turn(id);
        drop(now);
        let gone = work(id, turn);
        now = state.lock().expect("no worker panics while it holds the state");
        now.running -= 1;
        now.finish(id, gone, followers.get(&id).map_or(&[], Vec::as_slice));
        changed.notify_all();
    }
}

impl State<'_> {
    fn turn(&self, id: TaskId) -> Turn {
        let end = self.blocks.ended_by(id);
        let mut roots = self.roots.get(&id).into_iter().flatten();
        let own = |root: TaskId| end.is_some_and(|block| self.blocks.is_in(root, block, Section::Body));
        let concerned =
            |root: &&TaskId| !self.rescued.contains(root) && (own(**root) || !self.blocks.copes(id, **root));
        if let Some(root) = roots.find(concerned) {
            return if end.is_some() { Turn::End(Some(*root)) } else { Turn::Skip(*root) };
        }
        let mut unsure: Option<Because> = None;
        for place in self.blocks.chain(id).iter().filter(|place| place.section == Section::Rescue) {
            let body = || self.blocks.members(place.block, Section::Body).filter_map(|t| Some((t, self.done.get(&t)?)));
            if body().any(|(task, gone)| gone.outcome.is_failure() && !self.rescued.contains(&task)) {
                continue;
            }
            match body().filter_map(|(_, gone)| gone.unsure.clone()).reduce(Because::and) {
                None => return Turn::Spare,
                Some(because) => unsure = Some(unsure.map_or(because.clone(), |known| known.and(because))),
            }
        }
        if end.is_some() {
            return Turn::End(None);
        }
        unsure.map_or(Turn::Run, Turn::Perhaps)
    }

    fn finish(&mut self, id: TaskId, gone: Gone, followers: &[TaskId]) {
        let mut roots = self.roots.get(&id).cloned().unwrap_or_default();
        let skipped = matches!(gone.outcome, Outcome::Skipped { reason: SkipReason::Dependency { .. } });
        if !gone.outcome.is_success() && !skipped {
            roots.insert(id);
        }
        self.done.insert(id, gone);
        self.settle(id);
        for next in followers {
            if !roots.is_empty() {
                self.roots.entry(*next).or_default().extend(roots.iter().copied());
            }
            let open = self.open.get_mut(next).expect("followers are tasks of this walk");
            *open -= 1;
            if *open == 0 {
                self.ready.insert(*next);
            }
        }
    }

    /// With the last task of a `rescue`, if all of it went well, the failures of the block are made good.
    fn settle(&mut self, id: TaskId) {
        for place in self.blocks.chain(id).iter().filter(|place| place.section == Section::Rescue) {
            let went_well = |task: TaskId| {
                self.done.get(&task).is_some_and(|gone| gone.outcome.is_success() || self.rescued.contains(&task))
            };
            if self.blocks.members(place.block, Section::Rescue).all(went_well) {
                let failed = self.blocks.members(place.block, Section::Body);
                let failed: Vec<TaskId> =
                    failed.filter(|t| self.done.get(t).is_some_and(|gone| gone.outcome.is_failure())).collect();
                self.rescued.extend(failed);
            }
        }
    }
}
