//! Playbook files and plays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    files::{below, tidy},
    keys::{self, Place},
    loader::{Building, Here, Loader, MAX_DEPTH},
    model::{Become, Group, Inherited, Order, PlayDef, VarSet},
    read::word,
    tasks::Common,
};
use crate::{
    diag::{Diagnostic, Span, did_you_mean},
    plan::Expr,
    yaml::Node,
};

/// What an `import_playbook` says for all plays of the file.
#[derive(Clone, Default)]
pub(crate) struct Imported {
    vars: VarSet,
    tags: Vec<String>,
    when: Vec<Expr>,
    uses: Vec<super::model::Use>,
}

/// The keys of a play as they are read.
#[derive(Default)]
struct Keys<'n> {
    hosts: Option<(String, Span)>,
    order: Order,
    gather_facts: Option<bool>,
    connection: Option<String>,
    remote_user: Option<String>,
    vars_files: Option<&'n Node>,
    pre_tasks: Option<&'n Node>,
    roles: Option<&'n Node>,
    tasks: Option<&'n Node>,
    post_tasks: Option<&'n Node>,
    handlers: Option<&'n Node>,
}

impl Loader<'_> {
    /// Reads a playbook file and everything that it imports, adding its plays.
    pub(crate) fn playbook(
        &mut self,
        path: &Path,
        asked: Option<Span>,
        outer: &Imported,
        trail: &[PathBuf],
        plays: &mut Vec<PlayDef>,
    ) {
        let path = tidy(path);
        if trail.contains(&path) || trail.len() >= MAX_DEPTH {
            let problem = Diagnostic::error("import-loop", format!("`{}` imports itself", path.display()));
            self.push(super::loader::located(problem, asked, "imported again here"));
            return;
        }
        let Some(node) = self.yaml(&path, asked) else { return };
        let Some(items) = node.as_seq() else {
            let problem = node.expected("a list of plays");
            self.push(problem.help("a playbook begins with `- hosts: …`"));
            return;
        };
        let trail: Vec<PathBuf> = trail.iter().cloned().chain([path.clone()]).collect();
        let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
        for item in items {
            if item.as_map().is_none() {
                self.push(item.expected("a play (a mapping)"));
                continue;
            }
            let import = item.as_map().into_iter().flatten().find(|(k, _)| keys::short(word(k)) == "import_playbook");
            match import {
                Some((key, value)) => self.import_playbook(item, key, value, &dir, outer, &trail, plays),
                None => plays.extend(self.play(item, &dir, outer)),
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a recursion, passed down as it is")]
    fn import_playbook(
        &mut self,
        item: &Node,
        key: &Node,
        value: &Node,
        dir: &Path,
        outer: &Imported,
        trail: &[PathBuf],
        plays: &mut Vec<PlayDef>,
    ) {
        let mut all = outer.clone();
        let mut common = Common::default();
        for (k, v) in self.entries(item, "an import") {
            if k.span == key.span {
                continue;
            }
            if !Place::Import.keys().contains(&word(k)) || !common.key(self, k, v) {
                self.unknown_key(k, Place::Import);
            }
        }
        all.vars.extend(&common.vars);
        all.tags.append(&mut common.tags);
        all.when.append(&mut common.when);
        all.uses.append(&mut common.uses);
        let Some(name) = self.fixed_text(value, "the name of a playbook") else { return };
        self.playbook(&below(dir, &name), Some(value.span), &all, trail, plays);
    }

    fn play(&mut self, node: &Node, dir: &Path, imported: &Imported) -> Option<PlayDef> {
        self.play = Building {
            dir: dir.to_path_buf(),
            groups: vec![Group::default()],
            spaces: 1,
            space_parents: vec![0],
            ..Building::default()
        };
        let mut common = Common::default();
        let mut own = Keys::default();
        for (key, value) in self.entries(node, "a play") {
            if word(key) == "when" || matches!(word(key), "id" | "needs" | "notify") {
                self.unknown_key(key, Place::Play);
            } else if !common.key(self, key, value) && !self.play_key(key, value, &mut own) {
                self.unknown_play_key(key);
            }
        }
        let Some((hosts, hosts_span)) = own.hosts.clone() else {
            if node.get("hosts").is_none() {
                let at = node.as_map().and_then(|m| m.first()).map_or(node.span, |(k, _)| k.span);
                let problem = Diagnostic::error("missing-key", "a play without `hosts`");
                self.push(problem.at(at, "nothing says which hosts it is for"));
            }
            return None;
        };
        let mut vars = imported.vars.clone();
        vars.extend(&common.vars);
        self.play.vars = vars;
        let mut search = Here { dir: dir.to_path_buf(), search: Arc::new(vec![dir.to_path_buf()]), ..Here::default() };
        let open = own.vars_files.map(|files| self.vars_files(files, &search)).unwrap_or_default();
        let span = common.name.as_ref().map_or(hosts_span, |(_, span)| *span);
        let name = common.name.take().map_or_else(|| hosts.clone(), |(name, _)| name);
        let r#become = common.r#become.clone();
        common.when.splice(0..0, imported.when.iter().cloned());
        common.uses.extend(imported.uses.iter().cloned());
        common.tags.splice(0..0, imported.tags.iter().cloned());
        let tags = common.tags.clone();
        search.inherited = common.inherit(&Inherited::default());
        let here = search;
        self.open_vars_files(open, &here);
        self.sections(&own, &here, node.span.head());
        Some(self.finish_play(own, name, span, (hosts, hosts_span), r#become, tags))
    }

    fn unknown_play_key(&mut self, key: &Node) {
        let name = word(key);
        let module = self.registry.find(name).is_some();
        if module && !Place::Task.keys().contains(&name) {
            let problem = Diagnostic::error("misplaced-key", format!("the module `{name}` does not belong in a play"));
            self.push(problem.at(key.span, "").help("write it in a task, below `tasks:`"));
            return;
        }
        self.unknown_key(key, Place::Play);
    }

    fn play_key<'n>(&mut self, key: &Node, value: &'n Node, own: &mut Keys<'n>) -> bool {
        let name = word(key);
        match name {
            "hosts" => own.hosts = self.hosts(value),
            "order" => own.order = self.order(value),
            "gather_facts" => own.gather_facts = self.boolean(value),
            "gather_subset" => {
                let problem = Diagnostic::warning("gather-subset", "`gather_subset` changes nothing");
                self.push(
                    problem.at(key.span, "").note("facts are cheap here, and are read only where a play uses them"),
                );
            }
            "connection" => own.connection = self.connection(value),
            "remote_user" => own.remote_user = self.fixed_text(value, "an account's name"),
            "vars_files" => own.vars_files = Some(value),
            "pre_tasks" => own.pre_tasks = Some(value),
            "roles" => own.roles = Some(value),
            "tasks" => own.tasks = Some(value),
            "post_tasks" => own.post_tasks = Some(value),
            "handlers" => own.handlers = Some(value),
            "strategy" => self.strategy(value),
            "any_errors_fatal" => {
                if self.boolean(value) == Some(true) {
                    let problem = key.error("unsupported", "`any_errors_fatal: true` is not supported");
                    self.push(problem.help("run on one host first, with `--limit`"));
                }
            }
            _ => return false,
        }
        true
    }

    fn hosts(&mut self, value: &Node) -> Option<(String, Span)> {
        let words = self.words(value, "a pattern of hosts", false);
        let pattern: Vec<&str> = words.iter().map(|(w, _)| w.trim()).filter(|w| !w.is_empty()).collect();
        if pattern.is_empty() {
            let problem = value.error("empty-hosts", "`hosts` is empty");
            self.push(problem.help("name hosts or groups, or `all`"));
            return None;
        }
        self.templates(value, &mut Vec::new());
        Some((pattern.join(","), value.span))
    }

    fn order(&mut self, value: &Node) -> Order {
        match value.as_str() {
            Some("listed") => Order::Listed,
            Some("graph") => Order::Graph,
            // Ansible's words, which order the hosts: here all run at once.
            Some(word @ ("inventory" | "sorted" | "reverse_sorted" | "reverse_inventory" | "shuffle")) => {
                let message = format!("`order: {word}` changes nothing");
                let problem = Diagnostic::warning("order", message).at(value.span, "");
                self.push(problem.note("hosts do not wait for each other; here `order` is that of the tasks"));
                Order::Listed
            }
            other => {
                let problem = Diagnostic::error("order", "`order` is `listed` or `graph`");
                let near = other.and_then(|o| did_you_mean(o, ["listed", "graph"]));
                self.push(match near {
                    Some(meant) => {
                        problem.at(value.span, "").suggest(value.span, meant, format!("did you mean `{meant}`?"))
                    }
                    None => problem.at(value.span, ""),
                });
                Order::Listed
            }
        }
    }

    fn connection(&mut self, value: &Node) -> Option<String> {
        let text = self.fixed_text(value, "a way to connect")?;
        match keys::short(&text) {
            "ssh" | "smart" | "paramiko" | "paramiko_ssh" => Some("ssh".into()),
            "local" => Some("local".into()),
            _ => {
                let problem = value.error("unsupported", format!("`connection: {text}` is not supported"));
                self.push(problem.help("use ssh or local"));
                None
            }
        }
    }

    fn strategy(&mut self, value: &Node) {
        let text = value.as_str().unwrap_or_default();
        if !matches!(keys::short(text), "linear" | "free" | "host_pinned") {
            let problem = value.error("unsupported", format!("`strategy: {text}` is not supported"));
            self.push(problem.help("leave it out: every host goes its own way"));
            return;
        }
        let problem = Diagnostic::warning("strategy", format!("`strategy: {text}` changes nothing"));
        self.push(problem.at(value.span, "").note("every host goes its own way, and waits for no other"));
    }

    /// The sections in Ansible's order. Handlers are owed at the end of each.
    fn sections(&mut self, own: &Keys<'_>, here: &Here, at: Span) {
        if let Some(list) = own.pre_tasks {
            self.tasks(list, here);
        }
        let middle = own.roles.is_some() || own.tasks.is_some();
        if own.pre_tasks.is_some() && (middle || own.post_tasks.is_some()) {
            self.flush(own.pre_tasks.map_or(at, |n| n.span.head()), here);
        }
        if let Some(list) = own.roles {
            self.roles(list, here);
        }
        if let Some(list) = own.tasks {
            self.tasks(list, here);
        }
        if middle && let Some(list) = own.post_tasks {
            self.flush(list.span.head(), here);
        }
        if let Some(list) = own.post_tasks {
            self.tasks(list, here);
        }
        if let Some(list) = own.handlers {
            let mut handlers = Here { handlers: true, ..here.clone() };
            handlers.inherited.when.clear();
            self.tasks(list, &handlers);
        }
    }

    fn finish_play(
        &mut self,
        own: Keys<'_>,
        name: String,
        span: Span,
        hosts: (String, Span),
        r#become: Become,
        tags: Vec<String>,
    ) -> PlayDef {
        let mut building = std::mem::take(&mut self.play);
        if !building.tasks.iter().any(|t| !t.proto.notify.is_empty()) {
            // Nobody owes anything: the flushes between sections would only be noise.
            drop_flushes(&mut building);
        }
        let role_vars = std::mem::take(&mut building.role_vars);
        super::vars_files::hide(&mut building.tasks, &role_vars);
        building.vars.extend(&role_vars);
        building.vars.set("playbook_dir", self.files.absolute(&building.dir).display().to_string().into());
        building.vars.set("ansible_play_name", name.clone().into());
        settle_defaults(&mut building);
        let handlers_from = building.tasks.len();
        let mut tasks = building.tasks;
        tasks.append(&mut building.handlers);
        let registered = tasks.iter().filter_map(|t| t.proto.register.as_deref()).map(Arc::from).collect();
        let mut play = PlayDef {
            name,
            span,
            origin: self.origin(span),
            hosts: hosts.0,
            hosts_span: hosts.1,
            order: own.order,
            dir: building.dir,
            gather_facts: own.gather_facts,
            connection: own.connection,
            remote_user: own.remote_user,
            r#become,
            tags,
            tasks,
            handlers_from,
            defaults: building.defaults,
            vars: building.vars,
            scopes: building.scopes,
            groups: building.groups,
            includes: building.includes,
            blocks: building.blocks,
            space_parents: building.space_parents,
            registered,
            edges: crate::compile::StaticEdges::default(),
        };
        self.check_play(&mut play);
        play
    }
}

/// A role's own defaults count for its tasks even if another role has other values for the names; but only below what the
/// inventory and the play say, and below the variables of what is around the role.
fn settle_defaults(building: &mut Building) {
    for at in 0..building.scopes.len() {
        let own = std::mem::take(&mut building.scopes[at].defaults);
        let mut kept = VarSet::default();
        for (name, value) in own.values {
            let mut scope = Some(at);
            let mut hidden = building.vars.values.contains_key(&name);
            while let Some(one) = scope {
                hidden |= building.scopes[one].vars.values.contains_key(&name);
                scope = building.scopes[one].parent;
            }
            if !hidden && building.defaults.values.get(&name) != Some(&value) {
                if let Some(def) = own.defs.get(name.as_str()) {
                    kept.defs.insert(Arc::from(name.as_str()), def.clone());
                }
                kept.values.insert(name, value);
            }
        }
        building.scopes[at].defaults = kept;
    }
}

fn drop_flushes(building: &mut Building) {
    let Building { tasks, groups, includes, blocks, .. } = building;
    let keep: Vec<bool> = tasks.iter().map(|t| !(t.module.is_none() && t.proto.name == "flush handlers")).collect();
    let mut renumbered = Vec::with_capacity(keep.len());
    let mut next = 0;
    for kept in &keep {
        renumbered.push(next);
        next += usize::from(*kept);
    }
    renumbered.push(next);
    for (tasks, end) in blocks.iter_mut().filter_map(|block| block.transaction.as_mut()) {
        *tasks = renumbered[tasks.start]..renumbered[tasks.end];
        *end = renumbered[*end];
    }
    for include in includes {
        include.task = renumbered[include.task];
        for (_, range) in &mut include.parts {
            *range = renumbered[range.start]..renumbered[range.end];
        }
    }
    for group in groups {
        group.items.retain(|i| !matches!(i, super::model::Item::Task(t) if !keep[*t]));
        for item in &mut group.items {
            if let super::model::Item::Task(t) = item {
                *t = renumbered[*t];
            }
        }
    }
    let mut keep = keep.into_iter();
    tasks.retain(|_| keep.next().unwrap_or(true));
}
