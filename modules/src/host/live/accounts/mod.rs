//! Accounts and groups: read from the files, written by the system's own tools.
//!
//! The helper is a static program: the C library's name services (`getpwnam`) would load libraries of the host into it.
//! What is not in the files (LDAP, sssd) is asked of `getent`.

mod change;
mod parse;

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) use change::{put_group, put_user, remove_group, remove_user};
pub(super) use parse::{group_line, user_line};
use rectify_core::module::{Group, HostResult, User};
use rustix::io::Errno;

use super::{files::look, text::std_io};

/// The most that an account file may hold; a hundred thousand accounts are about 8 MiB.
const LARGEST: u64 = 64 << 20;

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
}

/// What tells one version of a file from the next: account tools replace their files as a whole.
type Stamp = Option<(u64, u64, u64, i64, i64, i64)>;

/// Reads the account files again only when they have changed.
pub(super) struct Source {
    etc: PathBuf,
    seen: Mutex<Option<([Stamp; 3], Arc<Accounts>)>>,
}

impl Source {
    /// Over the files in this folder.
    pub(super) fn new(etc: impl Into<PathBuf>) -> Self {
        Source { etc: etc.into(), seen: Mutex::new(None) }
    }

    /// What the files say now.
    pub(super) fn get(&self) -> HostResult<Arc<Accounts>> {
        let files = ["passwd", "group", "shadow"].map(|name| self.etc.join(name));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = [stamp(&files[0])?, stamp(&files[1])?, stamp(&files[2])?];
        if let Some((then, accounts)) = seen.as_ref()
            && *then == now
        {
            return Ok(Arc::clone(accounts));
        }
        let passwd = text(&files[0])?.unwrap_or_default();
        let group = text(&files[1])?.unwrap_or_default();
        let shadow = shadow(&files[2])?;
        let accounts = Arc::new(parse::accounts(&passwd, &group, shadow.as_deref()));
        *seen = Some((now, Arc::clone(&accounts)));
        Ok(accounts)
    }
}

fn stamp(path: &Path) -> HostResult<Stamp> {
    match std::fs::metadata(path) {
        Ok(m) => Ok(Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime_nsec()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(std_io("looking at", path, &e)),
    }
}

fn text(path: &Path) -> HostResult<Option<String>> {
    Ok(look::read(path, LARGEST)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The shadow file, or `None` for an account that may not read it.
fn shadow(path: &Path) -> HostResult<Option<String>> {
    match text(path) {
        Err(rectify_core::module::HostError::Io { errno: Some(n), .. }) if n == Errno::ACCESS.raw_os_error() => {
            Ok(None)
        }
        other => Ok(other?.or(Some(String::new()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_read_again() {
        let etc = tempfile::tempdir().unwrap();
        let passwd = etc.path().join("passwd");
        std::fs::write(&passwd, "a:x:1:1::/:/bin/sh\n").unwrap();
        let source = Source::new(etc.path());
        assert_eq!(source.get().unwrap().users.len(), 1);
        assert!(Arc::ptr_eq(&source.get().unwrap(), &source.get().unwrap()), "unchanged files are not read again");
        std::fs::write(etc.path().join("new"), "b:x:2:1::/:/bin/sh\n").unwrap();
        std::fs::rename(etc.path().join("new"), &passwd).unwrap();
        assert_eq!(source.get().unwrap().users[0].name, "b");
    }
}
