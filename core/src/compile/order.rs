//! The edges that do not depend on a host: what is declared, listed, and read.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    diag::{Diagnostic, Diagnostics, Span, did_you_mean},
    plan::{Reason, Section},
    playbook::{Item, Order, PlayDef},
};

/// An edge from a task to one that comes before it: its index in the play, and why.
pub(crate) type Before = (usize, Reason);

/// What orders the tasks of a play, whatever the host.
#[derive(Debug, Default)]
pub(crate) struct StaticEdges {
    /// For every task that is not a handler, those before it.
    pub(crate) before: Vec<Vec<Before>>,
    /// Tasks that say themselves what they wait for: edges from resources count for them.
    pub(crate) own: Vec<bool>,
}

impl StaticEdges {
    /// The edges of a play. `needs` that name nothing are reported.
    pub(crate) fn new(play: &PlayDef, whole: bool, found: &mut Diagnostics) -> StaticEdges {
        let count = play.handlers_from;
        let mut walk = Walk {
            play,
            whole,
            found,
            edges: StaticEdges { before: vec![Vec::new(); count], own: vec![play.order == Order::Graph; count] },
        };
        walk.sequence(0, &[], &[]);
        walk.readers();
        walk.barriers();
        walk.edges
    }
}

struct Walk<'a> {
    play: &'a PlayDef,
    /// Whether all of the play was understood: an id that is not there then does not exist.
    whole: bool,
    found: &'a mut Diagnostics,
    edges: StaticEdges,
}

