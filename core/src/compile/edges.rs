//! The edges of one host's tasks: the static ones, those from resources, and what selection leaves of them.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use super::{cycle, order::Before, owns, reach::Reach};
use crate::{
    diag::Diagnostic,
    module::{Entity, Relations},
    plan::Reason,
    playbook::{Order, PlayDef},
};

/// The order of a play's tasks on a host.
pub(crate) struct Ordered {
    /// For every task that is selected, those before it, by their index in the play.
    pub(crate) before: Vec<Vec<Before>>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Orders the tasks of a play. `relations` has an entry for each, `None` if what it touches is not known.
pub(crate) fn order(play: &PlayDef, selected: &[bool], relations: &[Option<Relations>]) -> Ordered {
    let mut before = play.edges.before.clone();
    if play.edges.own.iter().any(|own| *own) {
        let index = Writers::new(relations);
        hard(play, relations, &index, &mut before);
        if play.order == Order::Graph {
            soft(relations, &index, &mut before);
        }
    }
    for edges in &mut before {
        strongest(edges);
    }
    if let Some(problems) = cycle::find(play, &before) {
        return Ordered { before: vec![Vec::new(); before.len()], problems };
    }
    let reach = Reach::new(&before);
    let mut problems = Vec::new();
    if play.order == Order::Graph {
        conflicts(play, selected, relations, &reach, &mut problems);
    }
    let mut before = select(&before, selected, &reach);
    let reach = Reach::new(&before);
    for edges in &mut before {
        reach.reduce(edges);
    }
    Ordered { before, problems }
}

/// One edge for each pair: the one that says most.
fn strongest(edges: &mut Vec<Before>) {
    let rank = |why: &Reason| match why {
        Reason::Declared => 0,
        Reason::Rescue | Reason::Always => 1,
        Reason::Register(_) => 2,
        Reason::Variable(_) => 3,
        Reason::Resource(_) => 4,
        Reason::Barrier => 5,
        Reason::Listed => 6,
    };
    edges.sort_by_key(|(on, why)| (*on, rank(why)));
    edges.dedup_by_key(|(on, _)| *on);
}

/// Who writes what.
struct Writers<'a> {
    things: HashMap<&'a Entity, Vec<usize>>,
    paths: HashMap<&'a Path, Vec<usize>>,
    below: BTreeMap<PathBuf, Vec<usize>>,
    packages: Vec<(&'a str, usize)>,
}

impl<'a> Writers<'a> {
    fn new(relations: &'a [Option<Relations>]) -> Self {
        let mut out =
            Writers { things: HashMap::new(), paths: HashMap::new(), below: BTreeMap::new(), packages: Vec::new() };
        for (task, written) in relations.iter().enumerate() {
            for entity in written.iter().flat_map(|r| &r.writes) {
                match entity {
                    Entity::Path(path) | Entity::Tree(path) => {
                        out.paths.entry(path).or_default().push(task);
                        out.below.entry(path.clone()).or_default().push(task);
                    }
                    Entity::Package(name) => out.packages.push((name, task)),
                    _ => {}
                }
                out.things.entry(entity).or_default().push(task);
            }
        }
        out
    }

