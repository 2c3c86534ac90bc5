//! What stood at some paths before a change, so that it can be put back exactly.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rectify_core::module::{FileKind, HostError, HostResult, Meta, Observe, Operate, WriteAttrs};

/// The largest file that is kept, in bytes.
const LONGEST: u64 = 32 << 20;
/// The most that is kept at a time, in bytes.
const MOST: u64 = 128 << 20;
/// Links that lead to links: more is a loop (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// What stood at one path.
enum Stood {
    Nothing,
    Link { target: PathBuf, meta: Meta },
    File { content: Arc<[u8]>, meta: Meta },
    Folder { meta: Meta },
}

/// What stood at some paths when each was named first.
#[derive(Default)]
pub(crate) struct Kept {
    paths: Vec<PathBuf>,
    stood: HashMap<PathBuf, Stood>,
    bytes: u64,
}

impl Kept {
    /// What is at these paths now.
    pub(crate) fn of(paths: &[PathBuf], host: &dyn Observe) -> HostResult<Self> {
        let mut all = Kept::default();
        for path in paths {
            all.keep(path, host)?;
        }
        Ok(all)
    }

    /// Reads what is at a path, unless that was done before. Of a folder, owner and mode.
    ///
    /// # Errors
    /// If it is more than can be kept, or neither file, link nor folder.
    pub(crate) fn keep(&mut self, path: &Path, host: &dyn Observe) -> HostResult<()> {
        if self.stood.contains_key(path) {
            return Ok(());
        }
        let stood = match host.lstat(path)? {
            None => Stood::Nothing,
            Some(meta) => match meta.kind {
                FileKind::Link => Stood::Link { target: host.read_link(path)?, meta },
                FileKind::Directory => Stood::Folder { meta },
                FileKind::File => match host.read(path, LONGEST.min(MOST - self.bytes))? {
                    Some(content) => Stood::File { content, meta },
                    None => Stood::Nothing,
                },
                FileKind::Other => {
                    let what = format!(
                        "{} is neither a file nor a link nor a folder, and could not be put back",
                        path.display()
                    );
                    return Err(HostError::Unsupported(what));
                }
            },
        };
        if let Stood::File { content, .. } = &stood {
            self.bytes += content.len() as u64;
        }
        self.paths.push(path.to_owned());
        self.stood.insert(path.to_owned(), stood);
        Ok(())
    }

    /// As [`Kept::keep`], for what a path leads to: what stands there is changed if a link is followed.
    pub(crate) fn keep_target(&mut self, path: &Path, host: &dyn Observe) -> HostResult<()> {
        let mut at = path.to_owned();
        for _ in 0..MAX_LINKS {
            match host.lstat(&at)? {
                Some(meta) if meta.kind == FileKind::Link => {
                    let target = host.read_link(&at)?;
                    at = at.parent().unwrap_or(Path::new("/")).join(target);
                }
                _ => break,
            }
        }
        self.keep(&at, host)
    }

    /// As [`Kept::keep`], with all that is in a folder.
    pub(crate) fn keep_tree(&mut self, path: &Path, host: &dyn Observe) -> HostResult<()> {
        let mut open = vec![path.to_owned()];
        while let Some(at) = open.pop() {
            self.keep(&at, host)?;
            if host.lstat(&at)?.is_some_and(|meta| meta.kind == FileKind::Directory) {
                host.list(&at, &mut |entry| {
                    open.push(at.join(&entry.name));
                    true
                })?;
            }
        }
        Ok(())
    }

    /// Puts it back: content, links, owners, modes and times. All paths are tried; the first error is returned.
    pub(crate) fn restore(&self, host: &dyn Operate) -> HostResult<()> {
        let mut first = None;
        let mut note = |result: HostResult<()>| {
            if let Err(error) = result {
                first.get_or_insert(error);
            }
        };
        let mut paths: Vec<&PathBuf> = self.paths.iter().collect();
        // What is new goes first, the deepest before what is around it; folders come back before what was in them.
        rectify_core::small::sort_by_key(&mut paths, |path| std::cmp::Reverse(path.components().count()));
        for path in paths.iter().filter(|path| matches!(self.stood[**path], Stood::Nothing)) {
            note(gone(path, host));
        }
        for path in paths.iter().rev() {
            if let Stood::Folder { meta } = &self.stood[*path] {
                note(folder(path, meta, host));
            }
        }
        for path in self.paths.iter().rev() {
            match &self.stood[path] {
                Stood::Link { target, meta } => note(link(path, target, meta, host)),
                Stood::File { content, meta } => note(file(path, content, meta, host)),
                Stood::Nothing | Stood::Folder { .. } => {}
            }
        }
        for path in &paths {
            if let Stood::Folder { meta } = &self.stood[*path] {
                note(host.set_times(path, Some(meta.mtime), Some(meta.atime)));
            }
        }
        first.map_or(Ok(()), Err)
    }
}

