//! Network namespaces: one for the controller with a bridge, one per host with a cable into it.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::command::run;

/// The bridge's address in the controller's namespace; hosts are in the same /16.
pub const CONTROLLER_ADDRESS: &str = "10.77.0.1";
const BRIDGE: &str = "br0";

/// A named network namespace (ip-netns(8)).
#[derive(Debug, Clone)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace with its loopback up.
    pub(super) fn create(name: &str) -> Result<Self> {
        run("ip", &["netns", "add", name])?;
        run("ip", &["-n", name, "link", "set", "lo", "up"])?;
        Ok(Self { name: name.to_owned() })
    }

    /// Makes this the middle of a fleet: a bridge with the controller's addresses. Its hardware address is set, or it would be
    /// the lowest of its cables' and change with them under those who have it cached.
    pub(super) fn add_bridge(&self) -> Result<()> {
        let own = format!("{CONTROLLER_ADDRESS}/16");
        let hardware = hardware_address(0);
        run(
            "ip",
            &["-n", &self.name, "link", "add", BRIDGE, "address", &hardware, "type", "bridge", "forward_delay", "0"],
        )?;
        run("ip", &["-n", &self.name, "addr", "add", &own, "dev", BRIDGE])?;
        run("ip", &["-n", &self.name, "addr", "add", "fd77::1/64", "dev", BRIDGE, "nodad"])?;
        run("ip", &["-n", &self.name, "link", "set", BRIDGE, "up"])?;
        Ok(())
    }

    /// Lays a cable from this bridge into a host's namespace, where its end is `host0`. The host's hardware address is always
    /// the same: after a reset it answers at once, and not only when the others' caches have given up on the old one.
    pub(super) fn connect(&self, host: &Namespace, index: usize, cable: &str, ipv4: &str, ipv6: &str) -> Result<()> {
        let hardware = hardware_address(index);
        run(
            "ip",
            &[
                "-n", &self.name, "link", "add", cable, "type", "veth", "peer", "name", "host0", "address", &hardware,
                "netns", &host.name,
            ],
        )?;
        run("ip", &["-n", &self.name, "link", "set", cable, "master", BRIDGE, "up"])?;
        run("ip", &["-n", &host.name, "addr", "add", &format!("{ipv4}/16"), "dev", "host0"])?;
        run("ip", &["-n", &host.name, "addr", "add", &format!("{ipv6}/64"), "dev", "host0", "nodad"])?;
        run("ip", &["-n", &host.name, "link", "set", "host0", "up"])?;
        Ok(())
    }

    /// Takes a cable away at once; with its namespace it would go only some time after.
    pub(super) fn disconnect(&self, cable: &str) -> Result<()> {
        run("ip", &["-n", &self.name, "link", "del", cable]).map(drop)
    }

    /// Removes the namespace's name; it goes when the last process in it is gone, and its cables with it.
    pub(super) fn remove(&self) -> Result<()> {
        run("ip", &["netns", "del", &self.name]).map(drop)
    }

    /// The namespace's name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for the namespace.
    pub fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    /// A command that runs in this namespace, with this process's environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg("--").arg(program);
        command
    }

    /// Runs a closure on a thread of its own in this namespace. Sockets made there stay in the namespace, wherever they are used;
    /// so do threads that it starts.
    ///
    /// # Errors
    /// The namespace is gone, or the closure's own error.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = self.path();
        let namespace = std::fs::File::open(&path).with_context(|| format!("open {path}"))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                        .with_context(|| format!("enter {path}"))?;
                    work()
                })
                .join()
                .map_err(|_| anyhow!("the work in a network namespace panicked"))?
        })
    }
}

/// A locally administered hardware address for the host of that position; 0 is the controller.
fn hardware_address(index: usize) -> String {
    format!("02:77:00:00:{:02x}:{:02x}", (index >> 8) & 0xff, index & 0xff)
}
