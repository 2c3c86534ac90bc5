//! One host's plan.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    Access, Blob, Compiled, Job,
    become_user::{self, Account},
    cache::lock,
    edges::Ordered,
    includes::{self, Narrowed},
    render::Static,
    resources::{Resolved, resolve},
    secrets,
    vars::{self, HostNames},
};
use crate::{
    diag::{Diagnostic, Diagnostics},
    plan::{self, BlockId, Edge, Place, Plan, Scope, ScopeId, Task, TaskId},
    playbook::{Flag, PlayDef, TaskDef, magic},
    vault::has_encrypted,
};

/// A host's plan while it is put together.
struct Building<'j, 'a> {
    job: &'j Job<'a>,
    inventory: Map<String, Value>,
    plan: Plan,
    blobs: BTreeMap<String, Blob>,
    accounts: Vec<Account>,
    access: Access,
    found: Diagnostics,
    /// What is read besides what the playbook itself says.
    more_reads: BTreeSet<Arc<str>>,
    /// What the tasks read that run on this host.
    reads: BTreeSet<Arc<str>>,
}

impl Job<'_> {
    /// Compiles the plan of one host.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(&self, host: &str) -> Result<Compiled, Diagnostics> {
        let mut inventory = self.fleet.vars(host);
        inventory.extend(self.shared.iter().map(|(k, v)| (k.clone(), v.clone())));
        let plan = Plan {
            run: self.options.run.clone(),
            host: host.to_owned(),
            mode: self.options.mode,
            inventory_vars: Map::new(),
            extra_vars: self.options.extra_vars.clone(),
            plays: Vec::new(),
            tasks: Vec::new(),
            scopes: Vec::new(),
            blocks: Vec::new(),
            secrets: BTreeSet::new(),
            blobs: BTreeMap::new(),
            options: self.options.options.clone(),
        };
        let mut building = Building {
            job: self,
            inventory,
            plan,
            blobs: BTreeMap::new(),
            accounts: Vec::new(),
            access: Access::default(),
            found: Diagnostics::new(),
            more_reads: BTreeSet::new(),
            reads: BTreeSet::new(),
        };
        let keyring = self.playbook.files.keyring();
        for name in secrets::LOGIN {
            secrets::open_one(keyring, &mut building.inventory, name, true, &mut building.found);
        }
        for play in 0..self.playbook.plays.len() {
            if self.is_target(play, host) {
                building.play(play);
            }
        }
        building.finish()
    }
}

