//! Walking a tree without holding it in memory, links not followed.

use std::path::Path;

use rectify_core::module::{DirEntry, FileKind, HostError, Meta, ModuleError, Observe};

/// How a walk goes on after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// On, and into it if it is a folder.
    Into,
    /// On, and into the folder that it is, or that it leads to. The caller sees to it that there is an end.
    Through,
    /// On, but not into it.
    Over,
    /// Not at all.
    Stop,
}

/// An entry below the root of a walk.
pub(crate) struct Entry<'a> {
    pub(crate) path: &'a Path,
    pub(crate) meta: &'a Meta,
    /// 1 for what is in the root itself.
    pub(crate) depth: usize,
}

/// Calls `each` with everything below `root`, in no order. What vanishes meanwhile is passed over. Only the folders that are
/// still to be entered are held.
///
/// # Errors
/// What a host answers for a folder that cannot be listed, and what `each` gives.
pub(crate) fn walk(
    root: &Path,
    host: &dyn Observe,
    each: &mut dyn FnMut(Entry<'_>) -> Result<Step, ModuleError>,
) -> Result<(), ModuleError> {
    let mut pending = vec![(root.to_owned(), 1)];
    let mut stop = false;
    while let Some((folder, depth)) = pending.pop() {
        let mut fault = None;
        let listed = host.list(&folder, &mut |entry: DirEntry| {
            let path = folder.join(&entry.name);
            let step = match host.lstat(&path) {
                Ok(None) => Ok(Step::Over),
                Ok(Some(meta)) => each(Entry { path: &path, meta: &meta, depth })
                    .map(|step| if meta.kind == FileKind::Directory || step != Step::Into { step } else { Step::Over }),
                Err(error) => Err(error.into()),
            };
            match step {
                Ok(Step::Into | Step::Through) => pending.push((path, depth + 1)),
                Ok(Step::Over) => {}
                Ok(Step::Stop) => stop = true,
                Err(error) => fault = Some(error),
            }
            !stop && fault.is_none()
        });
        if let Some(error) = fault {
            return Err(error);
        }
        match listed {
            Err(error) if depth > 1 && vanished(&error) => {}
            other => other?,
        }
        if stop {
            break;
        }
    }
    Ok(())
}

/// Whether this says that something is not there any more, or is no folder any more.
pub(crate) fn vanished(error: &HostError) -> bool {
    const ENOENT: i32 = 2;
    const ENOTDIR: i32 = 20;
    matches!(error, HostError::Io { errno: Some(ENOENT | ENOTDIR), .. })
}
