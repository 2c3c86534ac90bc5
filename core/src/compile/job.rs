//! One run of a playbook: which hosts, which tasks, and each host's plan.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    Cache, Fleet,
    edges::{self, Ordered},
    magic_vars,
    resources::Resolved,
    select::Selection,
};
use crate::{
    diag::{Diagnostic, Diagnostics, did_you_mean},
    plan::{Mode, Options, Plan},
    playbook::{PlayDef, Playbook},
};

/// How a playbook is compiled.
#[derive(Debug, Clone)]
pub struct CompileOptions {
    /// The run's id.
    pub run: String,
    /// Check or apply.
    pub mode: Mode,
    /// `-e`.
    pub extra_vars: Map<String, Value>,
    /// `--tags` and its like.
    pub selection: Selection,
    /// `--limit`, resolved: hosts that are not in it are left out.
    pub limit: Option<BTreeSet<String>>,
    /// `-b`.
    pub r#become: bool,
    /// `--become-user`.
    pub become_user: Option<String>,
    /// `--become-method`.
    pub become_method: Option<String>,
    /// The account that logs in, where neither inventory nor play says: tasks without `become` run as it, also where the helper
    /// has to run as root for other tasks.
    pub remote_user: Option<String>,
    /// How the helper runs the plan.
    pub options: Options,
}

impl CompileOptions {
    /// A run with nothing special about it.
    pub fn new(run: impl Into<String>, mode: Mode) -> Self {
        CompileOptions {
            run: run.into(),
            mode,
            extra_vars: Map::new(),
            selection: Selection::default(),
            limit: None,
            r#become: false,
            become_user: None,
            become_method: None,
            remote_user: None,
            options: Options::default(),
        }
    }
}

/// The content of a blob: a file on the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Where it is read from.
    pub path: PathBuf,
    /// Bytes, decrypted.
    pub size: u64,
    /// Whether the file is encrypted and the content is what the keyring makes of it.
    pub sealed: bool,
}

/// How a host is reached, as far as the playbook has a say. The inventory's connection variables and the command line come on top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// `connection:` of the plays, `ssh` or `local`.
    pub connection: Option<String>,
    /// `remote_user:` of the plays.
    pub remote_user: Option<String>,
    /// The account that the helper has to run as; `None`: the one that logs in.
    pub become_user: Option<String>,
    /// `become_method:`; `None`: the default.
    pub become_method: Option<String>,
    /// `become_flags:`.
    pub become_flags: Option<String>,
}

/// What one host is to do, and what is needed for it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// For the helper.
    pub plan: Plan,
    /// Where the contents that [`Plan::blobs`] names are.
    pub blobs: BTreeMap<String, Blob>,
    /// How to get there.
    pub access: Access,
    /// What is not wrong, but probably not meant.
    pub warnings: Diagnostics,
}

/// A play and its tasks as `--list-tasks` shows them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// The play's name.
    pub play: String,
    /// The pattern.
    pub hosts: String,
    /// The hosts that it comes to.
    pub targets: Vec<String>,
    /// The play's own tags.
    pub tags: Vec<String>,
    /// `(role, name, tags)` of every selected task.
    pub tasks: Vec<(Option<String>, String, Vec<String>)>,
    /// Every tag of the selected tasks, sorted.
    pub task_tags: Vec<String>,
}

/// A playbook, a fleet and options: everything that does not depend on a single host, worked out once.
pub struct Job<'a> {
    pub(super) playbook: &'a Playbook,
    pub(super) fleet: &'a dyn Fleet,
    pub(super) options: CompileOptions,
    pub(super) cache: Cache,
    pub(super) targets: Vec<Vec<String>>,
    members: Vec<HashSet<String>>,
    pub(super) selected: Vec<Vec<bool>>,
    pub(super) shared: Map<String, Value>,
    pub(super) play_vars: Vec<Map<String, Value>>,
}

