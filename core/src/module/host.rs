//! A host as modules see it: [`Observe`] looks, [`Operate`] changes.
//!
//! | host | what it is | used by |
//! | --- | --- | --- |
//! | `Live` | the real machine | apply |
//! | `Rehearsal` | reads through to another host; writes land in memory and are seen by later reads | check |
//! | `Fake` | a `Rehearsal` over a fixture | unit tests |
//!
//! All paths are absolute; a host refuses a relative one. Every method may answer [`HostError::Unknown`] in a rehearsal; a
//! module passes it on with `?` and never replaces it by a guess.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::event::Trace;

use super::{Entity, Extent, HostError, HostResult, PackageDb, PackageRequest, Transaction, Unit, UnitAction};

/// What kind of thing is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, socket or FIFO.
    Other,
}

/// What the file system knows of a path (inode(7)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, set-id and sticky bits included (at most 0o7777).
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime: i64,
    /// Access time, nanoseconds since 1970.
    pub atime: i64,
    /// Status change time, nanoseconds since 1970.
    pub ctime: i64,
    /// Number of hard links.
    pub nlink: u64,
    /// Inode number; 0 if it exists only in a rehearsal.
    pub ino: u64,
    /// Device number; 0 if it exists only in a rehearsal.
    pub dev: u64,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name; any bytes but `/` and NUL.
    pub name: std::ffi::OsString,
    /// What it is, links not followed.
    pub kind: FileKind,
}

/// An account (passwd(5), shadow(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group's id.
    pub gid: u32,
    /// GECOS field.
    pub comment: String,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: String,
    /// Supplementary groups by name, sorted.
    pub groups: Vec<String>,
    /// The encrypted password, if it could be read (root only).
    pub password: Option<String>,
    /// Account expiry, days since 1970, if set and readable.
    pub expires: Option<i64>,
}

/// A group (group(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Members by name, sorted.
    pub members: Vec<String>,
}

/// How an account is to be made or changed: what is `None` stays as it is, or gets the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// User id.
    pub uid: Option<u32>,
    /// Primary group, by name or number.
    pub group: Option<super::Owner>,
    /// All supplementary groups.
    pub groups: Option<Vec<String>>,
    /// GECOS field.
    pub comment: Option<String>,
    /// Home folder.
    pub home: Option<PathBuf>,
    /// Whether the home folder is made (for a new account) or moved (for an existing one).
    pub handle_home: bool,
    /// Login shell.
    pub shell: Option<String>,
    /// Encrypted password (crypt(5)).
    pub password: Option<String>,
    /// Whether the account is locked for passwords.
    pub locked: Option<bool>,
    /// Whether a new account is a system account.
    pub system: bool,
    /// Account expiry, days since 1970; `Some(None)` removes it.
    pub expires: Option<Option<i64>>,
    /// Whether a user id that another account has is accepted.
    pub non_unique: bool,
}

/// How a group is to be made or changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// Group id.
    pub gid: Option<u32>,
    /// Whether a new group is a system group.
    pub system: bool,
    /// Whether a group id that another group has is accepted.
    pub non_unique: bool,
}

/// What a file that is replaced gets. `None` keeps what the replaced file had, or the default for a new one (mode 0644 less
/// the umask, the helper's own account).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteAttrs {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// A program to run: argv, never a string for a shell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments. The program is looked for in the host's default path.
    pub argv: Vec<String>,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Variables added to a small, fixed environment (`LC_ALL=C.UTF-8`, `PATH`, `HOME` …).
    pub env: IndexMap<String, String>,
    /// Working folder; `/` if not given.
    pub cwd: Option<PathBuf>,
    /// The account to run as, by name; the helper's own if not given.
    pub user: Option<String>,
    /// Permission mask.
    pub umask: Option<u32>,
    /// What its answer depends on, for a probe: if an earlier task changed one of these, a rehearsal cannot ask.
    pub reads: Vec<Entity>,
}

impl Command {
    /// A command from its words.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() }
    }

    /// Declares what the answer depends on.
    #[must_use]
    pub fn reading(mut self, entities: impl IntoIterator<Item = Entity>) -> Self {
        self.reads.extend(entities);
        self
    }
}

/// What a program said and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit status, or 128 plus the signal that ended it.
    pub code: i32,
    /// Standard output, at most 16 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, at most 16 MiB.
    pub stderr: Vec<u8>,
    /// Whether either was cut off at its limit.
    pub truncated: bool,
}

/// What running a command may change, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// How far it may reach; empty: it changes nothing.
    pub extents: Vec<Extent>,
}

/// Looking at a host.
pub trait Observe: Send + Sync {
    /// Metadata of what is at `path`, the last component not followed; `None` if nothing is there.
    fn lstat(&self, path: &Path) -> HostResult<Option<Meta>>;

    /// Metadata of what `path` leads to; `None` if nothing is there or a link dangles.
    fn stat(&self, path: &Path) -> HostResult<Option<Meta>>;

    /// The content of the regular file that `path` leads to; `None` if nothing is there. More than `limit` bytes is
    /// [`HostError::TooLarge`]; what is not a regular file is an error, and is not opened.
    fn read(&self, path: &Path, limit: u64) -> HostResult<Option<Arc<[u8]>>>;

    /// Lower-case hexadecimal SHA-256 of the regular file at `path`, of any size; `None` if nothing is there.
    fn sha256(&self, path: &Path) -> HostResult<Option<String>>;

    /// Where the link at `path` points, as written in it.
    fn read_link(&self, path: &Path) -> HostResult<PathBuf>;

