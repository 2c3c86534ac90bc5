//! `import_tasks`, `include_tasks`, `import_role` and `include_role`.

use std::{path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{
    files::below,
    foreign,
    keys::{self, Place},
    loader::{Here, Loader, MAX_DEPTH},
    model::{Use, VarDef, VarSet},
    pattern::ANY,
    read::{templated, word},
    role::RoleAsked,
    tasks::Common,
};
use crate::{
    arg::Arg,
    compile::Static,
    diag::{Diagnostic, Span},
    template::free_variables,
    yaml::Node,
};

/// Whether a word brings in tasks.
pub(crate) fn is_include(word: &str) -> bool {
    matches!(word, "import_tasks" | "include_tasks" | "import_role" | "include_role")
}

/// An import or include as it was written.
pub(crate) struct Asked<'n> {
    pub(crate) kind: &'static str,
    key: &'n Node,
    value: &'n Node,
    args: Option<&'n Node>,
    /// `with_first_found`.
    pub(crate) first: Option<&'n Node>,
    pub(crate) control: Option<&'n Node>,
}

fn kind_of(word: &str) -> &'static str {
    match keys::short(word) {
        "import_tasks" => "import_tasks",
        "include_role" => "include_role",
        "import_role" => "import_role",
        _ => "include_tasks",
    }
}