impl Walk<'_> {
    /// Orders a sequence: `open` are the tasks that its first one follows, `extra` what everything in it waits for. Returns the
    /// tasks that what comes after the sequence follows.
    fn sequence(&mut self, group: usize, open: &[usize], extra: &[Before]) -> Vec<usize> {
        let mut open = open.to_vec();
        let is_section = |item: &Item| matches!(item, Item::Group(part) if self.play.groups[*part].section.is_some());
        if self.play.groups[group].items.first().is_some_and(is_section) {
            return self.sections(group, &open, extra);
        }
        for item in &self.play.groups[group].items {
            match *item {
                Item::Task(task) => self.task(task, &mut open, extra),
                Item::Group(inner) => self.group(inner, &mut open, extra),
            }
        }
        open
    }

    fn task(&mut self, task: usize, open: &mut Vec<usize>, extra: &[Before]) {
        let def = &self.play.tasks[task];
        let declared = def.needs.as_ref().map(|needs| self.resolve(needs, def.space, Some(task)));
        let graph = self.play.order == Order::Graph;
        let own = declared.is_some() || graph;
        let mut before: Vec<Before> = declared.into_iter().flatten().map(|on| (on, Reason::Declared)).collect();
        if own {
            self.edges.own[task] = true;
            before.extend(extra.iter().cloned());
        } else if open.is_empty() {
            before.extend(extra.iter().cloned());
        } else {
            before.extend(open.iter().map(|on| (*on, Reason::Listed)));
        }
        self.edges.before[task] = before;
        if own {
            self.close(open, &[task]);
            open.push(task);
        } else {
            *open = vec![task];
        }
    }

    fn group(&mut self, group: usize, open: &mut Vec<usize>, extra: &[Before]) {
        let def = &self.play.groups[group];
        let Some(needs) = &def.needs else {
            *open = self.sequence(group, open, extra);
            return;
        };
        let mut inner: Vec<Before> = extra.to_vec();
        let members = self.members(group);
        let targets = self.resolve(needs, def.outer_space, None);
        inner.extend(targets.into_iter().filter(|t| !members.contains(t)).map(|on| (on, Reason::Declared)));
        let ends = self.sequence(group, &[], &inner);
        self.close(open, &ends);
        open.extend(ends);
    }

    /// The parts of a block: the tasks of a later one wait for all of the earlier ones, and run however those went or because they failed.
    fn sections(&mut self, group: usize, open: &[usize], extra: &[Before]) -> Vec<usize> {
        let mut open = open.to_vec();
        let mut earlier: Vec<usize> = Vec::new();
        for at in 0..self.play.groups[group].items.len() {
            let Item::Group(part) = self.play.groups[group].items[at] else { continue };
            let why = match self.play.groups[part].section {
                Some(Section::Rescue) => Reason::Rescue,
                Some(Section::Always) => Reason::Always,
                Some(Section::Body) | None => Reason::Listed,
            };
            if earlier.is_empty() {
                open = self.sequence(part, &open, extra);
            } else {
                let mut before = extra.to_vec();
                before.extend(earlier.iter().map(|task| (*task, why.clone())));
                let ends = self.sequence(part, &[], &before);
                self.close(&mut open, &ends);
                open.extend(ends);
            }
            earlier.extend(self.members(part));
        }
        open
    }

    /// Takes out of `open` what comes before `tasks` anyway.
    fn close(&self, open: &mut Vec<usize>, tasks: &[usize]) {
        let mut earlier = BTreeSet::new();
        let mut todo: Vec<usize> = tasks.to_vec();
        while let Some(task) = todo.pop() {
            for (on, _) in &self.edges.before[task] {
                if earlier.insert(*on) {
                    todo.push(*on);
                }
            }
        }
        open.retain(|t| !earlier.contains(t) && !tasks.contains(t));
    }

    fn members(&self, group: usize) -> Vec<usize> {
        let mut out = Vec::new();
        for item in &self.play.groups[group].items {
            match *item {
                Item::Task(task) => out.push(task),
                Item::Group(inner) => out.extend(self.members(inner)),
            }
        }
        out
    }

    /// The tasks that ids stand for.
    fn resolve(&mut self, needs: &[(String, Span)], space: usize, from: Option<usize>) -> Vec<usize> {
        let mut out = Vec::new();
        for (id, span) in needs {
            let targets = self.find(id, space);
            match targets {
                Some(tasks) if tasks.contains(&usize::MAX) => {
                    let problem = Diagnostic::error("ambiguous-id", format!("several tasks have the id `{id}`"));
                    self.found.push(problem.at(*span, "they are in different roles or files"));
                }
                Some(tasks) if from.is_some_and(|t| tasks == [t]) => {
                    let problem = Diagnostic::error("cycle", format!("the task `{id}` needs itself"));
                    self.found.push(problem.at(*span, ""));
                }
                Some(tasks) => out.extend(tasks.into_iter().filter(|t| Some(*t) != from)),
                None if self.whole => self.unknown(id, *span),
                None => {}
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// The tasks that an id stands for: nearest namespace first, then anywhere if it is the only one. `usize::MAX` if several.
    fn find(&self, id: &str, space: usize) -> Option<Vec<usize>> {
        let mut at = space;
        loop {
            if let Some(found) = self.in_space(id, Some(at)).into_iter().next() {
                return Some(found);
            }
            let outer = self.play.space_parents.get(at).copied().unwrap_or(0);
            if outer == at {
                break;
            }
            at = outer;
        }
        let mut all = self.in_space(id, None);
        if all.len() > 1 { Some(vec![usize::MAX]) } else { all.pop() }
    }

    fn in_space(&self, id: &str, space: Option<usize>) -> Vec<Vec<usize>> {
        let here = |s: usize| space.is_none_or(|space| space == s);
        let tasks = self.play.tasks[..self.play.handlers_from].iter().enumerate();
        let tasks = tasks.filter(|(_, t)| here(t.space) && t.id.as_ref().is_some_and(|(i, _)| i == id));
        let groups = self.play.groups.iter().enumerate();
        let groups = groups.filter(|(_, g)| here(g.outer_space) && g.id.as_ref().is_some_and(|(i, _)| i == id));
        tasks.map(|(at, _)| vec![at]).chain(groups.map(|(at, _)| self.members(at))).collect()
    }

    fn unknown(&mut self, id: &str, span: Span) {
        let tasks = self.play.tasks.iter().filter_map(|t| t.id.as_ref());
        let ids: Vec<&str> =
            tasks.chain(self.play.groups.iter().filter_map(|g| g.id.as_ref())).map(|(id, _)| id.as_str()).collect();
        let problem = Diagnostic::error("unknown-id", format!("no task of the play has the id `{id}`"));
        self.found.push(match did_you_mean(id, ids.iter().copied()) {
            Some(meant) => problem.at(span, "").suggest(span, meant, format!("did you mean `{meant}`?")),
            None if ids.is_empty() => problem.at(span, "").help("give the task that is needed an `id`"),
            None => problem.at(span, "").note(format!("its ids are {}", ids.join(", "))),
        });
    }

    /// Who reads a registered result or a variable waits for the task that sets it.
    fn readers(&mut self) {
        let tasks = &self.play.tasks[..self.play.handlers_from];
        let mut setters: HashMap<Arc<str>, Vec<(usize, bool)>> = HashMap::new();
        for (at, task) in tasks.iter().enumerate() {
            if let Some(name) = &task.proto.register {
                setters.entry(Arc::from(name.as_str())).or_default().push((at, true));
            }
            if task.proto.module == "set_fact"
                && let crate::arg::Arg::Map(args) = &task.proto.args
            {
                for name in args.keys().filter(|n| *n != "cacheable") {
                    setters.entry(Arc::from(name.as_str())).or_default().push((at, false));
                }
            }
            let names: BTreeSet<&String> = task.proto.choices.values().flat_map(|vars| vars.keys()).collect();
            for name in names {
                setters.entry(Arc::from(name.as_str())).or_default().push((at, false));
            }
        }
        for (at, task) in tasks.iter().enumerate().filter(|(at, _)| self.edges.own[*at]) {
            for name in task.reads.iter().map(|r| &r.name) {
                let Some(all) = setters.get(name) else { continue };
                let above: Vec<_> = all.iter().filter(|(setter, _)| *setter < at).collect();
                let below: Vec<_> = all.iter().filter(|(setter, _)| *setter > at).collect();
                for (setter, registered) in if above.is_empty() { below } else { above } {
                    let why = if *registered {
                        Reason::Register(name.to_string())
                    } else {
                        Reason::Variable(name.to_string())
                    };
                    self.edges.before[at].push((*setter, why));
                }
            }
        }
    }

    /// What stands above a barrier comes before it, what stands below comes after it.
    fn barriers(&mut self) {
        let count = self.edges.before.len();
        let mut from = 0;
        let mut last: Option<usize> = None;
        for at in 0..=count {
            let here = at < count && self.play.tasks[at].barrier;
            if !here && at < count {
                continue;
            }
            for task in from..at {
                if let Some(barrier) = last
                    && !self.edges.before[task].iter().any(|(on, _)| *on >= from && *on < at || *on == barrier)
                {
                    self.edges.before[task].push((barrier, Reason::Barrier));
                }
            }
            if at < count {
                let followed: BTreeSet<usize> =
                    (from..at).flat_map(|t| self.edges.before[t].iter().map(|(on, _)| *on)).collect();
                let mut ends: Vec<usize> = (from..at).filter(|t| !followed.contains(t)).collect();
                if ends.is_empty() {
                    ends.extend(last);
                }
                let known: BTreeSet<usize> = self.edges.before[at].iter().map(|(on, _)| *on).collect();
                let new = ends.into_iter().filter(|t| !known.contains(t)).map(|t| (t, Reason::Barrier));
                self.edges.before[at].extend(new);
                last = Some(at);
            }
            from = at + 1;
        }
    }
}
