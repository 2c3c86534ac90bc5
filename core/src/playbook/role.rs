//! Roles in Ansible's folder layout.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{
    files::below,
    keys::Place,
    loader::{Here, Loader, MAX_DEPTH, RoleHere},
    model::{Group, VarSet},
    read::word,
    tasks::Common,
};
use crate::{
    diag::{Diagnostic, Span, did_you_mean},
    yaml::Node,
};

type Named = Option<(String, Span)>;

/// A role as it was asked for.
#[derive(Default)]
pub(crate) struct RoleAsked {
    pub(crate) name: Named,
    pub(crate) tasks_from: Named,
    pub(crate) vars_from: Named,
    pub(crate) defaults_from: Named,
    pub(crate) handlers_from: Named,
    /// Whether it runs even if it ran before in the same way.
    pub(crate) again: bool,
    /// Whether `include_role` asks for it.
    pub(crate) included: bool,
    pub(crate) params: VarSet,
}

impl Loader<'_> {
    /// `roles:` of a play, or the dependencies of a role.
    pub(crate) fn roles(&mut self, list: &Node, here: &Here) {
        for item in self.items(list, "a list of roles") {
            let mut asked = RoleAsked::default();
            let mut common = Common::default();
            let mut strange: Vec<&Node> = Vec::new();
            if item.as_str().is_some() {
                asked.name = self.fixed_text(item, "a role's name").map(|n| (n, item.span));
            } else {
                let entries = self.entries(item, "a role's name or a mapping with `role`");
                let has_role = entries.iter().any(|(k, _)| word(k) == "role");
                for (k, v) in entries {
                    match word(k) {
                        "role" => asked.name = self.fixed_text(v, "a role's name").map(|n| (n, v.span)),
                        "name" if !has_role => asked.name = self.fixed_text(v, "a role's name").map(|n| (n, v.span)),
                        "allow_duplicates" => asked.again = self.boolean(v).unwrap_or(false),
                        "tasks_from" => asked.tasks_from = self.fixed_text(v, "`tasks_from`").map(|f| (f, v.span)),
                        other if super::keys::alternative(other).is_some() => self.unknown_key(k, Place::Role),
                        _ if common.key(self, k, v) => {}
                        _ => {
                            self.var(k, v, &mut asked.params);
                            strange.push(k);
                        }
                    }
                }
            }
            if asked.name.is_none() {
                if item.as_map().is_some() {
                    let problem = item.error("missing-key", "a role without a name");
                    self.push(problem.help("write `- role: NAME`"));
                }
                continue;
            }
            self.near_keys(&strange);
            self.role(asked, common, here);
        }
    }

    /// Keys of a role that are not known are its parameters; one letter off a known key is more likely a slip.
    fn near_keys(&mut self, params: &[&Node]) {
        for key in params {
            let name = word(key);
            if let Some(meant) = did_you_mean(name, Place::Role.keys()).filter(|m| m.len() > 2) {
                let message = format!("`{name}` is passed to the role as a parameter");
                let problem = Diagnostic::warning("near-key", message).at(key.span, "");
                self.push(problem.suggest(key.span, meant, format!("did you mean the key `{meant}`?")));
            }
        }
    }

    /// Reads a role as a sequence within `here`.
    pub(crate) fn role(&mut self, asked: RoleAsked, common: Common, here: &Here) {
        let Some((name, span)) = asked.name.clone() else { return };
        if self.is_full(span) {
            return;
        }
        let Some(path) = self.find_role(&name, here) else {
            self.missing_role(&name, span, here);
            return;
        };
        let entry = path.join("tasks").join(asked.tasks_from.as_ref().map_or("main", |(f, _)| f.as_str()));
        if let Some(problem) = role_cycle(here, &entry, &name, span) {
            self.push(problem);
            return;
        }
        let meta = self.role_file(&path, "meta", None);
        let again = asked.again
            || meta.as_ref().and_then(|m| m.get("allow_duplicates")).and_then(Node::to_bool).unwrap_or(false);
        let same = fingerprint(&path, &asked, &common);
        if !again && self.ran_before(&same, &common, here) {
            return;
        }
        let first = self.play.tasks.len();
        let around: BTreeSet<String> = here.inherited.when.iter().map(|e| e.text.clone()).collect();
        let defaults = self.role_vars(&path, "defaults", asked.defaults_from.as_ref());
        let vars = self.role_vars(&path, "vars", asked.vars_from.as_ref());
        self.play.defaults.extend(&defaults);
        self.play.role_vars.extend(&vars);
        let role = RoleHere {
            name: name.rsplit('/').next().unwrap_or(&name).to_owned(),
            path: path.clone(),
            outer: here.role.clone(),
            defaults,
            vars,
        };
        let mut within = self.enter_role(here, common, role, &asked, span);
        if let Some(list) = meta.as_ref().and_then(|m| m.get("dependencies")) {
            let outer = Here { role: within.role.clone(), ..within.clone() };
            self.roles(list, &outer);
        }
        self.role_handlers(&path, asked.handlers_from.as_ref(), &within);
        within.dir = path.join("tasks");
        let tasks = self.role_file(&path, "tasks", asked.tasks_from.as_ref());
        match tasks {
            Some(list) => self.tasks(&list, &within),
            None if asked.tasks_from.is_none() && is_empty(self, &path) => {
                let problem = Diagnostic::warning("empty-role", format!("the role `{name}` has no tasks"));
                self.push(problem.at(span, format!("`{}`", path.display())));
            }
            None => {}
        }
        let tasks = first..self.play.tasks.len();
        self.play.roles_done.entry(same).or_default().push((around, tasks));
    }

    /// Whether the role was used before in the same way, and ran whenever it would run here; its tasks then get the tags of this use.
    fn ran_before(&mut self, same: &str, common: &Common, here: &Here) -> bool {
        let around: BTreeSet<String> = here.inherited.when.iter().map(|e| e.text.clone()).collect();
        let known = self.play.roles_done.get(same).into_iter().flatten();
        let Some((_, tasks)) = known.into_iter().find(|(outer, _)| outer.is_subset(&around)) else { return false };
        let tags: Vec<&String> = here.inherited.tags.iter().chain(&common.tags).collect();
        for task in &mut self.play.tasks[tasks.clone()] {
            for tag in &tags {
                if !task.proto.tags.contains(tag) {
                    task.proto.tags.push((*tag).clone());
                }
            }
        }
        true
    }

    fn enter_role(&mut self, here: &Here, mut common: Common, role: RoleHere, asked: &RoleAsked, span: Span) -> Here {
        let space = self.play.spaces;
        self.play.spaces += 1;
        self.parents_of_spaces(here.space);
        let group = Group {
            id: common.id.take(),
            needs: common.needs.take(),
            section: None,
            items: Vec::new(),
            space,
            outer_space: here.space,
        };
        let mut within = self.enter(here, group);
        let mut vars = VarSet::default();
        let mut defaults = VarSet::default();
        let mut chain = Vec::new();
        let mut outer = here.role.clone();
        while let Some(one) = outer {
            outer = one.outer.clone();
            chain.push(one);
        }
        for one in chain.iter().rev() {
            vars.extend(&one.vars);
            defaults.extend(&one.defaults);
        }
        vars.extend(&role.vars);
        defaults.extend(&role.defaults);
        // `vars` of an `include_role` are its parameters; those of an `import_role` are as a block's.
        let include_vars: Vec<String> =
            if asked.included { common.vars.values.keys().cloned().collect() } else { Vec::new() };
        vars.extend(&std::mem::take(&mut common.vars));
        let mut params = (*here.params).clone();
        params.extend(&asked.params);
        let outer_names: Vec<Value> = chain.iter().map(|r| Value::from(r.name.clone())).collect();
        vars.set("role_name", role.name.clone().into());
        vars.set("ansible_role_name", role.name.clone().into());
        vars.set("role_path", self.files.absolute(&role.path).display().to_string().into());
        vars.set("ansible_parent_role_names", outer_names.into());
        let scope = self.scope(here, vars);
        // Parameters are not overridden by what stands within, so they go in after that filter.
        self.play.scopes[scope].vars.extend(&params);
        self.play.scopes[scope].params.extend(params.values.keys().cloned());
        self.play.scopes[scope].params.extend(include_vars);
        self.play.scopes[scope].defaults = defaults;
        within.scope = Some(scope);
        within.params = Arc::new(params);
        within.inherited = common.inherit(&here.inherited);
        let mut search: Vec<PathBuf> = vec![role.path.clone()];
        search.extend(here.search.iter().filter(|p| **p != role.path).cloned());
        within.search = Arc::new(search);
        let mut trail = (*here.trail).clone();
        let entry = role.path.join("tasks").join(asked.tasks_from.as_ref().map_or("main", |(f, _)| f.as_str()));
        trail.push((entry, span));
        within.trail = Arc::new(trail);
        within.role = Some(Arc::new(role));
        within
    }

    fn role_handlers(&mut self, path: &Path, from: Option<&(String, Span)>, within: &Here) {
        let key = path.join(from.map_or("main", |(f, _)| f.as_str()));
        if !self.play.handlers_of.insert(key) {
            return;
        }
        if let Some(list) = self.role_file(path, "handlers", from) {
            let mut here = Here { handlers: true, dir: path.join("handlers"), ..within.clone() };
            // Conditions and tags of a role's use do not hold for its handlers: they are notified, not listed.
            here.inherited.when.clear();
            here.inherited.notify.clear();
            self.tasks(&list, &here);
        }
    }

    /// Where a role is: beside the playbook, on the roles path, beside the role that asks, or at its own path.
    fn find_role(&self, name: &str, here: &Here) -> Option<PathBuf> {
        let mut places = vec![below(&self.play.dir.join("roles"), name)];
        places.extend(here.role.iter().filter_map(|r| r.path.parent()).map(|p| below(p, name)));
        places.extend(self.roles_path.iter().map(|p| below(p, name)));
        places.push(below(&self.play.dir, name));
        places.into_iter().find(|p| self.is_folder(p))
    }

    fn missing_role(&mut self, name: &str, span: Span, here: &Here) {
        self.gaps.files = true;
        let mut folders = vec![below(&self.play.dir, "roles")];
        folders.extend(here.role.iter().filter_map(|r| r.path.parent()).map(Path::to_path_buf));
        folders.extend(self.roles_path.iter().cloned());
        folders.dedup();
        let mut names: Vec<String> = folders.iter().filter_map(|f| self.files.list(f).ok()).flatten().collect();
        names.sort();
        let problem = Diagnostic::error("missing-role", format!("there is no role `{name}`"));
        let problem = match did_you_mean(name, names.iter().map(String::as_str)) {
            Some(meant) => problem.at(span, "").suggest(span, meant, format!("did you mean `{meant}`?")),
            None => problem.at(span, "looked for here"),
        };
        let looked: Vec<String> = folders.iter().map(|f| format!("`{}`", f.display())).collect();
        self.push(problem.note(format!("looked in {}", looked.join(", "))));
    }

    /// A role's main file of one part, or the one that was named instead.
    fn role_file(&mut self, role: &Path, part: &str, from: Option<&(String, Span)>) -> Option<Arc<Node>> {
        let path = self.part(role, part, from)?;
        let node = self.yaml(&path, from.map(|(_, span)| *span))?;
        (!node.is_null()).then_some(node)
    }

    fn part(&mut self, role: &Path, part: &str, from: Option<&(String, Span)>) -> Option<PathBuf> {
        let folder = role.join(part);
        let name = from.map_or("main", |(f, _)| f.as_str());
        let paths = [name.to_owned(), format!("{name}.yml"), format!("{name}.yaml"), format!("{name}.json")];
        let found = paths.iter().map(|p| below(&folder, p)).find(|p| self.is_file(p));
        if let (None, Some((name, span))) = (&found, from) {
            self.gaps.files = true;
            let message = format!("the role has no `{part}/{name}`");
            let problem = Diagnostic::error("missing-file", message).at(*span, "");
            self.push(problem.note(format!("looked for `{}` and the same with .yml", below(&folder, name).display())));
        }
        found
    }

    /// Defaults or variables of a role: the main file, and a folder `main` with any number of files.
    fn role_vars(&mut self, role: &Path, part: &str, from: Option<&(String, Span)>) -> VarSet {
        let mut set = VarSet::default();
        let folder = role.join(part).join(from.map_or("main", |(f, _)| f.as_str()));
        if self.is_folder(&folder) {
            let mut names = self.files.list(&folder).unwrap_or_default();
            names.sort();
            for name in names.iter().filter(|n| !n.starts_with('.') && !n.ends_with('~')) {
                let path = folder.join(name);
                if self.is_file(&path)
                    && let Some(node) = self.yaml(&path, None)
                {
                    set.extend(&self.vars(&node));
                }
            }
            return set;
        }
        if let Some(node) = self.role_file(role, part, from) {
            set = self.vars(&node);
        }
        set
    }
}

