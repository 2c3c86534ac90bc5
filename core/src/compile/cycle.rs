//! Tasks that wait for each other, shown as a path.

use std::collections::VecDeque;

use petgraph::algo::tarjan_scc;

use super::{order::Before, reach::graph};
use crate::{
    diag::Diagnostic,
    plan::Reason,
    playbook::{PlayDef, TaskDef},
};

/// The cycles of a play, one for each knot; `None` if there are none.
pub(crate) fn find(play: &PlayDef, before: &[Vec<Before>]) -> Option<Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for knot in tarjan_scc(&graph(before)) {
        let tasks: Vec<usize> = knot.iter().map(|n| n.index()).collect();
        let looped = tasks.len() > 1 || before[tasks[0]].iter().any(|(on, _)| *on == tasks[0]);
        if looped {
            problems.push(describe(play, before, &shortest(before, &tasks)));
        }
    }
    (!problems.is_empty()).then_some(problems)
}

/// The shortest way from the first task of a knot back to itself: each waits for the next.
fn shortest(before: &[Vec<Before>], knot: &[usize]) -> Vec<usize> {
    let start = knot.iter().copied().min().unwrap_or(0);
    let mut from: Vec<Option<usize>> = vec![None; before.len()];
    let mut todo = VecDeque::from([start]);
    while let Some(at) = todo.pop_front() {
        for (on, _) in &before[at] {
            if *on == start {
                let mut path = vec![at];
                let mut back = at;
                while back != start {
                    back = from[back].unwrap_or(start);
                    path.push(back);
                }
                path.reverse();
                return path;
            }
            if from[*on].is_none() && knot.contains(on) {
                from[*on] = Some(at);
                todo.push_back(*on);
            }
        }
    }
    vec![start]
}

fn describe(play: &PlayDef, before: &[Vec<Before>], path: &[usize]) -> Diagnostic {
    let name = |t: usize| label(&play.tasks[t]);
    let mut words: Vec<String> = path.iter().map(|t| name(*t)).collect();
    words.push(name(path[0]));
    let mut problem = Diagnostic::error("cycle", format!("tasks wait for each other: {}", words.join(" -> ")));
    for (at, task) in path.iter().enumerate() {
        let next = path[(at + 1) % path.len()];
        let why = before[*task].iter().find(|(on, _)| *on == next).map(|(_, why)| why);
        let text = format!(
            "`{}` waits for `{}`: {}",
            name(*task),
            name(next),
            why.map_or_else(String::new, crate::graph::words)
        );
        let span = match why {
            Some(Reason::Declared) => declared(&play.tasks[*task], &play.tasks[next]),
            _ => play.tasks[*task].span,
        };
        problem = if at == 0 { problem.at(span, text) } else { problem.also(span, text) };
    }
    problem
}

/// The place of the id in `needs`, if the task names the other itself.
fn declared(task: &TaskDef, on: &TaskDef) -> crate::diag::Span {
    let id = on.id.as_ref().map(|(id, _)| id);
    let named = task.needs.iter().flatten().find(|(n, _)| Some(n) == id);
    named.or_else(|| task.needs.iter().flatten().next()).map_or(task.span, |(_, span)| *span)
}

fn label(task: &TaskDef) -> String {
    task.id.as_ref().map_or_else(|| task.proto.name.clone(), |(id, _)| id.clone())
}
