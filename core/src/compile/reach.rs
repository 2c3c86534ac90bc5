//! Which tasks come before which, also through others.

use petgraph::{
    algo::toposort,
    graph::{DiGraph, NodeIndex},
};

use super::order::Before;
use crate::plan::Reason;

/// The closure of a graph without cycles.
pub(crate) struct Reach {
    sorted: Vec<usize>,
    words: usize,
    earlier: Vec<u64>,
}

/// The edges as petgraph has them, from the earlier to the later task.
pub(crate) fn graph(before: &[Vec<Before>]) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(before.len(), before.iter().map(Vec::len).sum());
    for _ in before {
        graph.add_node(());
    }
    for (task, edges) in before.iter().enumerate() {
        for (on, _) in edges {
            graph.add_edge(NodeIndex::new(*on), NodeIndex::new(task), ());
        }
    }
    graph
}

impl Reach {
    /// Of a graph without cycles; with one, nothing is before anything.
    pub(crate) fn new(before: &[Vec<Before>]) -> Reach {
        let sorted = toposort(&graph(before), None).unwrap_or_default();
        let sorted: Vec<usize> = sorted.into_iter().map(NodeIndex::index).collect();
        let words = before.len().div_ceil(64);
        let mut earlier = vec![0u64; words * before.len()];
        for &task in &sorted {
            for (on, _) in &before[task] {
                for word in 0..words {
                    earlier[task * words + word] |= earlier[on * words + word];
                }
                earlier[task * words + on / 64] |= 1 << (on % 64);
            }
        }
        Reach { sorted, words, earlier }
    }

    /// The tasks, each after those before it.
    pub(crate) fn sorted(&self) -> &[usize] {
        &self.sorted
    }

    fn is_earlier(&self, first: usize, second: usize) -> bool {
        self.earlier[second * self.words + first / 64] & (1 << (first % 64)) != 0
    }

    /// Whether one of two tasks comes before the other.
    pub(crate) fn ordered(&self, one: usize, other: usize) -> bool {
        self.is_earlier(one, other) || self.is_earlier(other, one)
    }

    /// Leaves out edges that follow from others; what was declared stays.
    pub(crate) fn reduce(&self, edges: &mut Vec<Before>) {
        let all: Vec<usize> = edges.iter().map(|(on, _)| *on).collect();
        edges.retain(|(on, why)| {
            *why == Reason::Declared || !all.iter().any(|other| other != on && self.is_earlier(*on, *other))
        });
    }

    /// Whether `task` is before `on` already, so that an edge from `on` to `task` would close a cycle.
    pub(crate) fn leads(before: &[Vec<Before>], on: usize, task: usize) -> bool {
        let mut seen = vec![false; before.len()];
        let mut todo = vec![on];
        while let Some(at) = todo.pop() {
            if at == task {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                todo.extend(before[at].iter().map(|(earlier, _)| *earlier));
            }
        }
        false
    }
}
