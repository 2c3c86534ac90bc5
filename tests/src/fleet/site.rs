//! Where a host lives: what stays the same when it is reset.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::guard::Guard;
use super::keys;
use super::namespace::Namespace;
use crate::image::Image;

/// The lasting facts of a host.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) image: Image,
    /// The image's folder.
    pub(super) image_folder: PathBuf,
    /// Position in the fleet, from 1: part of addresses and interface names.
    pub(super) index: usize,
    /// Unique on this machine.
    pub(super) machine: String,
    /// The host's own folder: `seed`, `upper`, `work`, `merged`, `console.log`.
    pub(super) folder: PathBuf,
    /// The public host key: type and base64.
    pub(super) host_key: String,
    pub(super) control: Namespace,
    pub(super) guard: Arc<Guard>,
}

impl Site {
    /// The address that the controller uses.
    pub(super) fn address(&self) -> String {
        match self.image {
            Image::Vm => "127.0.0.1".to_owned(),
            Image::Debian | Image::Rpm => {
                format!("10.77.{}.{}", 1 + self.index / 200, 10 + self.index % 200)
            }
        }
    }

    /// The name of the controller's end of the host's cable.
    pub(super) fn cable(&self) -> String {
        format!("v{}", self.index)
    }

    pub(super) fn ipv6(&self) -> String {
        format!("fd77::{:x}", 0x1000 + self.index)
    }

    /// The port that sshd answers on at that address.
    pub(super) fn port(&self) -> u16 {
        match self.image {
            Image::Vm => 2200 + u16::try_from(self.index).unwrap_or(0),
            Image::Debian | Image::Rpm => 22,
        }
    }

    /// What is laid over the image before the first boot: the host's name, its SSH keys, the controller's key.
    pub(super) fn write_seed(&mut self, controller_key: &str) -> Result<()> {
        let seed = self.seed();
        let name = &self.name;
        keys::put(&seed.join("etc/hostname"), 0o644, &format!("{name}\n"))?;
        let hosts = format!("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n");
        keys::put(&seed.join("etc/hosts"), 0o644, &hosts)?;
        keys::put(&seed.join("etc/ssh/fleet_keys"), 0o644, &format!("{controller_key}\n"))?;
        self.host_key = keys::generate(&seed.join("etc/ssh/ssh_host_ed25519_key"))?;
        Ok(())
    }

    pub(super) fn seed(&self) -> PathBuf {
        self.folder.join("seed")
    }

    /// The lower layers of the host's file system, topmost first.
    pub(super) fn lower(&self) -> [PathBuf; 2] {
        [self.seed(), self.image_folder.join("root")]
    }

    /// The end of what the host wrote to its console, for an error.
    pub(super) fn console(&self) -> String {
        let text = fs::read(self.folder.join("console.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// An empty folder of that name in the host's folder, whatever was there before.
    pub(super) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        }
        create(&path)?;
        Ok(path)
    }
}

/// Makes a folder and those above it.
pub(super) fn create(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))
}
