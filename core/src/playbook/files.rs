//! The controller's files, as the playbook reader sees them.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use crate::{
    digest::sha256,
    vault::{self, Keyring},
};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Something that cannot be read as either.
    Other,
}

/// A look at a path, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits.
    pub mode: u32,
    /// Bytes, if it is a file.
    pub size: u64,
}

/// The outside world of the playbook reader: files of the controller. Implemented by the command line over the real disk, and
/// by tests.
pub trait Files: Send + Sync {
    /// What stands at `path`, links followed; `None` if nothing does.
    fn info(&self, path: &Path) -> Option<FileInfo>;

    /// The whole content.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in a folder, in any order.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// The path from the root, for `playbook_dir` and `role_path`.
    fn absolute(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    /// What opens encrypted files and values; unless implemented, nothing does.
    fn keyring(&self) -> &Keyring {
        Keyring::none()
    }

    /// Whether a file is encrypted as a whole. Worth implementing without reading the whole file into memory.
    ///
    /// # Errors
    /// As the system says.
    fn is_vaulted(&self, path: &Path) -> io::Result<bool> {
        Ok(vault::is_vaulted(&self.read(path)?))
    }

    /// The lower-case hexadecimal SHA-256 of the content, and its length. Worth implementing without reading the whole file
    /// into memory.
    ///
    /// # Errors
    /// As the system says.
    fn digest(&self, path: &Path) -> io::Result<(String, u64)> {
        let content = self.read(path)?;
        Ok((sha256(&content), content.len() as u64))
    }
}

/// `path` without `.` and with `..` carried out on the text, so that one file has one name in messages.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if out.file_name().is_some() && out.components().next_back() != Some(Component::ParentDir) =>
            {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

/// `folder/name`, or `name` itself if it is absolute.
pub(crate) fn below(folder: &Path, name: &str) -> PathBuf {
    tidy(&folder.join(name))
}
