//! From `-i` options to an inventory.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::build::Builder;
use super::model::{Inventory, Var, VarsDir};
use super::read::{Steps, Words, ini, script, yaml_file};
use super::{Files, vars_files};
use crate::diag::{Diagnostic, Diagnostics, FileId, SourceMap, Span};
use crate::{inventory::read, yaml};

/// Endings of names that are left out of a directory, Ansible's defaults.
const IGNORED: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];
/// How deep directories of inventories may be nested.
const MAX_DEPTH: usize = 32;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `-i` options in order: files, directories, executables, or lists of hosts with a comma (`web1,web2` or `web1,`).
    pub sources: Vec<String>,
    /// Directories of playbooks, whose `group_vars/` and `host_vars/` count more than those beside the sources.
    pub playbook_dirs: Vec<PathBuf>,
    /// The current directory, for `inventory_dir` and `inventory_file`; relative sources are opened as they are.
    pub cwd: PathBuf,
}

/// Loads the sources and the variables beside them, adding every problem to `found`.
///
/// With errors in `found` the inventory lacks what they concern and must not be used for a run.
pub fn load(files: &dyn Files, options: &Options, map: &mut SourceMap, found: &mut Diagnostics) -> Inventory {
    let mut loader =
        Loader { files, cwd: &options.cwd, map: &mut *map, builder: Builder::new(found), words: Words::default() };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for source in options.sources.iter().filter(|s| !s.is_empty()) {
        let path = Path::new(source);
        if source.contains(',') && !files.exists(path) {
            loader.host_list(source);
            continue;
        }
        if !files.exists(path) {
            let text = format!("there is no inventory `{source}`");
            loader.builder.found.push(Diagnostic::error("inventory-missing", text));
            continue;
        }
        let dir = if files.is_dir(path) { path.to_owned() } else { path.parent().unwrap_or(path).to_owned() };
        // Of two sources in one directory the later place counts.
        dirs.retain(|d| *d != dir);
        dirs.push(dir);
        if !loader.source(path, 0) {
            let text = format!("`{source}` holds no inventory");
            loader.builder.found.push(Diagnostic::warning("inventory-empty", text));
        }
    }
    loader.builder.reconcile();
    let Loader { builder, .. } = loader;
    let Builder { mut inventory, found, .. } = builder;
    // The directory of a playbook is often that of a source: its files are read, and complained about, once.
    let mut known: HashMap<PathBuf, VarsDir> = HashMap::new();
    let mut vars = |dir: &PathBuf, inventory: &Inventory| {
        let entry = known.entry(absolute(&options.cwd, dir));
        entry.or_insert_with(|| vars_files::load(files, dir, inventory, map, found)).clone()
    };
    inventory.beside_sources = dirs.iter().map(|dir| vars(dir, &inventory)).collect();
    inventory.beside_playbooks = options.playbook_dirs.iter().map(|dir| vars(dir, &inventory)).collect();
    let file = map.add("implicit localhost", "ansible_connection: local\n");
    let local = Var { value: Arc::new("local".into()), at: Span::new(file, 0, 18), secret: false };
    inventory.implicit.insert(Arc::from("ansible_connection"), local);
    inventory
}

struct Loader<'a, 'f> {
    files: &'a dyn Files,
    cwd: &'a Path,
    map: &'a mut SourceMap,
    builder: Builder<'f>,
    words: Words,
}

impl Loader<'_, '_> {
    /// Reads a file, or a directory of files in the order of their names; whether anything was there to be read.
    fn source(&mut self, path: &Path, depth: usize) -> bool {
        if !self.files.is_dir(path) {
            self.file(path);
            return true;
        }
        if depth > MAX_DEPTH {
            let text = format!("the directories in `{}` are nested too deeply", path.display());
            self.builder.found.push(Diagnostic::error("inventory-read", text));
            return true;
        }
        let mut names = match self.files.list(path) {
            Ok(names) => names,
            Err(error) => {
                let text = format!("cannot list the inventory directory `{}`: {error}", path.display());
                self.builder.found.push(Diagnostic::error("inventory-read", text));
                return true;
            }
        };
        names.retain(|n| !ignored(n));
        names.sort_unstable();
        let mut any = false;
        for name in names {
            any |= self.source(&path.join(name), depth + 1);
        }
        any
    }

