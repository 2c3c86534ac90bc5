//! A host as a booted systemd over an overlay: seconds to start, and its upper layer lists what changed.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::namespace::Namespace;
use super::site::Site;
use super::{cgroup, output::Output, ready, wait};
use crate::changes::Snapshot;
use crate::command::run;

/// A running host.
#[derive(Debug)]
pub(super) struct Machine {
    supervisor: Child,
    /// The host's process 1, by its number outside.
    leader: u32,
    network: Namespace,
    groups: Vec<PathBuf>,
    /// The upper layer when the boot was over.
    pub(super) baseline: Snapshot,
}

impl Machine {
    /// Boots over an empty upper layer and returns when sshd answers and systemd has nothing left to start.
    pub(super) fn boot(site: &Site) -> Result<Self> {
        let network = connect(site)?;
        mount(site)?;
        let groups = cgroup::create(&site.machine, &site.guard)?;
        let mut supervisor = spawn(site, &network, &groups)?;
        let started = Self::settle(site, &mut supervisor);
        let (leader, baseline) = match started {
            Ok(found) => found,
            Err(error) => {
                let _ = supervisor.kill();
                let _ = supervisor.wait();
                return Err(error.context(format!("boot {}; end of its console:\n{}", site.name, site.console())));
            }
        };
        Ok(Self { supervisor, leader, network, groups, baseline })
    }

    fn settle(site: &Site, supervisor: &mut Child) -> Result<(u32, Snapshot)> {
        site.guard.process(supervisor.id())?;
        ready::wait_for_ssh(site, supervisor)?;
        let leader = wait::until("the host's process 1", || leader_of(supervisor.id()))?;
        site.guard.process(leader)?;
        let state = Output::of(&mut enter(leader, "systemctl", &["is-system-running", "--wait"]), b"")?;
        if state.stdout.trim() != "running" {
            let failed = Output::of(&mut enter(leader, "systemctl", &["--failed", "--no-legend", "--plain"]), b"")?;
            bail!("it is {}: {}{}", state.stdout.trim(), failed.stdout.trim(), state.stderr.trim());
        }
        Ok((leader, Snapshot::of(&site.folder.join("upper"))?))
    }

    /// A command inside the host as root, past SSH.
    pub(super) fn command(&self, program: &str, args: &[&str]) -> Command {
        enter(self.leader, program, args)
    }

    /// Ends the host at once, like a power cut, and unmounts its file system. Its upper layer stays.
    pub(super) fn stop(mut self, site: &Site) -> Result<()> {
        let leader = i32::try_from(self.leader).ok().and_then(Pid::from_raw);
        // It may have ended by itself: only that it is gone counts.
        let _ = leader.map(|pid| kill_process(pid, Signal::KILL));
        let _ = self.supervisor.kill();
        self.supervisor.wait().with_context(|| format!("wait for the end of {}", site.name))?;
        cgroup::remove(&self.groups)?;
        run("umount", &["-l", text(&site.folder.join("merged"))?])?;
        site.control.disconnect(&site.cable())?;
        self.network.remove()
    }
}

fn connect(site: &Site) -> Result<Namespace> {
    site.guard.namespace(&site.machine)?;
    let network = Namespace::create(&site.machine)?;
    site.control.connect(&network, site.index, &site.cable(), &site.address(), &site.ipv6())?;
    Ok(network)
}

/// Overlay options that could hide a change from a reader of the upper layer are off. `volatile`, because unmounting would
/// otherwise wait until everything that anybody wrote to the file system below is on disk.
fn mount(site: &Site) -> Result<()> {
    let (upper, work, merged) = (site.fresh("upper")?, site.fresh("work")?, site.fresh("merged")?);
    let lower: Vec<_> = site.lower().iter().map(|path| path.display().to_string()).collect();
    let options = format!(
        "lowerdir={},upperdir={},workdir={},redirect_dir=off,metacopy=off,index=off,volatile",
        lower.join(":"),
        upper.display(),
        work.display()
    );
    site.guard.mount(&merged)?;
    run("mount", &["-t", "overlay", "overlay", "-o", &options, text(&merged)?])
        .context("mount a host's overlay (its folder must be on ext4, XFS, Btrfs or tmpfs: RECTIFY_FLEET_DIR)")?;
    Ok(())
}

/// Moves itself into the given control groups and becomes the rest of its arguments.
const INTO_GROUPS: &str = r#"for group in $1; do echo 0 >"$group/cgroup.procs" || exit 1; done; shift; exec "$@""#;

fn spawn(site: &Site, network: &Namespace, groups: &[PathBuf]) -> Result<Child> {
    let console = File::create(site.folder.join("console.log")).context("create a host's console log")?;
    let groups: Vec<_> = groups.iter().map(|group| group.display().to_string()).collect();
    Command::new("sh")
        .args(["-c", INTO_GROUPS, "sh", &groups.join(" "), "systemd-nspawn"])
        .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no", "--console=pipe"])
        .args(["--link-journal=no", "--resolv-conf=off", "--timezone=off", "--suppress-sync=yes"])
        .args(["--capability=CAP_NET_ADMIN", &format!("--hostname={}", site.name)])
        .arg(format!("--machine={}", site.machine))
        .arg(format!("--network-namespace-path={}", network.path()))
        .arg("--directory")
        .arg(site.folder.join("merged"))
        .stdin(Stdio::null())
        .stdout(console.try_clone().context("open a host's console log")?)
        .stderr(console)
        .process_group(0)
        .spawn()
        .context("start systemd-nspawn")
}

/// The child of the supervisor that is process 1 in its own PID namespace.
fn leader_of(supervisor: u32) -> Result<Option<u32>> {
    let path = format!("/proc/{supervisor}/task/{supervisor}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    Ok(children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid| is_first(*pid)))
}

fn is_first(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .is_some_and(|pids| pids.split_whitespace().count() > 1 && pids.split_whitespace().next_back() == Some("1"))
}

fn enter(leader: u32, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--target={leader}"))
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--", program])
        .args(args)
        .env_clear()
        .env("PATH", super::PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", "/root");
    command
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
