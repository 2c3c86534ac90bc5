//! What is mounted where, as far as it decides whether a write would be refused (proc_pid_mountinfo(5)).

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// A mount.
#[derive(Debug)]
struct Mount {
    at: PathBuf,
    device: String,
    read_only: bool,
}

/// All mounts, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads `/proc/self/mountinfo`; a line that makes no sense is left out.
    pub(super) fn parse(text: &[u8]) -> Self {
        Mounts(text.split(|b| *b == b'\n').filter_map(parse_line).collect())
    }

    /// Whether nothing can be written at this canonical path.
    pub(super) fn is_read_only(&self, path: &Path) -> bool {
        self.of(path).is_some_and(|m| m.read_only)
    }

    /// Whether two canonical paths are on different file systems.
    pub(super) fn differ(&self, a: &Path, b: &Path) -> bool {
        self.of(a).map(|m| &m.device) != self.of(b).map(|m| &m.device)
    }

    /// Whether something is mounted at or below this canonical path.
    pub(super) fn any_within(&self, path: &Path) -> bool {
        self.0.iter().any(|m| m.at.starts_with(path))
    }

    fn of(&self, path: &Path) -> Option<&Mount> {
        // Of two mounts at one place the later one is on top.
        self.0.iter().filter(|m| path.starts_with(&m.at)).max_by_key(|m| m.at.as_os_str().len())
    }
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let dash = fields.iter().position(|f| *f == b"-")?;
    let flags = |list: &[u8]| list.split(|b| *b == b',').any(|o| o == b"ro");
    let read_only = flags(fields.get(5)?) || fields.get(dash + 3).is_some_and(|o| flags(o));
    let device = String::from_utf8_lossy(fields.get(2)?).into_owned();
    Some(Mount { at: unescape(fields.get(4)?), device, read_only })
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(|d| std::str::from_utf8(d).ok());
        if let Some(byte) = code.and_then(|d| u8::from_str_radix(d, 8).ok()) {
            out.push(byte);
            rest = &tail[3..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    OsString::from_vec(out).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_decides_and_names_are_unescaped() {
        let mounts = Mounts::parse(
            b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
              30 22 0:5 / /usr ro,relatime - ext4 /dev/sda2 rw\n\
              31 22 0:6 / /mnt/a\\040b rw - ext4 /dev/sda3 ro\n\
              nonsense\n",
        );
        assert!(!mounts.is_read_only(Path::new("/etc/x")));
        assert!(mounts.is_read_only(Path::new("/usr/bin/x")));
        assert!(mounts.is_read_only(Path::new("/mnt/a b/x")));
        assert!(!mounts.is_read_only(Path::new("/usrx")));
        assert!(mounts.any_within(Path::new("/mnt")));
        assert!(mounts.differ(Path::new("/etc"), Path::new("/usr")));
    }
}
