//! What compiling for one host can reuse for the next.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{edges::Ordered, job::Blob, resources::Resolved};
use crate::plan::FileRef;

/// A source on the controller, read once.
pub(crate) type Source = Result<Arc<SourceFiles>, Arc<str>>;

/// The entries that a `src` stands for.
pub(crate) struct SourceFiles {
    pub(crate) entries: Vec<FileRef>,
    /// Each content by its hash.
    pub(crate) blobs: Vec<(String, Blob)>,
}

/// Results by what they depend on; shared between threads.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) resolved: Mutex<HashMap<(usize, usize, String), Arc<Resolved>>>,
    pub(crate) ordered: Mutex<HashMap<OrderKey, Arc<Ordered>>>,
    /// By path, and whether an encrypted file is to be decrypted.
    pub(crate) sources: Mutex<HashMap<(PathBuf, bool), Source>>,
    names: Mutex<HashMap<String, Names>>,
}

/// A play, its selected tasks, what its tasks are known to touch (by address, which the cache keeps alive), and their accounts.
pub(crate) type OrderKey = (usize, Vec<bool>, Vec<usize>, Vec<Option<String>>);

/// The variables that a text reads, and whether each may be undefined.
pub(crate) type Names = Arc<Vec<(Arc<str>, bool)>>;

impl Cache {
    /// The variables that a text of the inventory reads.
    pub(crate) fn names_in(&self, text: &str) -> Names {
        if let Some(known) = lock(&self.names).get(text) {
            return known.clone();
        }
        let free = crate::template::free_variables(text).unwrap_or_default();
        let names: Names = Arc::new(free.into_iter().map(|v| (Arc::from(v.name), v.guarded)).collect());
        lock(&self.names).insert(text.to_owned(), names.clone());
        names
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

/// Locks a cache; what a panicking thread left is still whole, since entries are only ever added.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
