//! Kernel limits that many booted systemds run into.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::guard;

/// With the kernel's default of 128 inotify instances only about 25 systemds start, and the others fail without a word.
const NEEDED: [(&str, u64); 2] =
    [("/proc/sys/fs/inotify/max_user_instances", 8192), ("/proc/sys/fs/inotify/max_user_watches", 1_048_576)];

/// Raises what is too low, called with the fleets' lock held; what was there is written down for the last fleet to restore.
pub(super) fn raise() -> Result<()> {
    let mut before = String::new();
    for (path, needed) in NEEDED {
        let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
        let value: u64 = text.trim().parse().with_context(|| format!("read a number from {path}"))?;
        if value < needed {
            before.push_str(&format!("{path} {value}\n"));
        }
    }
    if before.is_empty() {
        return Ok(());
    }
    let saved = Path::new(guard::REGISTRY).join("limits");
    if !saved.exists() {
        fs::write(&saved, &before).with_context(|| format!("write {}", saved.display()))?;
    }
    for (path, needed) in NEEDED {
        if before.contains(path) {
            fs::write(path, needed.to_string()).with_context(|| format!("raise {path} to {needed}"))?;
        }
    }
    Ok(())
}