impl Loader<'_> {
    /// A task that stands for other tasks. Those of `include_…` are known beforehand as well, so both are read here.
    pub(crate) fn include(&mut self, task: &Node, key: &Node, value: &Node, here: &Here) {
        let kind = kind_of(word(key));
        let mut asked = Asked { kind, key, value, args: None, first: None, control: task.get("loop_control") };
        let mut common = Common::default();
        let mut looped = None;
        for (k, v) in self.entries(task, "a task") {
            let name = word(k);
            if k.span == key.span || common.key(self, k, v) || name == "loop_control" {
                continue;
            }
            if name == "args" {
                asked.args = Some(v);
            } else if super::loops::is_loop(name) {
                looped = Some((k, v));
            } else if name == "with_first_found" {
                asked.first = Some(v);
            } else if name.starts_with("with_") {
                let problem = Diagnostic::error("unsupported", format!("`{kind}` cannot be repeated by `{name}`"));
                self.push(problem.at(k.span, "").help("write the list itself in `loop`"));
            } else if matches!(name, "register" | "until" | "retries" | "delay" | "changed_when" | "failed_when") {
                let message = format!("`{kind}` has no result of its own");
                let problem = Diagnostic::error("unsupported", message).at(k.span, "");
                self.push(problem.help(format!("put `{name}` on the tasks themselves")));
            } else {
                self.unknown_key(k, Place::Include);
            }
        }
        match looped {
            Some((k, v)) => self.repeated(&asked, (k, v), common, here),
            None => self.included(&asked, common, here),
        }
    }

    /// An include for every item of a list that is known now.
    fn repeated(&mut self, asked: &Asked<'_>, (key, list): (&Node, &Node), mut common: Common, here: &Here) {
        let looped = self.read_loop(key, list, asked.control, &mut common.uses);
        let known = Static::default().arg(&looped.over).map(|over| over.to_value());
        // A list within a loop that is a template of its own may come to any number of items.
        let known = known.or_else(|| match &looped.over {
            Arg::List(items) if !looped.flatten => Some(items.iter().map(Arg::to_value).collect()),
            _ => None,
        });
        let Some(items) = known.and_then(|over| crate::compile::unrolled(&looped, over)) else {
            self.gaps.files = true;
            let problem =
                Diagnostic::error("template", format!("how often `{}` is repeated depends on variables", asked.kind));
            self.push(
                problem.at(list.span, "").help("write the list itself here, or put the loop on the tasks within"),
            );
            return;
        };
        let outer = self.enter_common(here, common, here.space);
        for (at, item) in items.into_iter().enumerate() {
            let mut vars = VarSet::default();
            let mut uses = Vec::new();
            self.templates_of(&item, list.span, &mut uses);
            vars.values.insert(looped.var.clone(), item);
            vars.defs.insert(Arc::from(looped.var.as_str()), VarDef { uses: Arc::new(uses) });
            if let Some(index) = &looped.index_var {
                vars.values.insert(index.clone(), at.into());
            }
            let turn = Common { vars, ..Common::default() };
            let within = self.enter_common(&outer, turn, outer.space);
            self.included(asked, Common::default(), &within);
        }
    }

    /// What the templates in a value read.
    fn templates_of(&self, value: &Value, span: Span, uses: &mut Vec<Use>) {
        let mut texts = Vec::new();
        crate::compile::texts(value, &mut texts);
        for var in texts.into_iter().flat_map(|text| free_variables(text).unwrap_or_default()) {
            uses.push(Use { name: Arc::from(var.name), span, guarded: var.guarded });
        }
    }

    fn included(&mut self, asked: &Asked<'_>, common: Common, here: &Here) {
        if asked.kind.ends_with("_tasks") {
            self.include_tasks(asked, common, here);
        } else {
            self.include_role(asked, common, here);
        }
    }

    fn include_tasks(&mut self, asked: &Asked<'_>, mut common: Common, here: &Here) {
        let Asked { kind, value, args, .. } = *asked;
        let mut file = value.as_str().is_some().then_some(value);
        let maps = [value.as_map(), args.and_then(Node::as_map)];
        for (k, v) in maps.into_iter().flatten().flatten() {
            match word(k) {
                "file" | "_raw_params" => file = Some(v),
                "apply" => self.apply(v, &mut common),
                other => {
                    let problem = Diagnostic::error("unknown-argument", format!("`{kind}` has no argument `{other}`"));
                    self.push(problem.at(k.span, "").help("it has `file` and `apply`"));
                }
            }
        }
        let Some(node) = file else {
            self.push(value.expected("the name of a file of tasks"));
            return;
        };
        let Some(name) = self.text(node, "the name of a file of tasks") else { return };
        let name = name.strip_prefix("file=").unwrap_or(&name);
        if templated(name) {
            self.include_one_of(node, name, asked, common, here);
            return;
        }
        if !here.handlers && foreign::condition(&[&common.when[..], &here.inherited.when].concat()).is_some() {
            self.include_for_others(node, asked, common, here);
            return;
        }
        let path = self.find_tasks(name, here);
        let first = self.play.scopes.len();
        let params: Vec<String> = common.vars.values.keys().cloned().collect();
        self.task_file(&path, node.span, common, here);
        self.params_of_include(kind, first, params);
    }

    /// `vars` of an include are its parameters, those of an import are as a block's. They are in the scope that it made first.
    pub(crate) fn params_of_include(&mut self, kind: &str, scope: usize, params: Vec<String>) {
        if kind.starts_with("include_")
            && !params.is_empty()
            && let Some(scope) = self.play.scopes.get_mut(scope)
        {
            scope.params.extend(params.into_iter().filter(|name| scope.vars.values.contains_key(name)));
        }
    }

    /// `apply:`: keys for the tasks within.
    fn apply(&mut self, node: &Node, common: &mut Common) {
        for (k, v) in self.entries(node, "a mapping of task keys") {
            if !common.key(self, k, v) {
                self.unknown_key(k, Place::Include);
            }
        }
    }

    pub(crate) fn task_folders(&self, here: &Here) -> Vec<PathBuf> {
        let mut folders = vec![here.dir.clone()];
        let part = if here.handlers { "handlers" } else { "tasks" };
        folders.extend(here.role.iter().flat_map(|r| [r.path.join(part), r.path.clone()]));
        folders.push(self.play.dir.clone());
        folders.dedup();
        folders
    }

    /// Where Ansible looks for a file of tasks: beside the file that names it, in the role's tasks, in the role, beside the
    /// playbook.
    pub(crate) fn find_tasks(&self, name: &str, here: &Here) -> PathBuf {
        let paths: Vec<PathBuf> = self.task_folders(here).iter().map(|f| below(f, name)).collect();
        paths.iter().find(|p| self.is_file(p)).or(paths.first()).cloned().unwrap_or_default()
    }

    /// Reads a file of tasks as a sequence within `here`.
    pub(crate) fn task_file(&mut self, path: &std::path::Path, asked: Span, common: Common, here: &Here) {
        if self.is_full(asked) {
            return;
        }
        if let Some(problem) = cycle(here, path, asked) {
            self.push(problem);
            return;
        }
        let Some(node) = self.yaml(path, Some(asked)) else { return };
        let space = self.play.spaces;
        self.play.spaces += 1;
        self.parents_of_spaces(here.space);
        let mut within = self.enter_common(here, common, space);
        let mut trail = (*here.trail).clone();
        trail.push((path.to_owned(), asked));
        within.trail = Arc::new(trail);
        within.dir = path.parent().map(PathBuf::from).unwrap_or_default();
        let mut search = (*here.search).clone();
        if !search.contains(&within.dir) {
            let at = usize::from(here.role.is_some()).min(search.len());
            search.insert(at, within.dir.clone());
            within.search = Arc::new(search);
        }
        self.tasks(&node, &within);
    }

    fn include_role(&mut self, include: &Asked<'_>, mut common: Common, here: &Here) {
        let Asked { kind, key, value, args, .. } = *include;
        if let Some(node) = include.first {
            let problem = node.error("unsupported", format!("`{kind}` has no `with_first_found`"));
            self.push(problem.help("name the role"));
        }
        let mut asked = RoleAsked { again: true, included: kind == "include_role", ..RoleAsked::default() };
        let maps = [value.as_map(), args.and_then(Node::as_map)];
        if let Some(text) = value.as_str() {
            asked.name = Some((text.strip_prefix("name=").unwrap_or(text).to_owned(), value.span));
        }
        for (k, v) in maps.into_iter().flatten().flatten() {
            match word(k) {
                "name" | "role" => asked.name = self.text(v, "a role's name").map(|n| (n, v.span)),
                "tasks_from" => asked.tasks_from = self.fixed_text(v, "`tasks_from`").map(|f| (f, v.span)),
                "vars_from" => asked.vars_from = self.fixed_text(v, "`vars_from`").map(|f| (f, v.span)),
                "defaults_from" => asked.defaults_from = self.fixed_text(v, "`defaults_from`").map(|f| (f, v.span)),
                "handlers_from" => asked.handlers_from = self.fixed_text(v, "`handlers_from`").map(|f| (f, v.span)),
                "allow_duplicates" => asked.again = self.boolean(v).unwrap_or(true),
                "public" | "rolespec_validate" => {
                    self.boolean(v);
                }
                "apply" => self.apply(v, &mut common),
                other => {
                    let problem = Diagnostic::error("unknown-argument", format!("`{kind}` has no argument `{other}`"));
                    let known = "`name`, `tasks_from`, `vars_from`, `defaults_from`, `handlers_from`, `allow_duplicates`, `apply`";
                    self.push(problem.at(k.span, "").help(format!("it has {known}")));
                }
            }
        }
        if let Some((name, _)) = &mut asked.name
            && let Some(known) = self.pattern(name, here, &common.vars).filter(|p| !p.contains(ANY))
        {
            *name = known;
        }
        if let Some((_, span)) = asked.name.as_ref().filter(|(n, _)| templated(n)) {
            self.gaps.files = true;
            let problem = Diagnostic::error("template", format!("the role of `{kind}` depends on variables"));
            let help = "name each role in a task of its own, with a `when` that says for which hosts it is";
            self.push(problem.at(*span, "").help(help));
            return;
        }
        if asked.name.is_none() {
            let problem = Diagnostic::error("missing-argument", format!("`{kind}` needs the argument `name`"));
            self.push(problem.at(key.span, ""));
            return;
        }
        self.role(asked, common, here);
    }

    /// Notes a new namespace of ids within `outer`.
    pub(crate) fn parents_of_spaces(&mut self, outer: usize) {
        self.play.space_parents.push(outer);
    }
}

/// The problem of a file that is being read already.
fn cycle(here: &Here, path: &std::path::Path, asked: Span) -> Option<Diagnostic> {
    let name = path.display();
    if here.trail.len() >= MAX_DEPTH {
        let problem = Diagnostic::error("import-loop", format!("more than {MAX_DEPTH} imports within imports"));
        return Some(problem.at(asked, ""));
    }
    let at = here.trail.iter().position(|(p, _)| p == path)?;
    let mut problem = Diagnostic::error("import-loop", format!("`{name}` imports itself"));
    problem = problem.at(asked, "imported again here");
    for (file, span) in &here.trail[at..] {
        if *span != asked {
            problem = problem.also(*span, format!("`{}` is imported here", file.display()));
        }
    }
    Some(problem)
}
