//! `vars_files` of a play. Where a name depends on the host, every file that it may mean is read now, and a task before all others takes
//! the one that it does mean.

use std::path::PathBuf;

use serde_json::Map;

use super::{
    choose::Terms,
    include_vars::Choices,
    loader::{Here, Loader},
    lookups::FOUND,
    model::{TaskDef, Use, VarSet},
    module::ModuleUse,
    pattern::ANY,
    task::Own,
    tasks::Common,
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    plan::Found,
    yaml::Node,
};

/// Files of variables of which the host takes one.
pub(crate) struct Open {
    /// The name, or a list of names of which the first counts that exists.
    names: Node,
    found: Found,
    choices: Choices,
    uses: Vec<Use>,
}

impl Loader<'_> {
    /// Reads the files into the play; those whose names depend on the host come back.
    pub(crate) fn vars_files(&mut self, list: &Node, here: &Here) -> Vec<Open> {
        let mut open: Vec<Open> = Vec::new();
        for item in self.items(list, "a list of files") {
            let one = std::slice::from_ref(item);
            let mut names: Vec<(Option<String>, Span)> = Vec::new();
            for node in item.as_seq().unwrap_or(one) {
                let Some(name) = self.text(node, "a file's name") else { continue };
                let pattern = self.pattern(&name, here, &VarSet::default());
                names.push((pattern.filter(|p| !p.contains(ANY)), node.span));
            }
            let fixed: Option<Vec<(String, Span)>> =
                names.into_iter().map(|(name, span)| name.map(|name| (name, span))).collect();
            match fixed {
                Some(names) => {
                    let set = self.first_of(&names, here);
                    // A later file hides what an earlier one says.
                    open.iter_mut().for_each(|one| one.hide(&set));
                    self.play.vars.extend(&set);
                }
                None => open.extend(self.open(item, here)),
            }
        }
        open
    }

    /// The variables of the first of some files that exists.
    fn first_of(&mut self, names: &[(String, Span)], here: &Here) -> VarSet {
        let paths: Vec<(PathBuf, Span)> = names
            .iter()
            .map(|(name, span)| {
                let beside = super::files::below(&here.dir, name);
                let in_vars = super::files::below(&here.dir.join("vars"), name);
                (if !self.is_file(&beside) && self.is_file(&in_vars) { in_vars } else { beside }, *span)
            })
            .collect();
        let found = paths.iter().find(|(p, _)| self.is_file(p)).or(paths.first());
        let node = found.and_then(|(path, span)| self.yaml(path, Some(*span)));
        node.map(|node| self.vars(&node)).unwrap_or_default()
    }

    fn open(&mut self, names: &Node, here: &Here) -> Option<Open> {
        let mut uses = Vec::new();
        let terms = Terms::listed(self, names, &mut uses);
        let mut found = self.found(terms, FOUND, "vars", here, &VarSet::default());
        let mut choices = Choices::new();
        for path in found.known.values() {
            let path_of = PathBuf::from(path);
            let Some(node) = self.yaml(&path_of, Some(names.span)).filter(|node| node.as_map().is_some()) else {
                continue;
            };
            let vars = self.vars(&node);
            uses.extend(vars.defs.values().flat_map(|d| d.uses.iter()).map(|u| Use { guarded: true, ..u.clone() }));
            choices.insert(path.clone(), vars.values);
        }
        found.known.retain(|_, path| choices.contains_key(path));
        if choices.is_empty() {
            let problem = Diagnostic::error("missing-file", "no file of variables fits this name");
            let place = here.dir.display();
            self.push(problem.at(names.span, "").note(format!("looked in `{place}` and `{place}/vars`")));
            return None;
        }
        Some(Open { names: names.clone(), found, choices, uses })
    }

    /// The tasks that take what only the host knows; they come before all others.
    pub(crate) fn open_vars_files(&mut self, files: Vec<Open>, here: &Here) {
        for Open { names, found, choices, uses } in files {
            let vars = choices.values().flat_map(Map::keys);
            self.set_facts.extend(vars.map(|name| name.as_str().into()));
            let file = Arg::Template(format!("{{{{ {FOUND} }}}}"));
            let word = ModuleUse::plain("include_vars", "vars_files", names.span);
            let mut module = word.with("file", file).with("play", Arg::text("yes"));
            module.choices = choices;
            let common = Common { tags: vec!["always".into()], ..Common::default() };
            self.finish(&names, here, common, Own::finding(found), module, uses);
            if let Some(task) = self.play.tasks.last_mut() {
                task.barrier = true;
            }
        }
    }
}

impl Open {
    fn hide(&mut self, stronger: &VarSet) {
        self.choices.values_mut().for_each(|vars| vars.retain(|name, _| !stronger.values.contains_key(name)));
    }
}

/// Takes what is stronger out of the files that tasks before all others take.
pub(crate) fn hide(tasks: &mut [TaskDef], stronger: &VarSet) {
    let early = tasks.iter_mut().take_while(|task| task.barrier && task.proto.module == "include_vars");
    for choice in early.flat_map(|task| task.proto.choices.values_mut()) {
        choice.retain(|name, _| !stronger.values.contains_key(name));
    }
}
