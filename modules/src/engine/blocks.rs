//! Blocks with `rescue` and `always`: whose failure concerns whom.

use std::collections::BTreeMap;

use rectify_core::plan::{BlockId, Place, Plan, Section, Task, TaskId};

/// Where the tasks of a walk stand.
pub(crate) struct Blocks {
    /// The blocks that a task stands in, innermost first.
    chains: BTreeMap<TaskId, Vec<Place>>,
}

impl Blocks {
    pub(crate) fn new(plan: &Plan, tasks: &[&Task]) -> Blocks {
        let chain = |task: &Task| {
            let mut chain = Vec::new();
            let mut at = task.place;
            while let Some(place) = at
                && chain.len() <= plan.blocks.len()
            {
                chain.push(place);
                at = plan.blocks.get(place.block.0 as usize).and_then(|block| block.within);
            }
            chain
        };
        let placed = tasks.iter().filter(|task| task.place.is_some());
        Blocks { chains: placed.map(|task| (task.id, chain(task))).collect() }
    }

    /// The blocks that a task stands in, innermost first.
    pub(crate) fn chain(&self, task: TaskId) -> &[Place] {
        self.chains.get(&task).map_or(&[], Vec::as_slice)
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
            let in_part = |section| self.chain(failed).contains(&Place { block: place.block, section });
            match place.section {
                Section::Body => false,
                Section::Rescue => in_part(Section::Body),
                Section::Always => in_part(Section::Body) || in_part(Section::Rescue),
            }
        })
    }
}
