//! `group_vars/` and `host_vars/`: files named like a group or host, with or without extension, or folders of them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::Files;
use super::model::{GroupId, HostId, Inventory, Var, Vars, VarsDir};
use crate::diag::{Diagnostic, Diagnostics, FileId, SourceMap};
use crate::vault;
use crate::yaml::{self, Kind, Node, Resolved};

/// In the order in which they are looked for; the first that exists counts.
const EXTENSIONS: [&str; 4] = ["", ".yml", ".yaml", ".json"];
const MAX_DEPTH: usize = 32;

/// Reads the variables beside a source or a playbook of all groups and hosts of the inventory.
pub(super) fn load(
    files: &dyn Files,
    dir: &Path,
    inventory: &Inventory,
    map: &mut SourceMap,
    found: &mut Diagnostics,
) -> VarsDir {
    let mut out = VarsDir::default();
    let mut reader = Reader { files, map, found };
    let groups = dir.join("group_vars");
    let names = reader.names(&groups);
    for (at, group) in inventory.groups.iter().enumerate() {
        if let Some(vars) = reader.entity(&groups, &names, &group.name) {
            out.groups.insert(GroupId(at as u32), vars);
        }
    }
    let hosts = dir.join("host_vars");
    let names = reader.names(&hosts);
    for (at, host) in inventory.hosts.iter().enumerate() {
        if let Some(vars) = reader.entity(&hosts, &names, &host.name) {
            out.hosts.insert(HostId(at as u32), vars);
        }
    }
    out
}

/// Registers a file, decrypted if it is encrypted as a whole; the text of such a file is never shown.
pub(super) fn register(
    files: &dyn Files,
    map: &mut SourceMap,
    path: &Path,
    bytes: Vec<u8>,
) -> Result<FileId, Box<Diagnostic>> {
    vault::register(files.keyring(), map, path.display().to_string(), bytes)
}

/// Takes note of what is encrypted in a file, and of what an encrypted file holds.
pub(super) fn note(files: &dyn Files, map: &SourceMap, file: FileId, docs: &[Node]) {
    vault::note(files.keyring(), map, file, docs);
}

struct Reader<'a> {
    files: &'a dyn Files,
    map: &'a mut SourceMap,
    found: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// What a folder holds: asked once, not once per host.
    fn names(&mut self, dir: &Path) -> HashSet<String> {
        if !self.files.exists(dir) {
            return HashSet::new();
        }
        if !self.files.is_dir(dir) {
            let text = format!("`{}` is not a directory and is left out", dir.display());
            self.found.push(Diagnostic::warning("vars-dir", text));
            return HashSet::new();
        }
        match self.files.list(dir) {
            Ok(names) => names.into_iter().collect(),
            Err(error) => {
                let text = format!("cannot list `{}`: {error}", dir.display());
                self.found.push(Diagnostic::error("vars-read", text));
                HashSet::new()
            }
        }
    }

    fn entity(&mut self, dir: &Path, names: &HashSet<String>, name: &str) -> Option<Vars> {
        if names.is_empty() {
            return None;
        }
        for extension in EXTENSIONS {
            let file = format!("{name}{extension}");
            if !names.contains(&file) {
                continue;
            }
            let path = dir.join(file);
            if !self.files.exists(&path) {
                continue;
            }
            let mut vars = Vars::new();
            self.path(&path, 0, &mut vars);
            return Some(vars);
        }
        None
    }

    fn path(&mut self, path: &Path, depth: usize, vars: &mut Vars) {
        if !self.files.is_dir(path) {
            return self.file(path, vars);
        }
        if depth > MAX_DEPTH {
            let text = format!("the directories in `{}` are nested too deeply", path.display());
            return self.found.push(Diagnostic::error("vars-read", text));
        }
        let mut names: Vec<String> = self.names(path).into_iter().collect();
        names.sort_unstable();
        for name in names.iter().filter(|n| !n.starts_with('.') && !n.ends_with('~')) {
            let inner = path.join(name);
            let extension = inner.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
            let is_dir = self.files.is_dir(&inner);
            if (is_dir && extension.is_empty()) || (!is_dir && EXTENSIONS.contains(&extension.as_str())) {
                self.path(&inner, depth + 1, vars);
            }
        }
    }

    fn file(&mut self, path: &Path, vars: &mut Vars) {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let text = format!("cannot read the variables in `{}`: {error}", path.display());
                return self.found.push(Diagnostic::error("vars-read", text));
            }
        };
        let file = match register(self.files, self.map, path, bytes) {
            Ok(file) => file,
            Err(problem) => return self.found.push(*problem),
        };
        let secret = self.map.is_hidden(file);
        let parsed = yaml::parse(self.map, file, self.found);
        note(self.files, self.map, file, &parsed.docs);
        if let Some(second) = parsed.docs.get(1) {
            let text = "a file of variables is a single YAML document, this is the second";
            self.found.push(second.error("vars-yaml", text));
        }
        let Some(root) = parsed.docs.first().filter(|root| !is_nothing(root)) else { return };
        let Some(entries) = root.as_map() else {
            return self.found.push(root.expected("a mapping of variables"));
        };
        for (key, value) in entries {
            let name: Arc<str> = Arc::from(key.key_text());
            vars.insert(name, Var { value: Arc::new(value.to_json()), at: key.span, secret });
        }
    }
}

/// What Python takes for false: Ansible ignores such files.
fn is_nothing(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(s) => matches!(s.value, Resolved::Null | Resolved::Bool(false) | Resolved::Int(0)),
        Kind::Seq(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
    }
}
