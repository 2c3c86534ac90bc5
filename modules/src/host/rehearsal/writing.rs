//! Resolving the path of something to be changed: which links are followed.
//!
//! A host that writes as root does not let itself be led by someone else's link: a link that belongs to neither root nor
//! the helper's account is followed only to what belongs to its owner, and one in a folder that everyone may write
//! (`/tmp`) only by its owner or if it is the folder's owner's (`fs.protected_symlinks`, proc_sys_fs(5)). The machine
//! refuses with `EACCES`; so does a rehearsal.

use std::path::{Path, PathBuf};

use rectify_core::module::{HostError, HostResult};
use rustix::io::Errno;

use super::{
    sight::{Node, Sight},
    walk::{Lookup, Step, refuse},
};

/// A [`Sight`] that follows only links that a write may follow.
pub(super) struct Writing<'s>(pub(super) Sight<'s>);

impl Writing<'_> {
    /// The owner of what is at a canonical path, or of the folder that it would be in; `None`: not known.
    fn owner(&self, path: &Path) -> HostResult<Option<u32>> {
        for at in [Some(path), path.parent()].into_iter().flatten() {
            match self.0.at(at) {
                Ok(Some(node)) => return Ok(Some(node.meta.uid)),
                Ok(None) => {}
                Err(HostError::Unknown(_)) => return Ok(None),
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }
}

impl Lookup for Writing<'_> {
    type Node = Node;

    fn step(&self, path: &Path) -> HostResult<Step> {
        self.0.step(path)
    }

    fn at(&self, path: &Path) -> HostResult<Option<Node>> {
        self.0.at(path)
    }

    fn target(&self, path: &Path, node: &Node) -> HostResult<Option<PathBuf>> {
        self.0.target(path, node)
    }

    fn may_follow(&self, action: &str, path: &Path, link: &Path) -> HostResult<()> {
        let Some(owner) = self.owner(link)? else { return Ok(()) };
        let folder = link.parent().unwrap_or(link);
        let folder = match self.0.at(folder) {
            Ok(Some(node)) => node.meta,
            Ok(None) | Err(HostError::Unknown(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let shared = folder.mode & 0o1002 == 0o1002;
        if shared && owner != self.0.world.base.uid() && owner != folder.uid {
            return Err(refuse(action, path, Errno::ACCESS));
        }
        Ok(())
    }

    fn may_lead(&self, action: &str, path: &Path, link: &Path, to: &Path) -> HostResult<()> {
        if self.0.world.base.uid() != 0 {
            return Ok(());
        }
        match (self.owner(link)?, self.owner(to)?) {
            (Some(owner), Some(of)) if owner != 0 && owner != of => Err(refuse(action, path, Errno::ACCESS)),
            _ => Ok(()),
        }
    }
}