    /// Calls `each` with the entries of the folder at `path`, in no order, without holding them all; stops when it returns
    /// false.
    fn list(&self, path: &Path, each: &mut dyn FnMut(DirEntry) -> bool) -> HostResult<()>;

    /// The account of this name.
    fn user(&self, name: &str) -> HostResult<Option<User>>;

    /// The account with this number.
    fn user_by_id(&self, uid: u32) -> HostResult<Option<User>>;

    /// The group of this name.
    fn group(&self, name: &str) -> HostResult<Option<Group>>;

    /// The group with this number.
    fn group_by_id(&self, gid: u32) -> HostResult<Option<Group>>;

    /// All local accounts.
    fn users(&self) -> HostResult<Vec<User>>;

    /// All local groups.
    fn groups(&self) -> HostResult<Vec<Group>>;

    /// Everything that is installed.
    fn packages(&self) -> HostResult<Arc<PackageDb>>;

    /// What a request would do, as the package manager resolves it, from the state that the host (or rehearsal) is in now.
    fn resolve(&self, request: &PackageRequest) -> HostResult<Transaction>;

    /// The newest version of each package that the repositories offer; a name that they do not have is left out.
    fn candidates(&self, names: &[String]) -> HostResult<IndexMap<String, String>>;

    /// The paths that an installed package owns; the second part says which of them are configuration that survives removal.
    fn package_files(&self, name: &str) -> HostResult<Vec<(PathBuf, bool)>>;

    /// A unit; [`Unit::exists`] is false for one that is not there.
    fn unit(&self, name: &str) -> HostResult<Unit>;

    /// The live value of a kernel parameter (dots in the name); `None` if the kernel does not have it.
    fn sysctl(&self, key: &str) -> HostResult<Option<String>>;

    /// The names of the kernel modules that are loaded, `-` written as `_`, with their use counts.
    fn kernel_modules(&self) -> HostResult<IndexMap<String, u32>>;

    /// Runs a program that only looks. The caller vouches that it changes nothing.
    fn probe(&self, command: &Command) -> HostResult<Output>;

    /// The user id that the host's operations run under.
    fn uid(&self) -> u32;

    /// What the host knows of when and by whom these things were changed, in the words of its logs. To look for it is best effort.
    fn traces(&self, _things: &[Entity]) -> Vec<Trace> {
        Vec::new()
    }

    /// Bytes of a blob that came with the plan; an unknown hash is an error.
    fn blob(&self, sha256: &str) -> HostResult<Arc<[u8]>> {
        Err(HostError::Unsupported(format!("no file with the hash {sha256} came with the plan")))
    }
}

/// Changing a host.
pub trait Operate: Observe {
    /// Replaces the file at `path` as a whole: afterwards there is the old file or the new one, never a part. A link at
    /// `path` is followed. Missing folders are an error.
    fn write(&self, path: &Path, content: &[u8], attrs: &WriteAttrs) -> HostResult<()>;

    /// As [`Operate::write`], from a blob that came with the plan, by its SHA-256.
    fn write_blob(&self, path: &Path, sha256: &str, attrs: &WriteAttrs) -> HostResult<()>;

    /// As [`Operate::write`], with the content of another file of this host.
    fn copy_file(&self, from: &Path, to: &Path, attrs: &WriteAttrs) -> HostResult<()>;

    /// Makes one folder with exactly these permission bits.
    fn make_dir(&self, path: &Path, mode: u32) -> HostResult<()>;

    /// Makes a symbolic link at `path`, replacing a link or file that is there.
    fn symlink(&self, target: &Path, path: &Path) -> HostResult<()>;

    /// Makes `path` another name of `target`, replacing a file that is there.
    fn hard_link(&self, target: &Path, path: &Path) -> HostResult<()>;

    /// Removes what is at `path`, a folder with all that is in it; links are not followed. Nothing there is no error.
    fn remove(&self, path: &Path) -> HostResult<()>;

    /// Sets the permission bits of what `path` leads to.
    fn set_mode(&self, path: &Path, mode: u32) -> HostResult<()>;

    /// Sets owner and group; `None` leaves one as it is. With `follow` false a link's own owner is set.
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, follow: bool) -> HostResult<()>;

    /// Sets modification and access time, nanoseconds since 1970; `None` leaves one as it is.
    fn set_times(&self, path: &Path, mtime: Option<i64>, atime: Option<i64>) -> HostResult<()>;

    /// Runs one package transaction; says what it did.
    fn transact(&self, request: &PackageRequest) -> HostResult<Transaction>;

    /// Acts on a unit.
    fn act_on_unit(&self, unit: &str, action: UnitAction) -> HostResult<()>;

    /// Makes systemd read its unit files again.
    fn reload_units(&self) -> HostResult<()>;

    /// Makes an account (if `name` is new) or changes it.
    fn put_user(&self, name: &str, change: &UserChange) -> HostResult<()>;

    /// Removes an account; with `home`, its home folder and mail spool too.
    fn remove_user(&self, name: &str, home: bool) -> HostResult<()>;

    /// Makes a group (if `name` is new) or changes it.
    fn put_group(&self, name: &str, change: &GroupChange) -> HostResult<()>;

    /// Removes a group.
    fn remove_group(&self, name: &str) -> HostResult<()>;

    /// Sets the live value of a kernel parameter.
    fn set_sysctl(&self, key: &str, value: &str) -> HostResult<()>;

    /// Loads (true) or unloads (false) a kernel module.
    fn set_kernel_module(&self, name: &str, loaded: bool) -> HostResult<()>;

    /// Runs a program that changes what `effects` declares. A rehearsal notes the effects as unknown and answers
    /// [`HostError::NotRehearsed`].
    fn run(&self, command: &Command, effects: &Effects) -> HostResult<Output>;
}
