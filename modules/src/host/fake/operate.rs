//! A [`Fake`] as a host: a rehearsal's view, with the effects that its fixture declares.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use indexmap::IndexMap;
use rectify_core::module::{
    Command, DirEntry, Effects, FileKind, Group, GroupChange, HostError, HostResult, Meta, Observe, Operate, Output,
    PackageChange, PackageDb, PackageRequest, Transaction, Unit, UnitAction, User, UserChange, WriteAttrs,
};

use super::{
    Fake,
    fixture::{Content, account_files, content_of, make_unit},
    look, solver,
    spec::{File, On, Package},
};

impl Observe for Fake {
    fn lstat(&self, path: &Path) -> HostResult<Option<Meta>> {
        self.view.lstat(path)
    }

    fn stat(&self, path: &Path) -> HostResult<Option<Meta>> {
        self.view.stat(path)
    }

    fn read(&self, path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>> {
        self.view.read(path, limit)
    }

    fn sha256(&self, path: &Path) -> HostResult<Option<String>> {
        self.view.sha256(path)
    }

    fn read_link(&self, path: &Path) -> HostResult<PathBuf> {
        self.view.read_link(path)
    }

    fn list(&self, path: &Path, each: &mut dyn FnMut(DirEntry) -> bool) -> HostResult<()> {
        self.view.list(path, each)
    }

    fn user(&self, name: &str) -> HostResult<Option<User>> {
        self.view.user(name)
    }

    fn user_by_id(&self, uid: u32) -> HostResult<Option<User>> {
        self.view.user_by_id(uid)
    }

    fn group(&self, name: &str) -> HostResult<Option<Group>> {
        self.view.group(name)
    }

    fn group_by_id(&self, gid: u32) -> HostResult<Option<Group>> {
        self.view.group_by_id(gid)
    }

    fn users(&self) -> HostResult<Vec<User>> {
        self.view.users()
    }

    fn groups(&self) -> HostResult<Vec<Group>> {
        self.view.groups()
    }

    fn packages(&self) -> HostResult<Arc<PackageDb>> {
        self.view.packages()
    }

    fn candidates(&self, names: &[String]) -> HostResult<IndexMap<String, String>> {
        self.view.candidates(names)
    }

    fn package_files(&self, name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
        self.view.package_files(name)
    }

    fn unit(&self, name: &str) -> HostResult<Unit> {
        self.view.unit(name)
    }

    fn sysctl(&self, key: &str) -> HostResult<Option<String>> {
        self.view.sysctl(key)
    }

    fn kernel_modules(&self) -> HostResult<IndexMap<String, u32>> {
        self.view.kernel_modules()
    }

    fn resolve(&self, request: &PackageRequest) -> HostResult<Transaction> {
        solver::solve(&self.fixture, &*self.packages()?, request)
    }

    fn probe(&self, command: &Command) -> HostResult<Output> {
        for probe in self.fixture.spec.probes.iter().filter(|p| p.argv == command.argv) {
            let there = match &probe.if_exists {
                Some(path) => self.stat(path)?.is_some(),
                None => true,
            };
            let says = match &probe.if_contains {
                Some((path, text)) => {
                    let content = self.read(path, 1 << 20)?;
                    content.is_some_and(|c| String::from_utf8_lossy(&c).contains(text.as_str()))
                }
                None => true,
            };
            if there && says {
                return Ok(output(probe.code, &probe.stdout, &probe.stderr));
            }
        }
        Err(no_answer("probes", command))
    }

    fn uid(&self) -> u32 {
        self.view.uid()
    }

    fn blob(&self, sha256: &str) -> HostResult<Arc<[u8]>> {
        self.view.blob(sha256)
    }
}

impl Operate for Fake {
    fn write(&self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.write(path, content, attrs)
    }

    fn write_blob(&self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.write_blob(path, sha256, attrs)
    }

    fn copy_file(&self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", to)?;
        self.view.copy_file(from, to, attrs)
    }

