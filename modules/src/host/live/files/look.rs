//! Looking at files: metadata, content, listings, hashes. Nothing here blocks on a FIFO or wakes a device.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rectify_core::{
    digest::hex,
    module::{DirEntry, FileKind, HostError, HostResult, Meta},
};
use rustix::{
    fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use sha2::{Digest, Sha256};

use super::{
    super::text::{absolute, io, refuse_as, show, std_io},
    place::kind,
};

/// Metadata of what is at `path`.
pub(in super::super) fn lstat(path: &Path) -> HostResult<Option<Meta>> {
    stat_with(path, AtFlags::SYMLINK_NOFOLLOW)
}

/// Metadata of what `path` leads to.
pub(in super::super) fn stat(path: &Path) -> HostResult<Option<Meta>> {
    stat_with(path, AtFlags::empty())
}

fn stat_with(path: &Path, flags: AtFlags) -> HostResult<Option<Meta>> {
    absolute("looking at", path)?;
    match fs::statat(CWD, path, flags) {
        Ok(stat) => Ok(Some(meta(&stat))),
        // A loop of links leads to nothing, as a dangling one does.
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) if flags.is_empty() => Ok(None),
        Err(e) => Err(io("looking at", path, e)),
    }
}

fn meta(stat: &Stat) -> Meta {
    Meta {
        kind: file_kind(kind(stat)),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
        atime: nanoseconds(stat.st_atime, stat.st_atime_nsec.cast_signed()),
        ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        nlink: wide(stat.st_nlink),
        ino: stat.st_ino,
        dev: stat.st_dev,
    }
}

/// Its width differs between architectures.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

fn file_kind(kind: FileType) -> FileKind {
    match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// Opens the regular file that `path` leads to; `None` if nothing is there. Anything else is refused without opening it:
/// opening alone can block (a FIFO) or act (a tape, a watchdog).
pub(in super::super) fn open_regular(action: &str, path: &Path) -> HostResult<Option<(File, Stat)>> {
    absolute(action, path)?;
    let node = match fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(node) => node,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(e) => return Err(io(action, path, e)),
    };
    let stat = fs::fstat(&node).map_err(|e| io(action, path, e))?;
    if kind(&stat) != FileType::RegularFile {
        let errno = if kind(&stat) == FileType::Directory { Errno::ISDIR } else { Errno::INVAL };
        return Err(refuse_as(action, path, format!("it is {}, not a file", noun(kind(&stat))), errno));
    }
    let file = reopen(&node, &stat, path).map_err(|e| io(action, path, e))?;
    Ok(Some((File::from(file), stat)))
}

/// Opens for reading what an `O_PATH` handle stands for.
fn reopen(node: &OwnedFd, seen: &Stat, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match fs::openat(CWD, proc_path(node), flags, Mode::empty()) {
        // No /proc (a bare chroot): by name, and only if it is still the same file.
        Err(Errno::NOENT) => {
            let file = fs::openat(CWD, path, flags, Mode::empty())?;
            let stat = fs::fstat(&file)?;
            if (stat.st_dev, stat.st_ino) == (seen.st_dev, seen.st_ino) { Ok(file) } else { Err(Errno::STALE) }
        }
        other => other,
    }
}

/// The name under which the kernel offers an open handle.
pub(super) fn proc_path(node: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", node.as_raw_fd()))
}

/// What a person calls this kind of thing.
pub(super) fn noun(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something unknown",
    }
}

/// The content of a regular file, up to `limit` bytes.
pub(in super::super) fn read(path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>> {
    let Some((file, stat)) = open_regular("reading", path)? else { return Ok(None) };
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size > limit {
        return Err(HostError::TooLarge { object: show(path), size, limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // One byte more than allowed: files of /proc and growing files have no size that could be trusted.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| std_io("reading", path, &e))?;
    if bytes.len() as u64 > limit {
        return Err(HostError::TooLarge { object: show(path), size: bytes.len() as u64, limit });
    }
    Ok(Some(bytes.into()))
}

/// The SHA-256 of a regular file of any size.
pub(in super::super) fn sha256(path: &Path) -> HostResult<Option<String>> {
    let Some((mut file, _)) = open_regular("hashing", path)? else { return Ok(None) };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Some(hex(&hash.finalize()))),
            Ok(n) => hash.update(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(std_io("hashing", path, &e)),
        }
    }
}

/// Where the link at `path` points.
pub(in super::super) fn read_link(path: &Path) -> HostResult<PathBuf> {
    absolute("reading the link", path)?;
    match fs::readlinkat(CWD, path, Vec::new()) {
        Ok(target) => Ok(PathBuf::from(OsString::from_vec(target.into_bytes()))),
        Err(Errno::INVAL) => Err(refuse_as("reading the link", path, "it is not a link", Errno::INVAL)),
        Err(e) => Err(io("reading the link", path, e)),
    }
}

/// Hands over the entries of a folder one by one.
pub(in super::super) fn list(path: &Path, each: &mut dyn FnMut(DirEntry) -> bool) -> HostResult<()> {
    const ACTION: &str = "listing";
    absolute(ACTION, path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let dir = fs::openat(CWD, path, flags, Mode::empty()).map_err(|e| io(ACTION, path, e))?;
    let mut entries = Dir::read_from(&dir).map_err(|e| io(ACTION, path, e))?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(|e| io(ACTION, path, e))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say; what vanished meanwhile is not in the folder.
            FileType::Unknown => match fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => kind(&stat),
                Err(Errno::NOENT) => continue,
                Err(e) => return Err(io(ACTION, &path.join(name), e)),
            },
            known => known,
        };
        if !each(DirEntry { name: name.to_owned(), kind: file_kind(kind) }) {
            break;
        }
    }
    Ok(())
}
