//! One host of a fleet, as tests see it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use super::nspawn;
use super::output::Output;
use super::site::Site;
use super::vm;
use crate::changes::{Changes, Layers};
use crate::image::Image;

/// A booted host. All methods work from any thread.
#[derive(Debug)]
pub struct Host {
    site: Site,
    machine: Mutex<Option<Machine>>,
}

#[derive(Debug)]
enum Machine {
    Nspawn(nspawn::Machine),
    Vm(vm::Machine),
}

impl Host {
    pub(super) fn boot(site: Site) -> Result<Self> {
        let machine = Machine::boot(&site)?;
        Ok(Self { site, machine: Mutex::new(Some(machine)) })
    }

    /// The host's name in the inventory, which is also its host name.
    pub fn name(&self) -> &str {
        &self.site.name
    }

    /// The image it was booted from.
    pub fn image(&self) -> Image {
        self.site.image
    }

    /// Its address as the controller sees it.
    pub fn address(&self) -> String {
        self.site.address()
    }

    /// Its IPv6 address in the fleet's network; a virtual machine has none.
    pub fn ipv6(&self) -> String {
        self.site.ipv6()
    }

    /// The port of its sshd at [`Host::address`].
    pub fn port(&self) -> u16 {
        self.site.port()
    }

    /// Its public host key as in known_hosts: type and base64.
    pub fn host_key(&self) -> &str {
        &self.site.host_key
    }

    /// Runs a command on the host as root and not through SSH (a virtual machine: through SSH), with a cleared environment.
    ///
    /// # Errors
    /// Only if it could not be run; a failing command is an [`Output`].
    pub fn exec(&self, argv: &[&str]) -> Result<Output> {
        self.exec_with(argv, b"")
    }

    /// Like [`Host::exec`], with standard input.
    ///
    /// # Errors
    /// As [`Host::exec`].
    pub fn exec_with(&self, argv: &[&str], input: &[u8]) -> Result<Output> {
        let (program, args) = argv.split_first().context("run an empty command on a host")?;
        let mut command: Command = match &*self.machine() {
            Some(Machine::Nspawn(machine)) => machine.command(program, args),
            Some(Machine::Vm(machine)) => machine.command(&self.site, program, args),
            None => bail!("{} is stopped", self.site.name),
        };
        Output::of(&mut command, input)
    }

    /// Runs a line of `sh` on the host as root and returns what it printed.
    ///
    /// # Errors
    /// Any exit code but 0.
    pub fn sh(&self, line: &str) -> Result<String> {
        self.exec(&["sh", "-c", line])?.ok().with_context(|| format!("on {}: {line}", self.site.name))
    }

    /// A file's text on the host.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, path: &str) -> Result<String> {
        self.exec(&["cat", "--", path])?.ok().with_context(|| format!("read {path} on {}", self.site.name))
    }

    /// Writes a file on the host, in place; a new one gets mode 0644 and root as its owner.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let output = self.exec_with(&["sh", "-c", "umask 022; cat >\"$1\"", "sh", path], content.as_ref())?;
        output.ok().map(drop).with_context(|| format!("write {path} on {}", self.site.name))
    }

    /// The host's overlay upper folder on this machine: everything that was written to its disk since it was made.
    ///
    /// # Errors
    /// A virtual machine has none.
    pub fn upper(&self) -> Result<PathBuf> {
        match self.site.image {
            Image::Vm => bail!("{} is a virtual machine: its disk has no upper layer", self.site.name),
            Image::Debian | Image::Rpm => Ok(self.site.folder.join("upper")),
        }
    }

    /// What changed on the host's disk since its boot was over, but for [`crate::changes::NOISE`].
    ///
    /// # Errors
    /// A virtual machine, or an unreadable layer.
    pub fn changes(&self) -> Result<Changes> {
        let upper = self.upper()?;
        match &*self.machine() {
            Some(Machine::Nspawn(machine)) => {
                Layers { lower: &self.site.lower(), upper: &upper, baseline: &machine.baseline }.changes()
            }
            _ => bail!("{} is stopped", self.site.name),
        }
    }

    /// Takes what is there now as the state that [`Host::changes`] compares with: after a test prepared the host.
    ///
    /// # Errors
    /// As [`Host::changes`].
    pub fn mark(&self) -> Result<()> {
        let upper = self.upper()?;
        match &mut *self.machine() {
            Some(Machine::Nspawn(machine)) => machine.baseline = crate::changes::Snapshot::of(&upper)?,
            _ => bail!("{} is stopped", self.site.name),
        }
        Ok(())
    }

    /// Boots the host afresh from its image: empty upper layer, new network namespace; same name, address and host key.
    ///
    /// # Errors
    /// It does not come up.
    pub fn reset(&self) -> Result<()> {
        self.stop()?;
        *self.machine() = Some(Machine::boot(&self.site)?);
        Ok(())
    }

    /// Asks a virtual machine to reboot and waits until it is up again, with its disk as it was.
    ///
    /// # Errors
    /// Not a virtual machine, or it does not come back.
    pub fn reboot(&self) -> Result<()> {
        match &mut *self.machine() {
            Some(Machine::Vm(machine)) => machine.reboot(&self.site),
            _ => bail!("{} is no running virtual machine: only those reboot", self.site.name),
        }
    }

    /// Pulls the plug: sshd no longer answers, [`Host::exec`] fails. [`Host::reset`] brings it back as new.
    ///
    /// # Errors
    /// Its mounts or namespace cannot be removed.
    pub fn stop(&self) -> Result<()> {
        match self.machine().take() {
            Some(Machine::Nspawn(machine)) => machine.stop(&self.site),
            Some(Machine::Vm(machine)) => machine.stop(),
            None => Ok(()),
        }
    }

    /// Whether it was booted and not stopped since.
    pub fn is_up(&self) -> bool {
        self.machine().is_some()
    }

    /// The inventory line of the host.
    pub(super) fn inventory_line(&self) -> String {
        format!("{} ansible_host={} ansible_port={}", self.name(), self.address(), self.port())
    }

    /// The known_hosts line of the host (sshd(8)): port 22 is written without brackets.
    pub(super) fn known_hosts_line(&self) -> String {
        let (address, key) = (self.address(), self.host_key());
        match (self.port(), self.image()) {
            (22, _) => format!("{},{address},{} {key}", self.name(), self.ipv6()),
            (port, _) => format!("[{address}]:{port} {key}"),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Option<Machine>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn boot(site: &Site) -> Result<Self> {
        match site.image {
            Image::Debian | Image::Rpm => nspawn::Machine::boot(site).map(Machine::Nspawn),
            Image::Vm => vm::Machine::boot(site).map(Machine::Vm),
        }
    }
}
