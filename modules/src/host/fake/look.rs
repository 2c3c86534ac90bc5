//! A fixture as an [`Observe`].

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use rectify_core::module::{
    Command, DirEntry, FileKind, Group, HostError, HostResult, InstalledPackage, Meta, Observe, Output, PackageDb,
    PackageRequest, PackageStatus, Transaction, Unit, User,
};
use rustix::io::Errno;

use super::{
    fixture::{Content, Fixture, Node},
    solver,
    spec::{On, Package},
};
use crate::host::rehearsal::walk::{Lookup, Place, Step, is_errno, refuse, walk};

impl Lookup for Fixture {
    type Node = Node;

    fn step(&self, path: &Path) -> HostResult<Step> {
        self.check(On::Look, "reading", path)?;
        Ok(Fixture::step(self, path))
    }

    fn at(&self, path: &Path) -> HostResult<Option<Node>> {
        self.check(On::Look, "reading", path)?;
        Ok(self.nodes.get(path).cloned())
    }

    fn target(&self, _path: &Path, node: &Node) -> HostResult<Option<PathBuf>> {
        Ok(match &node.content {
            Content::Link(target) => Some(target.clone()),
            _ => None,
        })
    }
}

impl Fixture {
    /// The error that the fixture has for this path, if it has one.
    pub(super) fn check(&self, on: On, action: &str, path: &Path) -> HostResult<()> {
        match self.spec.faults.iter().find(|f| f.on == on && f.path == path) {
            Some(fault) => Err(refuse(action, path, errno(&fault.errno))),
            None => Ok(()),
        }
    }

    fn place(&self, path: &Path, follow: bool) -> HostResult<Option<(PathBuf, Node)>> {
        let Place { path: at, end } = match walk(self, "reading", path, follow) {
            Err(e) if is_errno(&e, Errno::NOENT) || is_errno(&e, Errno::NOTDIR) => return Ok(None),
            other => other?,
        };
        Ok(end?.map(|node| (at, node)))
    }

    fn file(&self, path: &Path) -> HostResult<Option<Node>> {
        let Some((at, node)) = self.place(path, true)? else { return Ok(None) };
        self.check(On::Read, "reading", &at)?;
        match node.meta.kind {
            FileKind::File => Ok(Some(node)),
            FileKind::Directory => Err(refuse("reading", path, Errno::ISDIR)),
            FileKind::Link | FileKind::Other => Err(refuse("reading", path, Errno::INVAL)),
        }
    }
}

impl Observe for Fixture {
    fn lstat(&self, path: &Path) -> HostResult<Option<Meta>> {
        Ok(self.place(path, false)?.map(|(_, node)| node.meta))
    }

    fn stat(&self, path: &Path) -> HostResult<Option<Meta>> {
        Ok(self.place(path, true)?.map(|(_, node)| node.meta))
    }

