//! The real machine, seen from a directory, without changing the current one.

use std::io;
use std::path::{Path, PathBuf};

use rectify_core::inventory::{Files, ScriptOutput};

#[path = "../../../cli/src/files.rs"]
mod files;

/// The command line's reader of files under a root.
pub(crate) struct Rooted {
    root: PathBuf,
    disk: files::Disk,
}

impl Rooted {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), disk: files::Disk::default() }
    }
}

impl Files for Rooted {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(&self.root.join(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(&self.root.join(dir))
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.disk.is_dir(&self.root.join(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(&self.root.join(path))
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.disk.is_executable(&self.root.join(path))
    }

    fn run_script(&self, path: &Path, args: &[&str]) -> io::Result<ScriptOutput> {
        self.disk.run_script(&self.root.join(path), args)
    }
}