    fn file(&mut self, path: &Path) {
        self.builder.source = Some(Arc::from(absolute(self.cwd, path).to_string_lossy()));
        let shown = path.display().to_string();
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let text = format!("cannot read the inventory `{shown}`: {error}");
                self.builder.found.push(Diagnostic::error("inventory-read", text));
                return;
            }
        };
        let program = bytes.starts_with(b"#!") || bytes.starts_with(b"\x7fELF");
        if program && self.files.is_executable(path) {
            let steps = script::read(self.files, path, self.map, &mut self.words);
            self.builder.run(steps);
            return;
        }
        let file = match vars_files::register(self.files, self.map, path, bytes) {
            Ok(file) => file,
            Err(problem) => return self.builder.found.push(*problem),
        };
        let steps = self.text(path, file);
        self.builder.run(steps);
        self.builder.source = None;
    }

    /// Reads a text as YAML or INI: by its extension, or as whichever it is.
    fn text(&mut self, path: &Path, file: FileId) -> Steps {
        let extension = path.extension().and_then(|e| e.to_str());
        if extension == Some("toml") {
            let text = "inventories in TOML are not supported";
            return failure(Diagnostic::error("inventory-toml", text).at(Span::new(file, 0, 0), ""));
        }
        let yaml_name = matches!(extension, Some("yml" | "yaml" | "json"));
        if extension.is_some() && !yaml_name {
            return self.ini(file);
        }
        let mut problems = Diagnostics::new();
        let parsed = yaml::parse(self.map, file, &mut problems);
        vars_files::note(self.files, self.map, file, &parsed.docs);
        if parsed.whole && parsed.docs.is_empty() {
            let problem = Diagnostic::warning("inventory-empty", "the inventory is empty");
            return failure(problem.at(Span::new(file, 0, 0), ""));
        }
        if !problems.has_errors() {
            match yaml_file::check(&parsed.docs) {
                Ok(root) => {
                    let mut steps = yaml_file::read(root, &mut self.words);
                    steps.problems.extend(problems);
                    return steps;
                }
                Err(problem) => problems.push(*problem),
            }
        }
        let ini = self.ini(file);
        // Not YAML: INI if it can be, else whichever it looks like.
        if !ini.failed() && !ini.steps.is_empty() {
            return ini;
        }
        if yaml_name || looks_like_yaml(self.map.text(file)) {
            return Steps { steps: vec![], problems: problems.into_iter().collect() };
        }
        ini
    }

    fn ini(&mut self, file: FileId) -> Steps {
        let inventory = &self.builder.inventory;
        ini::read(self.map.text(file), file, &mut self.words, &|name| inventory.group(name).is_some())
    }

    /// `web1,web2:2222`: hosts without groups.
    fn host_list(&mut self, list: &str) {
        let file = self.map.add("-i", list);
        let mut start = 0;
        for item in list.split(',') {
            let name = item.trim();
            let from = start + (item.len() - item.trim_start().len());
            start += item.len() + 1;
            if name.is_empty() {
                continue;
            }
            let (host, port) = match read::address::parse(name).filter(|a| !a.host.contains('[')) {
                Some(address) => (address.host, address.port),
                None => (name.to_owned(), None),
            };
            let host = self.words.get(&host);
            if self.builder.inventory.host(&host).is_none() {
                let id = self.builder.host(&host, port, Span::new(file, from, from + name.len()));
                let ungrouped = self.builder.group("ungrouped", None);
                self.builder.add_host(ungrouped, id);
            }
        }
    }
}

fn failure(problem: Diagnostic) -> Steps {
    Steps { steps: vec![], problems: vec![problem] }
}

/// The first line that says something is a document start or ends like a key.
fn looks_like_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(['#', ';']));
    lines.next().is_some_and(|l| l.starts_with("---") || l.ends_with(':') || l.starts_with('{'))
}

fn ignored(name: &str) -> bool {
    name.starts_with('.')
        || matches!(name, "host_vars" | "group_vars" | "vars_plugins")
        || IGNORED.iter().any(|end| name.ends_with(end))
}

/// The path from the root, `.` and `..` resolved by name.
fn absolute(cwd: &Path, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