fn is_empty(loader: &Loader<'_>, path: &Path) -> bool {
    !["tasks", "handlers", "defaults", "vars", "meta"].iter().any(|part| loader.is_folder(&path.join(part)))
}

/// What makes two uses of a role the same.
fn fingerprint(path: &Path, asked: &RoleAsked, common: &Common) -> String {
    let params = serde_json::to_string(&(&asked.params.values, &common.vars.values)).unwrap_or_default();
    let when: Vec<&str> = common.when.iter().map(|e| e.text.as_str()).collect();
    let from = [&asked.tasks_from, &asked.vars_from, &asked.defaults_from].map(|f| f.as_ref().map(|(f, _)| f));
    format!("{}\n{params}\n{when:?}\n{:?}\n{from:?}", path.display(), common.tags)
}

fn role_cycle(here: &Here, path: &Path, name: &str, span: Span) -> Option<Diagnostic> {
    let looping = here.trail.iter().any(|(p, _)| p == path);
    if !looping && here.trail.len() < MAX_DEPTH {
        return None;
    }
    let chain: Vec<&str> =
        here.trail.iter().skip_while(|(p, _)| p != path && looping).map(|(p, _)| file_name(p)).collect();
    let mut problem = Diagnostic::error("import-loop", format!("the role `{name}` asks for itself"));
    problem = problem.at(span, format!("{} -> {name}", chain.join(" -> ")));
    for (p, at) in here.trail.iter().skip_while(|(p, _)| p != path && looping).filter(|(_, at)| *at != span) {
        problem = problem.also(*at, format!("`{}` is asked for here", file_name(p)));
    }
    Some(problem)
}

fn file_name(path: &Path) -> &str {
    let role = if path.ends_with("tasks/main") { path.parent().and_then(Path::parent) } else { None };
    role.unwrap_or(path).file_name().and_then(|n| n.to_str()).unwrap_or("?")
}
