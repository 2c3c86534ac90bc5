//! What a boot makes of a parameter (sysctl.d(5)).

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use rectify_core::module::{DirEntry, FileKind, ModuleError, Observe};

use super::{read, value_in};

/// Where configuration is read from; of files with the same name the first one counts.
const FOLDERS: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// Why the file's value will not hold after a boot, if it will not. Hosts without systemd read `/etc/sysctl.conf` last.
pub(super) fn warning(file: &Path, key: &str, wanted: &str, host: &dyn Observe) -> Result<Option<String>, ModuleError> {
    let systemd = host.stat(Path::new("/usr/lib/systemd/systemd-sysctl"))?.is_some()
        || host.stat(Path::new("/lib/systemd/systemd-sysctl"))?.is_some();
    if !systemd {
        return Ok(None);
    }
    let files = files(file, host)?;
    let Some(mine) = files.values().position(|path| leads_to(path, file, host)) else {
        return Ok(Some(format!(
            "{} is not read when this host boots: the value is lost then; use a file in /etc/sysctl.d",
            file.display()
        )));
    };
    let mut last = None;
    for path in files.values().skip(mine + 1) {
        if let Some(value) = value_in(&read(path, host)?, key) {
            last = Some((path, value));
        }
    }
    Ok(last
        .filter(|(_, value)| value != wanted)
        .map(|(path, value)| format!("{} is read later when this host boots, and sets it to {value}", path.display())))
}

/// The files in the order in which they are read; `file` counts as there, as it will be by then.
fn files(file: &Path, host: &dyn Observe) -> Result<BTreeMap<OsString, PathBuf>, ModuleError> {
    let mut files: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in FOLDERS.map(Path::new) {
        if let (true, Some(name)) =
            (file.parent() == Some(folder) && file.extension() == Some("conf".as_ref()), file.file_name())
        {
            files.entry(name.to_owned()).or_insert_with(|| file.to_owned());
        }
        if host.stat(folder)?.is_none_or(|m| m.kind != FileKind::Directory) {
            continue;
        }
        host.list(folder, &mut |entry: DirEntry| {
            if entry.name.as_encoded_bytes().ends_with(b".conf") && entry.kind != FileKind::Directory {
                let path = folder.join(&entry.name);
                files.entry(entry.name).or_insert(path);
            }
            files.len() < 4096
        })?;
    }
    Ok(files)
}

fn leads_to(path: &Path, file: &Path, host: &dyn Observe) -> bool {
    if path == file {
        return true;
    }
    let Ok(target) = host.read_link(path) else { return false };
    let target = if target.is_absolute() { target } else { path.parent().unwrap_or(path).join(target) };
    plain(&target) == plain(file)
}

/// Without `..`, taken as text: these folders are no links.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
