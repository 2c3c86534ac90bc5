//! From an overlay's layers to the list of changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::entry::{Entry, Snapshot, Written, on_disk};
use super::{Change, Changes, Kind, OPENED_BY_READERS};

/// A host's file system, layer by layer.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The read-only layers, topmost first.
    pub lower: &'a [PathBuf],
    /// The layer that writes go to.
    pub upper: &'a Path,
    /// The upper layer at the moment to compare with.
    pub baseline: &'a Snapshot,
}

impl Layers<'_> {
    /// What is different now from the baseline.
    ///
    /// # Errors
    /// A layer cannot be read.
    pub fn changes(&self) -> Result<Changes> {
        let now = Snapshot::of(self.upper)?;
        let mut changes = Vec::new();
        for path in self.candidates(&now)? {
            let before = self.seen(self.baseline, &path)?;
            let after = self.seen(&now, &path)?;
            let kind = match (&before, &after) {
                (None, None) => continue,
                (None, Some(_)) => Kind::Created,
                (Some(_), None) => Kind::Removed,
                (Some(before), Some(after)) if before != after => Kind::Modified,
                (Some(_), Some(after)) if after.is_folder() => continue,
                (Some(_), Some(_)) if OPENED_BY_READERS.iter().any(|opened| path == Path::new(opened)) => continue,
                // Same in all that counts; listed among the candidates only because it was written.
                (Some(_), Some(_)) => Kind::Touched,
            };
            changes.push(Change { path, kind, before, after });
        }
        Ok(Changes::new(changes))
    }

    /// Every path that may differ: written since the baseline, gone from it, or hidden by a removed or replaced folder.
    fn candidates(&self, now: &Snapshot) -> Result<BTreeSet<PathBuf>> {
        let mut paths = BTreeSet::new();
        for (path, written) in &now.0 {
            let old = self.baseline.0.get(path);
            if old == Some(written) {
                continue;
            }
            paths.insert(path.clone());
            let hides = |w: &Written| w.opaque || !w.entry.as_ref().is_some_and(Entry::is_folder);
            if hides(written) && !old.is_some_and(hides) {
                self.descendants(path, &mut paths)?;
            }
        }
        paths.extend(self.baseline.0.keys().filter(|path| !now.0.contains_key(*path)).cloned());
        Ok(paths)
    }

    /// Adds all that the lower layers have below a folder.
    fn descendants(&self, folder: &Path, paths: &mut BTreeSet<PathBuf>) -> Result<()> {
        for layer in self.lower {
            let disk = on_disk(layer, folder);
            if !fs::symlink_metadata(&disk).is_ok_and(|meta| meta.is_dir()) {
                continue;
            }
            for item in fs::read_dir(&disk).with_context(|| format!("list {}", disk.display()))? {
                let path = folder.join(item.with_context(|| format!("list {}", disk.display()))?.file_name());
                self.descendants(&path, paths)?;
                paths.insert(path);
            }
        }
        Ok(())
    }

    /// What a process on the host would see at a path with that upper layer.
    fn seen(&self, upper: &Snapshot, path: &Path) -> Result<Option<Entry>> {
        if let Some(written) = upper.0.get(path) {
            return Ok(written.entry.clone());
        }
        let hidden = path
            .ancestors()
            .skip(1)
            .filter_map(|parent| upper.0.get(parent))
            .any(|parent| parent.opaque || !parent.entry.as_ref().is_some_and(Entry::is_folder));
        if hidden {
            return Ok(None);
        }
        for layer in self.lower {
            if let Some(entry) = Entry::read(&on_disk(layer, path))? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}
