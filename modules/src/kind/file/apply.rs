//! Making it so.

use std::path::Path;

use rectify_core::module::{Change, FileKind, Meta, ModuleError, Operate};

use super::{
    super::shared::{
        attrs::{Attrs, Wanted},
        paths,
        place::{NEW_FILE, What, make_folder},
    },
    File, Look, State,
    ask::Ask,
};

impl File {
    /// Makes the change that the last look found.
    pub(super) fn make(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let look = self.kept.get().expect("a change follows a look");
        let (path, before) = (&look.path, change.before.as_ref());
        match &look.ask {
            Ask::Absent => return Ok(host.remove(path)?),
            Ask::As => {}
            Ask::Directory => {
                if before.is_none() {
                    for folder in paths::missing_parents(path, host)? {
                        make_folder(&folder, &self.wanted(), host)?;
                    }
                    make_folder(path, &self.wanted(), host)?;
                }
            }
            Ask::Touch => {
                if before.is_none() {
                    host.write(path, &[], &self.wanted().for_write(None, NEW_FILE, host)?)?;
                }
            }
            Ask::Link { target } => {
                let right = change.after.as_ref().and_then(|s| s.target.as_deref());
                if before.is_none_or(|b| b.state != What::Link || b.target.as_deref() != right) {
                    if before.is_some_and(|b| b.state == What::Directory) {
                        host.remove(path)?;
                    }
                    host.symlink(target, path)?;
                }
            }
            Ask::Hard { target } => {
                if before.is_none_or(|b| b.state != What::Hard) {
                    host.hard_link(target, path)?;
                }
            }
        }
        self.finish(&look, host)
    }

    fn finish(&self, look: &Look, host: &dyn Operate) -> Result<(), ModuleError> {
        let path = &look.path;
        let meta = if self.follow() { host.stat(path)? } else { host.lstat(path)? };
        // A link that leads nowhere: there is nothing to set.
        let Some(meta) = meta else { return Ok(()) };
        self.set(path, &meta, self.follow(), host)?;
        if self.recurse && meta.kind == FileKind::Directory {
            self.repair(path, host)?;
        }
        let (modification, access) = look.times.missing(&meta);
        if (modification.is_some() || access.is_some()) && meta.kind != FileKind::Link {
            host.set_times(path, modification, access)?;
        }
        Ok(())
    }

    /// Sets what is wrong of owner, group and mode.
    pub(super) fn set(&self, path: &Path, meta: &Meta, follow: bool, host: &dyn Operate) -> Result<(), ModuleError> {
        let link = meta.kind == FileKind::Link;
        let wanted = Wanted { mode: self.mode.as_ref().filter(|_| !link), ..self.wanted() };
        wanted.set(path, &Attrs::of(meta, host)?, follow, meta.kind == FileKind::Directory, host)
    }
}