impl<'a> Job<'a> {
    /// Resolves patterns and selection. A pattern that is wrong is an error in `found`, one that matches nothing a warning.
    pub fn new(
        playbook: &'a Playbook,
        fleet: &'a dyn Fleet,
        options: CompileOptions,
        found: &mut Diagnostics,
    ) -> Job<'a> {
        let mut started = options.selection.start_at.is_none();
        let selected: Vec<Vec<bool>> = playbook
            .plays
            .iter()
            .map(|play| with_includes(play, options.selection.select(play, &mut started)))
            .collect();
        let mut targets = Vec::new();
        for play in &playbook.plays {
            let mut hosts = hosts_of(play, fleet, &options, found);
            if let Some(limit) = &options.limit {
                hosts.retain(|h| limit.contains(h));
            }
            targets.push(hosts);
        }
        unused(playbook, &options, started, found);
        let shared = magic_vars::shared(playbook, fleet, &options);
        let play_vars: Vec<Map<String, Value>> = playbook
            .plays
            .iter()
            .zip(&targets)
            .map(|(play, hosts)| magic_vars::of_play(playbook, play, hosts))
            .collect();
        let members = targets.iter().map(|hosts| hosts.iter().cloned().collect()).collect();
        Job { playbook, fleet, options, cache: Cache::default(), targets, members, selected, shared, play_vars }
    }

    /// Every host that some play is for, in the order of plays and inventory.
    pub fn hosts(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        self.targets.iter().flatten().map(String::as_str).filter(|h| seen.insert(*h)).collect()
    }

    /// The plays with their hosts and selected tasks.
    pub fn list(&self) -> Vec<Listed> {
        let plays = self.playbook.plays.iter().zip(&self.targets).zip(&self.selected);
        plays
            .map(|((play, targets), selected)| {
                let tasks: Vec<_> = play.tasks[..play.handlers_from]
                    .iter()
                    .zip(selected)
                    .filter(|(task, selected)| **selected && !task.barrier)
                    .map(|(task, _)| (task.proto.role.clone(), task.proto.name.clone(), task.proto.tags.clone()))
                    .collect();
                let task_tags: BTreeSet<String> = tasks.iter().flat_map(|(_, _, tags)| tags.iter().cloned()).collect();
                Listed {
                    play: play.name.clone(),
                    hosts: play.hosts.clone(),
                    targets: targets.clone(),
                    tags: play.tags.clone(),
                    tasks,
                    task_tags: task_tags.into_iter().collect(),
                }
            })
            .collect()
    }

    /// Compiles every host and gives the plans, or everything that is wrong: the same problem of several hosts once, with the hosts named.
    ///
    /// # Errors
    /// What is wrong for at least one host.
    pub fn compile_all(&self) -> Result<Vec<Compiled>, Diagnostics> {
        let mut plans = Vec::new();
        let mut problems: Vec<(String, Diagnostics)> = Vec::new();
        for host in self.hosts() {
            match self.compile(host) {
                Ok(compiled) => plans.push(compiled),
                Err(found) => problems.push((host.to_owned(), found)),
            }
        }
        if problems.is_empty() { Ok(plans) } else { Err(merge(problems, self.hosts().len())) }
    }

    pub(super) fn is_target(&self, play: usize, host: &str) -> bool {
        self.members[play].contains(host)
    }

    /// The order of a play's tasks, once for all hosts whose tasks touch the same things.
    pub(super) fn ordered(
        &self,
        index: usize,
        selected: &[bool],
        resolved: &[Arc<Resolved>],
        accounts: &[Option<String>],
    ) -> Arc<Ordered> {
        let play = &self.playbook.plays[index];
        let count = play.handlers_from;
        let needs_relations = play.edges.own.iter().any(|own| *own);
        // Where nothing is ordered by resources, the order is the same for every host.
        let mut key = (index, selected.to_vec(), Vec::new(), Vec::new());
        if needs_relations {
            key.2 = resolved.iter().map(|r| Arc::as_ptr(r) as usize).collect();
            key.3 = accounts.to_vec();
        }
        if let Some(known) = super::cache::lock(&self.cache.ordered).get(&key) {
            return known.clone();
        }
        let relations: Vec<_> = (0..count)
            .map(|t| {
                let relations = needs_relations.then(|| resolved[t].relations.as_ref()).flatten()?;
                Some(super::resources::with_account(relations, accounts[t].as_deref()))
            })
            .collect();
        let ordered = Arc::new(edges::order(play, selected, &relations));
        super::cache::lock(&self.cache.ordered).insert(key, ordered.clone());
        ordered
    }
}

