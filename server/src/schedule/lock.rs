//! One server on a SQLite record: others would work behind its back.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use rustix::fs::{FlockOperation, flock};

use crate::store::{Kind, Store, StoreError};

/// Why a server does not begin.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one runs.
    #[error("another server ({who}) runs on this record, {}: end it first, or share a PostgreSQL by `store` in [record]", path.display())]
    Taken {
        /// The lock file.
        path: PathBuf,
        /// What it says of the other one.
        who: String,
    },
    /// The file cannot be had.
    #[error("the lock file {}", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The record cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Held as long as it lives. The file stays; what counts is the kernel's lock on it, which ends with the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the record for this server; one in PostgreSQL is shared by leases and needs no lock.
pub(super) fn take(store: &Store) -> Result<Option<Lock>, LockError> {
    if store.kind() != Kind::Sqlite {
        return Ok(None);
    }
    let path = store.folder().join("serve.lock");
    let error = |source| LockError::File { path: path.clone(), source };
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = open.map_err(error)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut who = String::new();
            let _ = (&mut file).take(100).read_to_string(&mut who);
            let who = who.trim().chars().filter(|c| !c.is_control()).collect();
            return Err(LockError::Taken { path, who });
        }
        Err(errno) => return Err(error(errno.into())),
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "process {}", std::process::id()));
    written.map_err(error)?;
    Ok(Some(Lock { _file: file }))
}