impl Building<'_, '_> {
    fn names(&self) -> HostNames<'_> {
        HostNames { inventory: &self.inventory, extra: &self.job.options.extra_vars }
    }

    fn play(&mut self, index: usize) {
        let play = &self.job.playbook.plays[index];
        let narrowed = Narrowed::new(play, &self.job.selected[index], |task| self.values(index, task, &task.arg_reads));
        self.found.extend(narrowed.problems.iter().cloned());
        let selected = &narrowed.selected;
        if !selected[..play.handlers_from].iter().zip(&play.tasks).any(|(s, t)| *s && !t.barrier) {
            return;
        }
        let mut found = std::mem::take(&mut self.found);
        let mut check = vars::Check::new(self.job, play, self.names());
        for (task, _) in play.tasks.iter().zip(selected).filter(|(_, s)| **s) {
            check.reads(task, &task.reads, &mut found);
        }
        self.found = found;
        let running = play.tasks.iter().zip(selected).filter(|(_, s)| **s);
        self.reads.extend(running.flat_map(|(task, _)| task.reads.iter().map(|read| read.name.clone())));
        let mut resolved: Vec<Arc<Resolved>> = Vec::with_capacity(play.tasks.len());
        let mut accounts: Vec<Account> = Vec::with_capacity(play.tasks.len());
        for (at, task) in play.tasks.iter().enumerate() {
            let one = self.resolved(index, at, task);
            if selected[at] {
                self.found.extend(one.problems.iter().cloned());
                self.rendered_reads(play, task, &one);
            }
            resolved.push(one);
            accounts.push(self.account(index, task));
        }
        let ordered = self.job.ordered(index, selected, &resolved, &accounts);
        self.found.extend(ordered.problems.iter().cloned());
        self.add(index, &narrowed, &resolved, accounts, &ordered);
        self.reach(play);
    }

    /// What template files read that only now have a name.
    fn rendered_reads(&mut self, play: &PlayDef, task: &TaskDef, resolved: &Resolved) {
        if resolved.uses.is_empty() {
            return;
        }
        let reads = vars::closure(play, task.scope, &resolved.uses);
        let mut found = std::mem::take(&mut self.found);
        vars::Check::new(self.job, play, self.names()).reads(task, &reads, &mut found);
        self.found = found;
        self.more_reads.extend(reads.into_iter().map(|r| r.name));
    }

    fn account(&mut self, play: usize, task: &TaskDef) -> Account {
        let known = self.known(play, task);
        match become_user::account(task, &self.names(), &self.job.options, &known) {
            Ok(account) => account,
            Err(problem) => {
                self.found.push(*problem);
                None
            }
        }
    }

    /// What the templates of `become` and its like need.
    fn known(&self, play: usize, task: &TaskDef) -> Static {
        let values = task.flag_reads.as_ref().and_then(|reads| self.values(play, task, reads));
        values.map_or_else(Static::default, Static::new)
    }

    /// The values of everything that is read, or `None` if one of them is known on the host only.
    fn values(&self, play: usize, task: &TaskDef, reads: &[vars::Read]) -> Option<Map<String, Value>> {
        vars::values(self.job, play, task, &self.names(), reads)
    }

    /// What is known of a task, once for all hosts that have the same values.
    fn resolved(&mut self, index: usize, at: usize, task: &TaskDef) -> Arc<Resolved> {
        let args = self.values(index, task, &task.arg_reads);
        let src = if task.src_reads.is_empty() { Some(Map::new()) } else { self.values(index, task, &task.src_reads) };
        let key = (index, at, text_of(&args) + "\n" + &text_of(&src));
        if let Some(known) = lock(&self.job.cache.resolved).get(&key) {
            return known.clone();
        }
        let resolved = Arc::new(resolve(self.job.playbook, &self.job.cache, task, args, src));
        lock(&self.job.cache.resolved).insert(key, resolved.clone());
        resolved
    }

    /// Adds the play's selected tasks to the plan.
    fn add(
        &mut self,
        index: usize,
        narrowed: &Narrowed,
        resolved: &[Arc<Resolved>],
        accounts: Vec<Account>,
        ordered: &Ordered,
    ) {
        let play = &self.job.playbook.plays[index];
        let selected = &narrowed.selected;
        let first = self.plan.tasks.len();
        let base = self.plan.scopes.len();
        let blocks = self.plan.blocks.len();
        let place = |(block, section): (usize, plan::Section)| Place { block: block_id(blocks + block), section };
        let mut ids: Vec<Option<TaskId>> = Vec::with_capacity(play.tasks.len());
        let mut next = first;
        for taken in selected {
            ids.push(taken.then(|| task_id(next)));
            next += usize::from(*taken);
        }
        self.plan.blocks.extend(play.blocks.iter().map(|block| plan::Block {
            within: block.within.map(place),
            transaction: block.transaction.as_ref().and_then(|(_, end)| ids[*end]).map(|end| plan::Transaction { end }),
        }));
        for (at, (task, account)) in play.tasks.iter().zip(accounts).enumerate() {
            let Some(id) = ids[at] else { continue };
            let mut out = self.task(index, task, id, base);
            out.when = narrowed.conditions(&out.when);
            out.place = task.place.map(place);
            out.files = resolved[at].files.clone();
            out.templates = resolved[at].templates.clone();
            for (hash, blob) in &resolved[at].blobs {
                self.plan.blobs.insert(hash.clone(), blob.size);
                self.blobs.insert(hash.clone(), blob.clone());
            }
            let before = ordered.before.get(at).into_iter().flatten();
            out.needs = before.filter_map(|(on, why)| ids[*on].map(|on| Edge { on, why: why.clone() })).collect();
            self.plan.tasks.push(out);
            self.accounts.push(account);
        }
        for scope in &play.scopes {
            let mut vars = Map::new();
            for (name, value) in &scope.defaults.values {
                if !self.inventory.contains_key(name) {
                    vars.insert(name.clone(), value.clone());
                }
            }
            vars.extend(scope.vars.values.iter().map(|(k, v)| (k.clone(), v.clone())));
            let params = scope.vars.values.iter().filter(|(name, _)| scope.params.contains(*name));
            let params = params.map(|(name, value)| (name.clone(), value.clone())).collect();
            self.plan.scopes.push(Scope { parent: scope.parent.map(|p| scope_id(base + p)), vars, params });
        }
        let gather = play.gather_facts.unwrap_or(true) && self.reads_facts(index);
        self.plan.plays.push(plan::Play {
            name: play.name.clone(),
            origin: play.origin.clone(),
            first: task_id(first),
            count: u32::try_from(self.plan.tasks.len() - first).unwrap_or(u32::MAX),
            defaults: play.defaults.values.clone(),
            vars: self.job.play_vars[index].clone(),
            gather_facts: gather,
        });
    }

    /// Whether a fact is read in this play, or in a later one that does not gather facts itself.
    fn reads_facts(&self, index: usize) -> bool {
        let names = self.names();
        let plays = self.job.playbook.plays.iter().enumerate().skip(index);
        plays.filter(|(at, _)| self.job.is_target(*at, &self.plan.host)).any(|(at, play)| {
            (at == index || play.gather_facts == Some(false))
                && (self.more_reads.iter().any(|n| magic::is_fact(n) && !names.has(n))
                    || play.tasks.iter().zip(&self.job.selected[at]).filter(|(_, s)| **s).any(|(task, _)| {
                        task.reads.iter().any(|r| !r.defined && magic::is_fact(&r.name) && !names.has(&r.name))
                    }))
        })
    }

    fn task(&mut self, play: usize, task: &TaskDef, id: TaskId, base: usize) -> Task {
        let mut out = task.proto.clone();
        out.id = id;
        out.scope = task.scope.map(|s| scope_id(base + s));
        self.narrow_choices(play, task, &mut out);
        let known = self.known(play, task);
        // What cannot be known is kept secret.
        out.no_log = become_user::flag(&task.no_log, &known).unwrap_or(true);
        out.check_mode = match &task.check_mode {
            None => None,
            Some(Flag::Fixed(on)) => Some(*on),
            Some(template @ Flag::Template(_, span)) => {
                let on = become_user::flag(template, &known);
                if on.is_none() {
                    let problem = Diagnostic::error("dynamic-flag", "`check_mode` depends on what only the host knows");
                    self.found.push(problem.at(*span, "").help("use a variable of the playbook or the inventory"));
                }
                on
            }
        };
        out
    }

    /// Of the files that an `include_vars` may mean, the one that it does mean, if that is known.
    fn narrow_choices(&mut self, play: usize, task: &TaskDef, out: &mut Task) {
        if out.module != "include_vars" || out.r#loop.is_some() {
            return;
        }
        let known = self.values(play, task, &task.arg_reads).and_then(|v| includes::file(task, &Static::new(v)));
        let Some(name) = known else { return };
        if out.choices.contains_key(&name) {
            out.choices.retain(|choice, _| *choice == name);
        } else if out.when.is_empty() {
            self.found.push(includes::no_such_file(task, &name));
        }
    }

    /// How the host is reached must be the same in all its plays: there is one connection.
    fn reach(&mut self, play: &PlayDef) {
        let mut clash = |mine: &mut Option<String>, new: &Option<String>, what: &str| match (&*mine, new) {
            (Some(a), Some(b)) if a != b => {
                let message = format!("`{what}` is `{a}` in one play and `{b}` in another for the same host");
                let problem = Diagnostic::error("two-connections", message).at(play.span, "the other play");
                self.found.push(
                    problem.help("a host is contacted once; make them two playbooks, or set the inventory's variable"),
                );
            }
            (None, Some(new)) => *mine = Some(new.clone()),
            _ => {}
        };
        clash(&mut self.access.connection, &play.connection, "connection");
        clash(&mut self.access.remote_user, &play.remote_user, "remote_user");
        for task in play.tasks.iter().filter(|t| t.r#become.on.is_some()) {
            clash(&mut self.access.become_method, &task.r#become.method, "become_method");
            clash(&mut self.access.become_flags, &task.r#become.flags, "become_flags");
        }
    }

    fn finish(mut self) -> Result<Compiled, Diagnostics> {
        if self.found.has_errors() {
            return Err(self.found);
        }
        let names = self.names();
        // One that is not known yet is said where the host is reached.
        let var = |name: &str| become_user::connection_var(&names, name).ok().flatten();
        let text = |name: &str| var(name).and_then(|v| v.as_str().map(str::to_owned));
        let login = text("ansible_user");
        let login = login.or_else(|| self.access.remote_user.clone()).or_else(|| self.job.options.remote_user.clone());
        let method = text("ansible_become_method");
        self.access.become_method =
            method.or_else(|| self.access.become_method.take()).or_else(|| self.job.options.become_method.clone());
        let all: BTreeSet<Account> = self.accounts.iter().cloned().collect();
        let helper = become_user::helper(&all);
        for (task, account) in self.plan.tasks.iter_mut().zip(&self.accounts) {
            let account = account.clone().or_else(|| if helper.is_some() { login.clone() } else { None });
            task.become_user = account.filter(|a| Some(a) != helper.as_ref());
        }
        self.access.become_user = helper;
        self.open_vars();
        self.plan.inventory_vars = self.inventory_vars();
        if self.found.has_errors() {
            return Err(self.found);
        }
        self.plan.secrets = secrets::of_plan(self.job.playbook.files.keyring(), &self.plan);
        Ok(Compiled { plan: self.plan, blobs: self.blobs, access: self.access, warnings: self.found })
    }

    /// Opens what is encrypted among the variables of the playbook and the command line.
    fn open_vars(&mut self) {
        let keyring = self.job.playbook.files.keyring();
        let plays = self.plan.plays.iter_mut().flat_map(|play| [&mut play.defaults, &mut play.vars]);
        let scopes = self.plan.scopes.iter_mut().flat_map(|scope| [&mut scope.vars, &mut scope.params]);
        let included = self.plan.tasks.iter_mut().flat_map(|task| task.choices.values_mut());
        for vars in std::iter::once(&mut self.plan.extra_vars).chain(plays).chain(scopes).chain(included) {
            if !vars.values().any(has_encrypted) {
                continue;
            }
            secrets::open(keyring, vars, |name| self.reads.contains(name), &mut self.found);
            // What an encrypted template reads could not be known before.
            let mut texts = Vec::new();
            vars.values().for_each(|value| super::render::texts(value, &mut texts));
            let names = texts.iter().flat_map(|text| self.job.cache.names_in(text).to_vec());
            self.more_reads.extend(names.map(|(name, _)| name));
        }
    }

    /// The inventory's variables that something may read: what a host does not need does not travel.
    fn inventory_vars(&mut self) -> Map<String, Value> {
        let read = &self.job.playbook.read_names;
        let everything = ["vars", "hostvars", "varnames"].into_iter().any(|name| read.contains(name));
        let mut roots: Vec<Arc<str>> = read.iter().chain(&self.more_reads).cloned().collect();
        if everything {
            roots.extend(self.inventory.keys().map(|name| Arc::from(name.as_str())));
        }
        let mut locked = BTreeMap::new();
        let keep = self.closure(roots, &mut locked);
        if !locked.is_empty() {
            let needed =
                self.closure(self.reads.iter().chain(&self.more_reads).cloned().collect(), &mut BTreeMap::new());
            let problems = locked.into_iter().filter(|(name, _)| needed.contains(name));
            problems.for_each(|(_, problem)| self.found.extend(problem));
        }
        if everything {
            return std::mem::take(&mut self.inventory);
        }
        let always = |name: &str| {
            matches!(name, "inventory_hostname" | "inventory_hostname_short" | "group_names" | "ansible_check_mode")
                || name.starts_with("ansible_python")
        };
        self.inventory
            .iter()
            .filter(|(k, _)| keep.contains(k.as_str()) || always(k))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// These names and all that are read through them. What is encrypted on the way is opened; what cannot be is taken out of the
    /// inventory, with the reason in `locked`.
    fn closure(&mut self, mut todo: Vec<Arc<str>>, locked: &mut BTreeMap<Arc<str>, Diagnostics>) -> HashSet<Arc<str>> {
        let keyring = self.job.playbook.files.keyring();
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let mut found = Diagnostics::new();
            if secrets::open_one(keyring, &mut self.inventory, &name, true, &mut found) {
                self.inventory.shift_remove(&*name);
                locked.insert(name, found);
                continue;
            }
            let Some(value) = self.inventory.get(&*name) else { continue };
            let mut texts = Vec::new();
            super::render::texts(value, &mut texts);
            for text in &texts {
                todo.extend(self.job.cache.names_in(text).iter().map(|(name, _)| name.clone()));
            }
        }
        seen
    }
}

fn text_of(values: &Option<Map<String, Value>>) -> String {
    values.as_ref().map_or_else(|| "?".into(), |v| serde_json::to_string(v).unwrap_or_default())
}

fn task_id(at: usize) -> TaskId {
    TaskId(u32::try_from(at).unwrap_or(u32::MAX))
}

fn block_id(at: usize) -> BlockId {
    BlockId(u32::try_from(at).unwrap_or(u32::MAX))
}

fn scope_id(at: usize) -> ScopeId {
    ScopeId(u32::try_from(at).unwrap_or(u32::MAX))
}
