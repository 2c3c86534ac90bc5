//! A fixture as it is written in YAML.

use std::{collections::BTreeMap, path::PathBuf};

use indexmap::IndexMap;
use rectify_core::module::{Manager, Owner};
use serde::Deserialize;

/// A host in YAML. Every key may be left out; what is given comes on top of `base`.
///
/// ```yaml
/// base: debian                       # or rocky; nothing if left out
/// uid: 0                             # who the host's operations run as
/// files:
///   /etc/motd: "hello\n"             # a file with this content, 0644 root:root; its folders are made
///   /etc/secret: {content: x, mode: "0600", owner: root, group: ssl-cert}
///   /srv/www: {dir: true, mode: "2775"}
///   /etc/alias: {link: motd}
///   /dev/sda: {device: true}
///   /var/big: {size: 2147483648}     # so many zero bytes
///   /etc/motd2: {hard: /etc/motd}    # another name of a file that stands above
///   /etc/hostname: ~                 # takes away what the base has there
/// users: {deploy: {uid: 1000, groups: [sudo]}}
/// groups: {sudo: {gid: 27}}
/// packages: {hello: {version: "1.0", files: {/usr/bin/hello: ""}}}
/// units: {x.service: {active: active, file: enabled}}
/// sysctls: {net.ipv4.ip_forward: "0"}
/// kernel_modules: {dccp: 0}          # with its use count
/// probes: [{argv: [id, -u], stdout: "0\n"}]
/// commands: [{argv: [a2enmod, ssl], creates: {/etc/apache2/mods-enabled/ssl.load: {link: ../mods-available/ssl.load}}}]
/// faults: [{path: /etc/motd, on: write, errno: ENOSPC}]
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) base: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) manager: Option<Manager>,
    pub(super) arch: Option<String>,
    pub(super) files: IndexMap<PathBuf, Option<File>>,
    pub(super) users: IndexMap<String, Option<Account>>,
    pub(super) groups: IndexMap<String, Option<GroupSpec>>,
    pub(super) packages: BTreeMap<String, Option<Package>>,
    pub(super) units: BTreeMap<String, Option<UnitSpec>>,
    pub(super) sysctls: IndexMap<String, Option<String>>,
    pub(super) kernel_modules: IndexMap<String, Option<u32>>,
    pub(super) probes: Vec<Probe>,
    pub(super) commands: Vec<Scripted>,
    pub(super) faults: Vec<Fault>,
}

/// What is at a path: text alone is a file's content.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum File {
    Text(String),
    Full(FullFile),
}

/// What is at a path, in full. Exactly one of `content`, `base64`, `size`, `dir`, `link`, `hard`, `device` says what it is;
/// none: an empty file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FullFile {
    pub(super) content: Option<String>,
    pub(super) base64: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) dir: bool,
    pub(super) link: Option<PathBuf>,
    pub(super) hard: Option<PathBuf>,
    pub(super) device: bool,
    /// Octal digits.
    pub(super) mode: Option<String>,
    pub(super) owner: Option<Owner>,
    pub(super) group: Option<Owner>,
    /// Seconds since 1970.
    pub(super) mtime: Option<i64>,
}

/// An account; its primary group has its name unless `gid` says otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: Option<u32>,
    pub(super) comment: String,
    pub(super) home: Option<PathBuf>,
    pub(super) shell: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) password: Option<String>,
    pub(super) expires: Option<i64>,
}

/// A group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GroupSpec {
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

/// A package that is installed, or that the repositories offer, or both.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Package {
    pub(super) version: String,
    /// The version in the repositories, if it is another one. `none`: not offered any more.
    pub(super) candidate: Option<String>,
    pub(super) installed: bool,
    /// Installed as a dependency only.
    pub(super) auto: bool,
    pub(super) essential: bool,
    pub(super) held: bool,
    pub(super) arch: Option<String>,
    /// `a | b` are alternatives.
    pub(super) requires: Vec<String>,
    pub(super) recommends: Vec<String>,
    pub(super) provides: Vec<String>,
    pub(super) section: String,
    pub(super) size_kib: u64,
    /// What it owns. On disk if it is installed.
    pub(super) files: IndexMap<PathBuf, File>,
    /// Which of its files are configuration.
    pub(super) conf: Vec<PathBuf>,
    /// What its files hold in the candidate version, where they differ.
    pub(super) candidate_files: IndexMap<PathBuf, File>,
    /// What its scripts make, owned by no package.
    pub(super) makes: IndexMap<PathBuf, File>,
    pub(super) users: IndexMap<String, Account>,
    pub(super) groups: IndexMap<String, GroupSpec>,
    pub(super) units: BTreeMap<String, UnitSpec>,
}

/// A unit; what is left out is that of a loaded, inactive, disabled one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UnitSpec {
    pub(super) load: Option<String>,
    pub(super) active: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) file: Option<String>,
    pub(super) needs_reload: bool,
}

/// The answer to a question.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Probe {
    pub(super) argv: Vec<String>,
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The answer holds only while something is at this path.
    pub(super) if_exists: Option<PathBuf>,
    /// The answer holds only while this file has this text in it.
    pub(super) if_contains: Option<(PathBuf, String)>,
}

/// What running a command does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Scripted {
    pub(super) argv: Vec<String>,
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) creates: IndexMap<PathBuf, File>,
    pub(super) removes: Vec<PathBuf>,
    pub(super) units: BTreeMap<String, UnitSpec>,
    pub(super) if_exists: Option<PathBuf>,
}

/// An error that the operating system gives at a path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    pub(super) path: PathBuf,
    pub(super) on: On,
    /// `EIO`, `ENOSPC` …
    pub(super) errno: String,
}

/// When a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum On {
    /// When the content or listing is read.
    Read,
    /// Whenever it is looked at.
    Look,
    /// When it is changed.
    Write,
}

impl Spec {
    /// This one, with another on top.
    pub(super) fn with(mut self, top: Spec) -> Spec {
        self.uid = top.uid.or(self.uid);
        self.manager = top.manager.or(self.manager);
        self.arch = top.arch.or(self.arch);
        self.files.extend(top.files);
        self.users.extend(top.users);
        self.groups.extend(top.groups);
        self.packages.extend(top.packages);
        self.units.extend(top.units);
        self.sysctls.extend(top.sysctls);
        self.kernel_modules.extend(top.kernel_modules);
        // The first answer that fits counts.
        self.probes.splice(0..0, top.probes);
        self.commands.splice(0..0, top.commands);
        self.faults.splice(0..0, top.faults);
        self
    }
}

impl File {
    /// In full.
    pub(super) fn full(&self) -> FullFile {
        match self {
            File::Text(text) => FullFile { content: Some(text.clone()), ..FullFile::default() },
            File::Full(full) => full.clone(),
        }
    }
}
