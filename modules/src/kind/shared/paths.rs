//! Paths in arguments and in states.

use std::path::{Component, Path, PathBuf};

use rectify_core::module::{FileKind, HostResult, Observe};
use serde::{Serialize, Serializer};

/// A path as the key of a state: the path itself for the module, its text for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown(pub(crate) PathBuf);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&shown(&self.0))
    }
}

/// A path as text. Bytes that are not UTF-8 stand as `\xff`: two names that differ in them must not look the same.
pub(crate) fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Refuses what is no absolute path.
pub(crate) fn absolute(argument: &str, path: &Path) -> Result<(), String> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(format!("{argument}: {:?} is no absolute path: it has to begin with /", path.display().to_string()))
}

/// Whether a path was written with a `/` at its end.
pub(crate) fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The folder that a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// The folders above `path` that are not there, the topmost first.
pub(crate) fn missing_parents(path: &Path, host: &dyn Observe) -> HostResult<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for folder in path.ancestors().skip(1) {
        if host.stat(folder)?.is_some() {
            break;
        }
        missing.push(folder.to_owned());
    }
    missing.reverse();
    Ok(missing)
}

/// A path without `.` and `..`, by its words alone: a link on the way is not looked at.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// Where a link leads, through links that it leads to.
pub(crate) fn end_of_link(path: &Path, host: &dyn Observe) -> HostResult<PathBuf> {
    let mut at = path.to_owned();
    // As many as the kernel follows (path_resolution(7)).
    for _ in 0..40 {
        match host.lstat(&at)? {
            Some(meta) if meta.kind == FileKind::Link => at = lexical(&parent(&at).join(host.read_link(&at)?)),
            _ => break,
        }
    }
    Ok(at)
}
