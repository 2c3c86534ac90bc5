//! A task's view as an [`Observe`].

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use rectify_core::event::Trace;
use rectify_core::module::{
    Command, DirEntry, Entity, Group, HostResult, Meta, Observe, Output, PackageDb, PackageRequest, Transaction, Unit,
    User,
};

use super::RehearsalView;

impl Observe for RehearsalView<'_> {
    fn lstat(&self, path: &Path) -> HostResult<Option<Meta>> {
        self.look(|sight| Ok(sight.node(path, false)?.map(|node| node.meta)))
    }

    fn stat(&self, path: &Path) -> HostResult<Option<Meta>> {
        self.look(|sight| Ok(sight.node(path, true)?.map(|node| node.meta)))
    }

    fn read(&self, path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>> {
        self.look(|sight| sight.read(path, limit))
    }

    fn sha256(&self, path: &Path) -> HostResult<Option<String>> {
        self.look(|sight| sight.sha256(path))
    }

    fn read_link(&self, path: &Path) -> HostResult<PathBuf> {
        self.look(|sight| sight.read_link(path))
    }

    fn list(&self, path: &Path, each: &mut dyn FnMut(DirEntry) -> bool) -> HostResult<()> {
        // `each` may itself look: no lock is held while it runs.
        let listing = self.look(|sight| sight.open(path))?;
        let mut check = |entry: &DirEntry| self.look(|sight| sight.check_entry(&listing.folder, entry));
        listing.run(&self.rehearsal.shared.world, &mut check, each)
    }

    fn user(&self, name: &str) -> HostResult<Option<User>> {
        self.look(|sight| sight.user(name))
    }

    fn user_by_id(&self, uid: u32) -> HostResult<Option<User>> {
        self.look(|sight| sight.user_by_id(uid))
    }

    fn group(&self, name: &str) -> HostResult<Option<Group>> {
        self.look(|sight| sight.group(name))
    }

    fn group_by_id(&self, gid: u32) -> HostResult<Option<Group>> {
        self.look(|sight| sight.group_by_id(gid))
    }

    fn users(&self) -> HostResult<Vec<User>> {
        self.look(|sight| sight.users())
    }

    fn groups(&self) -> HostResult<Vec<Group>> {
        self.look(|sight| sight.groups())
    }

    fn packages(&self) -> HostResult<Arc<PackageDb>> {
        self.look(|sight| sight.packages())
    }

    fn resolve(&self, request: &PackageRequest) -> HostResult<Transaction> {
        self.look(|sight| sight.resolve(request))
    }

    fn candidates(&self, names: &[String]) -> HostResult<IndexMap<String, String>> {
        self.look(|sight| sight.candidates(names))
    }

    fn package_files(&self, name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
        self.look(|sight| sight.package_files(name))
    }

    fn unit(&self, name: &str) -> HostResult<Unit> {
        self.look(|sight| sight.unit(name))
    }

    fn sysctl(&self, key: &str) -> HostResult<Option<String>> {
        self.look(|sight| sight.sysctl(key))
    }

    fn kernel_modules(&self) -> HostResult<IndexMap<String, u32>> {
        self.look(|sight| sight.kernel_modules())
    }

    fn probe(&self, command: &Command) -> HostResult<Output> {
        // A probe may take long: the question whether it may be asked is locked, the asking is not.
        self.look(|sight| sight.check_probe(command))?;
        self.rehearsal.shared.world.base.probe(command)
    }

    fn uid(&self) -> u32 {
        self.rehearsal.shared.world.base.uid()
    }

    fn blob(&self, sha256: &str) -> HostResult<Arc<[u8]>> {
        self.rehearsal.shared.world.blob(sha256)
    }

    // What was changed before the rehearsal began is what people ask for.
    fn traces(&self, things: &[Entity]) -> Vec<Trace> {
        self.rehearsal.shared.world.base.traces(things)
    }
}
