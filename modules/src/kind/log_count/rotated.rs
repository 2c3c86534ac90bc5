//! A log and what it was rotated to.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use rectify_core::module::{Command, Entity, FileKind, HostError, HostResult, Meta, Observe};

use crate::kind::shared::{clock::SECOND, paths};

/// How much is read of all files together.
const ALL: u64 = 64 << 20;
/// How much is read of one file, as it is on the disk.
pub(super) const ONE: u64 = 16 << 20;
/// How many files there may be.
const FILES: usize = 400;

/// The files of a log, the newest first, as far as they can hold what is asked for.
pub(super) struct Log {
    files: Vec<(PathBuf, Arc<[u8]>)>,
    /// Whether the log itself is there.
    pub(super) exists: bool,
    /// What cannot be counted, and why.
    pub(super) left_out: RefCell<Vec<(PathBuf, String)>>,
}

impl Log {
    /// Looks for the files, but those that were last written before `from`, and reads them.
    pub(super) fn find(path: &Path, from: i64, host: &dyn Observe) -> HostResult<Self> {
        let mut log = Log { files: Vec::new(), exists: false, left_out: RefCell::default() };
        let Some(meta) = host.stat(path)? else { return Ok(log) };
        log.exists = true;
        let mut seen = BTreeSet::new();
        let mut room = ALL;
        log.take(path.to_owned(), &meta, &mut seen, &mut room, host)?;
        for (file, meta) in rotated(path, from, host)? {
            log.take(file, &meta, &mut seen, &mut room, host)?;
        }
        Ok(log)
    }

    fn take(
        &mut self,
        path: PathBuf,
        meta: &Meta,
        seen: &mut BTreeSet<(u64, u64)>,
        room: &mut u64,
        host: &dyn Observe,
    ) -> HostResult<()> {
        // A log that is rotated right now would be met under both names.
        if meta.ino != 0 && !seen.insert((meta.dev, meta.ino)) {
            return Ok(());
        }
        let leave = |why: String| self.left_out.borrow_mut().push((path.clone(), why));
        if packed(&path).is_some_and(|how| how != "gz") {
            leave("it is packed in a way that is not read here".into());
            return Ok(());
        }
        if *room == 0 {
            leave(format!("more than {} MiB of newer lines were read", ALL >> 20));
            return Ok(());
        }
        match host.read(&path, ONE.min(*room)) {
            Ok(Some(bytes)) => {
                *room = room.saturating_sub(bytes.len() as u64);
                self.files.push((path, bytes));
            }
            Ok(None) => {}
            Err(HostError::TooLarge { .. }) if packed(&path).is_none() => {
                leave(format!("all of its {} MiB but the last {}", meta.size >> 20, ONE.min(*room) >> 20));
                let end = end_of(&path, ONE.min(*room), host)?;
                *room = room.saturating_sub(end.len() as u64);
                self.files.push((path, end));
            }
            Err(HostError::TooLarge { .. }) => leave(format!("it has {} MiB", meta.size >> 20)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Calls `each` with the text of every file.
    pub(super) fn read(&self, each: &mut dyn FnMut(&[u8])) {
        let mut room = ALL;
        for (path, bytes) in &self.files {
            if packed(path).is_none() {
                each(bytes);
                continue;
            }
            let mut text = Vec::new();
            let read = MultiGzDecoder::new(&**bytes).take(room + 1).read_to_end(&mut text);
            if let Err(error) = read {
                self.left_out.borrow_mut().push((path.clone(), format!("unpacking it: {error}")));
            }
            if text.len() as u64 > room {
                let why = format!("more than {} MiB of newer lines were read", ALL >> 20);
                self.left_out.borrow_mut().push((path.clone(), why));
            }
            room = room.saturating_sub(text.len() as u64);
            // What could be unpacked counts.
            each(&text);
        }
    }
}

/// The last lines of a file that is too long to be read as a whole.
fn end_of(path: &Path, bytes: u64, host: &dyn Observe) -> HostResult<Arc<[u8]>> {
    let words = ["tail".into(), "-c".into(), bytes.to_string(), "--".into(), paths::shown(path)];
    let output = host.probe(&Command::new(words).reading([Entity::Path(path.to_owned())]))?;
    // The first of them is the rest of a line.
    let whole = output.stdout.iter().position(|b| *b == b'\n').map_or(output.stdout.len(), |at| at + 1);
    Ok(output.stdout[whole..].into())
}

/// The files that a log was rotated to, the newest first.
fn rotated(log: &Path, from: i64, host: &dyn Observe) -> HostResult<Vec<(PathBuf, Meta)>> {
    let (folder, name) = (paths::parent(log), log.file_name().unwrap_or_default());
    let mut names = Vec::new();
    host.list(folder, &mut |entry| {
        let of_log = entry.kind == FileKind::File && is_rotated(name.as_encoded_bytes(), entry.name.as_encoded_bytes());
        names.extend(of_log.then(|| folder.join(&entry.name)));
        names.len() < FILES
    })?;
    let mut files = Vec::new();
    for path in names {
        // Gone since it was listed, or older than what is asked for.
        let meta = host.lstat(&path)?.filter(|m| m.kind == FileKind::File && m.mtime / SECOND >= from);
        files.extend(meta.map(|meta| (path, meta)));
    }
    rectify_core::small::sort_by_key(&mut files, |(_, meta)| std::cmp::Reverse(meta.mtime));
    Ok(files)
}

/// Whether `name` is `log` with a number or a date behind it, perhaps packed.
fn is_rotated(log: &[u8], name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(log).and_then(|rest| std::str::from_utf8(rest).ok()) else { return false };
    let rest = packed(Path::new(rest)).and_then(|how| rest.strip_suffix(how)?.strip_suffix('.')).unwrap_or(rest);
    let digits = |c: char| c.is_ascii_digit() || c == '-' || c == '.';
    rest.starts_with(['.', '-'])
        && rest.len() > 1
        && rest.chars().all(digits)
        && rest.ends_with(|c: char| c.is_ascii_digit())
}

/// How a file is packed, by its name.
fn packed(path: &Path) -> Option<&'static str> {
    let text = path.as_os_str().as_encoded_bytes();
    ["gz", "xz", "bz2", "zst"]
        .into_iter()
        .find(|how| text.strip_suffix(how.as_bytes()).is_some_and(|rest| rest.ends_with(b".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_known_by_their_names() {
        for (name, expected) in [
            ("a.log.1", true),
            ("a.log.14.gz", true),
            ("a.log-20261122", true),
            ("a.log-20261122-1700000.gz", true),
            ("a.log.1.xz", true),
            ("a.log", false),
            ("a.log.gz", false),
            ("a.log.bak", false),
            ("a.log.1~", false),
            ("a.logs.1", false),
            ("b.log.1", false),
        ] {
            assert_eq!(is_rotated(b"a.log", name.as_bytes()), expected, "{name}");
        }
    }
}
