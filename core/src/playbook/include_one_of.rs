//! Includes of tasks whose file is only known on a host: all that it may be are read, and the host takes one.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    choose::Terms,
    files::FileKind,
    foreign,
    include::Asked,
    keys,
    loader::{Here, Loader},
    lookups::{self, FOUND},
    model::{Use, VarSet},
    module::ModuleUse,
    pattern::{ANY, shown},
    read::word,
    task::Own,
    tasks::Common,
};
use crate::{
    diag::{Diagnostic, Span},
    plan::Found,
    template::lookup_call,
    yaml::Node,
};

/// An include of which a host takes one part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Include {
    /// The task that says which.
    pub(crate) task: usize,
    /// Its result: `NAME.file == 'FILE'` is a condition of the tasks of each part.
    pub(crate) result: String,
    /// The tasks of each file.
    pub(crate) parts: Vec<(String, Range<usize>)>,
}

impl Include {
    /// The condition under which a host takes a part.
    pub(crate) fn condition(&self, file: &str) -> String {
        format!("{}.file == '{}'", self.result, file.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

impl Loader<'_> {
    pub(crate) fn include_one_of(
        &mut self,
        node: &Node,
        name: &str,
        asked: &Asked<'_>,
        mut common: Common,
        here: &Here,
    ) {
        let label = common.name.take().map_or_else(|| asked.kind.to_owned(), |(name, _)| name);
        let mut uses = Vec::new();
        let (first, params) = (self.play.scopes.len(), common.vars.values.keys().cloned().collect());
        let outer = self.enter_common(here, common, here.space);
        self.params_of_include(asked.kind, first, params);
        let none = VarSet::default();
        let call = lookup_call(name).filter(|call| call.name == "first_found");
        let mut file = node.clone();
        let found = match (asked.first, call) {
            (Some(list), _) => {
                let var = self.refused_loop(asked.control).var;
                let terms = Terms::listed(self, list, &mut uses);
                Some(self.found(terms, &var, "files", &outer, &none))
            }
            (None, Some(call)) => {
                file = lookups::with_text(node, &format!("{{{{ {FOUND} }}}}"));
                let terms = Terms::of_call(self, node, call, &mut uses);
                Some(self.found(terms, FOUND, "files", &outer, &none))
            }
            (None, None) => None,
        };
        let Some(files) = self.task_choices(&file, asked, found.as_ref(), &outer) else {
            self.gaps.files = true;
            return;
        };
        match files {
            Files::Known(path) => self.task_file(&path, node.span, Common::default(), &outer),
            Files::Open(_) if here.handlers => {
                let problem = Diagnostic::error("template", "which handlers are included depends on the host");
                self.push(problem.at(node.span, "").help("name each file in a handler of its own"));
            }
            Files::Open(files) => self.open_include(label, &file, files, (found, uses), &outer),
        }
    }

    /// An include for systems that no host is: it takes no file, and fails on one that is such a system after all.
    pub(crate) fn include_for_others(&mut self, node: &Node, asked: &Asked<'_>, mut common: Common, here: &Here) {
        let label = common.name.take().map_or_else(|| asked.kind.to_owned(), |(name, _)| name);
        let outer = self.enter_common(here, common, here.space);
        self.open_include(label, node, BTreeMap::new(), (None, Vec::new()), &outer);
    }

    /// The files of tasks that may be meant, by their names once rendered.
    fn task_choices(&mut self, node: &Node, asked: &Asked<'_>, found: Option<&Found>, here: &Here) -> Option<Files> {
        let name = word(node);
        let kind = asked.kind;
        let known = found.filter(|found| name.trim() == format!("{{{{ {} }}}}", found.var));
        if let Some(found) = known {
            let paths = found.known.values().filter(|path| !foreign::is_file(path));
            let files: BTreeMap<String, PathBuf> = paths.map(|path| (path.clone(), PathBuf::from(path))).collect();
            if files.is_empty() && !found.skip {
                self.push(node.error("missing-file", format!("none of the files of `{kind}` exists")));
                return None;
            }
            return Some(Files::Open(files));
        }
        let Some(pattern) = self.pattern(name, here, &VarSet::default()).filter(|_| found.is_none()) else {
            let problem = node
                .error("template", format!("the file of `{kind}` depends on variables in a way that is not followed"));
            let help = "write the name with `{{ }}` only, or name each file in a task of its own, with a `when`";
            self.push(problem.help(help));
            return None;
        };
        if !pattern.contains(ANY) {
            return Some(Files::Known(self.find_tasks(&pattern, here)));
        }
        let mut folders = self.task_folders(here);
        if pattern.starts_with(ANY) && !pattern.contains('/') {
            // The role's own folder and that of the playbook hold other things.
            folders.retain(|folder| {
                here.dir == *folder || here.role.as_ref().is_some_and(|r| r.path.join("tasks") == *folder)
            });
        }
        let mut files = self.choices(&folders, &pattern, FileKind::File, node.span);
        let beside_plays = here.role.is_none() && folders.len() == 1;
        files.retain(|name, path| {
            !foreign::is_file(name)
                && !here.trail.iter().any(|(open, _)| same_file(open, path))
                && self.holds_tasks(path, node.span, beside_plays)
        });
        if files.is_empty() {
            let problem = node.error("missing-file", format!("no file of tasks fits `{}`", shown(&pattern)));
            let looked: Vec<String> = folders.iter().map(|p| format!("`{}`", p.display())).collect();
            self.push(problem.note(format!("looked in {}", looked.join(", "))));
            return None;
        }
        Some(Files::Open(files))
    }

    /// Whether a file that fits by its name alone is one of tasks. Beside playbooks stands much that is not meant: what is wrong with it is
    /// not reported here.
    fn holds_tasks(&mut self, path: &Path, asked: Span, beside_plays: bool) -> bool {
        const OF_PLAYS: &[&str] =
            &["hosts", "import_playbook", "tasks", "roles", "pre_tasks", "post_tasks", "handlers"];
        let node = if beside_plays { self.yaml_if_sound(path) } else { self.yaml(path, Some(asked)) };
        let is_play =
            |item: &Node| item.as_map().is_none_or(|m| m.iter().any(|(k, _)| OF_PLAYS.contains(&keys::short(word(k)))));
        node.is_some_and(|node| node.as_seq().is_some_and(|items| !items.iter().any(is_play)))
    }

    /// The task that says which file it is, and the tasks of each.
    fn open_include(
        &mut self,
        label: String,
        file: &Node,
        files: BTreeMap<String, PathBuf>,
        (found, mut uses): (Option<Found>, Vec<Use>),
        here: &Here,
    ) {
        self.includes += 1;
        let result = format!("included_{}", self.includes);
        let mut module = ModuleUse::plain("include_tasks", "include_tasks", file.span).with("file", self.arg(file));
        self.template(file, &mut module.uses);
        module.uses.append(&mut uses);
        module.choices = files.keys().map(|name| (name.clone(), serde_json::Map::new())).collect();
        let common = Common { name: Some((label, file.span)), ..Common::default() };
        let own = Own::registering(result.clone(), found);
        let mut include = Include { task: self.play.tasks.len(), result, parts: Vec::new() };
        self.finish(file, here, common, own, module, Vec::new());
        for (name, path) in files {
            let first = self.play.tasks.len();
            let when = vec![self.expr(&include.condition(&name), file.span)];
            let uses = vec![Use { name: Arc::from(include.result.as_str()), span: file.span, guarded: false }];
            self.task_file(&path, file.span, Common { when, uses, ..Common::default() }, here);
            include.parts.push((name, first..self.play.tasks.len()));
        }
        self.play.includes.push(include);
    }
}

enum Files {
    /// There is only one.
    Known(PathBuf),
    Open(BTreeMap<String, PathBuf>),
}

/// Whether two paths name one file; a role's entry stands without its ending.
fn same_file(open: &Path, path: &Path) -> bool {
    open == path || (open.extension().is_none() && path.with_extension("") == open)
}
