//! A fleet's record on disk and the process that takes it down when its owner is gone.
//!
//! The owner may end by return, panic, Ctrl-C or SIGKILL, and statics are never dropped. So teardown is not left to it: a
//! small shell process in a session of its own waits for the owner's end of a pipe to close, then removes what is recorded.
//! Should that process be killed too, the next fleet on this machine finds the record and does the same.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

const SCRIPT: &str = include_str!("guard.sh");

/// The record of one fleet and its guard process; dropping it takes the fleet down and waits for that.
#[derive(Debug)]
pub(super) struct Guard {
    folder: PathBuf,
    child: Option<Child>,
}

/// What all fleets of this machine share, wherever their disks are: a lock, the limits to put back, and an entry per fleet
/// that says where its folder is.
pub(super) const REGISTRY: &str = "/run/rectify-fleet";

/// `RECTIFY_FLEET_DIR` or `/var/tmp/rectify-fleet`: where running fleets keep disks and records.
fn base() -> PathBuf {
    std::env::var_os("RECTIFY_FLEET_DIR").map_or_else(|| "/var/tmp/rectify-fleet".into(), PathBuf::from)
}

/// The folders of all fleets on this machine.
pub(super) fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(REGISTRY).join("fleets")).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .map(|folder| PathBuf::from(folder.trim()))
        .collect();
    folders.sort();
    folders
}

/// Exclusive use of the registry, until dropped.
pub(super) fn lock() -> Result<File> {
    let fleets = Path::new(REGISTRY).join("fleets");
    fs::create_dir_all(&fleets).with_context(|| format!("create {}", fleets.display()))?;
    let path = Path::new(REGISTRY).join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = lock.with_context(|| format!("open {}", path.display()))?;
    lock.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(lock)
}

impl Guard {
    /// Starts a record owned by this process, called with [`lock`] held, and the process that watches over it.
    pub(super) fn new(id: &str) -> Result<Self> {
        let folder = base().join(id);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let own = std::process::id();
        fs::write(folder.join("owner"), format!("{own} {}\n", start_time(own)?)).context("write the fleet's owner")?;
        let entry = Path::new(REGISTRY).join("fleets").join(id);
        fs::write(&entry, format!("{}\n", folder.display())).with_context(|| format!("write {}", entry.display()))?;
        let child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "rectify-fleet-guard"])
            .arg(&folder)
            .arg("wait")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("guard.log")).context("create the guard's log")?)
            // Ctrl-C goes to the terminal's whole process group: the guard must outlive it.
            .process_group(0)
            .spawn()
            .context("start the fleet's guard")?;
        record(&folder, "guard", &format!("{} {}", child.id(), start_time(child.id())?))?;
        Ok(Self { folder, child: Some(child) })
    }

    /// The fleet's folder: disks, keys, logs, record.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Records a process to be killed at the end.
    pub(super) fn process(&self, pid: u32) -> Result<()> {
        record(&self.folder, "processes", &format!("{pid} {}", start_time(pid)?))
    }

    /// Records a network namespace to be removed at the end; before it is made.
    pub(super) fn namespace(&self, name: &str) -> Result<()> {
        record(&self.folder, "namespaces", name)
    }

    /// Records a mount point to be unmounted at the end; before it is mounted.
    pub(super) fn mount(&self, path: &Path) -> Result<()> {
        record(&self.folder, "mounts", &path.display().to_string())
    }

    /// Records a control group to be removed at the end; before it is made.
    pub(super) fn cgroup(&self, path: &Path) -> Result<()> {
        record(&self.folder, "cgroups", &path.display().to_string())
    }

    /// Leaves the fleet running after this process: its owner is then whoever runs `rectify-fleet down`.
    pub(super) fn detach(mut self) -> Result<()> {
        fs::write(self.folder.join("owner"), "detached\n").context("write the fleet's owner")?;
        if let Some(mut guard) = self.child.take() {
            // Killed before its pipe closes, so that it never starts to clear.
            guard.kill().context("end the fleet's guard")?;
            guard.wait().context("end the fleet's guard")?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut guard) = self.child.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

/// Takes down one recorded fleet from outside.
pub(super) fn take_down(folder: &Path) -> Result<()> {
    let status = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "rectify-fleet-guard"])
        .arg(folder)
        .stdin(Stdio::null())
        .status()
        .context("take down a fleet")?;
    anyhow::ensure!(status.success(), "take down {}: {status}", folder.display());
    Ok(())
}

/// Clears what processes of this harness left that are gone together with their guards. Detached fleets stay.
pub(super) fn reap() -> Result<()> {
    for folder in folders() {
        // An entry is written after its owner: without one, it is a fleet whose disk is gone.
        let owner = fs::read_to_string(folder.join("owner")).unwrap_or_default();
        let guard = fs::read_to_string(folder.join("guard")).unwrap_or_default();
        if owner.trim() != "detached" && !is_alive(&owner) && !is_alive(&guard) {
            take_down(&folder)?;
        }
    }
    Ok(())
}

fn record(folder: &Path, list: &str, line: &str) -> Result<()> {
    let path = folder.join(list);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("record in {}", path.display()))
}

fn is_alive(recorded: &str) -> bool {
    let mut words = recorded.split_whitespace();
    match (words.next().and_then(|pid| pid.parse().ok()), words.next()) {
        (Some(pid), Some(start)) => start_time(pid).is_ok_and(|now| now == start),
        _ => false,
    }
}

/// When a process started, in ticks since boot: field 22 of `/proc/PID/stat` (proc_pid_stat(5)). Tells it from a later one
/// with the same number.
fn start_time(pid: u32) -> Result<String> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let after_name = stat.rsplit_once(") ").map_or("", |parts| parts.1);
    anyhow::ensure!(!after_name.starts_with(['Z', 'X']), "process {pid} has ended");
    let field = after_name.split(' ').nth(19).with_context(|| format!("find the start time in {path}"))?;
    Ok(field.to_owned())
}
