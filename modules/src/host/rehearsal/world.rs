//! What a rehearsal stands on: the host below it, the plan's blobs, a clock.

use std::{
    collections::HashSet,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rectify_core::module::{HostError, HostResult, Observe};

use super::mounts::Mounts;

/// Where blobs come from, by hash.
pub(super) type Blobs<'a> = dyn Fn(&str) -> HostResult<Arc<[u8]>> + Send + Sync + 'a;

/// How many folders of the base are remembered as being folders.
const FOLDERS: usize = 4096;

/// The host below, borrowed or shared.
pub(super) enum Base<'a> {
    Borrowed(&'a dyn Observe),
    Shared(Arc<dyn Observe + 'a>),
}

impl<'a> Deref for Base<'a> {
    type Target = dyn Observe + 'a;

    fn deref(&self) -> &Self::Target {
        match self {
            Base::Borrowed(base) => *base,
            Base::Shared(base) => &**base,
        }
    }
}

pub(super) struct World<'a> {
    pub(super) base: Base<'a>,
    pub(super) blobs: Option<Box<Blobs<'a>>>,
    /// Whether every effect is known, because the base is a fixture that says what they are.
    pub(super) exact: bool,
    pub(super) clock: fn() -> i64,
    /// Canonical paths that the base has folders at: a walk asks for each component, and the base holds still.
    pub(super) folders: Mutex<HashSet<PathBuf>>,
    mounts: OnceLock<Mounts>,
    groups: OnceLock<Vec<u32>>,
    umask: OnceLock<u32>,
}

impl<'a> World<'a> {
    pub(super) fn new(base: Base<'a>) -> Self {
        World {
            base,
            blobs: None,
            exact: false,
            clock: now,
            folders: Mutex::default(),
            mounts: OnceLock::new(),
            groups: OnceLock::new(),
            umask: OnceLock::new(),
        }
    }

    pub(super) fn blob(&self, sha256: &str) -> HostResult<Arc<[u8]>> {
        match &self.blobs {
            Some(blobs) => blobs(sha256),
            None => Err(HostError::Unsupported(format!("no file with the hash {sha256} came with the plan"))),
        }
    }

    pub(super) fn is_known_folder(&self, path: &Path) -> bool {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    pub(super) fn remember_folder(&self, path: &Path) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.len() >= FOLDERS {
            folders.clear();
        }
        folders.insert(path.to_owned());
    }

    /// What is mounted where; nothing, where that cannot be read.
    pub(super) fn mounts(&self) -> &Mounts {
        self.mounts.get_or_init(|| {
            let read = self.base.read(Path::new("/proc/self/mountinfo"), 16 << 20);
            read.ok().flatten().map(|text| Mounts::parse(&text)).unwrap_or_default()
        })
    }

    /// The permission mask that the host's operations run with (proc_pid_status(5)).
    pub(super) fn umask(&self) -> u32 {
        *self.umask.get_or_init(|| {
            let read = self.base.read(Path::new("/proc/self/status"), 1 << 20).ok().flatten();
            let text = read.map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default();
            let line = text.lines().find_map(|l| l.strip_prefix("Umask:"));
            line.and_then(|l| u32::from_str_radix(l.trim(), 8).ok()).unwrap_or(0o022)
        })
    }

    /// The groups that the host's operations run with, the primary one first.
    pub(super) fn groups(&self) -> &[u32] {
        self.groups.get_or_init(|| {
            let Ok(Some(user)) = self.base.user_by_id(self.base.uid()) else { return Vec::new() };
            let more = user.groups.iter().filter_map(|g| self.base.group(g).ok().flatten()).map(|g| g.gid);
            std::iter::once(user.gid).chain(more).collect()
        })
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