    fn read(&self, path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>> {
        let Some(node) = self.file(path)? else { return Ok(None) };
        if node.meta.size > limit {
            return Err(HostError::TooLarge { object: path.display().to_string(), size: node.meta.size, limit });
        }
        Ok(Some(match node.content {
            Content::Bytes(bytes) => bytes,
            Content::Zeros(size) => vec![0; usize::try_from(size).unwrap_or_default()].into(),
            Content::Link(_) | Content::None => Arc::from([]),
        }))
    }

    fn sha256(&self, path: &Path) -> HostResult<Option<String>> {
        Ok(self.file(path)?.map(|node| node.content.sha256()))
    }

    fn read_link(&self, path: &Path) -> HostResult<PathBuf> {
        let place = walk(self, "reading the link", path, false)?;
        match place.end? {
            None => Err(refuse("reading the link", path, Errno::NOENT)),
            Some(Node { content: Content::Link(target), .. }) => Ok(target),
            Some(_) => Err(refuse("reading the link", path, Errno::INVAL)),
        }
    }

    fn list(&self, path: &Path, each: &mut dyn FnMut(DirEntry) -> bool) -> HostResult<()> {
        let place = walk(self, "listing", path, true)?;
        self.check(On::Read, "listing", &place.path)?;
        match place.end? {
            None => return Err(refuse("listing", path, Errno::NOENT)),
            Some(node) if node.meta.kind != FileKind::Directory => {
                return Err(refuse("listing", path, Errno::NOTDIR));
            }
            Some(_) => {}
        }
        for (at, node) in &self.nodes {
            if at.parent() != Some(&place.path) {
                continue;
            }
            let Some(name) = at.file_name() else { continue };
            if !each(DirEntry { name: name.to_owned(), kind: node.meta.kind }) {
                break;
            }
        }
        Ok(())
    }

    fn user(&self, name: &str) -> HostResult<Option<User>> {
        Ok(self.users.get(name).cloned())
    }

    fn user_by_id(&self, uid: u32) -> HostResult<Option<User>> {
        Ok(self.users.values().find(|u| u.uid == uid).cloned())
    }

    fn group(&self, name: &str) -> HostResult<Option<Group>> {
        Ok(self.groups.get(name).cloned())
    }

    fn group_by_id(&self, gid: u32) -> HostResult<Option<Group>> {
        Ok(self.groups.values().find(|g| g.gid == gid).cloned())
    }

    fn users(&self) -> HostResult<Vec<User>> {
        Ok(self.users.values().cloned().collect())
    }

    fn groups(&self) -> HostResult<Vec<Group>> {
        Ok(self.groups.values().cloned().collect())
    }

    fn packages(&self) -> HostResult<Arc<PackageDb>> {
        let (manager, arch) = (self.manager(), self.arch());
        let installed = self.packages().filter(|(_, p)| p.installed);
        let packages = installed.map(|(name, p)| (name.clone(), record(name, &p.version, p, &arch))).collect();
        Ok(Arc::new(PackageDb { manager, arch, packages }))
    }

    fn resolve(&self, request: &PackageRequest) -> HostResult<Transaction> {
        let db = Observe::packages(self)?;
        solver::solve(self, &db, request)
    }

    fn candidates(&self, names: &[String]) -> HostResult<IndexMap<String, String>> {
        let offered = |name: &String| Some((name.clone(), candidate(self.spec.packages.get(name)?.as_ref()?)?));
        Ok(names.iter().filter_map(offered).collect())
    }

    fn package_files(&self, name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
        match self.spec.packages.get(name).and_then(Option::as_ref) {
            Some(p) => Ok(p.files.keys().map(|path| (path.clone(), p.conf.contains(path))).collect()),
            None => Err(HostError::Unsupported(format!("package {name} is not installed"))),
        }
    }

    fn unit(&self, name: &str) -> HostResult<Unit> {
        Ok(self.units.get(name).cloned().unwrap_or_else(|| Unit {
            name: name.to_owned(),
            load: "not-found".into(),
            active: "inactive".into(),
            sub: "dead".into(),
            file: String::new(),
            needs_reload: false,
        }))
    }

    fn sysctl(&self, key: &str) -> HostResult<Option<String>> {
        Ok(self.spec.sysctls.get(key).cloned().flatten())
    }

    fn kernel_modules(&self) -> HostResult<IndexMap<String, u32>> {
        Ok(self.spec.kernel_modules.iter().filter_map(|(name, uses)| Some((name.clone(), (*uses)?))).collect())
    }

    fn probe(&self, command: &Command) -> HostResult<Output> {
        Err(HostError::Unsupported(format!("a fixture does not answer {:?} by itself", command.argv)))
    }

    fn uid(&self) -> u32 {
        self.spec.uid.unwrap_or(0)
    }
}

/// The version that the repositories offer.
pub(super) fn candidate(package: &Package) -> Option<String> {
    match package.candidate.as_deref() {
        Some("none") => None,
        Some(version) => Some(version.to_owned()),
        None => Some(package.version.clone()),
    }
}

/// A package's entry in the database.
pub(super) fn record(name: &str, version: &str, package: &Package, arch: &str) -> InstalledPackage {
    let groups = |list: &[String]| list.iter().map(|r| r.split('|').map(|a| a.trim().to_owned()).collect()).collect();
    InstalledPackage {
        name: name.split(':').next().unwrap_or(name).to_owned(),
        arch: package.arch.clone().unwrap_or_else(|| arch.to_owned()),
        version: version.to_owned(),
        status: PackageStatus::Installed,
        manual: !package.auto,
        essential: package.essential,
        held: package.held,
        requires: groups(&package.requires),
        recommends: groups(&package.recommends),
        provides: package.provides.clone(),
        section: package.section.clone(),
        size_kib: package.size_kib,
    }
}

/// The number of an error that a fixture names; what it does not know is `EIO`.
fn errno(name: &str) -> Errno {
    match name {
        "EACCES" => Errno::ACCESS,
        "EPERM" => Errno::PERM,
        "EROFS" => Errno::ROFS,
        "ENOSPC" => Errno::NOSPC,
        "EDQUOT" => Errno::DQUOT,
        "EBUSY" => Errno::BUSY,
        "EXDEV" => Errno::XDEV,
        "ESTALE" => Errno::STALE,
        "ETXTBSY" => Errno::TXTBSY,
        "ENOTSUP" => Errno::OPNOTSUPP,
        _ => Errno::IO,
    }
}

/// Whether a fixture may name this error.
pub(super) fn is_known_errno(name: &str) -> bool {
    name == "EIO" || errno(name) != Errno::IO
}