    /// The tasks that make what is needed, and what that is.
    fn of(&self, need: &Entity) -> Vec<(usize, String)> {
        match need {
            Entity::Path(path) => {
                // The thing itself, or the nearest folder around it that somebody makes.
                let found = path.ancestors().find_map(|p| self.paths.get(p).map(|tasks| (p, tasks)));
                found.into_iter().flat_map(|(p, tasks)| tasks.iter().map(|t| (*t, p.display().to_string()))).collect()
            }
            Entity::Tree(root) => self
                .below
                .range(root.clone()..)
                .take_while(|(path, _)| path.starts_with(root))
                .flat_map(|(path, tasks)| tasks.iter().map(|t| (*t, path.display().to_string())))
                .collect(),
            other => self.things.get(other).into_iter().flatten().map(|t| (*t, other.to_string())).collect(),
        }
    }
}

/// Who needs a thing waits for who makes it. In a listed play only those above count: order was said by listing.
fn hard(play: &PlayDef, relations: &[Option<Relations>], index: &Writers<'_>, before: &mut [Vec<Before>]) {
    for (task, relation) in relations.iter().enumerate().filter(|(t, _)| play.edges.own[*t]) {
        let Some(relation) = relation else { continue };
        for need in &relation.needs {
            for (on, what) in index.of(need) {
                if on != task && (play.order == Order::Graph || on < task) {
                    before[task].push((on, Reason::Resource(what)));
                }
            }
        }
    }
}

/// What names suggest: a package before what it brings, configuration before its unit. Never against the other edges.
fn soft(relations: &[Option<Relations>], index: &Writers<'_>, before: &mut [Vec<Before>]) {
    let mut wanted: Vec<(usize, usize, String)> = Vec::new();
    for (task, relation) in relations.iter().enumerate() {
        let Some(relation) = relation else { continue };
        for thing in relation.needs.iter().chain(&relation.writes) {
            for (package, on) in &index.packages {
                if *on != task && owns::brings(package, thing) {
                    wanted.push((task, *on, format!("package {package}")));
                }
            }
            if let Entity::Unit(unit) = thing {
                for (path, tasks) in &index.below {
                    if owns::configures(path, unit) {
                        wanted.extend(
                            tasks.iter().filter(|t| **t != task).map(|t| (task, *t, path.display().to_string())),
                        );
                    }
                }
            }
        }
    }
    wanted.sort();
    wanted.dedup_by_key(|(task, on, _)| (*task, *on));
    for (task, on, what) in wanted {
        if !Reach::leads(before, on, task) {
            before[task].push((on, Reason::Resource(what)));
        }
    }
}

/// Two tasks that write the same thing and may run in either order.
fn conflicts(
    play: &PlayDef,
    selected: &[bool],
    relations: &[Option<Relations>],
    reach: &Reach,
    problems: &mut Vec<Diagnostic>,
) {
    for (second, later) in relations.iter().enumerate().filter(|(t, _)| selected[*t]) {
        for (first, earlier) in relations[..second].iter().enumerate().filter(|(t, _)| selected[*t]) {
            let (Some(a), Some(b)) = (earlier, later) else { continue };
            let met = a.writes.iter().find_map(|x| b.writes.iter().find(|y| x.meets(y)));
            let Some(thing) = met else { continue };
            if reach.ordered(first, second) || exclusive(play, first, second) {
                continue;
            }
            let (one, other) = (&play.tasks[first], &play.tasks[second]);
            let message = format!("two tasks write {thing}, and nothing says which comes first");
            let problem =
                Diagnostic::error("unordered", message).at(other.span, "this one").also(one.span, "and this one");
            let help = match &one.id {
                Some((id, _)) => format!("add `needs: {id}` to the second, or write both changes in one task"),
                None => "give one an `id` and name it in the other's `needs`, or write both changes in one task".into(),
            };
            problems.push(problem.help(help));
        }
    }
}

/// Whether the conditions of two tasks cannot both hold: one compares with another constant than the other, or denies it.
fn exclusive(play: &PlayDef, first: usize, second: usize) -> bool {
    let texts = |t: usize| play.tasks[t].proto.when.iter().map(|e| e.text.trim()).collect::<Vec<_>>();
    let (a, b) = (texts(first), texts(second));
    a.iter().any(|x| b.iter().any(|y| denies(x, y) || denies(y, x) || differs(x, y)))
}

fn denies(x: &str, y: &str) -> bool {
    x.strip_prefix("not ").is_some_and(|rest| rest.trim() == y)
}

fn differs(x: &str, y: &str) -> bool {
    let constant = |text: &str| {
        let quoted =
            |q: char| text.len() > 1 && text.starts_with(q) && text.ends_with(q) && text.matches(q).count() == 2;
        (quoted('\'') || quoted('"') || text.chars().all(|c| c.is_ascii_digit()))
            .then(|| text.trim_matches(['\'', '"']).to_owned())
    };
    let parts = |text: &str| {
        let (left, right) = text.split_once("==")?;
        Some((left.trim().to_owned(), constant(right.trim())?))
    };
    match (parts(x), parts(y)) {
        (Some((left, one)), Some((same, other))) => left == same && one != other,
        _ => false,
    }
}

/// The edges between selected tasks; those through tasks that are left out are kept.
fn select(before: &[Vec<Before>], selected: &[bool], reach: &Reach) -> Vec<Vec<Before>> {
    let mut out: Vec<Vec<Before>> = vec![Vec::new(); before.len()];
    for &task in reach.sorted() {
        let mut edges = Vec::new();
        for (on, why) in &before[task] {
            if selected[*on] {
                edges.push((*on, why.clone()));
            } else {
                edges.extend(out[*on].iter().cloned());
            }
        }
        strongest(&mut edges);
        out[task] = edges;
    }
    for (task, edges) in out.iter_mut().enumerate() {
        if !selected[task] {
            edges.clear();
        }
    }
    out
}
