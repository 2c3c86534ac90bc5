//! Where `rectify` and its peers run: inside the fleet's network, with a home of their own and nothing of the caller's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;

use super::host::Host;
use super::keys;
use super::namespace::Namespace;
use super::output::Output;

/// A home with a key, a known_hosts file and an inventory of some hosts, and the network that reaches them.
#[derive(Debug)]
pub struct Controller {
    home: PathBuf,
    namespace: Namespace,
}

impl Controller {
    /// Makes a home in which the private key opens the given hosts and the inventory lists them.
    pub(super) fn new(home: PathBuf, namespace: Namespace, private_key: &str, hosts: &[Arc<Host>]) -> Result<Self> {
        let ssh = home.join(".ssh");
        keys::put(&ssh.join("id_ed25519"), 0o600, private_key)?;
        let controller = Self { home, namespace };
        let known: Vec<_> = hosts.iter().map(|host| host.known_hosts_line() + "\n").collect();
        keys::put(&ssh.join("known_hosts"), 0o600, &known.concat())?;
        keys::put(&controller.inventory(), 0o644, &controller.inventory_text(hosts))?;
        Ok(controller)
    }

    fn inventory_text(&self, hosts: &[Arc<Host>]) -> String {
        let mut text = String::new();
        for group in ["debian", "rpm", "vm"] {
            let members: Vec<_> = hosts.iter().filter(|host| host.image().name() == group).collect();
            if !members.is_empty() {
                text.push_str(&format!("[{group}]\n"));
                members.iter().for_each(|host| text.push_str(&format!("{}\n", host.inventory_line())));
                text.push('\n');
            }
        }
        text.push_str("[all:vars]\nansible_user=root\n");
        text.push_str(&format!("ansible_ssh_private_key_file={}\n", self.private_key().display()));
        text
    }

    /// The home folder: `HOME` and working directory of what runs here.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The inventory file: groups `debian`, `rpm`, `vm`; user root with the key.
    pub fn inventory(&self) -> PathBuf {
        self.home.join("inventory.ini")
    }

    /// The private key that opens root, admin, deploy and nosudo on every host.
    pub fn private_key(&self) -> PathBuf {
        self.home.join(".ssh/id_ed25519")
    }

    /// The known_hosts file with every host's key.
    pub fn known_hosts(&self) -> PathBuf {
        self.home.join(".ssh/known_hosts")
    }

    /// The network that the hosts are in, for sockets of the test's own.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Writes a file in the home, for instance a playbook, and returns its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.home.join(name);
        keys::put(&path, 0o644, content)?;
        Ok(path)
    }

    /// A command in the fleet's network with nothing in its environment but `HOME`, `PATH`, `USER`, `LANG` and `TERM`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.namespace.command(program);
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", super::PATH)
            .env("USER", "root")
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .env("RECTIFY_RECORD", self.home.join("record"))
            .current_dir(&self.home);
        command
    }

    /// Runs a command as [`Controller::command`] does and waits for its end.
    ///
    /// # Errors
    /// Only if it could not be run.
    pub fn run<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Output> {
        let mut words = argv.into_iter();
        let program = words.next().ok_or_else(|| anyhow::anyhow!("run an empty command on the controller"))?;
        Output::of(self.command(program).args(words), b"")
    }

    /// OpenSSH's own client to a host, as that user, with the fleet's key and known hosts.
    pub fn ssh(&self, host: &Host, user: &str) -> Command {
        let mut command = self.command("ssh");
        command
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=yes"])
            .arg("-i")
            .arg(self.private_key())
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.known_hosts().display()))
            .args(["-p", &host.port().to_string(), &format!("{user}@{}", host.address())]);
        command
    }
}
