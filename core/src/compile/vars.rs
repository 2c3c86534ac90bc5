//! What tasks read, and whether a host has it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{
    diag::{Diagnostic, Diagnostics, Span, did_you_mean},
    playbook::{Flag, PlayDef, Playbook, TaskDef, Use, VarSet, magic},
};

use super::Job;

/// A name that a task reads, itself or through variables of the playbook.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) name: Arc<str>,
    /// Where it is written: in the task, or in the value of a variable.
    pub(crate) span: Span,
    /// It may be undefined everywhere.
    pub(crate) guarded: bool,
    /// The playbook defines it.
    pub(crate) defined: bool,
    /// The variables through which it is read, and whether each is a role's default.
    pub(crate) via: Via,
}

/// Variables through which another is read, outermost first, and whether each is a role's default.
type Via = Vec<(Arc<str>, bool)>;

/// Where a play defines a name for a task, strongest first: its scopes, the play, role defaults.
pub(crate) fn definition<'p>(play: &'p PlayDef, scope: Option<usize>, name: &str) -> Option<(&'p VarSet, bool)> {
    let mut at = scope;
    while let Some(one) = at {
        let def = &play.scopes[one];
        if def.vars.values.contains_key(name) {
            return Some((&def.vars, false));
        }
        at = def.parent;
    }
    if play.vars.values.contains_key(name) {
        return Some((&play.vars, false));
    }
    let mut at = scope;
    while let Some(one) = at {
        let def = &play.scopes[one];
        if def.defaults.values.contains_key(name) {
            return Some((&def.defaults, true));
        }
        at = def.parent;
    }
    play.defaults.values.contains_key(name).then_some((&play.defaults, true))
}

/// Whether a name is a parameter of a role or an include around a task: no result or set fact hides it.
fn is_param(play: &PlayDef, mut scope: Option<usize>, name: &str) -> bool {
    while let Some(one) = scope {
        if play.scopes[one].params.contains(name) {
            return true;
        }
        scope = play.scopes[one].parent;
    }
    false
}

/// Follows what every task reads through the variables of the playbook.
pub(crate) fn note_reads(play: &mut PlayDef) {
    for at in 0..play.tasks.len() {
        let task = &play.tasks[at];
        let within = |span: Span| {
            move |u: &&Use| u.span.file == span.file && u.span.start >= span.start && u.span.end <= span.end
        };
        let looped: Vec<Use> = match task.proto.r#loop {
            Some(_) => task.uses.iter().filter(within(task.loop_span)).cloned().collect(),
            None => Vec::new(),
        };
        let args: Vec<Use> = task.arg_uses.iter().chain(&looped).cloned().collect();
        let src = task.arg_spans.get("src").map(|(_, span)| *span);
        let mut src: Vec<Use> =
            src.map_or_else(Vec::new, |s| task.arg_uses.iter().filter(within(s)).cloned().collect());
        if !src.is_empty() {
            src.extend(looped);
        }
        let flags = flag_uses(task);
        let close = |uses: &[Use]| closure(play, task.scope, uses);
        let (reads, arg_reads, src_reads) = (close(&task.uses), close(&args), close(&src));
        let flag_reads = flags.map(|uses| close(&uses));
        let task = &mut play.tasks[at];
        (task.reads, task.arg_reads, task.src_reads, task.flag_reads) = (reads, arg_reads, src_reads, flag_reads);
    }
}

