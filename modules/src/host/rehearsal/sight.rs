//! Looking at files through the overlay.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rectify_core::{
    digest,
    module::{Because, DirEntry, FileKind, HostError, HostResult, Meta},
};
use rustix::io::Errno;

use super::{
    notes::Look,
    state::{Body, Inode, Stamp, State},
    walk::{Lookup, Place, Step, is_errno, refuse, walk},
    world::World,
};

/// A look: the overlay over the base.
#[derive(Clone, Copy)]
pub(super) struct Sight<'s> {
    pub(super) world: &'s World<'s>,
    pub(super) state: &'s State,
}

/// What is at the end of a path.
pub(super) struct Node {
    pub(super) meta: Meta,
    /// Its inode in the overlay; `None`: it is as the base has it.
    pub(super) inode: Option<usize>,
}

/// What stands at a canonical path, before asking whether that is still known.
enum Found {
    /// In the overlay, known since then.
    Inode(usize, u64),
    /// Taken away by this task.
    Gone(Stamp),
    /// As the base has it.
    Base(Meta),
    /// The base has nothing there.
    Nothing,
}

/// `Err(Unknown)`, if somebody is to blame.
pub(super) fn known(because: Option<Because>) -> HostResult<()> {
    because.map_or(Ok(()), |because| Err(HostError::Unknown(because)))
}

/// Nothing at the end of a path whose middle is missing.
pub(super) fn or_nothing<T>(result: HostResult<Option<T>>) -> HostResult<Option<T>> {
    match result {
        Err(e) if is_errno(&e, Errno::NOENT) || is_errno(&e, Errno::NOTDIR) => Ok(None),
        other => other,
    }
}

impl Lookup for Sight<'_> {
    type Node = Node;

    fn step(&self, path: &Path) -> HostResult<Step> {
        if self.world.is_known_folder(path) && self.state.files.get(path).is_none() && self.hidden(path).is_none() {
            known(self.state.notes.on_path(path, 0, Look::Through))?;
            return Ok(Step::Folder);
        }
        let (since, meta, inode) = match self.find(path)? {
            Found::Inode(id, since) => (since, Some(self.inode(id).meta.clone()), Some(id)),
            Found::Base(meta) => (0, Some(meta), None),
            Found::Gone(stamp) => (stamp.seq, None, None),
            Found::Nothing => (0, None, None),
        };
        let kind = meta.as_ref().map(|m| m.kind);
        let look = match kind {
            Some(FileKind::Directory) => Look::Through,
            Some(_) => Look::Present,
            None => Look::Absent,
        };
        known(self.state.notes.on_path(path, since, look))?;
        match (kind, meta) {
            (Some(FileKind::Directory), Some(meta)) => {
                // The base itself refuses what it owns; a folder of the overlay is asked here.
                if inode.is_some() && !self.may(&meta, 1) {
                    return Err(refuse("searching", path, Errno::ACCESS));
                }
                Ok(Step::Folder)
            }
            (Some(FileKind::Link), Some(meta)) => {
                let target = self.target(path, &Node { meta, inode })?;
                Ok(target.map_or(Step::Other, Step::Link))
            }
            (Some(_), _) => Ok(Step::Other),
            (None, _) => Ok(Step::Missing),
        }
    }

    fn at(&self, path: &Path) -> HostResult<Option<Node>> {
        match self.find(path)? {
            Found::Inode(id, since) => {
                known(self.state.notes.on_path(path, since, Look::Present))?;
                Ok(Some(Node { meta: self.inode(id).meta.clone(), inode: Some(id) }))
            }
            Found::Base(meta) => {
                known(self.state.notes.on_path(path, 0, Look::Present))?;
                if meta.kind == FileKind::Link {
                    self.check_link(path)?;
                }
                Ok(Some(Node { meta, inode: None }))
            }
            Found::Gone(stamp) => {
                known(self.state.notes.on_path(path, stamp.seq, Look::Absent))?;
                Ok(None)
            }
            Found::Nothing => {
                known(self.state.notes.on_path(path, 0, Look::Absent))?;
                Ok(None)
            }
        }
    }

    fn target(&self, path: &Path, node: &Node) -> HostResult<Option<PathBuf>> {
        if node.meta.kind != FileKind::Link {
            return Ok(None);
        }
        match node.inode.map(|id| &self.inode(id).body) {
            Some(Body::Link(target)) => Ok(Some(target.clone())),
            Some(Body::Base(from)) => self.world.base.read_link(from).map(Some),
            _ => self.world.base.read_link(path).map(Some),
        }
    }
}

