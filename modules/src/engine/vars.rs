//! The variables that a task sees, and what the run adds to them.
//!
//! From the weakest to the strongest, as Ansible documents its precedence: role defaults, inventory, facts, play and role
//! variables, block and task variables, `include_vars`, registered results and set facts, parameters of roles and includes, loop variables, `-e`.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;
use rectify_core::{
    mask::Secrets,
    module::{Because, Observe},
    plan::{Play, ScopeId, Task, TaskId},
    template::{Data, Engine as Templates, EngineOptions, LoadHook, Trust, Vars},
};
use serde_json::{Map, Value};

use super::Run;

/// What the tasks that are done have left behind.
#[derive(Default, Clone)]
pub(crate) struct Runtime {
    /// Registered results and set facts, by name.
    made: IndexMap<String, Data>,
    /// The variables of `include_vars`.
    included: IndexMap<String, Data>,
    /// The variables of `vars_files` whose names depend on the host, for the play that runs.
    of_play: IndexMap<String, Data>,
    /// Facts with Ansible's names, as far as they are known.
    facts: Option<Map<String, Value>>,
    /// Whether all of them were gathered.
    gathered: bool,
}

/// How strong the variables of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// As those of the play, and until it ends.
    Play,
    /// Above those of tasks, for the rest of the run.
    Host,
}

impl Runtime {
    /// Takes a variable of a file.
    pub(crate) fn include(&mut self, name: &str, value: Data, level: Level) {
        let into = if level == Level::Play { &mut self.of_play } else { &mut self.included };
        into.insert(name.to_owned(), value);
    }

    /// A play begins: what the one before it had for itself is gone.
    pub(crate) fn begin_play(&mut self) {
        self.of_play.clear();
    }

    pub(crate) fn set(&mut self, name: &str, value: Data) {
        self.made.insert(name.to_owned(), value);
    }

    /// What another run has that is not known here.
    pub(crate) fn adopt(&mut self, other: &Runtime) {
        for (own, others) in [(&mut self.made, &other.made), (&mut self.included, &other.included)] {
            for (name, value) in others {
                own.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        self.of_play.clone_from(&other.of_play);
        if self.facts.is_none() {
            self.facts.clone_from(&other.facts);
            self.gathered = other.gathered;
        }
    }

    /// Puts facts beside those that are known, or in their place.
    pub(crate) fn add_facts(&mut self, facts: Map<String, Value>) {
        self.facts.get_or_insert_default().extend(facts);
    }
}

pub(crate) fn templates(secrets: &Arc<Secrets>) -> Templates {
    Templates::new(EngineOptions { secrets: Arc::clone(secrets), ..EngineOptions::default() })
}

/// With templates that others include, by name.
pub(crate) fn templates_with(texts: BTreeMap<String, String>, secrets: &Arc<Secrets>) -> Templates {
    let load: Arc<LoadHook> = Arc::new(move |name| texts.get(name).cloned());
    Templates::new(EngineOptions { load: Some(load), secrets: Arc::clone(secrets), ..EngineOptions::default() })
}

/// Gathers facts unless that has been done. A failure leaves them empty and is the caller's to report.
pub(crate) fn gather(run: &Run<'_>, host: &dyn Observe) -> Result<(), rectify_core::module::ModuleError> {
    let mut runtime = run.runtime();
    if !runtime.gathered {
        runtime.add_facts(crate::facts::gather(host)?);
        runtime.gathered = true;
    }
    Ok(())
}

/// The variables of a task, loop variables not included.
pub(crate) fn of_task(run: &Run<'_>, play: &Play, task: &Task) -> Vars {
    let runtime = run.runtime();
    let mut vars = Vars::new(&play.defaults).with(&run.plan.inventory_vars);
    if let Some(facts) = &runtime.facts {
        vars = vars
            .with_plain(&top_level(facts))
            .with_plain(&Map::from_iter([("ansible_facts".to_owned(), Value::Object(facts.clone()))]));
    }
    vars = with_all(vars.with(&play.vars), &runtime.of_play);
    for scope in scopes(run, task.scope) {
        vars = vars.with(&run.plan.scopes[scope.0 as usize].vars);
    }
    vars = with_all(with_all(vars, &runtime.included), &runtime.made);
    for scope in scopes(run, task.scope) {
        let params = &run.plan.scopes[scope.0 as usize].params;
        if !params.is_empty() {
            vars = vars.with(params);
        }
    }
    vars.with(&run.plan.extra_vars)
}

fn with_all(vars: Vars, more: &IndexMap<String, Data>) -> Vars {
    more.iter().fold(vars, |vars, (name, value)| vars.with_data(name, value.clone()))
}

fn scopes(run: &Run<'_>, mut at: Option<ScopeId>) -> Vec<ScopeId> {
    let mut chain = Vec::new();
    while let Some(id) = at {
        chain.push(id);
        at = run.plan.scopes[id.0 as usize].parent;
    }
    chain.reverse();
    chain
}

/// Facts as variables of their own: `ansible_distribution` for `ansible_facts.distribution`.
fn top_level(facts: &Map<String, Value>) -> Map<String, Value> {
    facts
        .iter()
        .map(|(name, value)| {
            let name = if name.starts_with("ansible_") { name.clone() } else { format!("ansible_{name}") };
            (name, value.clone())
        })
        .collect()
}

/// Data from a host, never to be evaluated.
pub(crate) fn plain(value: &Value) -> Data {
    Data::from_json(value, Trust::Plain)
}

/// A value that this run has not produced.
pub(crate) fn unknown(because: &Because) -> Data {
    let tasks: Vec<u32> = because.as_slice().iter().map(|t| t.0).collect();
    Data::unknown(&tasks)
}

/// The tasks that a template named as the reason.
pub(crate) fn because(tasks: &[u32]) -> Because {
    Because::tasks(tasks.iter().map(|t| TaskId(*t)))
}
