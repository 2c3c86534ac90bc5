//! Where a run plays: on the machine, or on a rehearsal of it.

use std::ops::Deref;

use rectify_core::{
    module::{Because, Extent, Observe, Operate},
    plan::TaskId,
};

use crate::host::rehearsal::Rehearsal;

/// The host that a task works on, lent or made for it.
pub enum HostRef<'a> {
    /// Lent.
    Lent(&'a (dyn Operate + 'a)),
    /// Made for the task.
    Made(Box<dyn Operate + 'a>),
}

impl<'a> Deref for HostRef<'a> {
    type Target = dyn Operate + 'a;

    fn deref(&self) -> &Self::Target {
        match self {
            HostRef::Lent(host) => *host,
            HostRef::Made(host) => &**host,
        }
    }
}

/// Hands out the host that a task works on.
pub trait Stage: Sync {
    /// The host for this task. With `rehearsed` true the task must not reach the machine even in an apply.
    fn host(&self, task: TaskId, rehearsed: bool) -> HostRef<'_>;

    /// Notes effects that will not be known from here on, and the tasks that they are due to.
    fn note_unknown(&self, extents: &[Extent], because: Because);

    /// A rehearsal over this stage as this task sees it, on which nothing that happens is seen here.
    fn aside(&self, task: TaskId) -> Rehearsal<'_>;
}

/// The machine itself.
pub struct ApplyStage<'a> {
    machine: &'a (dyn Operate + 'a),
}

impl<'a> ApplyStage<'a> {
    /// On this machine.
    pub fn new(machine: &'a dyn Operate) -> Self {
        ApplyStage { machine }
    }
}

impl Stage for ApplyStage<'_> {
    fn host(&self, task: TaskId, rehearsed: bool) -> HostRef<'_> {
        if rehearsed {
            // `check_mode: true`: a rehearsal of this one task, forgotten with it.
            HostRef::Made(Box::new(self.aside(task).for_task(task)))
        } else {
            HostRef::Lent(self.machine)
        }
    }

    fn note_unknown(&self, _extents: &[Extent], _because: Because) {}

    fn aside(&self, _task: TaskId) -> Rehearsal<'_> {
        Rehearsal::new(self.machine).with_blobs(|sha256| self.machine.blob(sha256))
    }
}

/// A rehearsal.
pub struct CheckStage<'a> {
    rehearsal: Rehearsal<'a>,
}

impl<'a> CheckStage<'a> {
    /// On this rehearsal.
    pub fn new(rehearsal: Rehearsal<'a>) -> Self {
        CheckStage { rehearsal }
    }
}

impl Stage for CheckStage<'_> {
    fn host(&self, task: TaskId, _rehearsed: bool) -> HostRef<'_> {
        HostRef::Made(Box::new(self.rehearsal.for_task(task)))
    }

    fn note_unknown(&self, extents: &[Extent], because: Because) {
        self.rehearsal.note_unknown(extents, because);
    }

    fn aside(&self, task: TaskId) -> Rehearsal<'_> {
        let (seen, blobs) = (self.rehearsal.for_task(task), self.rehearsal.for_task(task));
        Rehearsal::shared(std::sync::Arc::new(seen)).with_blobs(move |sha256| blobs.blob(sha256))
    }
}