impl<'s> Sight<'s> {
    pub(super) fn inode(&self, id: usize) -> &'s Inode {
        &self.state.files.inodes[id]
    }

    /// Resolves a path; see [`walk`].
    pub(super) fn walk(&self, action: &str, path: &Path, follow: bool) -> HostResult<Place<Node>> {
        walk(self, action, path, follow)
    }

    /// What `path` leads to, or nothing.
    pub(super) fn node(&self, path: &Path, follow: bool) -> HostResult<Option<Node>> {
        match or_nothing(self.walk("reading", path, follow).and_then(|place| place.end)) {
            // A loop of links leads to nothing, as a dangling one does.
            Err(e) if follow && is_errno(&e, Errno::LOOP) => Ok(None),
            other => other,
        }
    }

    /// The content of the regular file that `path` leads to.
    pub(super) fn read(&self, path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>> {
        let Some((from, node)) = self.file(path)? else { return Ok(None) };
        let too_large = |size| HostError::TooLarge { object: path.display().to_string(), size, limit };
        if node.meta.size > limit {
            return Err(too_large(node.meta.size));
        }
        match node.inode.map(|id| &self.inode(id).body) {
            Some(Body::Bytes { bytes, .. }) => Ok(Some(bytes.clone())),
            Some(Body::Blob(sha256)) => self.world.blob(sha256).map(Some),
            Some(Body::Base(base)) => self.world.base.read(base, limit),
            _ => self.world.base.read(&from, limit),
        }
    }

    /// The hash of the regular file that `path` leads to.
    pub(super) fn sha256(&self, path: &Path) -> HostResult<Option<String>> {
        let Some((from, node)) = self.file(path)? else { return Ok(None) };
        match node.inode.map(|id| &self.inode(id).body) {
            Some(Body::Bytes { bytes, sha256 }) => Ok(Some(sha256.get_or_init(|| digest::sha256(bytes)).clone())),
            Some(Body::Blob(sha256)) => Ok(Some(sha256.clone())),
            Some(Body::Base(base)) => self.world.base.sha256(base),
            _ => self.world.base.sha256(&from),
        }
    }

    /// The regular file that `path` leads to and whose content is known.
    pub(super) fn file(&self, path: &Path) -> HostResult<Option<(PathBuf, Node)>> {
        let place = match self.walk("reading", path, true) {
            Err(e) if is_errno(&e, Errno::NOENT) || is_errno(&e, Errno::NOTDIR) => return Ok(None),
            other => other?,
        };
        let Some(node) = place.end? else { return Ok(None) };
        match node.meta.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(refuse("reading", path, Errno::ISDIR)),
            FileKind::Link | FileKind::Other => return Err(refuse("reading", path, Errno::INVAL)),
        }
        let written = node.inode.and_then(|id| self.inode(id).written).map_or(0, |s| s.seq);
        known(self.state.notes.on_path(&place.path, written, Look::Content))?;
        if node.inode.is_some() && !self.may(&node.meta, 4) {
            return Err(refuse("reading", path, Errno::ACCESS));
        }
        Ok(Some((place.path, node)))
    }

    /// Where the link at `path` points.
    pub(super) fn read_link(&self, path: &Path) -> HostResult<PathBuf> {
        let place = self.walk("reading the link", path, false)?;
        let Some(node) = place.end? else { return Err(refuse("reading the link", path, Errno::NOENT)) };
        self.target(&place.path, &node)?.ok_or_else(|| refuse("reading the link", path, Errno::INVAL))
    }

    /// The folder that `path` leads to, ready to be listed without holding a lock.
    pub(super) fn open(&self, path: &Path) -> HostResult<Listing> {
        let place = self.walk("listing", path, true)?;
        let Some(node) = place.end? else { return Err(refuse("listing", path, Errno::NOENT)) };
        if node.meta.kind != FileKind::Directory {
            return Err(refuse("listing", path, Errno::NOTDIR));
        }
        let folder = place.path;
        let opaque = match node.inode.map(|id| (&self.inode(id).body, id)) {
            Some((Body::Folder { opaque: true }, id)) => Some(self.inode(id)),
            _ => None,
        };
        if node.inode.is_some() && !self.may(&node.meta, 4) {
            return Err(refuse("listing", path, Errno::ACCESS));
        }
        let since = opaque.and_then(|inode| inode.written).map_or(0, |s| s.seq);
        let child = |path: &Path| self.state.files.get(path).map(|e| e.stamp.seq);
        known(self.state.notes.on_listing(&folder, since, &child))?;
        let mut own = HashMap::new();
        for name in self.state.files.children(&folder) {
            let kind =
                self.state.files.get(&folder.join(name)).and_then(|e| e.inode).map(|id| self.inode(id).meta.kind);
            own.insert(name.clone(), kind);
        }
        let watch_links = opaque.is_none() && self.state.notes.watches_links();
        Ok(Listing { folder, own, base: opaque.is_none(), watch_links })
    }

    /// Whether the folder at this canonical path has no entries.
    pub(super) fn is_empty(&self, folder: &Path) -> HostResult<bool> {
        let mut listing = self.open(folder)?;
        listing.watch_links = false;
        let mut empty = true;
        listing.run(self.world, &mut |_| Ok(()), &mut |_| {
            empty = false;
            false
        })?;
        Ok(empty)
    }

    /// Whether the host's operations may do this (4 read, 2 write, 1 search) with what has this metadata.
    pub(super) fn may(&self, meta: &Meta, want: u32) -> bool {
        let uid = self.world.base.uid();
        if uid == 0 {
            return true;
        }
        let shift = if meta.uid == uid {
            6
        } else if self.world.groups().contains(&meta.gid) {
            3
        } else {
            0
        };
        (meta.mode >> shift) & want == want
    }

    /// The tasks that changed anything at or below this path, or made it unknown.
    pub(super) fn touched(&self, path: &Path, below: bool) -> HostResult<Option<Because>> {
        if self.state.files.is_empty() && self.state.notes.is_empty() {
            return Ok(None);
        }
        let place = match self.walk("reading", path, true) {
            Ok(place) => place,
            Err(HostError::Unknown(because)) => return Ok(Some(because)),
            // Whether it is missing because of a task is told by the deepest part that was taken away.
            Err(_) => return Ok(self.removed_on_the_way(path)),
        };
        let mut found = match place.end {
            Err(HostError::Unknown(because)) => Some(because),
            _ => self.state.notes.on_path(&place.path, 0, Look::Content),
        };
        let mut blame = |because: Because| found = Some(found.take().unwrap_or_default().and(because));
        let written = self.written_at(&place.path);
        written.into_iter().for_each(&mut blame);
        if below {
            for (_, entry) in self.state.files.below(&place.path) {
                blame(entry.stamp.because());
                if let Some(id) = entry.inode {
                    blame(self.inode(id).changed.because());
                }
            }
            self.state.notes.on_tree(&place.path).into_iter().for_each(&mut blame);
        }
        Ok(found)
    }

    fn written_at(&self, path: &Path) -> Option<Because> {
        match self.find(path) {
            Ok(Found::Inode(id, _)) => {
                let made = self.state.files.get(path).map(|e| e.stamp.because()).unwrap_or_default();
                Some(made.and(self.inode(id).changed.because()))
            }
            Ok(Found::Gone(stamp)) => Some(stamp.because()),
            _ => None,
        }
    }

    fn removed_on_the_way(&self, path: &Path) -> Option<Because> {
        path.ancestors().find_map(|a| self.state.files.get(a).filter(|e| e.inode.is_none()).map(|e| e.stamp.because()))
    }

    fn find(&self, path: &Path) -> HostResult<Found> {
        let files = &self.state.files;
        if let Some(entry) = files.get(path) {
            return Ok(match entry.inode {
                Some(id) => Found::Inode(id, entry.stamp.seq.max(self.inode(id).changed.seq)),
                None => Found::Gone(entry.stamp),
            });
        }
        if let Some(stamp) = self.hidden(path) {
            return Ok(Found::Gone(stamp));
        }
        let Some(meta) = self.world.base.lstat(path)? else { return Ok(Found::Nothing) };
        if meta.kind == FileKind::Directory {
            self.world.remember_folder(path);
        } else if meta.nlink > 1
            && let Some(id) = files.by_base.get(&(meta.dev, meta.ino))
        {
            return Ok(Found::Inode(*id, self.inode(*id).changed.seq));
        }
        Ok(Found::Base(meta))
    }

    /// Since when an ancestor in the overlay hides what the base has at `path`.
    fn hidden(&self, path: &Path) -> Option<Stamp> {
        let entry = self.state.files.above(path)?;
        match entry.inode.map(|id| self.inode(id)) {
            Some(Inode { body: Body::Folder { opaque: false }, .. }) => None,
            Some(inode) => Some(inode.written.unwrap_or(entry.stamp)),
            None => Some(entry.stamp),
        }
    }

    /// A link of the base that leads to files of a package that went may have gone with them.
    fn check_link(&self, path: &Path) -> HostResult<()> {
        if !self.state.notes.watches_links() {
            return Ok(());
        }
        self.check_link_to(path, &self.world.base.read_link(path)?)
    }

    fn check_link_to(&self, path: &Path, target: &Path) -> HostResult<()> {
        let target = lexical(path.parent().unwrap_or(path), target);
        known(self.state.notes.on_link_to(&target, 0))?;
        if target.starts_with("/etc/alternatives") && !path.starts_with("/etc/alternatives") {
            self.at(&target)?;
        }
        Ok(())
    }

    /// As [`Sight::check_link`], for an entry of a listing.
    pub(super) fn check_entry(&self, folder: &Path, entry: &DirEntry) -> HostResult<()> {
        if entry.kind == FileKind::Link { self.check_link(&folder.join(&entry.name)) } else { Ok(()) }
    }
}

