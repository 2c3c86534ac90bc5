//! Folders, links, modes, owners, times.

use std::{os::fd::OwnedFd, path::Path};

use rectify_core::module::HostResult;
use rustix::{
    fs::{self, AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid},
    io::Errno,
};

use super::{
    super::text::{io, refuse_as},
    look::proc_path,
    place::{Last, Place, kind, locate},
    replace::fresh_name,
};

/// Makes one folder with exactly these bits, whatever the mask.
pub(in super::super) fn make_dir(path: &Path, mode: u32) -> HostResult<()> {
    const ACTION: &str = "making the folder";
    let place = locate(ACTION, path, Last::Keep)?;
    fs::mkdirat(&place.dir, &place.name, Mode::RWXU).map_err(|e| io(ACTION, path, e))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(&place.dir, &place.name, flags, Mode::empty())
        .and_then(|dir| fs::fchmod(&dir, Mode::from_raw_mode(mode & 0o7777)))
        .map_err(|e| {
            let _ = fs::unlinkat(&place.dir, &place.name, AtFlags::REMOVEDIR);
            io(ACTION, path, e)
        })?;
    place.sync().map_err(|e| io(ACTION, path, e))
}

/// Makes a symbolic link, replacing a link or file.
pub(in super::super) fn symlink(target: &Path, path: &Path) -> HostResult<()> {
    const ACTION: &str = "making the link";
    let place = locate(ACTION, path, Last::Keep)?;
    refuse_folder(ACTION, path, &place)?;
    let temp = fresh_name(&place.name);
    fs::symlinkat(target, &place.dir, &temp).map_err(|e| io(ACTION, path, e))?;
    swap_in(ACTION, path, &place, &temp)
}

/// Makes another name of a file, replacing a file.
pub(in super::super) fn hard_link(target: &Path, path: &Path) -> HostResult<()> {
    const ACTION: &str = "making the hard link";
    let from = locate(ACTION, target, Last::Keep)?;
    let Some((_, source)) = &from.node else { return Err(io(ACTION, target, Errno::NOENT)) };
    if kind(source) == FileType::Directory {
        return Err(refuse_as(ACTION, target, "a folder cannot have a second name", Errno::PERM));
    }
    let place = locate(ACTION, path, Last::Keep)?;
    refuse_folder(ACTION, path, &place)?;
    // rename(2) does nothing at all if both names are of the same file.
    if place.node.as_ref().is_some_and(|(_, s)| (s.st_dev, s.st_ino) == (source.st_dev, source.st_ino)) {
        return Ok(());
    }
    let temp = fresh_name(&place.name);
    match fs::linkat(&from.dir, &from.name, &place.dir, &temp, AtFlags::empty()) {
        Ok(()) => swap_in(ACTION, path, &place, &temp),
        Err(Errno::XDEV) => Err(refuse_as(ACTION, path, "the two are not on the same file system", Errno::XDEV)),
        Err(e) => Err(io(ACTION, path, e)),
    }
}

fn refuse_folder(action: &str, path: &Path, place: &Place) -> HostResult<()> {
    match &place.node {
        Some((_, stat)) if kind(stat) == FileType::Directory => {
            Err(refuse_as(action, path, "a folder is there", Errno::ISDIR))
        }
        _ => Ok(()),
    }
}

fn swap_in(action: &str, path: &Path, place: &Place, temp: &std::ffi::OsStr) -> HostResult<()> {
    fs::renameat(&place.dir, temp, &place.dir, &place.name).map_err(|e| {
        let _ = fs::unlinkat(&place.dir, temp, AtFlags::empty());
        io(action, path, e)
    })?;
    place.sync().map_err(|e| io(action, path, e))
}

/// Sets the permission bits of what `path` leads to.
pub(in super::super) fn set_mode(path: &Path, mode: u32) -> HostResult<()> {
    const ACTION: &str = "setting the mode of";
    let (node, stat) = existing(ACTION, path, Last::Follow)?;
    let mode = Mode::from_raw_mode(mode & 0o7777);
    match fs::chmodat(CWD, proc_path(&node), mode, AtFlags::empty()) {
        // No /proc: only what can be opened without an effect.
        Err(Errno::NOENT) if matches!(kind(&stat), FileType::RegularFile | FileType::Directory) => {
            reopened(path, &stat).and_then(|fd| fs::fchmod(&fd, mode))
        }
        other => other,
    }
    .map_err(|e| io(ACTION, path, e))
}

/// Sets owner and group. As with chown(2), the set-id bits of a program are cleared.
pub(in super::super) fn set_owner(path: &Path, uid: Option<u32>, gid: Option<u32>, last: Last) -> HostResult<()> {
    const ACTION: &str = "setting the owner of";
    let (node, _) = existing(ACTION, path, last)?;
    fs::chownat(&node, c"", uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::EMPTY_PATH)
        .map_err(|e| io(ACTION, path, e))
}

/// Sets the times of what `path` leads to.
pub(in super::super) fn set_times(path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()> {
    const ACTION: &str = "setting the times of";
    let (node, stat) = existing(ACTION, path, Last::Follow)?;
    let times = Timestamps { last_access: timespec(atime), last_modification: timespec(mtime) };
    match fs::utimensat(CWD, proc_path(&node), &times, AtFlags::empty()) {
        Err(Errno::NOENT) if matches!(kind(&stat), FileType::RegularFile | FileType::Directory) => {
            reopened(path, &stat).and_then(|fd| fs::futimens(&fd, &times))
        }
        other => other,
    }
    .map_err(|e| io(ACTION, path, e))
}

fn timespec(nanoseconds: Option<i64>) -> Timespec {
    match nanoseconds {
        Some(n) => Timespec { tv_sec: n.div_euclid(1_000_000_000), tv_nsec: n.rem_euclid(1_000_000_000) },
        None => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
    }
}

fn existing(action: &str, path: &Path, last: Last) -> HostResult<(OwnedFd, Stat)> {
    let place = locate(action, path, last)?;
    place.node.ok_or_else(|| io(action, path, Errno::NOENT))
}

fn reopened(path: &Path, seen: &Stat) -> Result<OwnedFd, Errno> {
    let fd = fs::openat(CWD, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fs::fstat(&fd)?;
    if (stat.st_dev, stat.st_ino) == (seen.st_dev, seen.st_ino) { Ok(fd) } else { Err(Errno::STALE) }
}
