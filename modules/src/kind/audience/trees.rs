//! Who can write in a tree: owners, groups, and everybody.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{FileKind, HostError, Meta, ModuleError, Observe};

use crate::kind::shared::{
    paths,
    tree::{Step, walk},
};

/// So many paths, and one of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths {
    pub(super) count: u64,
    pub(super) one: PathBuf,
}

impl Paths {
    fn add(&mut self, path: &Path) {
        // The first by name, so that two looks say the same.
        if self.count == 0 || path < self.one.as_path() {
            path.clone_into(&mut self.one);
        }
        self.count += 1;
    }

    /// `/srv/www/a`, or `3 paths below /srv/www such as /srv/www/a`.
    pub(super) fn told(&self, tree: &Path) -> String {
        match self.count {
            1 => paths::shown(&self.one),
            n => format!("{n} paths below {} such as {}", paths::shown(tree), paths::shown(&self.one)),
        }
    }
}

/// What is known of a tree.
#[derive(Debug, Default)]
pub(super) struct Writers {
    pub(super) owners: BTreeMap<u32, Paths>,
    pub(super) groups: BTreeMap<u32, Paths>,
    pub(super) anybody: Paths,
    /// Whether there was more than was looked at.
    pub(super) cut: bool,
}

/// Goes through a tree; `None` if it is not there. What cannot be entered is told in `wrong`.
pub(super) fn writers(
    root: &Path,
    limit: u64,
    host: &dyn Observe,
    wrong: &mut Vec<String>,
) -> Result<Option<Writers>, ModuleError> {
    let Some(meta) = host.stat(root)? else { return Ok(None) };
    let mut found = Writers::default();
    found.add(root, &meta);
    if meta.kind != FileKind::Directory {
        return Ok(Some(found));
    }
    let mut looked = 0;
    let walked = walk(root, host, &mut |entry| {
        if looked >= limit {
            found.cut = true;
            return Ok(Step::Stop);
        }
        looked += 1;
        found.add(entry.path, entry.meta);
        Ok(Step::Into)
    });
    match walked {
        Err(ModuleError::Host(error @ HostError::Io { .. })) => wrong.push(error.to_string()),
        other => other?,
    }
    Ok(Some(found))
}

impl Writers {
    fn add(&mut self, path: &Path, meta: &Meta) {
        if meta.uid != 0 {
            // An owner gives itself what it lacks.
            self.owners.entry(meta.uid).or_default().add(path);
        }
        if meta.kind == FileKind::Link {
            return;
        }
        if meta.mode & 0o020 != 0 {
            self.groups.entry(meta.gid).or_default().add(path);
        }
        if meta.mode & 0o002 != 0 {
            self.anybody.add(path);
        }
    }
}
