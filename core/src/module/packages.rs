//! Packages, whatever the package manager.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which family of package manager a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// dpkg and apt.
    Apt,
    /// rpm and dnf.
    Dnf,
}

/// Whether a package's files are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageStatus {
    /// Installed and configured.
    Installed,
    /// Unpacked, half-configured or otherwise broken.
    Broken,
    /// Removed, but its configuration is still there (dpkg's `config-files`).
    ConfigFiles,
}

/// A package that the host's database knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Its name, without architecture.
    pub name: String,
    /// Its architecture.
    pub arch: String,
    /// Its version, with epoch and release where there are any.
    pub version: String,
    /// What state it is in.
    pub status: PackageStatus,
    /// Whether it was asked for, and not only installed as a dependency.
    pub manual: bool,
    /// Whether the distribution calls it essential or protected.
    pub essential: bool,
    /// Whether an administrator has put it on hold (or locked its version).
    pub held: bool,
    /// What it requires: alternatives within a requirement, by package or capability name, versions left out.
    pub requires: Vec<Vec<String>>,
    /// What it recommends, in the same form.
    pub recommends: Vec<Vec<String>>,
    /// The capabilities that it provides, its own name not included.
    pub provides: Vec<String>,
    /// Section or group, where there is one.
    pub section: String,
    /// Installed size in KiB.
    pub size_kib: u64,
}

/// Everything that is installed: one bulk query, shared by all tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageDb {
    /// Which manager.
    pub manager: Manager,
    /// The host's own architecture in the manager's words (`amd64`, `x86_64`).
    pub arch: String,
    /// By name, then architecture (`name` or `name:arch` for a foreign one).
    pub packages: BTreeMap<String, InstalledPackage>,
}

impl PackageDb {
    /// The package of this name (or `name:arch`), if its files are there.
    pub fn installed(&self, name: &str) -> Option<&InstalledPackage> {
        self.packages.get(name).filter(|p| p.status != PackageStatus::ConfigFiles)
    }
}

/// A package that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSpec {
    /// Its name, perhaps with `:arch`; or the path of a package file on the host.
    pub name: String,
    /// This version exactly.
    pub version: Option<String>,
}

/// One transaction as it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRequest {
    /// To be there; what is there already in any version stays as it is, unless a version is given.
    pub install: Vec<PackageSpec>,
    /// To be there in the newest version that the repositories have.
    pub latest: Vec<String>,
    /// To be gone.
    pub remove: Vec<String>,
    /// Whether configuration goes too.
    pub purge: bool,
    /// Whether packages go too that were only installed as dependencies and that nothing needs any more.
    pub autoremove: bool,
    /// Whether recommended packages are installed too; `None`: as the host is configured.
    pub recommends: Option<bool>,
    /// Whether a version may go down.
    pub allow_downgrade: bool,
    /// Whether the index is fetched first if it is older than this many seconds (0: always).
    pub refresh: Option<u64>,
    /// Repositories to enable for this transaction (dnf).
    pub enable_repos: Vec<String>,
    /// Repositories to leave out of this transaction (dnf).
    pub disable_repos: Vec<String>,
    /// The release to prefer (apt's `-t`).
    pub default_release: Option<String>,
}

/// One package in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageChange {
    /// Its name, with `:arch` if it is a foreign one.
    pub name: String,
    /// The version before; `None`: not installed.
    pub from: Option<String>,
    /// The version after; `None`: removed.
    pub to: Option<String>,
    /// Whether its configuration goes too.
    pub purge: bool,
}

/// Everything that a request would do, with all that it takes along, as the package manager itself resolves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Every package that changes, by name.
    pub changes: Vec<PackageChange>,
}

impl Transaction {
    /// Whether nothing would happen.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The packages that would be removed.
    pub fn removed(&self) -> impl Iterator<Item = &PackageChange> {
        self.changes.iter().filter(|c| c.to.is_none())
    }
}
