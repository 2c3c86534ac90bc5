//! A control group per host. Without one all hosts would share a single tree of units, and stopping a service on one would kill
//! that of another.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::guard::Guard;
use super::wait;

/// Makes the host's group in every hierarchy that systemd keeps units in, and returns the folders.
pub(super) fn create(machine: &str, guard: &Guard) -> Result<Vec<PathBuf>> {
    let folders: Vec<_> = hierarchies()?.into_iter().map(|root| root.join(machine)).collect();
    for folder in &folders {
        guard.cgroup(folder)?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    Ok(folders)
}

/// Removes groups that no process is left in, or waits until that is so.
pub(super) fn remove(folders: &[PathBuf]) -> Result<()> {
    for folder in folders {
        wait::until("the end of a host's last process", || match remove_tree(folder) {
            Ok(()) => Ok(Some(())),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => Ok(None),
            Err(error) => Err(error).with_context(|| format!("remove {}", folder.display())),
        })?;
    }
    Ok(())
}

fn remove_tree(folder: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Mount points of the unified hierarchy and of version 1's `name=systemd`: this machine has one of them or both
/// (proc_pid_mountinfo(5)).
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read /proc/self/mountinfo")?;
    let found = mounts.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let kind = source.split(' ').next()?;
        let options = source.split(' ').nth(2)?;
        let wanted =
            kind == "cgroup2" || (kind == "cgroup" && options.split(',').any(|option| option == "name=systemd"));
        wanted.then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    });
    Ok(found.collect())
}
