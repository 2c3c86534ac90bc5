//! How old the index of the repositories is.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

use rectify_core::module::{DirEntry, HostResult, Manager, Observe, PackageDb};

use super::{Package, Wanted};

/// For how long an index is good where `latest` compares with it, in seconds: it would be fetched, and reported as a change,
/// in every run otherwise.
const GOOD_FOR_LATEST: u64 = 3600;

impl Package {
    /// Whether the task fetches at all.
    pub(super) fn fetches(&self) -> bool {
        self.update_cache.unwrap_or(self.cache_valid_time.is_some())
    }

    /// Whether a fresh index is itself something that the task wants.
    pub(super) fn index_is_wanted(&self) -> bool {
        self.fetches() && ((self.names().next().is_none() && self.name.is_none()) || self.state() == Wanted::Latest)
    }

    /// Whether the index is too old, or older than the list of repositories.
    pub(super) fn must_fetch(&self, db: &PackageDb, host: &dyn Observe) -> HostResult<bool> {
        if self.fetched.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let latest = self.state() == Wanted::Latest;
        let good = self.cache_valid_time.unwrap_or(if latest { GOOD_FOR_LATEST } else { 0 });
        if good == 0 {
            return Ok(true);
        }
        let (index, sources): (Vec<PathBuf>, &[&str]) = match db.manager {
            Manager::Apt => (
                ["/var/lib/apt/lists", "/var/lib/apt/lists/partial", "/var/lib/apt/periodic/update-success-stamp"]
                    .iter()
                    .map(PathBuf::from)
                    .collect(),
                &["/etc/apt/sources.list", "/etc/apt/sources.list.d"],
            ),
            Manager::Dnf => (repodata(host)?, &["/etc/yum.repos.d"]),
        };
        let Some(fetched) = newest(index.iter().map(PathBuf::as_path), host)? else { return Ok(true) };
        let mut lists: Vec<PathBuf> = Vec::new();
        for source in sources.iter().map(Path::new) {
            lists.push(source.to_owned());
            lists.extend(entries(source, host)?);
        }
        let changed = newest(lists.iter().map(PathBuf::as_path), host)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let good = i64::try_from(good).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        Ok(changed.is_some_and(|changed| changed > fetched) || now.saturating_sub(fetched) >= good)
    }
}

/// dnf sets the time of what it asked for, also where nothing was new.
fn repodata(host: &dyn Observe) -> HostResult<Vec<PathBuf>> {
    let mut files = Vec::new();
    for repository in entries(Path::new("/var/cache/dnf"), host)? {
        files.extend(entries(&repository.join("repodata"), host)?);
    }
    Ok(files)
}

fn entries(folder: &Path, host: &dyn Observe) -> HostResult<Vec<PathBuf>> {
    let mut found = Vec::new();
    let there = host.stat(folder)?.is_some_and(|m| m.kind == rectify_core::module::FileKind::Directory);
    if there {
        host.list(folder, &mut |entry: DirEntry| {
            found.push(folder.join(entry.name));
            found.len() < 4096
        })?;
    }
    Ok(found)
}

/// The newest modification time, in nanoseconds since 1970.
fn newest<'a>(paths: impl Iterator<Item = &'a Path>, host: &dyn Observe) -> HostResult<Option<i64>> {
    let mut newest = None;
    for path in paths {
        newest = newest.max(host.stat(path)?.map(|m| m.mtime));
    }
    Ok(newest)
}