    fn make_dir(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.make_dir(path, mode)
    }

    fn symlink(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.symlink(target, path)
    }

    fn hard_link(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.hard_link(target, path)
    }

    fn remove(&self, path: &Path) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.remove(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.set_mode(path, mode)
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, follow: bool) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.set_owner(path, uid, gid, follow)
    }

    fn set_times(&self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()> {
        self.fixture.check(On::Write, "changing", path)?;
        self.view.set_times(path, mtime, atime)
    }

    fn transact(&self, request: &PackageRequest) -> HostResult<Transaction> {
        let transaction = self.resolve(request)?;
        self.view.perform(request, &transaction)?;
        for change in &transaction.changes {
            let package = self.fixture.spec.packages.get(&change.name).and_then(Option::as_ref);
            let Some(package) = package else { continue };
            match &change.to {
                Some(version) => self.bring(change, version, package)?,
                None => self.after_removal(package, change.purge)?,
            }
        }
        self.write_account_files()?;
        Ok(transaction)
    }

    fn act_on_unit(&self, unit: &str, action: UnitAction) -> HostResult<()> {
        self.view.act_on_unit(unit, action)
    }

    fn reload_units(&self) -> HostResult<()> {
        self.view.reload_units()
    }

    fn put_user(&self, name: &str, change: &UserChange) -> HostResult<()> {
        self.view.put_user(name, change)?;
        self.write_account_files()
    }

    fn remove_user(&self, name: &str, home: bool) -> HostResult<()> {
        self.view.remove_user(name, home)?;
        self.write_account_files()
    }

    fn put_group(&self, name: &str, change: &GroupChange) -> HostResult<()> {
        self.view.put_group(name, change)?;
        self.write_account_files()
    }

    fn remove_group(&self, name: &str) -> HostResult<()> {
        self.view.remove_group(name)?;
        self.write_account_files()
    }

    fn set_sysctl(&self, key: &str, value: &str) -> HostResult<()> {
        self.view.set_sysctl(key, value)
    }

    fn set_kernel_module(&self, name: &str, loaded: bool) -> HostResult<()> {
        self.view.set_kernel_module(name, loaded)
    }

    fn run(&self, command: &Command, _effects: &Effects) -> HostResult<Output> {
        for scripted in self.fixture.spec.commands.iter().filter(|c| c.argv == command.argv) {
            if let Some(path) = &scripted.if_exists
                && self.stat(path)?.is_none()
            {
                continue;
            }
            self.ran.lock().unwrap_or_else(PoisonError::into_inner).push(command.clone());
            for (path, file) in &scripted.creates {
                self.put(path, file)?;
            }
            for path in &scripted.removes {
                self.view.remove(path)?;
            }
            for (name, unit) in &scripted.units {
                self.view.put_unit(make_unit(name, unit));
            }
            return Ok(output(scripted.code, &scripted.stdout, &scripted.stderr));
        }
        Err(no_answer("commands", command))
    }
}

impl Fake {
    /// What a package has on disk, and what its scripts make.
    fn bring(&self, change: &PackageChange, version: &str, package: &Package) -> HostResult<()> {
        let upgrade = change.from.is_some();
        for (name, group) in &package.groups {
            if self.group(name)?.is_none() {
                let gid = Some(group.gid);
                self.view.put_group(name, &GroupChange { gid, ..GroupChange::default() })?;
            }
        }
        for (name, user) in &package.users {
            if self.user(name)?.is_none() {
                let change = UserChange {
                    uid: Some(user.uid),
                    home: user.home.clone(),
                    shell: Some(user.shell.clone().unwrap_or_else(|| "/usr/sbin/nologin".into())),
                    comment: Some(user.comment.clone()),
                    groups: Some(user.groups.clone()),
                    ..UserChange::default()
                };
                self.view.put_user(name, &change)?;
            }
        }
        let newer = look::candidate(package).as_deref() == Some(version);
        for (path, file) in package.files.iter().chain(&package.makes) {
            // Configuration that is there is the administrator's.
            if package.conf.contains(path) && self.lstat(path)?.is_some() {
                continue;
            }
            let file = package.candidate_files.get(path).filter(|_| newer).unwrap_or(file);
            self.put(path, file)?;
        }
        if !upgrade {
            for (name, unit) in &package.units {
                self.view.put_unit(make_unit(name, unit));
            }
        }
        let db = self.packages()?;
        let mut record = look::record(&change.name, version, package, &db.arch);
        record.manual = db.installed(&change.name).is_none_or(|p| p.manual);
        self.view.put_package(&change.name, record);
        Ok(())
    }

