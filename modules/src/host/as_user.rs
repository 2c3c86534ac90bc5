//! A host on which everything is done for another account.
//!
//! The helper runs as root wherever tasks of one plan run as different accounts. What such a task makes belongs to its
//! account, and its commands run as that account; looking is done with the helper's own rights.

use std::path::Path;

use rectify_core::module::{
    Command, Effects, GroupChange, HostError, HostResult, Observe, Operate, Output, PackageRequest, Transaction,
    UnitAction, User, UserChange, WriteAttrs,
};

use super::behind::{look_behind, pass};
use crate::engine::HostRef;

/// The host that stands behind, and the account that it works for.
pub struct AsUser<'h> {
    host: HostRef<'h>,
    user: User,
}

impl<'h> AsUser<'h> {
    /// The host, working for `name`.
    ///
    /// # Errors
    /// If there is no such account, or the helper does not run as root and would have to.
    pub fn wrap(host: HostRef<'h>, name: &str) -> HostResult<HostRef<'h>> {
        let user = host
            .user(name)?
            .ok_or_else(|| HostError::Unsupported(format!("become_user: there is no account {name:?} on this host")))?;
        if user.uid == host.uid() {
            return Ok(host);
        }
        if host.uid() != 0 {
            return Err(HostError::Unsupported(format!(
                "become_user: cannot become {name:?} from user id {}, only root can",
                host.uid()
            )));
        }
        Ok(HostRef::Made(Box::new(AsUser { host, user })))
    }

    fn own(&self, path: &Path, was_there: bool) -> HostResult<()> {
        if was_there { Ok(()) } else { self.host.set_owner(path, Some(self.user.uid), Some(self.user.gid), false) }
    }

    fn attrs(&self, path: &Path, attrs: &WriteAttrs) -> HostResult<WriteAttrs> {
        let new = self.host.stat(path)?.is_none();
        let owned = |given: Option<u32>, own: u32| given.or(new.then_some(own));
        Ok(WriteAttrs { mode: attrs.mode, uid: owned(attrs.uid, self.user.uid), gid: owned(attrs.gid, self.user.gid) })
    }

    fn command(&self, command: &Command) -> Command {
        let mut command = command.clone();
        command.user.get_or_insert_with(|| self.user.name.clone());
        command
    }
}

impl Observe for AsUser<'_> {
    look_behind! {}

    fn probe(&self, command: &Command) -> HostResult<Output> {
        self.host.probe(&self.command(command))
    }

    fn uid(&self) -> u32 {
        self.user.uid
    }
}

impl Operate for AsUser<'_> {
    pass! {
        fn remove(&self, path: &Path) -> HostResult<()>;
        fn set_mode(&self, path: &Path, mode: u32) -> HostResult<()>;
        fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, follow: bool) -> HostResult<()>;
        fn set_times(&self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()>;
        fn transact(&self, request: &PackageRequest) -> HostResult<Transaction>;
        fn act_on_unit(&self, unit: &str, action: UnitAction) -> HostResult<()>;
        fn reload_units(&self) -> HostResult<()>;
        fn put_user(&self, name: &str, change: &UserChange) -> HostResult<()>;
        fn remove_user(&self, name: &str, home: bool) -> HostResult<()>;
        fn put_group(&self, name: &str, change: &GroupChange) -> HostResult<()>;
        fn remove_group(&self, name: &str) -> HostResult<()>;
        fn set_sysctl(&self, key: &str, value: &str) -> HostResult<()>;
        fn set_kernel_module(&self, name: &str, loaded: bool) -> HostResult<()>;
    }

    fn write(&self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()> {
        self.host.write(path, content, &self.attrs(path, attrs)?)
    }

    fn write_blob(&self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()> {
        self.host.write_blob(path, sha256, &self.attrs(path, attrs)?)
    }

    fn copy_file(&self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()> {
        self.host.copy_file(from, to, &self.attrs(to, attrs)?)
    }

    fn make_dir(&self, path: &Path, mode: u32) -> HostResult<()> {
        let was_there = self.host.lstat(path)?.is_some();
        self.host.make_dir(path, mode)?;
        self.own(path, was_there)
    }

    fn symlink(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.host.symlink(target, path)?;
        self.own(path, false)
    }

    fn hard_link(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.host.hard_link(target, path)
    }

    fn run(&self, command: &Command, effects: &Effects) -> HostResult<Output> {
        self.host.run(&self.command(command), effects)
    }
}
