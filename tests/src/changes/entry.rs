//! What is at a path: type, content, owner, mode, extended attributes.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The overlay's own mark of a folder that hides the one below it.
const OPAQUE: &str = "trusted.overlay.opaque";

/// Type and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A regular file, by the SHA-256 of its bytes and its size.
    File {
        /// Hexadecimal digest.
        sha256: String,
        /// Bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link and where it points.
    Link(PathBuf),
    /// A device node, socket or FIFO: type bits and device number.
    Special(u32, u64),
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Type and content.
    pub content: Content,
    /// Permission bits, with set-id and sticky.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Extended attributes, without the overlay's own.
    pub xattrs: BTreeMap<OsString, Vec<u8>>,
}

impl Entry {
    /// Reads what is at a path, not following a link; none if nothing is.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| format!("look at {}", path.display())),
        };
        let content = if meta.is_dir() {
            Content::Folder
        } else if meta.is_symlink() {
            Content::Link(fs::read_link(path).with_context(|| format!("read link {}", path.display()))?)
        } else if meta.is_file() {
            Content::File { sha256: digest(path)?, size: meta.size() }
        } else {
            Content::Special(meta.mode() & 0o170_000, meta.rdev())
        };
        let xattrs =
            xattrs(path)?.into_iter().filter(|(name, _)| !name.as_bytes().starts_with(b"trusted.overlay.")).collect();
        Ok(Some(Self { content, mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid(), xattrs }))
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.content == Content::Folder
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::File { sha256, size } => write!(f, "file {size} bytes {}", &sha256[..12])?,
            Content::Folder => write!(f, "folder")?,
            Content::Link(target) => write!(f, "link to {}", target.display())?,
            Content::Special(kind, device) => write!(f, "special {kind:o} {device}")?,
        }
        write!(f, " {:04o} {}:{}", self.mode, self.uid, self.gid)?;
        for name in self.xattrs.keys() {
            write!(f, " +{}", name.display())?;
        }
        Ok(())
    }
}

/// One entry of an upper layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// None: a whiteout, which hides what the layers below have.
    pub(super) entry: Option<Entry>,
    /// Whether the folder hides what a folder of the same name below contains.
    pub(super) opaque: bool,
    /// Inode and status change time: differ after any write.
    pub(super) stamp: (u64, i64, i64),
}

/// An upper layer at one moment, by absolute path on the host.
#[derive(Debug, Clone, Default)]
pub struct Snapshot(pub(super) BTreeMap<PathBuf, Written>);

impl Snapshot {
    /// Reads a whole upper layer but for [`super::NOISE`].
    ///
    /// # Errors
    /// Something in it cannot be read.
    pub fn of(upper: &Path) -> Result<Self> {
        let mut found = BTreeMap::new();
        collect(upper, Path::new("/"), &mut found)?;
        Ok(Self(found))
    }
}

fn collect(upper: &Path, at: &Path, found: &mut BTreeMap<PathBuf, Written>) -> Result<()> {
    let folder = on_disk(upper, at);
    for item in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let path = at.join(item.with_context(|| format!("list {}", folder.display()))?.file_name());
        if super::NOISE.iter().any(|noise| path == Path::new(noise)) {
            continue;
        }
        let disk = on_disk(upper, &path);
        // It may go while we look, on a host that runs.
        let Ok(meta) = fs::symlink_metadata(&disk) else {
            continue;
        };
        let whiteout = meta.file_type().is_char_device() && meta.rdev() == 0;
        let entry = if whiteout { None } else { Entry::read(&disk)? };
        if entry.is_none() && !whiteout {
            continue;
        }
        let opaque = meta.is_dir() && xattr(&disk, OPAQUE)?.is_some_and(|value| value == b"y");
        let stamp = (meta.ino(), meta.ctime(), meta.ctime_nsec());
        found.insert(path.clone(), Written { entry, opaque, stamp });
        if meta.is_dir() {
            collect(upper, &path, found)?;
        }
    }
    Ok(())
}

/// Where a host's absolute path is under a layer's folder.
pub(super) fn on_disk(layer: &Path, path: &Path) -> PathBuf {
    layer.join(path.strip_prefix("/").unwrap_or(path))
}

fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = io::Read::read(&mut file, &mut buffer).with_context(|| format!("read {}", path.display()))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All extended attributes of a path, not following a link.
fn xattrs(path: &Path) -> Result<BTreeMap<OsString, Vec<u8>>> {
    let mut names = vec![0_u8; 64 * 1024];
    let count = match rustix::fs::llistxattr(path, &mut names) {
        Ok(count) => count,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(error) => {
            return Err(error).with_context(|| format!("list the extended attributes of {}", path.display()));
        }
    };
    let mut found = BTreeMap::new();
    for name in names[..count].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = OsString::from_vec(name.to_vec());
        let text = name.to_str().context("an extended attribute's name is not UTF-8")?;
        if let Some(value) = xattr(path, text)? {
            found.insert(name, value);
        }
    }
    Ok(found)
}

fn xattr(path: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let name = CString::new(name).context("an extended attribute's name has a zero byte")?;
    let mut value = vec![0_u8; 64 * 1024];
    match rustix::fs::lgetxattr(path, &name, &mut value) {
        Ok(count) => {
            value.truncate(count);
            Ok(Some(value))
        }
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {name:?} of {}", path.display())),
    }
}