    /// What the scripts of a purged package take with them.
    fn after_removal(&self, package: &Package, purge: bool) -> HostResult<()> {
        for path in package.makes.keys().filter(|_| purge) {
            self.view.remove(path)?;
        }
        Ok(())
    }

    fn put(&self, path: &Path, file: &File) -> HostResult<()> {
        let full = file.full();
        let broken = |what: String| HostError::Unsupported(format!("the fixture: {}: {what}", path.display()));
        let folders: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in folders.into_iter().rev() {
            if self.stat(folder)?.is_none() {
                self.view.make_dir(folder, 0o755)?;
            }
        }
        let bits = match &full.mode {
            Some(text) => Some(u32::from_str_radix(text, 8).map_err(|_| broken(format!("mode {text:?}")))?),
            None => None,
        };
        let owner = |owner: &Option<rectify_core::module::Owner>, group: bool| self.id_of(owner.as_ref(), group);
        let (uid, gid) = (owner(&full.owner, false)?, owner(&full.group, true)?);
        let attrs = WriteAttrs { mode: Some(bits.unwrap_or(0o644)), uid: Some(uid), gid: Some(gid) };
        if full.dir {
            if self.stat(path)?.is_none_or(|m| m.kind != FileKind::Directory) {
                self.view.make_dir(path, bits.unwrap_or(0o755))?;
                self.view.set_owner(path, Some(uid), Some(gid), true)?;
            }
            return Ok(());
        }
        match content_of(&full).map_err(broken)? {
            Content::Link(target) => self.view.symlink(&target, path),
            Content::Bytes(bytes) => self.view.write(path, &bytes, &attrs),
            Content::None if !full.device && full.hard.is_none() => self.view.write(path, b"", &attrs),
            Content::Zeros(_) | Content::None => Err(broken("only text, folders and links can come later".into())),
        }
    }

    fn id_of(&self, owner: Option<&rectify_core::module::Owner>, group: bool) -> HostResult<u32> {
        use rectify_core::module::Owner;
        let name = match owner {
            None => return Ok(0),
            Some(Owner::Id(id)) => return Ok(*id),
            Some(Owner::Name(name)) => name,
        };
        let found = if group { self.group(name)?.map(|g| g.gid) } else { self.user(name)?.map(|u| u.uid) };
        found.ok_or_else(|| HostError::Unsupported(format!("the fixture: there is no {name}")))
    }

    /// The files that hold accounts follow the accounts.
    fn write_account_files(&self) -> HostResult<()> {
        for (path, text, _) in account_files(self.users()?, self.groups()?) {
            let same = self.read(path, 16 << 20)?.is_none_or(|old| *old == *text.as_bytes());
            if !same {
                self.view.write(path, text.as_bytes(), &WriteAttrs::default())?;
            }
        }
        Ok(())
    }
}

fn output(code: i32, stdout: &str, stderr: &str) -> Output {
    Output { code, stdout: stdout.as_bytes().to_vec(), stderr: stderr.as_bytes().to_vec(), truncated: false }
}

fn no_answer(key: &str, command: &Command) -> HostError {
    HostError::Unsupported(format!("the fixture's `{key}` have no answer for {:?}", command.argv))
}
