//! What a rehearsal holds in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rectify_core::{
    module::{Because, Group, Meta, PackageDb, PackageRequest, Unit, User},
    plan::TaskId,
};

use super::notes::Notes;

/// When something was written, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its place in the sequence of writes, from 1.
    pub(super) seq: u64,
    /// The task that wrote it.
    pub(super) task: TaskId,
}

impl Stamp {
    /// The task as a reason.
    pub(super) fn because(self) -> Because {
        Because::task(self.task)
    }
}

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// What the base has at this canonical path: content of a file, or whatever a device is.
    Base(PathBuf),
    /// These bytes.
    Bytes {
        /// The content.
        bytes: Arc<[u8]>,
        /// Its hash, once somebody asked for it.
        sha256: Arc<OnceLock<String>>,
    },
    /// A blob of the plan, by its hash.
    Blob(String),
    /// A link to this target.
    Link(PathBuf),
    /// A folder.
    Folder {
        /// Whether it hides what the base has at its path.
        opaque: bool,
    },
}

/// A file, folder or link that a task made or changed.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) meta: Meta,
    pub(super) body: Body,
    /// The last change of any kind.
    pub(super) changed: Stamp,
    /// When the content was written; `None`: it is the base's.
    pub(super) written: Option<Stamp>,
}

/// What stands at a canonical path: an index into [`Files::inodes`], or nothing any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) inode: Option<usize>,
}

/// Files that differ from the base.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// By path; `order` has the same paths, for what is below another.
    entries: HashMap<PathBuf, Entry>,
    order: BTreeSet<PathBuf>,
    /// No path in `entries` is shorter, in bytes: most looks need not ask for any ancestor.
    shortest: usize,
    children: HashMap<PathBuf, BTreeSet<OsString>>,
    pub(super) inodes: Vec<Inode>,
    /// Base files with several names, by device and inode number.
    pub(super) by_base: HashMap<(u64, u64), usize>,
}

impl Files {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The innermost entry above `path`.
    pub(super) fn above(&self, path: &Path) -> Option<&Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let longer = |ancestor: &&Path| ancestor.as_os_str().len() >= self.shortest;
        path.ancestors().skip(1).take_while(longer).find_map(|ancestor| self.entries.get(ancestor))
    }

    pub(super) fn put(&mut self, path: &Path, entry: Entry) {
        let length = path.as_os_str().len();
        self.shortest = if self.entries.is_empty() { length } else { self.shortest.min(length) };
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            self.children.entry(parent.to_owned()).or_default().insert(name.to_owned());
        }
        if self.entries.insert(path.to_owned(), entry).is_none() {
            self.order.insert(path.to_owned());
        }
    }

    /// The names in a folder that differ from the base.
    pub(super) fn children(&self, folder: &Path) -> impl Iterator<Item = &OsString> {
        self.children.get(folder).into_iter().flatten()
    }

    /// All entries at and below `tree`, in order.
    pub(super) fn below(&self, tree: &Path) -> impl Iterator<Item = (&PathBuf, &Entry)> {
        let tree = tree.to_owned();
        let paths = self.order.range(tree.clone()..).take_while(move |path| path.starts_with(&tree));
        paths.filter_map(|path| Some((path, self.entries.get(path)?)))
    }

    /// Forgets every entry at and below `tree`.
    pub(super) fn forget(&mut self, tree: &Path) {
        let paths: Vec<PathBuf> = self.below(tree).map(|(path, _)| path.clone()).collect();
        for path in paths {
            self.entries.remove(&path);
            self.order.remove(&path);
            self.children.remove(&path);
            if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
                && let Some(names) = self.children.get_mut(parent)
            {
                names.remove(name);
            }
        }
    }
}

/// A value that a task wrote; `None`: it is gone.
#[derive(Debug, Clone)]
pub(super) struct Put<T> {
    pub(super) stamp: Stamp,
    pub(super) value: Option<T>,
}

/// Packages that differ from the base.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// The database as it is now, once a transaction changed it.
    pub(super) db: Option<Arc<PackageDb>>,
    /// The requests so far, in order.
    pub(super) requests: Vec<(Stamp, PackageRequest)>,
    /// Packages that changed: the version now (`None`: gone) and by whom.
    pub(super) done: BTreeMap<String, Put<String>>,
    /// What is left of packages that were removed: configuration, by package.
    pub(super) left: BTreeMap<String, Vec<PathBuf>>,
}

/// Everything that a rehearsal holds in memory.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) seq: u64,
    pub(super) files: Files,
    pub(super) notes: Notes,
    pub(super) users: BTreeMap<String, Put<User>>,
    pub(super) groups: BTreeMap<String, Put<Group>>,
    pub(super) packages: Packages,
    pub(super) units: BTreeMap<String, Put<Unit>>,
    /// When systemd last read its unit files again.
    pub(super) reloaded: u64,
    pub(super) sysctls: BTreeMap<String, Put<String>>,
    /// Kernel modules: `Some(())` loaded, `None` unloaded.
    pub(super) kernel_modules: BTreeMap<String, Put<()>>,
}
