//! Exactly what changed on a host's disk, read off its overlay.
//!
//! The kernel puts every write into the upper layer, so what is not there was not written. What the boot itself wrote is the
//! baseline and does not count; nor does [`NOISE`].

mod entry;
mod layers;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use entry::{Content, Entry, Snapshot};
pub use layers::Layers;

use anyhow::Result;

use crate::fleet::Host;

/// What changes on a host without anybody's doing, or is the tool's own cache: never listed. Paths and all below them.
/// `/run`, `/dev`, `/proc` and `/sys` are other file systems in a booted host and never reach its disk.
pub const NOISE: &[&str] = &[
    // Logins and the system's log.
    "/var/log/wtmp",
    "/var/log/btmp",
    "/var/log/lastlog",
    "/var/log/faillog",
    "/var/log/journal",
    "/var/log/apache2",
    "/var/log/httpd",
    // Emptied at every boot.
    "/tmp",
    "/var/tmp",
    // apt rebuilds its binary index when asked for anything.
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
    // The same for dnf.
    "/var/cache/dnf",
    "/var/lib/dnf/history.sqlite-shm",
    "/var/lib/dnf/history.sqlite-wal",
    // SQLite's shared index and journal of the RPM database: a reader makes them anew.
    "/var/lib/rpm/rpmdb.sqlite-shm",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/var/log/dnf.log",
    "/var/log/dnf.rpm.log",
    "/var/log/dnf.librepo.log",
    "/var/log/hawkey.log",
    // The helper that a run uploads once.
    "/var/lib/rectify",
    "/root/.cache/rectify",
    "/home/admin/.cache",
    "/home/deploy/.cache",
    "/home/nosudo/.cache",
];

/// Databases that rpm and dnf open for writing even to read, which copies them up: listed only if their content differs.
pub const OPENED_BY_READERS: &[&str] = &["/var/lib/dnf/history.sqlite", "/var/lib/rpm/rpmdb.sqlite"];

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was not there before.
    Created,
    /// It is not there any more.
    Removed,
    /// Content, type, mode, owner or an extended attribute differ.
    Modified,
    /// It was written, yet is as it was but for its times: not for folders, which the kernel copies when something in them changes.
    Touched,
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Absolute path on the host.
    pub path: PathBuf,
    /// What happened.
    pub kind: Kind,
    /// What was there.
    pub before: Option<Entry>,
    /// What is there now.
    pub after: Option<Entry>,
}

/// All changed paths of a host, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

impl Changes {
    pub(crate) fn new(mut changes: Vec<Change>) -> Self {
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Self(changes)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.0.iter()
    }

    /// The changed paths in order.
    pub fn paths(&self) -> Vec<&str> {
        self.0.iter().map(|change| change.path.to_str().unwrap_or("(not UTF-8)")).collect()
    }

    /// The change of that path.
    pub fn get(&self, path: &str) -> Option<&Change> {
        self.0.iter().find(|change| change.path == Path::new(path))
    }

    /// Without the given paths and all below them.
    #[must_use]
    pub fn without(mut self, prefixes: &[&str]) -> Self {
        self.0.retain(|change| !prefixes.iter().any(|prefix| change.path.starts_with(prefix)));
        self
    }

    /// The paths that the two hosts do not have in common, or not with the same end state, one line each: `path: a | b`.
    /// Paths that were only touched do not count.
    pub fn differences(&self, other: &Changes) -> Vec<String> {
        let ends = |changes: &Changes| -> BTreeMap<PathBuf, Option<Entry>> {
            let real = changes.0.iter().filter(|change| change.kind != Kind::Touched);
            real.map(|change| (change.path.clone(), change.after.clone())).collect()
        };
        let (ours, theirs) = (ends(self), ends(other));
        let mut paths: Vec<_> = ours.keys().chain(theirs.keys()).collect();
        paths.sort();
        paths.dedup();
        let show = |end: Option<&Option<Entry>>| match end {
            None => "as it was".to_owned(),
            Some(None) => "gone".to_owned(),
            Some(Some(entry)) => entry.to_string(),
        };
        paths
            .into_iter()
            .filter(|path| ours.get(*path) != theirs.get(*path))
            .map(|path| format!("{}: {} | {}", path.display(), show(ours.get(path)), show(theirs.get(path))))
            .collect()
    }
}

/// Where the disks of two hosts differ from each other, both having started from the same image; see [`Changes::differences`].
///
/// # Errors
/// As [`Host::changes`].
pub fn diff_uppers(a: &Host, b: &Host) -> Result<Vec<String>> {
    Ok(a.changes()?.differences(&b.changes()?))
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.0 {
            let word = match change.kind {
                Kind::Created => "created",
                Kind::Removed => "removed",
                Kind::Modified => "modified",
                Kind::Touched => "touched",
            };
            write!(f, "{word:8} {}", change.path.display())?;
            match (&change.before, &change.after) {
                (Some(before), Some(after)) if change.kind == Kind::Modified => writeln!(f, ": {before} -> {after}")?,
                (_, Some(after)) => writeln!(f, ": {after}")?,
                _ => writeln!(f)?,
            }
        }
        Ok(())
    }
}
