//! Blocks with `rescue` and `always`: whose failure concerns whom.

use std::collections::BTreeMap;

use rectify_core::{
    plan::{BlockId, Place, Plan, Section, Task, TaskId},
    small::gather,
};

/// Where the tasks of a walk stand.
pub(crate) struct Blocks {
    /// The blocks that a task stands in, innermost first.
    chains: BTreeMap<TaskId, Vec<Place>>,
    /// The tasks that end a transaction, and its block.
    ends: BTreeMap<TaskId, BlockId>,
}

impl Blocks {
    pub(crate) fn new(plan: &Plan, tasks: &[&Task]) -> Blocks {
        let placed = tasks.iter().filter(|task| task.place.is_some());
        let number = |at: usize| BlockId(u32::try_from(at).unwrap_or(u32::MAX));
        let ends = plan.blocks.iter().enumerate().filter_map(|(at, b)| Some((b.transaction.as_ref()?.end, number(at))));
        Blocks { chains: gather(placed.map(|task| (task.id, plan.places(task).collect()))), ends: gather(ends) }
    }

    /// The blocks that a task stands in, innermost first.
    pub(crate) fn chain(&self, task: TaskId) -> &[Place] {
        self.chains.get(&task).map_or(&[], Vec::as_slice)
    }

    /// The transaction that a task ends.
    pub(crate) fn ended_by(&self, task: TaskId) -> Option<BlockId> {
        self.ends.get(&task).copied()
    }

    /// Whether a task stands in a part of a block, or in a block within it.
    pub(crate) fn is_in(&self, task: TaskId, block: BlockId, section: Section) -> bool {
        self.chain(task).contains(&Place { block, section })
    }

    /// The tasks of a part of a block, those of the blocks within it included.
    pub(crate) fn members(&self, block: BlockId, section: Section) -> impl Iterator<Item = TaskId> {
        let within = move |chain: &Vec<Place>| chain.contains(&Place { block, section });
        self.chains.iter().filter(move |(_, chain)| within(chain)).map(|(task, _)| *task)
    }

    /// Whether a failure of `task` makes a `rescue` run.
    pub(crate) fn is_rescued(&self, task: TaskId) -> bool {
        let rescued = |place: &Place| {
            place.section == Section::Body && self.members(place.block, Section::Rescue).next().is_some()
        };
        self.chain(task).iter().any(rescued)
    }

    /// Whether `task` runs although `failed` failed, because it stands under `rescue` or `always` of the same block.
    pub(crate) fn copes(&self, task: TaskId, failed: TaskId) -> bool {
        self.chain(task).iter().any(|place| {
            let in_part = |section| self.is_in(failed, place.block, section);
            match place.section {
                Section::Body => false,
                Section::Rescue => in_part(Section::Body),
                Section::Always => in_part(Section::Body) || in_part(Section::Rescue),
            }
        })
    }
}