/// What the flags and accounts of a task read, if one is a template.
fn flag_uses(task: &TaskDef) -> Option<Vec<Use>> {
    let flags = [task.r#become.on.as_ref(), Some(&task.no_log), task.check_mode.as_ref()];
    let texts = flags.into_iter().flatten().filter_map(|flag| match flag {
        Flag::Template(text, _) => Some(text),
        Flag::Fixed(_) => None,
    });
    let texts: Vec<&String> =
        texts.chain(task.r#become.user.as_ref().filter(|u| crate::template::may_be_template(u))).collect();
    (!texts.is_empty()).then(|| {
        let free = texts.into_iter().flat_map(|t| crate::template::free_variables(t).unwrap_or_default());
        free.map(|v| Use { name: Arc::from(v.name), span: task.span, guarded: v.guarded }).collect()
    })
}

/// The values of everything that is read, for rendering before any host is contacted; `None` if a name is (or may be) known on the host only,
/// or not at all.
pub(crate) fn values(
    job: &Job<'_>,
    play: usize,
    task: &TaskDef,
    names: &HostNames<'_>,
    reads: &[Read],
) -> Option<Map<String, Value>> {
    let def = &job.playbook.plays[play];
    let mut out = Map::new();
    let mut todo: Vec<(Arc<str>, bool)> = reads.iter().map(|r| (r.name.clone(), r.guarded)).collect();
    let mut seen: HashSet<Arc<str>> = HashSet::new();
    while let Some((name, guarded)) = todo.pop() {
        if is_loop_var(task, &name) || &*name == "omit" || !seen.insert(name.clone()) {
            continue;
        }
        let in_inventory = names.inventory.get(&*name);
        let found = names.extra.get(&*name).or_else(|| match definition(def, task.scope, &name) {
            Some((set, false)) => set.values.get(&*name),
            Some((set, true)) => in_inventory.or_else(|| set.values.get(&*name)),
            None => in_inventory.or_else(|| job.play_vars[play].get(&*name)),
        });
        let is_set = job.playbook.set_names.contains(&name) && !names.extra.contains_key(&*name);
        if is_set && !is_param(def, task.scope, &name) {
            return None;
        }
        match found {
            Some(value) => {
                let mut value = value.clone();
                job.playbook.files.keyring().reveal_all(&mut value).ok()?;
                let mut texts = Vec::new();
                super::render::texts(&value, &mut texts);
                for text in &texts {
                    todo.extend(job.cache.names_in(text).iter().cloned());
                }
                out.insert(name.to_string(), value);
            }
            None if magic::is_fact(&name) || matches!(&*name, "vars" | magic::ROLLOUT_VALUE) || !guarded => {
                return None;
            }
            None => {}
        }
    }
    Some(out)
}

fn is_loop_var(task: &TaskDef, name: &str) -> bool {
    task.proto.found.as_ref().is_some_and(|found| found.var == name)
        || task
            .proto
            .r#loop
            .as_ref()
            .is_some_and(|l| l.var == name || l.index_var.as_deref() == Some(name) || magic::LOOP.contains(&name))
}

/// Everything that these uses read, each name once.
pub(crate) fn closure(play: &PlayDef, scope: Option<usize>, uses: &[Use]) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::new();
    let mut index: HashMap<Arc<str>, usize> = HashMap::new();
    let mut todo: Vec<(Use, Via)> = uses.iter().rev().map(|u| (u.clone(), Vec::new())).collect();
    while let Some((one, via)) = todo.pop() {
        if let Some(at) = index.get(&one.name) {
            let read = &mut reads[*at];
            if read.guarded && !one.guarded {
                read.guarded = false;
                read.span = one.span;
                read.via = via;
            }
            continue;
        }
        index.insert(one.name.clone(), reads.len());
        let definition = definition(play, scope, &one.name);
        if let Some((set, default)) = definition
            && let Some(def) = set.defs.get(&one.name)
        {
            let mut via = via.clone();
            via.push((one.name.clone(), default));
            todo.extend(def.uses.iter().rev().map(|u| (u.clone(), via.clone())));
        }
        reads.push(Read { name: one.name, span: one.span, guarded: one.guarded, defined: definition.is_some(), via });
    }
    reads
}

/// The names that a host has from outside the playbook.
pub(crate) struct HostNames<'a> {
    pub(crate) inventory: &'a Map<String, Value>,
    pub(crate) extra: &'a Map<String, Value>,
}

impl HostNames<'_> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.inventory.contains_key(name) || self.extra.contains_key(name)
    }

    /// Whether a value read through these variables is not read on this host, because something stronger hides one of them.
    fn hides(&self, via: &[(Arc<str>, bool)]) -> bool {
        via.iter().any(|(name, default)| {
            self.extra.contains_key(&**name) || (*default && self.inventory.contains_key(&**name))
        })
    }
}

/// Whether a name is known in a task wherever it runs.
fn is_known(playbook: &Playbook, task: &TaskDef, name: &str) -> bool {
    magic::READ_ONLY.contains(&name)
        || magic::ALWAYS.contains(&name)
        || magic::is_fact(name)
        || playbook.set_names.contains(name)
        || is_loop_var(task, name)
        || (name == magic::ROLLOUT_VALUE && task.proto.rollout.is_some())
}

