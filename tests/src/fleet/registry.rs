//! Fleets that outlive the process that started them: those of `rectify-fleet up`.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::guard;

/// The folders of the fleets that were left running on purpose.
pub fn standing() -> Vec<PathBuf> {
    let kept =
        |folder: &PathBuf| fs::read_to_string(folder.join("owner")).is_ok_and(|owner| owner.trim() == "detached");
    guard::folders().into_iter().filter(kept).collect()
}

/// Takes down a fleet by its folder.
///
/// # Errors
/// The folder is none of [`standing`], or something of it could not be removed.
pub fn clear(folder: &std::path::Path) -> Result<()> {
    anyhow::ensure!(standing().iter().any(|other| other == folder), "{} is no standing fleet", folder.display());
    guard::take_down(folder)
}
