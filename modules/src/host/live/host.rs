//! The contract, method by method.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use rectify_core::{
    event::Trace,
    module::{
        Command, DirEntry, Effects, Entity, Group, GroupChange, HostResult, Meta, Observe, Operate, Output, PackageDb,
        PackageRequest, Transaction, Unit, UnitAction, User, UserChange, WriteAttrs,
    },
};

use super::{
    Live, accounts,
    files::{
        change, look,
        place::Last,
        remove,
        replace::{self, Source},
    },
    kernel, packages,
    text::io,
    traces, units,
};

const PROC: &str = "/proc";
const PROC_SYS: &str = "/proc/sys";

impl Observe for Live {
    fn lstat(&self, path: &Path) -> HostResult<Option<Meta>> {
        look::lstat(path)
    }

    fn stat(&self, path: &Path) -> HostResult<Option<Meta>> {
        look::stat(path)
    }

    fn read(&self, path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>> {
        look::read(path, limit)
    }

    fn sha256(&self, path: &Path) -> HostResult<Option<String>> {
        look::sha256(path)
    }

    fn read_link(&self, path: &Path) -> HostResult<PathBuf> {
        look::read_link(path)
    }

    fn list(&self, path: &Path, each: &mut dyn FnMut(DirEntry) -> bool) -> HostResult<()> {
        look::list(path, each)
    }

    fn user(&self, name: &str) -> HostResult<Option<User>> {
        self.find_user(name)
    }

    fn user_by_id(&self, uid: u32) -> HostResult<Option<User>> {
        if let Some(user) = self.accounts.get()?.users.iter().find(|u| u.uid == uid) {
            return Ok(Some(user.clone()));
        }
        let line = self.getent("passwd", &uid.to_string())?;
        Ok(line.as_deref().and_then(accounts::user_line).filter(|u| u.uid == uid))
    }

    fn group(&self, name: &str) -> HostResult<Option<Group>> {
        if let Some(group) = self.accounts.get()?.groups.iter().find(|g| g.name == name) {
            return Ok(Some(group.clone()));
        }
        let line = self.getent("group", name)?;
        Ok(line.as_deref().and_then(accounts::group_line).filter(|g| g.name == name))
    }

    fn group_by_id(&self, gid: u32) -> HostResult<Option<Group>> {
        if let Some(group) = self.accounts.get()?.groups.iter().find(|g| g.gid == gid) {
            return Ok(Some(group.clone()));
        }
        let line = self.getent("group", &gid.to_string())?;
        Ok(line.as_deref().and_then(accounts::group_line).filter(|g| g.gid == gid))
    }

    fn users(&self) -> HostResult<Vec<User>> {
        Ok(self.accounts.get()?.users.clone())
    }

    fn groups(&self) -> HostResult<Vec<Group>> {
        Ok(self.accounts.get()?.groups.clone())
    }

    fn packages(&self) -> HostResult<Arc<PackageDb>> {
        packages::db(self)
    }

    fn resolve(&self, request: &PackageRequest) -> HostResult<Transaction> {
        packages::resolve(self, request)
    }

    fn candidates(&self, names: &[String]) -> HostResult<IndexMap<String, String>> {
        packages::candidates(self, names)
    }

    fn package_files(&self, name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
        packages::files(self, name)
    }

    fn unit(&self, name: &str) -> HostResult<Unit> {
        units::unit(self, name)
    }

    fn sysctl(&self, key: &str) -> HostResult<Option<String>> {
        kernel::sysctl(Path::new(PROC_SYS), key)
    }

    fn kernel_modules(&self) -> HostResult<IndexMap<String, u32>> {
        kernel::modules(Path::new(PROC))
    }

    fn probe(&self, command: &Command) -> HostResult<Output> {
        self.exec(command)
    }

    fn uid(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn blob(&self, sha256: &str) -> HostResult<Arc<[u8]>> {
        self.blobs.get(sha256)
    }

    fn traces(&self, things: &[Entity]) -> Vec<Trace> {
        traces::find(self, things)
    }
}

impl Live {
    /// Passes a write's result on. Any file may belong to a unit (or be behind a link that does), so units are asked for
    /// again after it.
    fn touched<T>(&self, result: HostResult<T>) -> HostResult<T> {
        self.units.forget();
        result
    }
}

impl Operate for Live {
    fn write(&self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()> {
        self.touched(replace::replace(path, Source::Bytes(content), attrs))
    }

    fn write_blob(&self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()> {
        self.touched(replace::replace(path, self.blobs.source(sha256)?, attrs))
    }

    fn copy_file(&self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()> {
        let Some((file, _)) = look::open_regular("reading", from)? else {
            return Err(io("reading", from, rustix::io::Errno::NOENT));
        };
        self.touched(replace::replace(to, Source::File(file), attrs))
    }

    fn make_dir(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.touched(change::make_dir(path, mode))
    }

    fn symlink(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.touched(change::symlink(target, path))
    }

    fn hard_link(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.touched(change::hard_link(target, path))
    }

    fn remove(&self, path: &Path) -> HostResult<()> {
        self.touched(remove::remove(path))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> HostResult<()> {
        change::set_mode(path, mode)
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, follow: bool) -> HostResult<()> {
        change::set_owner(path, uid, gid, if follow { Last::Follow } else { Last::Keep })
    }

    fn set_times(&self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()> {
        change::set_times(path, mtime, atime)
    }

    fn transact(&self, request: &PackageRequest) -> HostResult<Transaction> {
        self.touched(packages::transact(self, request))
    }

    fn act_on_unit(&self, unit: &str, action: UnitAction) -> HostResult<()> {
        units::act(self, unit, action)
    }

    fn reload_units(&self) -> HostResult<()> {
        units::reload(self)
    }

    fn put_user(&self, name: &str, change: &UserChange) -> HostResult<()> {
        accounts::put_user(self, name, change)
    }

    fn remove_user(&self, name: &str, home: bool) -> HostResult<()> {
        accounts::remove_user(self, name, home)
    }

    fn put_group(&self, name: &str, change: &GroupChange) -> HostResult<()> {
        accounts::put_group(self, name, change)
    }

    fn remove_group(&self, name: &str) -> HostResult<()> {
        accounts::remove_group(self, name)
    }

    fn set_sysctl(&self, key: &str, value: &str) -> HostResult<()> {
        kernel::set_sysctl(Path::new(PROC_SYS), key, value)
    }

    fn set_kernel_module(&self, name: &str, loaded: bool) -> HostResult<()> {
        kernel::set_module(self, name, loaded)
    }

    fn run(&self, command: &Command, effects: &Effects) -> HostResult<Output> {
        let result = self.exec(command);
        if !effects.extents.is_empty() {
            self.units.forget();
            self.packages.forget();
        }
        result
    }
}