/// A folder about to be listed: what the overlay has in it, and whether the base's entries are seen.
pub(super) struct Listing {
    pub(super) folder: PathBuf,
    own: HashMap<std::ffi::OsString, Option<FileKind>>,
    base: bool,
    pub(super) watch_links: bool,
}

impl Listing {
    /// Hands out the entries; `check` is asked for each of the base's first.
    pub(super) fn run(
        &self,
        world: &World<'_>,
        check: &mut dyn FnMut(&DirEntry) -> HostResult<()>,
        each: &mut dyn FnMut(DirEntry) -> bool,
    ) -> HostResult<()> {
        let (mut going, mut trouble) = (true, None);
        if self.base {
            world.base.list(&self.folder, &mut |entry| {
                if self.own.contains_key(&entry.name) {
                    return true;
                }
                if self.watch_links
                    && let Err(e) = check(&entry)
                {
                    trouble = Some(e);
                    going = false;
                    return false;
                }
                going = each(entry);
                going
            })?;
        }
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        for (name, kind) in &self.own {
            let Some(kind) = kind else { continue };
            if !going {
                break;
            }
            going = each(DirEntry { name: name.clone(), kind: *kind });
        }
        Ok(())
    }
}

/// `target` as seen from `folder`, dots removed without looking.
fn lexical(folder: &Path, target: &Path) -> PathBuf {
    let mut out = if target.is_absolute() { PathBuf::from("/") } else { folder.to_owned() };
    for component in target.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::Normal(name) => out.push(name),
            _ => {}
        }
    }
    out
}
