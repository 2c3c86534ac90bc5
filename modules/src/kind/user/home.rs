//! A home folder for an account that has none.

use std::path::Path;

use rectify_core::module::{FileKind, HostResult, ModuleError, Operate, User, WriteAttrs};

/// How deep `/etc/skel` is followed.
const DEPTH: u32 = 16;

/// Makes the home folder, if it is not there, with what `/etc/skel` has in it.
pub(super) fn make(user: &User, host: &dyn Operate) -> Result<(), ModuleError> {
    if host.stat(&user.home)?.is_some() {
        return Ok(());
    }
    for folder in crate::kind::shared::paths::missing_parents(&user.home, host)? {
        host.make_dir(&folder, 0o755)?;
    }
    let mode = mode(host)?;
    copy(Path::new("/etc/skel"), &user.home, mode, user, DEPTH, host)?;
    Ok(())
}

/// What login.defs(5) says of the bits of home folders.
fn mode(host: &dyn Operate) -> HostResult<u32> {
    let text = host.read(Path::new("/etc/login.defs"), 1 << 20)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let bits = |key: &str| {
        let line = text.lines().filter_map(|l| l.trim().split_once(char::is_whitespace)).find(|(k, _)| *k == key)?;
        u32::from_str_radix(line.1.trim(), 8).ok()
    };
    Ok(bits("HOME_MODE").unwrap_or_else(|| 0o777 & !bits("UMASK").unwrap_or(0o022)))
}

fn copy(from: &Path, to: &Path, mode: u32, user: &User, depth: u32, host: &dyn Operate) -> HostResult<()> {
    host.make_dir(to, mode)?;
    host.set_owner(to, Some(user.uid), Some(user.gid), false)?;
    if depth == 0 || host.stat(from)?.is_none_or(|m| m.kind != FileKind::Directory) {
        return Ok(());
    }
    let mut entries = Vec::new();
    host.list(from, &mut |entry| {
        entries.push(entry);
        true
    })?;
    rectify_core::small::sort_by(&mut entries, |a, b| a.name.cmp(&b.name));
    for entry in entries {
        let (source, target) = (from.join(&entry.name), to.join(&entry.name));
        let Some(meta) = host.lstat(&source)? else { continue };
        match entry.kind {
            FileKind::Directory => copy(&source, &target, meta.mode, user, depth - 1, host)?,
            FileKind::File => {
                let attrs = WriteAttrs { mode: Some(meta.mode), uid: Some(user.uid), gid: Some(user.gid) };
                host.copy_file(&source, &target, &attrs)?;
            }
            FileKind::Link => {
                host.symlink(&host.read_link(&source)?, &target)?;
                host.set_owner(&target, Some(user.uid), Some(user.gid), false)?;
            }
            FileKind::Other => {}
        }
    }
    Ok(())
}
