//! What the tests of inventories share.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories of all cases, by name.
pub(crate) fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inventories");
    let mut cases: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    cases
}
