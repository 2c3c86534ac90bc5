//! A host as a virtual machine in software emulation: slow to start, but with a kernel of its own.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::output::Output;
use super::site::Site;
use super::{ready, wait};
use crate::command::run;

/// A running virtual machine; its disk is a snapshot of the image that is thrown away at the end.
#[derive(Debug)]
pub(super) struct Machine {
    qemu: Child,
}

impl Machine {
    /// Starts the machine in the controller's namespace, its sshd forwarded to loopback there, and waits until it answers.
    pub(super) fn boot(site: &Site) -> Result<Self> {
        let seed = site.folder.join("seed.img");
        let _ = std::fs::remove_file(&seed);
        // The guest copies this small second disk over its own before sshd starts.
        let (from, to) = (site.seed().display().to_string(), seed.display().to_string());
        run("mke2fs", &["-q", "-t", "ext4", "-d", &from, "-E", "root_owner=0:0", &to, "4M"])?;
        let mut qemu = spawn(site, &to)?;
        let up = site.guard.process(qemu.id()).and_then(|()| ready::wait_for_ssh(site, &mut qemu));
        if let Err(error) = up {
            let _ = qemu.kill();
            let _ = qemu.wait();
            return Err(error.context(format!("boot {}; end of its console:\n{}", site.name, site.console())));
        }
        Ok(Self { qemu })
    }

    /// A command inside the machine as root, through OpenSSH's client.
    pub(super) fn command(&self, site: &Site, program: &str, args: &[&str]) -> Command {
        let home = site.folder.join("../../home/.ssh");
        let mut command = site.control.command("ssh");
        command
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=yes"])
            .arg("-i")
            .arg(home.join("id_ed25519"))
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", home.join("known_hosts").display()))
            .args(["-p", &site.port().to_string(), &format!("root@{}", site.address()), "--"])
            .args(std::iter::once(&program).chain(args).map(|word| quote(word)));
        command
    }

    /// Reboots from within and returns when sshd of the new boot answers.
    pub(super) fn reboot(&mut self, site: &Site) -> Result<()> {
        let boot_id = |machine: &Self| {
            let output = Output::of(&mut machine.command(site, "cat", &["/proc/sys/kernel/random/boot_id"]), b"");
            output.ok().filter(Output::success).map(|output| output.stdout)
        };
        let before = boot_id(self).context("read the boot id before a reboot")?;
        // The connection breaks with the machine: how it ends says nothing.
        let _ = Output::of(&mut self.command(site, "systemctl", &["reboot"]), b"")?;
        wait::until("a machine's new boot", || {
            ready::wait_for_ssh(site, &mut self.qemu)?;
            Ok(boot_id(self).filter(|now| *now != before).map(drop))
        })
    }

    /// Ends the machine like a power cut.
    pub(super) fn stop(mut self) -> Result<()> {
        self.qemu.kill().context("end a virtual machine")?;
        self.qemu.wait().context("end a virtual machine").map(drop)
    }
}

fn spawn(site: &Site, seed: &str) -> Result<Child> {
    let image = &site.image_folder;
    let console = File::create(site.folder.join("console.log")).context("create a machine's console log")?;
    site.control
        .command("qemu-system-x86_64")
        .args(["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-nographic", "-nodefaults"])
        .args([
            "-serial",
            "stdio",
            "-append",
            "console=ttyS0 root=/dev/vda rw net.ifnames=0 audit=1 loglevel=4 no_timer_check panic=1",
        ])
        .arg("-kernel")
        .arg(image.join("vmlinuz"))
        .arg("-initrd")
        .arg(image.join("initrd"))
        .args(["-drive", &format!("file={}/disk.img,format=raw,if=virtio,snapshot=on", image.display())])
        .args(["-drive", &format!("file={seed},format=raw,if=virtio,readonly=on")])
        .args(["-netdev", &format!("user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{}-:22", site.port())])
        .args(["-device", "virtio-net-pci,netdev=n", "-device", "virtio-rng-pci"])
        // The snapshot goes here and not into a small /tmp.
        .env("TMPDIR", &site.folder)
        .stdin(Stdio::null())
        .stdout(console.try_clone().context("open a machine's console log")?)
        .stderr(console)
        .process_group(0)
        .spawn()
        .context("start qemu-system-x86_64")
}

/// One word for the far end's shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
