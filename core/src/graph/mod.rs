//! Drawings of a plan's graph: text, DOT, Mermaid and JSON.
//!
//! A drawing shows the tasks of every play in an order in which they could run, and why each waits for another. Hosts whose graphs
//! are the same share one drawing: [`group`] says which.

mod draw;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::{Origin, Plan, Reason, Task, TaskId};

pub use draw::{dot, mermaid};
pub use text::text;

/// The graph of one plan, or of several hosts' plans that agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The hosts that it is for.
    pub hosts: Vec<String>,
    /// The plays in order.
    pub plays: Vec<Play>,
}

/// A play's part of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Play {
    /// Its name.
    pub name: String,
    /// Its tasks in an order in which they could run, then its handlers as they are listed.
    pub nodes: Vec<Node>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its number in the plan.
    pub task: TaskId,
    /// Its name, as written.
    pub name: String,
    /// Its role.
    pub role: Option<String>,
    /// Its module.
    pub module: String,
    /// Where it stands.
    pub origin: Origin,
    /// Whether it is a handler.
    pub handler: bool,
    /// How many tasks at least come before it, one after the other.
    pub level: usize,
    /// What it waits for.
    pub needs: Vec<Need>,
    /// What it notifies: names of handlers or topics.
    pub notifies: Vec<String>,
    /// What it listens to, if it is a handler.
    pub topics: Vec<String>,
}

/// Why a task waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The other.
    pub on: TaskId,
    /// Why, for programs.
    pub why: Reason,
    /// Why, for people.
    pub words: String,
}

impl Graph {
    /// The graph of one host's plan.
    pub fn new(plan: &Plan) -> Graph {
        let plays = plan.plays.iter().map(|play| {
            let first = (play.first.0 as usize).min(plan.tasks.len());
            let last = (first + play.count as usize).min(plan.tasks.len());
            Play { name: play.name.clone(), nodes: nodes(&plan.tasks[first..last]) }
        });
        Graph { hosts: vec![plan.host.clone()], plays: plays.collect() }
    }

    /// The node of a task.
    pub fn node(&self, task: TaskId) -> Option<&Node> {
        self.plays.iter().flat_map(|p| &p.nodes).find(|n| n.task == task)
    }

    /// As data: an object with `hosts` and `plays`.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// One graph for all hosts whose plans have the same tasks and edges, in the order of the first host of each.
pub fn group<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> Vec<Graph> {
    let mut out: Vec<Graph> = Vec::new();
    for plan in plans {
        let graph = Graph::new(plan);
        match out.iter_mut().find(|known| known.plays == graph.plays) {
            Some(known) => known.hosts.extend(graph.hosts),
            None => out.push(graph),
        }
    }
    out
}

fn nodes(tasks: &[Task]) -> Vec<Node> {
    let levels = levels(tasks);
    let need = |e: &crate::plan::Edge| Need { on: e.on, why: e.why.clone(), words: words(&e.why) };
    let mut nodes: Vec<Node> = tasks
        .iter()
        .map(|task| Node {
            task: task.id,
            name: task.name.clone(),
            role: task.role.clone(),
            module: task.module.clone(),
            origin: task.origin.clone(),
            handler: task.handler.is_some(),
            level: levels.get(&task.id).copied().unwrap_or(0),
            needs: task.needs.iter().map(need).collect(),
            notifies: task.notify.clone(),
            topics: task.handler.iter().flat_map(|h| h.topics.iter().cloned()).collect(),
        })
        .collect();
    nodes.sort_by_key(|n| (n.handler, if n.handler { 0 } else { n.level }, n.task));
    nodes
}

/// The longest chain of tasks before each; what is in a cycle (a damaged plan) stays at the top.
fn levels(tasks: &[Task]) -> BTreeMap<TaskId, usize> {
    let mut waiting: BTreeMap<TaskId, usize> = tasks.iter().map(|t| (t.id, 0)).collect();
    let mut after: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    for task in tasks {
        for edge in task.needs.iter().filter(|e| tasks.iter().any(|t| t.id == e.on)) {
            *waiting.entry(task.id).or_default() += 1;
            after.entry(edge.on).or_default().push(task.id);
        }
    }
    let mut levels: BTreeMap<TaskId, usize> = tasks.iter().map(|t| (t.id, 0)).collect();
    let mut ready: Vec<TaskId> = waiting.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    while let Some(id) = ready.pop() {
        let level = levels[&id] + 1;
        for next in after.get(&id).into_iter().flatten() {
            let at = levels.entry(*next).or_default();
            *at = (*at).max(level);
            if let Some(left) = waiting.get_mut(next) {
                *left -= 1;
                if *left == 0 {
                    ready.push(*next);
                }
            }
        }
    }
    levels
}

/// Why an edge is there, in words.
pub fn words(why: &Reason) -> String {
    match why {
        Reason::Declared => "named in needs".into(),
        Reason::Listed => "listed below it".into(),
        Reason::Resource(what) => format!("uses {what}"),
        Reason::Register(name) => format!("reads the result {name}"),
        Reason::Variable(name) => format!("reads the variable {name}"),
        Reason::Rescue => "runs if it fails".into(),
        Reason::Always => "runs after it in any case".into(),
        Reason::Barrier => "a meta task or the end of a section is between them".into(),
    }
}
