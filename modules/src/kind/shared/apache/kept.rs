//! What stood at some paths before a change, so that it can be put back exactly.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rectify_core::module::{FileKind, Meta, ModuleError, Operate, WriteAttrs};

use super::LONGEST;

/// What stood at one path.
enum Stood {
    Nothing,
    Link { target: PathBuf, meta: Meta },
    File { content: Arc<[u8]>, meta: Meta },
}

/// What stood at some paths.
pub(super) struct Kept(Vec<(PathBuf, Stood)>);

impl Kept {
    /// Reads what is there now.
    pub(super) fn of(paths: &[PathBuf], host: &dyn Operate) -> Result<Self, ModuleError> {
        let mut all = Vec::with_capacity(paths.len());
        for path in paths {
            all.push((path.clone(), stood(path, host)?));
        }
        Ok(Kept(all))
    }

    /// Puts it back: content, links, owners, modes and times. All paths are tried; the first error is returned.
    pub(super) fn restore(&self, host: &dyn Operate) -> Result<(), ModuleError> {
        let mut first = None;
        for (path, stood) in self.0.iter().rev() {
            if let Err(error) = put_back(path, stood, host) {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }
}

fn stood(path: &Path, host: &dyn Operate) -> Result<Stood, ModuleError> {
    let Some(meta) = host.lstat(path)? else { return Ok(Stood::Nothing) };
    match meta.kind {
        FileKind::Link => Ok(Stood::Link { target: host.read_link(path)?, meta }),
        FileKind::File => match host.read(path, LONGEST)? {
            Some(content) => Ok(Stood::File { content, meta }),
            None => Ok(Stood::Nothing),
        },
        FileKind::Directory | FileKind::Other => Err(ModuleError::failed(format!(
            "{} is neither a file nor a link: move it away, or choose another name",
            path.display()
        ))),
    }
}

fn put_back(path: &Path, stood: &Stood, host: &dyn Operate) -> Result<(), ModuleError> {
    let now = host.lstat(path)?;
    match stood {
        Stood::Nothing if now.is_none() => {}
        Stood::Nothing => host.remove(path)?,
        Stood::Link { target, meta } => {
            let same = match &now {
                Some(m) if m.kind == FileKind::Link => host.read_link(path)? == *target,
                _ => false,
            };
            if !same {
                host.symlink(target, path)?;
                host.set_owner(path, Some(meta.uid), Some(meta.gid), false)?;
            }
        }
        Stood::File { content, meta } => {
            // A write follows links.
            if now.is_some_and(|m| m.kind == FileKind::Link) {
                host.remove(path)?;
            }
            let attrs = WriteAttrs { mode: Some(meta.mode), uid: Some(meta.uid), gid: Some(meta.gid) };
            host.write(path, content, &attrs)?;
            host.set_times(path, Some(meta.mtime), Some(meta.atime))?;
        }
    }
    Ok(())
}
