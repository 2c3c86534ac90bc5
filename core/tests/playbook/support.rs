//! A disk, a handful of modules, and the rendering of what was found.

use std::{path::PathBuf, sync::Arc};

use crate::{disk, modules};
use rectify_core::{
    compile::{CompileOptions, Compiled, Job},
    diag::{Diagnostics, SourceMap, render},
    inventory::{self, Inventory},
    plan::Mode,
    playbook::{self, Playbook},
};

/// What reading a playbook gave.
pub(crate) struct Read {
    pub(crate) map: SourceMap,
    pub(crate) found: Diagnostics,
    pub(crate) playbook: Playbook,
    pub(crate) inventory: Inventory,
}

/// Reads a playbook below `tests/playbooks`, with the inventory there.
pub(crate) fn read(name: &str) -> Read {
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let options =
        inventory::Options { sources: vec!["tests/playbooks/hosts.ini".into()], ..inventory::Options::default() };
    let inventory = inventory::load(&disk::Disk, &options, &mut map, &mut found);
    let path = PathBuf::from("tests/playbooks").join(name);
    // A test's own playbook stands somewhere else, under an absolute path.
    let roles = vec![PathBuf::from("tests/playbooks/shared_roles")];
    let playbook = playbook::load(&[path], Arc::new(disk::Disk), modules::REGISTRY, roles, &mut map, &mut found);
    Read { map, found, playbook, inventory }
}

/// Options of a check with nothing special.
pub(crate) fn options() -> CompileOptions {
    CompileOptions::new("run-1", Mode::Check)
}

impl Read {
    /// Everything that is wrong, over all hosts, as a person sees it.
    pub(crate) fn problems(mut self, options: CompileOptions) -> String {
        let mut found = Diagnostics::new();
        let job = Job::new(&self.playbook, &self.inventory, options, &mut found);
        match job.compile_all() {
            Ok(plans) => found.extend(plans.into_iter().flat_map(|p| p.warnings)),
            Err(problems) => found.extend(problems),
        }
        self.found.extend(found);
        render(&self.map, &self.found, false)
    }

    /// The plan of one host.
    pub(crate) fn compile(&self, host: &str, options: CompileOptions) -> Compiled {
        assert!(!self.found.has_errors(), "{}", render(&self.map, &self.found, false));
        let mut found = Diagnostics::new();
        let job = Job::new(&self.playbook, &self.inventory, options, &mut found);
        job.compile(host).unwrap_or_else(|problems| panic!("{}", render(&self.map, &problems, false)))
    }
}

/// Reads a playbook that stands in the test, beside the files that it names (`(path, text)`); inventory as always.
pub(crate) fn inline(test: &str, text: &str, files: &[(&str, &str)]) -> Read {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("playbook").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    for (path, text) in files.iter().copied().chain([("site.yml", text)]) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    read(folder.join("site.yml").to_str().unwrap())
}

/// The edges of a plan, one line each: the task, what it waits for, why.
pub(crate) fn edges(compiled: &Compiled) -> Vec<String> {
    let name = |id: rectify_core::plan::TaskId| compiled.plan.task(id).unwrap().name.clone();
    let tasks = compiled.plan.tasks.iter();
    tasks
        .flat_map(|t| t.needs.iter().map(move |e| (t, e)).collect::<Vec<_>>())
        .map(|(t, e)| format!("{} <- {}: {}", t.name, name(e.on), rectify_core::graph::words(&e.why)))
        .collect()
}
