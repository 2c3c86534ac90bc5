//! Removing a tree without ever following a link.
//!
//! Only one folder is open at a time and nothing recurses, so the depth of a tree cannot exhaust anything. On the way back
//! up `..` must be the very folder that we came from: a folder that was moved away meanwhile ends the removal.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rectify_core::module::{HostError, HostResult};
use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};

use super::{
    super::text::{io, refuse_as},
    place::{Last, kind, locate},
};

const ACTION: &str = "removing";
const OPEN: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// How often a folder that others keep filling is emptied again.
const PATIENCE: usize = 16;

/// Removes what is at `path`. Nothing there is no error.
pub(in super::super) fn remove(path: &Path) -> HostResult<()> {
    let place = match locate(ACTION, path, Last::Keep) {
        Ok(place) => place,
        Err(HostError::Io { errno: Some(n), .. }) if is_absence(n) => return Ok(()),
        Err(e) => return Err(e),
    };
    if place.is_dot() {
        return Err(refuse_as(ACTION, path, "the path has no name at its end that could be removed", Errno::BUSY));
    }
    let Some((_, stat)) = &place.node else { return Ok(()) };
    if kind(stat) == FileType::Directory {
        let parent = fs::fstat(&place.dir).map_err(|e| io(ACTION, path, e))?;
        if parent.st_dev != stat.st_dev {
            return Err(mount_point(path));
        }
        empty(&place.dir, &place.name, path)?;
        unlink(&place.dir, &place.name, AtFlags::REMOVEDIR, path)?;
    } else {
        unlink(&place.dir, &place.name, AtFlags::empty(), path)?;
    }
    place.sync().map_err(|e| io(ACTION, path, e))
}

fn is_absence(errno: i32) -> bool {
    [Errno::NOENT, Errno::NOTDIR].iter().any(|e| e.raw_os_error() == errno)
}

fn mount_point(path: &Path) -> HostError {
    refuse_as(ACTION, path, "another file system is mounted there; unmount it first", Errno::BUSY)
}

fn unlink(dir: &OwnedFd, name: &OsStr, flags: AtFlags, path: &Path) -> HostResult<()> {
    match fs::unlinkat(dir, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(io(ACTION, path, e)),
    }
}

/// A folder on the way down, by its identity.
struct Level {
    dev: u64,
    ino: u64,
    /// Its name in the one above.
    name: OsString,
    /// How often it was found filled again.
    refilled: usize,
}

/// Removes everything within the folder `name` of `parent`.
fn empty(parent: &OwnedFd, name: &OsStr, path: &Path) -> HostResult<()> {
    let mut here = path.to_owned();
    let (mut dir, first) = enter(parent, name, &here)?;
    let device = first.dev;
    let mut levels = vec![first];
    loop {
        if let Some(child) = sweep(&dir, &here)? {
            here.push(&child);
            let (next, entered) = enter(&dir, &child, &here)?;
            if entered.dev != device {
                return Err(mount_point(&here));
            }
            dir = next;
            levels.push(entered);
            continue;
        }
        let done = levels.pop().expect("every pass ends by returning or with a level left");
        let Some(above) = levels.last_mut() else { return Ok(()) };
        dir = go_up(&dir, above, &here)?;
        match fs::unlinkat(&dir, &done.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => above.refilled = 0,
            Err(Errno::NOTEMPTY | Errno::EXIST) if above.refilled < PATIENCE => above.refilled += 1,
            Err(e) => return Err(io(ACTION, &here, e)),
        }
        here.pop();
    }
}

fn enter(dir: &OwnedFd, name: &OsStr, path: &Path) -> HostResult<(OwnedFd, Level)> {
    let opened = fs::openat(dir, name, OPEN, Mode::empty()).map_err(|e| io(ACTION, path, e))?;
    let stat = fs::fstat(&opened).map_err(|e| io(ACTION, path, e))?;
    let level = Level { dev: stat.st_dev, ino: stat.st_ino, name: name.to_owned(), refilled: 0 };
    Ok((opened, level))
}

fn go_up(dir: &OwnedFd, above: &Level, path: &Path) -> HostResult<OwnedFd> {
    let up = fs::openat(dir, "..", OPEN, Mode::empty()).map_err(|e| io(ACTION, path, e))?;
    let stat = fs::fstat(&up).map_err(|e| io(ACTION, path, e))?;
    if (stat.st_dev, stat.st_ino) == (above.dev, above.ino) {
        Ok(up)
    } else {
        Err(refuse_as(ACTION, path, "it was moved elsewhere meanwhile", Errno::STALE))
    }
}

/// Removes what is not a folder; gives the name of the first folder found, or `None` if nothing is left.
fn sweep(dir: &OwnedFd, path: &Path) -> HostResult<Option<OsString>> {
    let mut entries = Dir::read_from(dir).map_err(|e| io(ACTION, path, e))?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(|e| io(ACTION, path, e))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            return Ok(Some(name.to_owned()));
        }
        match fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            // A file system that does not say what its entries are.
            Err(Errno::ISDIR | Errno::PERM) if is_folder(dir, name) => return Ok(Some(name.to_owned())),
            Err(e) => return Err(io(ACTION, &path.join(name), e)),
        }
    }
    Ok(None)
}

fn is_folder(dir: &OwnedFd, name: &OsStr) -> bool {
    fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|s| kind(&s) == FileType::Directory)
}
