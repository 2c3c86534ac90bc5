//! A host on which what is replaced is kept, so that a transaction can be taken back.
//!
//! Only files can be: whatever else a module would do is refused before it is done.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rectify_core::module::{
    Command, Effects, GroupChange, HostError, HostResult, Observe, Operate, Output, PackageRequest, Transaction,
    UnitAction, UserChange, WriteAttrs,
};

use super::{
    behind::{look_behind, pass},
    kept::Kept,
};
use crate::engine::HostRef;

/// The host that stands behind, and where what it replaces is kept.
pub(crate) struct Recorded<'h> {
    host: HostRef<'h>,
    kept: Arc<Mutex<Kept>>,
}

impl<'h> Recorded<'h> {
    /// The host, with what it replaces kept.
    pub(crate) fn wrap(host: HostRef<'h>, kept: Arc<Mutex<Kept>>) -> HostRef<'h> {
        HostRef::Made(Box::new(Recorded { host, kept }))
    }

    fn keep(&self, keep: impl FnOnce(&mut Kept, &dyn Observe) -> HostResult<()>) -> HostResult<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match keep(&mut kept, &*self.host) {
            // A rehearsal: there is nothing that could be put back, and nothing that has to be.
            Err(HostError::Unknown(_)) => Ok(()),
            other => other,
        }
    }
}

fn refused<T>(what: &str) -> HostResult<T> {
    let why = format!("{what} cannot be taken back, and is not done within a transaction");
    Err(HostError::Unsupported(why))
}

impl Observe for Recorded<'_> {
    look_behind! {}
    pass! {
        fn probe(&self, command: &Command) -> HostResult<Output>;
        fn uid(&self) -> u32;
    }
}

impl Operate for Recorded<'_> {
    fn write(&self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()> {
        self.keep(|kept, host| kept.keep_target(path, host))?;
        self.host.write(path, content, attrs)
    }

    fn write_blob(&self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()> {
        self.keep(|kept, host| kept.keep_target(path, host))?;
        self.host.write_blob(path, sha256, attrs)
    }

    fn copy_file(&self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()> {
        self.keep(|kept, host| kept.keep_target(to, host))?;
        self.host.copy_file(from, to, attrs)
    }

    fn make_dir(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.keep(|kept, host| kept.keep(path, host))?;
        self.host.make_dir(path, mode)
    }

    fn symlink(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.keep(|kept, host| kept.keep(path, host))?;
        self.host.symlink(target, path)
    }

    fn hard_link(&self, target: &Path, path: &Path) -> HostResult<()> {
        self.keep(|kept, host| kept.keep(path, host))?;
        self.host.hard_link(target, path)
    }

    fn remove(&self, path: &Path) -> HostResult<()> {
        self.keep(|kept, host| kept.keep_tree(path, host))?;
        self.host.remove(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> HostResult<()> {
        self.keep(|kept, host| kept.keep_target(path, host))?;
        self.host.set_mode(path, mode)
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, follow: bool) -> HostResult<()> {
        self.keep(|kept, host| if follow { kept.keep_target(path, host) } else { kept.keep(path, host) })?;
        self.host.set_owner(path, uid, gid, follow)
    }

    fn set_times(&self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()> {
        self.keep(|kept, host| kept.keep_target(path, host))?;
        self.host.set_times(path, mtime, atime)
    }

    fn transact(&self, _: &PackageRequest) -> HostResult<Transaction> {
        refused("a change of packages")
    }

    fn act_on_unit(&self, unit: &str, _: UnitAction) -> HostResult<()> {
        refused(&format!("an action on {unit}"))
    }

    fn reload_units(&self) -> HostResult<()> {
        refused("a reload of systemd's units")
    }

    fn put_user(&self, name: &str, _: &UserChange) -> HostResult<()> {
        refused(&format!("a change of the account {name}"))
    }

    fn remove_user(&self, name: &str, _: bool) -> HostResult<()> {
        refused(&format!("the removal of the account {name}"))
    }

    fn put_group(&self, name: &str, _: &GroupChange) -> HostResult<()> {
        refused(&format!("a change of the group {name}"))
    }

    fn remove_group(&self, name: &str) -> HostResult<()> {
        refused(&format!("the removal of the group {name}"))
    }

    fn set_sysctl(&self, key: &str, _: &str) -> HostResult<()> {
        refused(&format!("a change of {key}"))
    }

    fn set_kernel_module(&self, name: &str, _: bool) -> HostResult<()> {
        refused(&format!("loading or unloading {name}"))
    }

    fn run(&self, command: &Command, effects: &Effects) -> HostResult<Output> {
        if effects.extents.is_empty() {
            self.host.run(command, effects)
        } else {
            refused(&format!("what {} does", command.argv.first().map_or("a command", String::as_str)))
        }
    }
}