/// An include is needed for what it includes, the end of a transaction for its tasks.
fn with_includes(play: &PlayDef, mut selected: Vec<bool>) -> Vec<bool> {
    for include in &play.includes {
        selected[include.task] |= include.parts.iter().any(|(_, tasks)| selected[tasks.clone()].contains(&true));
    }
    for (tasks, end) in play.blocks.iter().filter_map(|block| block.transaction.as_ref()) {
        selected[*end] = selected[tasks.clone()].contains(&true);
    }
    selected
}

fn hosts_of(play: &PlayDef, fleet: &dyn Fleet, options: &CompileOptions, found: &mut Diagnostics) -> Vec<String> {
    let known = super::render::Static::new(options.extra_vars.clone());
    let pattern = match known.value(&play.hosts) {
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        _ => {
            let problem =
                Diagnostic::error("hosts", "`hosts` is a template that is not known before any host is contacted");
            found.push(problem.at(play.hosts_span, "").help("pass the variable with `-e`, or name a group"));
            return Vec::new();
        }
    };
    match fleet.select(&pattern) {
        Ok(found_hosts) => {
            let groups = fleet.groups();
            for part in &found_hosts.unmatched {
                let problem = Diagnostic::warning("no-hosts", format!("`{part}` matches no host and no group"));
                found.push(match did_you_mean(part, groups.keys().map(String::as_str)) {
                    Some(meant) if play.hosts == *part => problem.at(play.hosts_span, "").suggest(
                        play.hosts_span,
                        meant,
                        format!("did you mean `{meant}`?"),
                    ),
                    Some(meant) => problem.at(play.hosts_span, "").help(format!("did you mean `{meant}`?")),
                    None => problem.at(play.hosts_span, ""),
                });
            }
            found_hosts.hosts
        }
        Err(words) => {
            found.push(Diagnostic::error("hosts", words).at(play.hosts_span, ""));
            Vec::new()
        }
    }
}

/// Words of the command line that select nothing.
fn unused(playbook: &Playbook, options: &CompileOptions, started: bool, found: &mut Diagnostics) {
    const SPECIAL: &[&str] = &["all", "always", "never", "tagged", "untagged"];
    if let Some(name) = options.selection.start_at.as_ref().filter(|_| !started) {
        found.push(Diagnostic::error("start-at-task", format!("no task is named `{name}`")));
    }
    let tags: BTreeSet<&str> = playbook
        .plays
        .iter()
        .flat_map(|p| p.tasks[..p.handlers_from].iter().flat_map(|t| t.proto.tags.iter().map(String::as_str)))
        .collect();
    for wanted in options.selection.tags.iter().chain(&options.selection.skip_tags) {
        if !SPECIAL.contains(&wanted.as_str()) && !tags.contains(wanted.as_str()) {
            let problem = Diagnostic::warning("unknown-tag", format!("no task has the tag `{wanted}`"));
            found.push(match did_you_mean(wanted, tags.iter().copied()) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem,
            });
        }
    }
}

/// The problems of several hosts, each once, with the hosts it concerns where these are not all.
pub fn merge(problems: Vec<(String, Diagnostics)>, hosts: usize) -> Diagnostics {
    let mut order: Vec<Diagnostic> = Vec::new();
    let mut by: HashMap<Diagnostic, Vec<String>> = HashMap::new();
    for (host, found) in problems {
        for problem in found {
            let known = by.entry(problem.clone()).or_insert_with(|| {
                order.push(problem);
                Vec::new()
            });
            if known.last() != Some(&host) {
                known.push(host.clone());
            }
        }
    }
    let mut out = Diagnostics::new();
    for problem in order {
        let names = by.remove(&problem).unwrap_or_default();
        out.push(if names.len() == hosts { problem } else { problem.note(concerned(&names)) });
    }
    out
}

fn concerned(names: &[String]) -> String {
    let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(5).filter(|more| *more > 0) {
        Some(more) => format!("on {} hosts: {shown} and {more} more", names.len()),
        None if names.len() == 1 => format!("on {shown}"),
        None => format!("on {} hosts: {shown}", names.len()),
    }
}
