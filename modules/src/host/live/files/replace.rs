//! Replacing a file as a whole.
//!
//! ```text
//! .rectify-HASH.tmp  O_EXCL, 0600 ─► content ─► owner ─► attributes ─► mode ─► fsync ─► rename ─► fsync of the folder
//! ```
//!
//! Until the rename the old file is untouched; after it the new one is complete. A full disk, a read-only file system or a
//! `kill -9` leaves the old file. The new file is a new inode: other hard links of the old one keep the old content.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    hash::{BuildHasher, RandomState},
    io::Write,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rectify_core::{
    digest::hex,
    module::{HostError, HostResult, WriteAttrs},
};
use rustix::{
    fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags, Stat},
    io::Errno,
};
use sha2::{Digest, Sha256};

use super::{
    super::text::{io, refuse_as, std_io},
    look::noun,
    place::{Last, Place, kind, locate},
    xattr,
};

const ACTION: &str = "replacing";

/// Where the new content comes from.
pub(in super::super) enum Source<'a> {
    Bytes(&'a [u8]),
    File(File),
}

/// Puts `source` at `path`, following a link there.
pub(in super::super) fn replace(path: &Path, source: Source<'_>, attrs: &WriteAttrs) -> HostResult<()> {
    let place = locate(ACTION, path, Last::Follow)?;
    let old = place.node.as_ref();
    if let Some((_, stat)) = old
        && kind(stat) != FileType::RegularFile
    {
        let errno = if kind(stat) == FileType::Directory { Errno::ISDIR } else { Errno::INVAL };
        return Err(refuse_as(ACTION, path, format!("it is {}, not a file", noun(kind(stat))), errno));
    }
    let mut temp = Temp::create(&place).map_err(|e| io(ACTION, path, e))?;
    match source {
        Source::Bytes(bytes) => temp.file.write_all(bytes),
        Source::File(mut from) => std::io::copy(&mut from, &mut temp.file).map(drop),
    }
    .map_err(|e| std_io(ACTION, path, &e))?;
    dress(&temp, old, attrs, path)?;
    temp.file.sync_all().map_err(|e| std_io(ACTION, path, &e))?;
    temp.commit().map_err(|e| explain_rename(path, e))?;
    place.sync().map_err(|e| io(ACTION, path, e))
}

/// Owner first (that clears set-id bits), then attributes (an access list sets group bits), then the mode that counts.
fn dress(temp: &Temp<'_>, old: Option<&(OwnedFd, Stat)>, attrs: &WriteAttrs, path: &Path) -> HostResult<()> {
    let file = &temp.file;
    let now = fs::fstat(file).map_err(|e| io(ACTION, path, e))?;
    let keep = old.map(|(_, stat)| stat);
    let uid = attrs.uid.or(keep.map(|s| s.st_uid)).filter(|uid| *uid != now.st_uid);
    let gid = attrs.gid.or(keep.map(|s| s.st_gid)).filter(|gid| *gid != now.st_gid);
    if uid.is_some() || gid.is_some() {
        fs::fchown(file, uid.map(fs::Uid::from_raw), gid.map(fs::Gid::from_raw))
            .map_err(|e| io("setting the owner of the new content of", path, e))?;
    }
    if let Some((node, _)) = old {
        let fd = file.as_fd_owned().map_err(|e| std_io(ACTION, path, &e))?;
        xattr::hand_on(node, &fd).map_err(|e| io("handing on the attributes of", path, e))?;
    }
    let mode = attrs.mode.or(keep.map(|s| s.st_mode & 0o7777)).unwrap_or_else(|| 0o644 & !umask());
    fs::fchmod(file, Mode::from_raw_mode(mode & 0o7777)).map_err(|e| io("setting the mode of", path, e))
}

trait AsOwned {
    fn as_fd_owned(&self) -> std::io::Result<OwnedFd>;
}

impl AsOwned for File {
    fn as_fd_owned(&self) -> std::io::Result<OwnedFd> {
        Ok(self.try_clone()?.into())
    }
}

/// The process's permission mask, read without changing it (proc_pid_status(5)): threads share it.
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|l| u32::from_str_radix(l.trim(), 8).ok()).unwrap_or(0o022)
}

fn explain_rename(path: &Path, errno: Errno) -> HostError {
    let why = match errno {
        Errno::BUSY => "it is a mount point of its own (as in a container), and cannot be replaced as a whole",
        Errno::PERM => "operation not permitted; it or its folder may be immutable (chattr)",
        errno => return io(ACTION, path, errno),
    };
    refuse_as(ACTION, path, why, errno)
}

/// A temporary file beside its destination; removed unless committed.
struct Temp<'a> {
    place: &'a Place,
    name: OsString,
    file: File,
    committed: bool,
}

impl<'a> Temp<'a> {
    /// The name follows from the destination's, so that what a killed run left behind is found and taken away by the next.
    /// It begins with a dot: services that read whole folders (`cron.d`, `sudoers.d`, `conf.d`) pass over it.
    fn create(place: &'a Place) -> Result<Self, Errno> {
        let name = temp_name(&place.name, None);
        match Self::create_as(place, name) {
            Err(Errno::EXIST) => {
                clear_stale(place, &temp_name(&place.name, None));
                Self::create_as(place, temp_name(&place.name, Some(RandomState::new().hash_one(0u8))))
            }
            other => other,
        }
    }

    fn create_as(place: &'a Place, name: OsString) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&place.dir, &name, flags, Mode::RUSR | Mode::WUSR)?;
        // Tells others that it is in use; where locks are not supported nobody clears it away either.
        let _ = fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        Ok(Temp { place, name, file: File::from(file), committed: false })
    }

    fn commit(&mut self) -> Result<(), Errno> {
        fs::renameat(&self.place.dir, &self.name, &self.place.dir, &self.place.name)?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::unlinkat(&self.place.dir, &self.name, AtFlags::empty());
        }
    }
}

/// The name of a temporary file or link for a destination called `name`.
pub(in super::super) fn temp_name(name: &OsStr, random: Option<u64>) -> OsString {
    let hash = hex(&Sha256::digest(name.as_bytes())[..8]);
    match random {
        None => format!(".rectify-{hash}.tmp").into(),
        Some(random) => format!(".rectify-{hash}-{random:016x}.tmp").into(),
    }
}

/// A name that nobody else uses now.
pub(in super::super) fn fresh_name(name: &OsStr) -> OsString {
    temp_name(name, Some(RandomState::new().hash_one(0u8)))
}

/// Takes away what a killed run left, if nobody holds its lock.
fn clear_stale(place: &Place, name: &OsStr) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if let Ok(file) = fs::openat(&place.dir, name, flags, Mode::empty())
        && fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    {
        let _ = fs::unlinkat(&place.dir, name, AtFlags::empty());
    }
}
