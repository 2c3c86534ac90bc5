//! Checks over a whole play, and over the whole playbook, once everything is read.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    loader::Loader,
    magic,
    model::{PlayDef, Playbook},
    read::templated,
};
use crate::diag::{Diagnostic, Diagnostics, Span, did_you_mean};

impl Loader<'_> {
    /// Handlers, ids and order of a play.
    pub(crate) fn check_play(&mut self, play: &mut PlayDef) {
        self.check_handlers(play);
        self.check_ids(play);
        crate::compile::note_reads(play);
        let edges = crate::compile::StaticEdges::new(play, !self.gaps.files && !self.gaps.tasks, self.found);
        play.edges = edges;
    }

    fn check_handlers(&mut self, play: &mut PlayDef) {
        let (tasks, handlers) = play.tasks.split_at_mut(play.handlers_from);
        // Of several handlers of one name, the last is meant.
        let mut last: HashMap<String, usize> = HashMap::new();
        for (at, handler) in handlers.iter().enumerate() {
            last.insert(handler.proto.name.clone(), at);
        }
        for (at, handler) in handlers.iter_mut().enumerate() {
            let name = handler.proto.name.clone();
            if last.get(&name).is_some_and(|l| *l != at) {
                if let Some(h) = &mut handler.proto.handler {
                    h.topics.retain(|t| *t != name);
                }
                let problem = Diagnostic::warning("duplicate-handler", format!("two handlers are named `{name}`"));
                self.found.push(problem.at(handler.span, "notifying the name runs the last one only"));
            }
        }
        let topics: Vec<String> =
            handlers.iter().flat_map(|h| h.proto.handler.iter().flat_map(|h| h.topics.iter().cloned())).collect();
        for task in tasks.iter().chain(handlers.iter()) {
            for (notified, span) in task.proto.notify.iter().zip(&task.notify_spans) {
                if self.gaps.files || self.gaps.tasks || topics.iter().any(|t| matches(t, notified)) {
                    continue;
                }
                let problem = Diagnostic::error("unknown-handler", format!("no handler is named `{notified}`"));
                let near = did_you_mean(notified, topics.iter().map(String::as_str));
                self.found.push(match near {
                    Some(meant) => problem.at(*span, "").suggest(*span, meant, format!("did you mean `{meant}`?")),
                    None if topics.is_empty() => problem.at(*span, "").note("the play has no handlers"),
                    None => problem.at(*span, "").note("neither by `name` nor by `listen`, in the play or its roles"),
                });
            }
        }
    }

    fn check_ids(&mut self, play: &PlayDef) {
        let tasks = play.tasks.iter().filter_map(|t| t.id.as_ref().map(|id| (t.space, id)));
        let groups = play.groups.iter().filter_map(|g| {
            // A group's own id is known where the group stands.
            g.id.as_ref().map(|id| (g.outer_space, id))
        });
        let mut seen: HashMap<(usize, &str), Span> = HashMap::new();
        for (space, (id, span)) in groups.chain(tasks) {
            if let Some(first) = seen.insert((space, id), *span) {
                let (first, second) = if first < *span { (first, *span) } else { (*span, first) };
                let problem = Diagnostic::error("duplicate-id", format!("the id `{id}` is given twice"));
                self.found.push(problem.at(second, "the second time").also(first, "the first time"));
            }
        }
    }
}

/// Whether a notified text can mean a topic; templates in either stand for anything.
pub(crate) fn matches(topic: &str, notified: &str) -> bool {
    if !templated(topic) && !templated(notified) {
        return topic == notified;
    }
    // Compare what is before the first and after the last template of each.
    let (a, b) = (ends(topic), ends(notified));
    let agree = |x: &str, y: &str| x.starts_with(y) || y.starts_with(x);
    let agree_end = |x: &str, y: &str| x.ends_with(y) || y.ends_with(x);
    agree(a.0, b.0) && agree_end(a.1, b.1)
}

fn ends(text: &str) -> (&str, &str) {
    let start = text.find("{{").or_else(|| text.find("{%")).unwrap_or(text.len());
    let end = text.rfind("}}").or_else(|| text.rfind("%}")).map_or(0, |e| e + 2);
    (&text[..start], &text[end.min(text.len())..])
}

/// Notes every name that is read anywhere. A name that is nearly a fact's is most likely a slip.
pub(crate) fn check_names(playbook: &mut Playbook, found: &mut Diagnostics) {
    let written = playbook.plays.iter().flat_map(|p| p.tasks.iter().flat_map(|t| t.reads.iter()));
    let mut seen = HashSet::new();
    for read in written.filter(|r| !r.defined && magic::is_fact(&r.name) && !playbook.set_names.contains(&r.name)) {
        let short = read.name.trim_start_matches("ansible_");
        let inventory = read.name.starts_with("ansible_become") || read.name.starts_with("ansible_ssh");
        if inventory
            || magic::FACTS.contains(&short)
            || read.name.as_ref() == "ansible_facts"
            || !seen.insert(read.span)
        {
            continue;
        }
        if let Some(meant) = did_you_mean(short, magic::FACTS.iter().copied()) {
            let meant = format!("ansible_{meant}");
            let problem = Diagnostic::warning("unknown-fact", format!("`{}` is not a fact that is known", read.name));
            found.push(problem.at(read.span, "").suggest(read.span, meant.clone(), format!("did you mean `{meant}`?")));
        }
    }
    let names = playbook.plays.iter().flat_map(|p| {
        let tasks = p.tasks.iter().flat_map(|t| t.uses.iter());
        let sets = p.scopes.iter().flat_map(|s| [&s.vars, &s.defaults]).chain([&p.vars, &p.defaults]);
        tasks.chain(sets.flat_map(|s| s.defs.values().flat_map(|d| d.uses.iter())))
    });
    playbook.read_names = names.map(|u| Arc::clone(&u.name)).collect();
}
