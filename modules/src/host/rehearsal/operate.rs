//! A task's view as an [`Operate`].

use std::path::Path;

use rectify_core::module::{
    Because, Command, Effects, Extent, GroupChange, HostError, HostResult, Observe, Operate, Output, PackageRequest,
    Transaction, UnitAction, UserChange, WriteAttrs,
};

use super::RehearsalView;

impl Operate for RehearsalView<'_> {
    fn write(&self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()> {
        self.act(|hand| hand.write(path, content, attrs))
    }

    fn write_blob(&self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()> {
        self.act(|hand| hand.write_blob(path, sha256, attrs))
    }

    fn copy_file(&self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()> {
        self.act(|hand| hand.copy_file(from, to, attrs))
    }

    fn make_dir(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.act(|hand| hand.make_dir(path, mode))
    }

    fn symlink(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.act(|hand| hand.symlink(target, path))
    }

    fn hard_link(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.act(|hand| hand.hard_link(target, path))
    }

    fn remove(&self, path: &Path) -> HostResult<()> {
        self.act(|hand| hand.remove(path))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.act(|hand| hand.set_mode(path, mode))
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, follow: bool) -> HostResult<()> {
        self.act(|hand| hand.set_owner(path, uid, gid, follow))
    }

    fn set_times(&self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()> {
        self.act(|hand| hand.set_times(path, mtime, atime))
    }

    fn transact(&self, request: &PackageRequest) -> HostResult<Transaction> {
        let transaction = match self.resolve(request) {
            // The index would be fetched first: what the new one offers is not known.
            Err(HostError::Program { .. }) if request.refresh.is_some() => {
                self.rehearsal.note_unknown(&[Extent::Packages], Because::task(self.task));
                return Err(HostError::NotRehearsed);
            }
            other => other?,
        };
        self.act(|hand| hand.perform(request, &transaction))?;
        Ok(transaction)
    }

    fn act_on_unit(&self, unit: &str, action: UnitAction) -> HostResult<()> {
        self.act(|hand| hand.act_on_unit(unit, action))
    }

    fn reload_units(&self) -> HostResult<()> {
        self.act(|hand| hand.reload_units());
        Ok(())
    }

    fn put_user(&self, name: &str, change: &UserChange) -> HostResult<()> {
        self.act(|hand| hand.put_user(name, change))
    }

    fn remove_user(&self, name: &str, home: bool) -> HostResult<()> {
        self.act(|hand| hand.remove_user(name, home))
    }

    fn put_group(&self, name: &str, change: &GroupChange) -> HostResult<()> {
        self.act(|hand| hand.put_group(name, change))
    }

    fn remove_group(&self, name: &str) -> HostResult<()> {
        self.act(|hand| hand.remove_group(name))
    }

    fn set_sysctl(&self, key: &str, value: &str) -> HostResult<()> {
        self.act(|hand| hand.set_sysctl(key, value))
    }

    fn set_kernel_module(&self, name: &str, loaded: bool) -> HostResult<()> {
        self.act(|hand| hand.set_kernel_module(name, loaded))
    }

    fn run(&self, _command: &Command, effects: &Effects) -> HostResult<Output> {
        self.rehearsal.note_unknown(&effects.extents, Because::task(self.task));
        Err(HostError::NotRehearsed)
    }
}
