//! Changing files in the overlay, with the kernel's refusals as far as they can be foreseen.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use rectify_core::module::{FileKind, HostError, HostResult, Meta, WriteAttrs};
use rustix::io::Errno;

use super::{
    notes::{Note, Scope},
    sight::{Node, Sight},
    state::{Body, Entry, Inode, Stamp, State},
    walk::{Place, is_errno, refuse, walk},
    world::World,
    writing::Writing,
};

/// How many files of the base may be held with other attributes. A task that changes more has said what it changes; what is there
/// after it is then not known, rather than held in memory: a tree may have millions.
const MOST: usize = 50_000;

/// A write: one task, one place in the sequence.
pub(super) struct Hand<'s> {
    pub(super) world: &'s World<'s>,
    pub(super) state: &'s mut State,
    pub(super) stamp: Stamp,
}

impl Hand<'_> {
    pub(super) fn sight(&self) -> Sight<'_> {
        Sight { world: self.world, state: self.state }
    }

    /// Resolves the path of something to be changed; see [`Writing`].
    fn locate(&self, doing: &str, path: &Path, follow: bool) -> HostResult<Place<Node>> {
        walk(&Writing(self.sight()), doing, path, follow)
    }

    /// Notes something that is not known from here on, because of this task.
    pub(super) fn note(&mut self, scope: Scope) {
        if !self.world.exact {
            self.state.notes.add(Note { seq: self.stamp.seq, because: self.stamp.because(), scope });
        }
    }

    /// See [`rectify_core::module::Operate::write`].
    pub(super) fn write(&mut self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()> {
        let body = Body::Bytes { bytes: Arc::from(content), sha256: Arc::new(OnceLock::new()) };
        self.put_file(path, body, content.len() as u64, attrs)
    }

    /// See [`rectify_core::module::Operate::write_blob`]. Only the hash is kept.
    pub(super) fn write_blob(&mut self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()> {
        let size = self.world.blob(sha256)?.len() as u64;
        self.put_file(path, Body::Blob(sha256.to_owned()), size, attrs)
    }

    /// See [`rectify_core::module::Operate::copy_file`]. The content is shared with the file that is copied.
    pub(super) fn copy_file(&mut self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()> {
        // The content has to be known; a copy of what is not known would carry that on without saying so.
        let sight = self.sight();
        let Some((path, node)) = sight.file(from)? else { return Err(refuse("copying", from, Errno::NOENT)) };
        let body = node.inode.map_or(Body::Base(path), |id| sight.inode(id).body.clone());
        self.put_file(to, body, node.meta.size, attrs)
    }

    fn put_file(&mut self, path: &Path, body: Body, size: u64, attrs: &WriteAttrs) -> HostResult<()> {
        const DOING: &str = "replacing";
        let place = self.locate(DOING, path, true)?;
        let old = match place.end {
            Err(HostError::Unknown(because)) => match (attrs.mode, attrs.uid, attrs.gid) {
                // With all attributes given, what was there before does not matter.
                (Some(_), Some(_), Some(_)) => None,
                _ => return Err(HostError::Unknown(because)),
            },
            end => end?,
        };
        match old.as_ref().map(|n| n.meta.kind) {
            Some(FileKind::Directory) => return Err(refuse(DOING, path, Errno::ISDIR)),
            Some(FileKind::Other) => return Err(refuse(DOING, path, Errno::INVAL)),
            _ => {}
        }
        self.may_write_in(DOING, path, &place.path, old.as_ref().map(|n| &n.meta))?;
        let mut meta = self.fresh(FileKind::File, 0o644 & !self.world.umask(), &place.path)?;
        meta.size = size;
        if let Some(old) = &old {
            (meta.mode, meta.uid, meta.gid) = (old.meta.mode, old.meta.uid, old.meta.gid);
        }
        meta.mode = attrs.mode.unwrap_or(meta.mode) & 0o7777;
        meta.uid = attrs.uid.unwrap_or(meta.uid);
        meta.gid = attrs.gid.unwrap_or(meta.gid);
        // The new file is made by the helper's account, and then given away.
        let uid = self.world.base.uid();
        if uid != 0 && (meta.uid != uid || !self.world.groups().contains(&meta.gid)) {
            return Err(refuse("setting the owner of the new content of", path, Errno::PERM));
        }
        self.drop_name(&place.path, old)?;
        self.insert(&place.path, meta, body);
        Ok(())
    }

    /// See [`rectify_core::module::Operate::make_dir`].
    pub(super) fn make_dir(&mut self, path: &Path, mode: u32) -> HostResult<()> {
        const DOING: &str = "making the folder";
        let place = self.locate(DOING, path, false)?;
        if place.end?.is_some() {
            return Err(refuse(DOING, path, Errno::EXIST));
        }
        self.may_write_in(DOING, path, &place.path, None)?;
        let mut meta = self.fresh(FileKind::Directory, mode & 0o7777, &place.path)?;
        meta.nlink = 2;
        self.insert(&place.path, meta, Body::Folder { opaque: true });
        Ok(())
    }

    /// See [`rectify_core::module::Operate::symlink`].
    pub(super) fn symlink(&mut self, target: &Path, path: &Path) -> HostResult<()> {
        const DOING: &str = "linking";
        if target.as_os_str().is_empty() {
            return Err(refuse(DOING, path, Errno::NOENT));
        }
        let place = self.locate(DOING, path, false)?;
        // Whatever was there, a link is there afterwards; but a folder is not replaced.
        let old = forget_unknown(place.end)?;
        if old.as_ref().is_some_and(|n| n.meta.kind == FileKind::Directory) {
            return Err(refuse(DOING, path, Errno::ISDIR));
        }
        self.may_write_in(DOING, path, &place.path, old.as_ref().map(|n| &n.meta))?;
        let mut meta = self.fresh(FileKind::Link, 0o777, &place.path)?;
        meta.size = target.as_os_str().len() as u64;
        self.drop_name(&place.path, old)?;
        self.insert(&place.path, meta, Body::Link(target.to_owned()));
        Ok(())
    }

    /// See [`rectify_core::module::Operate::hard_link`].
    pub(super) fn hard_link(&mut self, target: &Path, path: &Path) -> HostResult<()> {
        const DOING: &str = "linking";
        let from = self.locate(DOING, target, false)?;
        let Some(source) = from.end? else { return Err(refuse(DOING, target, Errno::NOENT)) };
        if source.meta.kind == FileKind::Directory {
            return Err(refuse(DOING, target, Errno::PERM));
        }
        let place = self.locate(DOING, path, false)?;
        let old = place.end?;
        if old.as_ref().is_some_and(|n| n.meta.kind == FileKind::Directory) {
            return Err(refuse(DOING, path, Errno::ISDIR));
        }
        self.may_write_in(DOING, path, &place.path, old.as_ref().map(|n| &n.meta))?;
        if self.world.mounts().differ(&from.path, &place.path) {
            return Err(refuse(DOING, path, Errno::XDEV));
        }
        let source_meta = source.meta.clone();
        let id = self.own(&from.path, source)?;
        if let Some(old) = &old
            && (old.inode == Some(id) || from.path == place.path || same_inode(&old.meta, &source_meta))
        {
            return Ok(());
        }
        self.drop_name(&place.path, old)?;
        let inode = &mut self.state.files.inodes[id];
        inode.meta.nlink += 1;
        inode.changed = self.stamp;
        self.state.files.put(&place.path, Entry { stamp: self.stamp, inode: Some(id) });
        Ok(())
    }

    /// See [`rectify_core::module::Operate::remove`].
    pub(super) fn remove(&mut self, path: &Path) -> HostResult<()> {
        const DOING: &str = "removing";
        let place = match self.locate(DOING, path, false) {
            Err(e) if is_errno(&e, Errno::NOENT) || is_errno(&e, Errno::NOTDIR) => return Ok(()),
            other => other?,
        };
        if path.file_name().is_none() {
            // `/`, or something that ends in `..`.
            return Err(refuse(DOING, path, Errno::BUSY));
        }
        let unknown = matches!(place.end, Err(HostError::Unknown(_)));
        let old = forget_unknown(place.end)?;
        if old.is_none() && !unknown {
            return Ok(());
        }
        self.may_write_in(DOING, path, &place.path, old.as_ref().map(|n| &n.meta))?;
        if place.path.parent().is_none() || self.world.mounts().any_within(&place.path) {
            return Err(refuse(DOING, path, Errno::BUSY));
        }
        self.white_out(&place.path, old)
    }

    /// Takes away what is at this canonical path, without asking for permission.
    pub(super) fn white_out(&mut self, path: &Path, old: Option<Node>) -> HostResult<()> {
        self.drop_name(path, old)?;
        self.state.files.forget(path);
        self.state.files.put(path, Entry { stamp: self.stamp, inode: None });
        Ok(())
    }

    /// See [`rectify_core::module::Operate::set_mode`].
    pub(super) fn set_mode(&mut self, path: &Path, mode: u32) -> HostResult<()> {
        let stamp = self.stamp;
        let inode = self.changeable("changing the mode of", path, true)?;
        inode.meta.mode = mode & 0o7777;
        inode.changed = stamp;
        Ok(())
    }

    /// See [`rectify_core::module::Operate::set_owner`].
    pub(super) fn set_owner(
        &mut self,
        path: &Path,
        uid: Option<u32>,
        gid: Option<u32>,
        follow: bool,
    ) -> HostResult<()> {
        const DOING: &str = "changing the owner of";
        let (stamp, me) = (self.stamp, self.world.base.uid());
        let groups = if me == 0 { &[] } else { self.world.groups() };
        let inode = self.changeable(DOING, path, follow)?;
        if me != 0 && (uid.is_some_and(|to| to != inode.meta.uid) || gid.is_some_and(|to| !groups.contains(&to))) {
            return Err(refuse(DOING, path, Errno::PERM));
        }
        inode.meta.uid = uid.unwrap_or(inode.meta.uid);
        inode.meta.gid = gid.unwrap_or(inode.meta.gid);
        if inode.meta.kind == FileKind::File {
            // chown(2): the set-id bits of a file do not survive.
            let group_runs = if inode.meta.mode & 0o010 != 0 { 0o2000 } else { 0 };
            inode.meta.mode &= !(0o4000 | group_runs);
        }
        inode.changed = stamp;
        Ok(())
    }

    /// See [`rectify_core::module::Operate::set_times`].
    pub(super) fn set_times(&mut self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()> {
        let stamp = self.stamp;
        let inode = self.changeable("changing the times of", path, true)?;
        inode.meta.mtime = mtime.unwrap_or(inode.meta.mtime);
        inode.meta.atime = atime.unwrap_or(inode.meta.atime);
        inode.changed = stamp;
        Ok(())
    }

    /// The inode of what `path` leads to, as the overlay's own, if its attributes may be changed.
    fn changeable(&mut self, doing: &str, path: &Path, follow: bool) -> HostResult<&mut Inode> {
        let Place { path: at, end } = self.locate(doing, path, follow)?;
        let Some(node) = end? else { return Err(refuse(doing, path, Errno::NOENT)) };
        if self.world.mounts().is_read_only(&at) {
            return Err(refuse(doing, path, Errno::ROFS));
        }
        let uid = self.world.base.uid();
        if uid != 0 && uid != node.meta.uid {
            return Err(refuse(doing, path, Errno::PERM));
        }
        let id = self.own(&at, node)?;
        Ok(&mut self.state.files.inodes[id])
    }

    /// Makes what the base has at a canonical path the overlay's own.
    fn own(&mut self, path: &Path, node: Node) -> HostResult<usize> {
        if let Some(id) = node.inode {
            return Ok(id);
        }
        if self.state.files.inodes.len() >= MOST && !self.world.exact {
            return Err(HostError::NotRehearsed);
        }
        let body = match node.meta.kind {
            FileKind::File | FileKind::Other => Body::Base(path.to_owned()),
            FileKind::Link => Body::Link(self.world.base.read_link(path)?),
            FileKind::Directory => Body::Folder { opaque: false },
        };
        let id = self.state.files.inodes.len();
        let (meta, several) = (node.meta, |m: &Meta| m.nlink > 1 && m.kind != FileKind::Directory);
        if several(&meta) {
            self.state.files.by_base.insert((meta.dev, meta.ino), id);
        }
        self.state.files.inodes.push(Inode { meta, body, changed: self.stamp, written: None });
        self.state.files.put(path, Entry { stamp: self.stamp, inode: Some(id) });
        Ok(id)
    }

    /// A name of `old` goes: what has other names has one less.
    fn drop_name(&mut self, path: &Path, old: Option<Node>) -> HostResult<()> {
        let Some(old) = old else { return Ok(()) };
        if old.meta.kind == FileKind::Directory || old.meta.nlink < 2 {
            return Ok(());
        }
        let id = self.own(path, old)?;
        let inode = &mut self.state.files.inodes[id];
        inode.meta.nlink -= 1;
        inode.changed = self.stamp;
        Ok(())
    }

    /// Puts something new at a canonical path.
    fn insert(&mut self, path: &Path, meta: Meta, body: Body) {
        let id = self.state.files.inodes.len();
        self.state.files.inodes.push(Inode { meta, body, changed: self.stamp, written: Some(self.stamp) });
        self.state.files.put(path, Entry { stamp: self.stamp, inode: Some(id) });
    }

    /// Metadata of something new at a canonical path.
    fn fresh(&self, kind: FileKind, mode: u32, path: &Path) -> HostResult<Meta> {
        let now = (self.world.clock)();
        let uid = self.world.base.uid();
        let own = if uid == 0 { 0 } else { self.world.groups().first().copied().unwrap_or(uid) };
        let parent = self.parent(path)?;
        // A set-group-id folder hands its group down, and folders below it the bit too (inode(7)).
        let inherits = parent.as_ref().filter(|p| p.meta.mode & 0o2000 != 0);
        Ok(Meta {
            kind,
            mode,
            uid,
            gid: inherits.map_or(own, |p| p.meta.gid),
            size: 0,
            mtime: now,
            atime: now,
            ctime: now,
            nlink: 1,
            ino: 0,
            dev: 0,
        })
    }

    fn parent(&self, path: &Path) -> HostResult<Option<Node>> {
        let Some(parent) = path.parent() else { return Ok(None) };
        match self.sight().walk("reading", parent, false)?.end {
            // It was passed through as a folder; only its attributes are not known.
            Err(HostError::Unknown(_)) => Ok(None),
            end => end,
        }
    }

    /// Whether an entry of the folder of `at` may be made, replaced or removed (`victim`: what is there).
    fn may_write_in(&self, doing: &str, path: &Path, at: &Path, victim: Option<&Meta>) -> HostResult<()> {
        let folder = at.parent().unwrap_or(at);
        if self.world.mounts().is_read_only(folder) {
            return Err(refuse(doing, path, Errno::ROFS));
        }
        let uid = self.world.base.uid();
        if uid == 0 {
            return Ok(());
        }
        let Some(parent) = self.parent(at)? else { return Ok(()) };
        if !self.sight().may(&parent.meta, 3) {
            return Err(refuse(doing, path, Errno::ACCESS));
        }
        let foreign = victim.is_some_and(|v| v.uid != uid) && parent.meta.uid != uid;
        if parent.meta.mode & 0o1000 != 0 && foreign {
            return Err(refuse(doing, path, Errno::PERM));
        }
        Ok(())
    }
}

/// What is not known does not matter to who replaces it.
fn forget_unknown(end: HostResult<Option<Node>>) -> HostResult<Option<Node>> {
    match end {
        Err(HostError::Unknown(_)) => Ok(None),
        end => end,
    }
}

fn same_inode(a: &Meta, b: &Meta) -> bool {
    a.ino != 0 && (a.dev, a.ino) == (b.dev, b.ino)
}
