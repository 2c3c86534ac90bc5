//! What is known of settings besides where hosts stand: their file, and the journal beside it.

use std::path::{Path, PathBuf};

use rectify_core::{
    diag::{Diagnostics, SourceMap},
    rollout::{Journal, Rollouts},
    text::chain,
};

use super::PageError;
use crate::rollouts::Store;

/// How large the file may be, bytes.
const MAX: u64 = 16 << 20;

/// Settings and what happened to them, at one moment.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) path: PathBuf,
    pub(super) rollouts: Rollouts,
    pub(super) journal: Journal,
}

impl Office {
    /// Reads both. It is done for every page that shows them: whoever advances a setting is on another machine, or in another program.
    pub(super) fn read(path: &Path) -> Result<Self, PageError> {
        let error = |why: String| PageError::Failed(format!("reading {}: {why}", path.display()));
        let size = std::fs::metadata(path).map_err(|e| error(e.to_string()))?.len();
        if size > MAX {
            return Err(error("it is larger than 16 MiB".into()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let file = map.add(path.display().to_string(), text);
        let rollouts = rectify_core::rollout::read(&map, file, &mut found);
        if found.has_errors() {
            return Err(error("it has mistakes: `rectify lint` shows them".into()));
        }
        let journal = Store::beside(path, "page").journal().map_err(|e| PageError::Failed(chain(&e)))?;
        Ok(Office { path: path.to_owned(), rollouts, journal })
    }
}