/// Looks for what tasks read and a host does not have.
pub(crate) struct Check<'a, 'j> {
    pub(crate) job: &'a Job<'j>,
    pub(crate) play: &'a PlayDef,
    pub(crate) names: HostNames<'a>,
    reported: HashSet<(Span, Arc<str>)>,
    /// Variables of the inventory whose values were looked into.
    looked: HashSet<Arc<str>>,
}

impl<'a, 'j> Check<'a, 'j> {
    pub(crate) fn new(job: &'a Job<'j>, play: &'a PlayDef, names: HostNames<'a>) -> Self {
        Check { job, play, names, reported: HashSet::new(), looked: HashSet::new() }
    }

    /// Reports what a task reads and the host does not have.
    pub(crate) fn reads(&mut self, task: &TaskDef, reads: &[Read], found: &mut Diagnostics) {
        if !self.job.playbook.whole {
            return;
        }
        for read in reads {
            let name: &str = &read.name;
            if self.names.hides(&read.via) {
                continue;
            }
            if self.names.has(name) {
                self.inventory_value(task, &read.name, read.span, found);
                continue;
            }
            let known = read.guarded || read.defined || is_known(self.job.playbook, task, name);
            if known || task.tested.contains(name) || !self.reported.insert((read.span, read.name.clone())) {
                continue;
            }
            let problem = Diagnostic::error("undefined-variable", format!("the variable `{name}` is not defined"));
            let problem = self.explained(task, read, problem.at(read.span, ""));
            found.push(problem);
        }
    }

    fn explained(&self, task: &TaskDef, read: &Read, mut problem: Diagnostic) -> Diagnostic {
        let name: &str = &read.name;
        if !read.via.is_empty() {
            let via: Vec<&str> = read.via.iter().map(|(n, _)| &**n).collect();
            problem = problem.also(task.span, format!("read through `{}` here", via.join("` and `")));
        }
        if name == "item" && task.proto.r#loop.is_none() {
            return problem.help("the task has no `loop`");
        }
        let looped = task.proto.r#loop.as_ref().filter(|_| name == "item").map(|l| l.var.clone());
        match looped.or_else(|| nearest(self.job.playbook, self.play, task, &self.names, name)) {
            Some(meant) => problem.suggest(read.span, meant.clone(), format!("did you mean `{meant}`?")),
            None => problem,
        }
    }

    /// What the value of a variable of the inventory reads must be there as well.
    fn inventory_value(&mut self, task: &TaskDef, name: &Arc<str>, span: Span, found: &mut Diagnostics) {
        let mut todo = vec![name.clone()];
        while let Some(name) = todo.pop() {
            if self.names.extra.contains_key(&*name) || !self.looked.insert(name.clone()) {
                continue;
            }
            // Other hosts' variables are read one by one, if at all.
            let Some(value) = self.names.inventory.get(&*name).filter(|_| &*name != "hostvars") else { continue };
            let mut texts = Vec::new();
            super::render::texts(value, &mut texts);
            for text in texts {
                for (inner, guarded) in self.job.cache.names_in(text).iter() {
                    let defined = definition(self.play, task.scope, inner).is_some();
                    if self.names.has(inner) {
                        todo.push(inner.clone());
                    } else if !guarded && !defined && !is_known(self.job.playbook, task, inner) {
                        let message = format!("the variable `{inner}` is not defined");
                        let problem = Diagnostic::error("undefined-variable", message).at(span, "");
                        found.push(problem.note(format!("the inventory's value of `{name}` reads it")));
                    }
                }
            }
        }
    }
}

fn nearest(playbook: &Playbook, play: &PlayDef, task: &TaskDef, names: &HostNames<'_>, name: &str) -> Option<String> {
    let sets = [&play.vars, &play.defaults].into_iter().chain(play.scopes.iter().map(|s| &s.vars));
    let mut known: Vec<&str> = sets.flat_map(|s| s.values.keys().map(String::as_str)).collect();
    known.extend(names.inventory.keys().chain(names.extra.keys()).map(String::as_str));
    known.extend(playbook.set_names.iter().map(|n| &**n));
    known.extend(task.proto.r#loop.iter().map(|l| l.var.as_str()));
    known.extend(magic::READ_ONLY);
    known.sort_unstable();
    did_you_mean(name, known).map(str::to_owned)
}