fn gone(path: &Path, host: &dyn Operate) -> HostResult<()> {
    if host.lstat(path)?.is_some() { host.remove(path) } else { Ok(()) }
}

fn folder(path: &Path, meta: &Meta, host: &dyn Operate) -> HostResult<()> {
    let now = host.lstat(path)?;
    if now.as_ref().is_none_or(|now| now.kind != FileKind::Directory) {
        if now.is_some() {
            host.remove(path)?;
        }
        host.make_dir(path, meta.mode)?;
    }
    attributes(path, meta, host)
}

fn attributes(path: &Path, meta: &Meta, host: &dyn Operate) -> HostResult<()> {
    let now = host.lstat(path)?;
    if now.as_ref().is_none_or(|now| (now.uid, now.gid) != (meta.uid, meta.gid)) {
        host.set_owner(path, Some(meta.uid), Some(meta.gid), false)?;
    }
    // A change of the owner takes set-id bits away (chown(2)).
    if host.lstat(path)?.is_none_or(|now| now.mode != meta.mode) {
        host.set_mode(path, meta.mode)?;
    }
    Ok(())
}

fn link(path: &Path, target: &Path, meta: &Meta, host: &dyn Operate) -> HostResult<()> {
    let same = match host.lstat(path)? {
        Some(now) if now.kind == FileKind::Link => host.read_link(path)? == target,
        Some(now) if now.kind == FileKind::Directory => {
            host.remove(path)?;
            false
        }
        _ => false,
    };
    if !same {
        host.symlink(target, path)?;
        host.set_owner(path, Some(meta.uid), Some(meta.gid), false)?;
    }
    Ok(())
}

fn file(path: &Path, content: &Arc<[u8]>, meta: &Meta, host: &dyn Operate) -> HostResult<()> {
    // A write follows links, and does not replace folders.
    if host.lstat(path)?.is_some_and(|now| now.kind != FileKind::File) {
        host.remove(path)?;
    }
    let attrs = WriteAttrs { mode: Some(meta.mode), uid: Some(meta.uid), gid: Some(meta.gid) };
    host.write(path, content, &attrs)?;
    host.set_times(path, Some(meta.mtime), Some(meta.atime))
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    fn seen(host: &Fake, paths: &[&str]) -> Vec<String> {
        let one = |path: &&str| {
            let path = Path::new(*path);
            let Some(meta) = host.lstat(path).unwrap() else { return "nothing".to_owned() };
            let what = match meta.kind {
                FileKind::File => String::from_utf8_lossy(&host.read(path, 1 << 20).unwrap().unwrap()).into_owned(),
                FileKind::Link => host.read_link(path).unwrap().display().to_string(),
                other => format!("{other:?}"),
            };
            format!("{what} {:o} {}:{}", meta.mode, meta.uid, meta.gid)
        };
        paths.iter().map(one).collect()
    }

    #[test]
    fn everything_is_put_back_as_it_was() {
        let host = Fake::from_yaml(
            "base: debian\nfiles: {/etc/a: {content: one, mode: '0640', owner: www-data}, /srv/t/x: x, /srv/t/deep/y: y}\n",
        )
        .unwrap();
        host.symlink(Path::new("a"), Path::new("/etc/l")).unwrap();
        let paths = [
            "/etc/a",
            "/etc/l",
            "/etc/new",
            "/srv/made",
            "/srv/made/z",
            "/srv/t",
            "/srv/t/x",
            "/srv/t/deep",
            "/srv/t/deep/y",
        ];
        let before = seen(&host, &paths);
        let mut kept = Kept::default();
        kept.keep_target(Path::new("/etc/l"), &host).unwrap();
        host.write(Path::new("/etc/l"), b"two", &WriteAttrs { mode: Some(0o600), uid: Some(0), gid: Some(0) }).unwrap();
        kept.keep(Path::new("/etc/l"), &host).unwrap();
        host.remove(Path::new("/etc/l")).unwrap();
        kept.keep(Path::new("/etc/new"), &host).unwrap();
        host.write(Path::new("/etc/new"), b"n", &WriteAttrs::default()).unwrap();
        kept.keep(Path::new("/srv/made"), &host).unwrap();
        host.make_dir(Path::new("/srv/made"), 0o755).unwrap();
        kept.keep(Path::new("/srv/made/z"), &host).unwrap();
        host.write(Path::new("/srv/made/z"), b"z", &WriteAttrs::default()).unwrap();
        kept.keep_target(Path::new("/srv/t"), &host).unwrap();
        host.set_mode(Path::new("/srv/t"), 0o700).unwrap();
        kept.keep_tree(Path::new("/srv/t"), &host).unwrap();
        host.remove(Path::new("/srv/t")).unwrap();
        host.symlink(Path::new("/etc"), Path::new("/srv/t")).unwrap();
        assert_ne!(seen(&host, &paths), before);
        kept.restore(&host).unwrap();
        assert_eq!(seen(&host, &paths), before);
    }
}
