//! Tasks as text, compiled and run.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rectify_core::{
    compile::{CompileOptions, Compiled, Fleet, Job, Selected},
    diag::{Diagnostics, SourceMap, render},
    event::{HostEvent, TaskReport},
    plan::{Mode, TaskId},
    playbook::{self, FileInfo, FileKind, Files},
};
use rectify_modules::{
    REGISTRY,
    engine::{self, Cancel, Stage},
};
use serde_json::{Map, Value, json};

const HOST: &str = "web1";

/// A play for one host.
#[derive(Default)]
pub(crate) struct Play<'a> {
    /// A list of tasks.
    pub(crate) tasks: &'a str,
    /// A list of handlers.
    pub(crate) handlers: &'a str,
    /// Variables.
    pub(crate) vars: Map<String, Value>,
    /// Files beside the playbook.
    pub(crate) files: BTreeMap<String, String>,
    /// Whether every file that is asked for is there, and undefined variables do not matter.
    pub(crate) lenient: bool,
}

impl Play<'_> {
    fn text(&self) -> String {
        let mut text = "- hosts: all\n  gather_facts: false\n  tasks:\n".to_owned();
        let mut list = |items: &str| items.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
        list(self.tasks);
        if !self.handlers.trim().is_empty() {
            text.push_str("  handlers:\n");
            self.handlers.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
        }
        text
    }

    /// The host's plan.
    pub(crate) fn compile(&self, mode: Mode) -> Result<Compiled, String> {
        let mut contents: BTreeMap<PathBuf, Vec<u8>> =
            self.files.iter().map(|(path, text)| (tidy(Path::new(path)), text.clone().into_bytes())).collect();
        contents.insert("site.yml".into(), self.text().into_bytes());
        let files = Arc::new(Memory { contents, lenient: self.lenient });
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let book = playbook::load(&["site.yml".into()], files, REGISTRY, Vec::new(), &mut map, &mut found);
        let mut options = CompileOptions::new("run", mode);
        options.options.verbose = 1;
        options.extra_vars = self.vars.clone();
        let job = Job::new(&book, &OneHost, options, &mut found);
        let compiled = job.compile(HOST);
        if found.has_errors() {
            return Err(render(&map, &found, false));
        }
        compiled.map_err(|problems| render(&map, &problems, false))
    }

    /// The content of a file that a plan places.
    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        let found = self.files.iter().find(|(name, _)| tidy(Path::new(name)) == tidy(path));
        found.map(|(_, text)| text.clone().into_bytes()).unwrap_or_default()
    }
}

/// Runs a plan; how each task went, by its number.
pub(crate) fn run(compiled: &Compiled, stage: &dyn Stage) -> BTreeMap<TaskId, TaskReport> {
    let reports = Mutex::new(BTreeMap::new());
    engine::run(&compiled.plan, REGISTRY, stage, &Cancel::default(), &|event| {
        if let HostEvent::TaskFinished { task, report } = event {
            reports.lock().unwrap().insert(task, *report);
        }
    });
    reports.into_inner().unwrap()
}

struct OneHost;

impl Fleet for OneHost {
    fn select(&self, _pattern: &str) -> Result<Selected, String> {
        Ok(Selected { hosts: vec![HOST.into()], unmatched: Vec::new() })
    }

    fn vars(&self, host: &str) -> Map<String, Value> {
        Map::from_iter([("inventory_hostname".into(), json!(host)), ("group_names".into(), json!([]))])
    }

    fn groups(&self) -> Map<String, Value> {
        Map::from_iter([("all".into(), json!([HOST])), ("ungrouped".into(), json!([HOST]))])
    }
}

fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect()
}

/// The controller's files.
struct Memory {
    contents: BTreeMap<PathBuf, Vec<u8>>,
    lenient: bool,
}

impl Files for Memory {
    fn info(&self, path: &Path) -> Option<FileInfo> {
        let path = tidy(path);
        let file = |size: usize| FileInfo { kind: FileKind::File, mode: 0o644, size: size as u64 };
        if let Some(content) = self.contents.get(&path) {
            return Some(file(content.len()));
        }
        if self.contents.keys().any(|p| p.starts_with(&path)) || path.as_os_str().is_empty() {
            return Some(FileInfo { kind: FileKind::Folder, mode: 0o755, size: 0 });
        }
        self.lenient.then(|| file(0))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.contents.get(&tidy(path)) {
            Some(content) => Ok(content.clone()),
            None if self.lenient => Ok(Vec::new()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let folder = tidy(folder);
        let below = self.contents.keys().filter_map(|p| p.strip_prefix(&folder).ok());
        let mut names: Vec<String> =
            below.filter_map(|p| Some(p.components().next()?.as_os_str().to_string_lossy().into_owned())).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}
