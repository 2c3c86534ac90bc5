//! The real machine.
//!
//! ```text
//! files/     metadata, content, whole-file replacement, trees, links
//! accounts/  passwd, group and shadow files; the account tools
//! packages/  what dpkg and rpm know; what apt and dnf would do, and do
//! process/   programs: groups of their own, both outputs drained, ended with the helper
//! units      systemctl
//! kernel     /proc/sys, /proc/modules, modprobe
//! traces/    when and by whom something was changed, by times and logs
//! blobs      the files that came with the plan
//! ```
//!
//! This folder alone touches the operating system; `clippy.toml` holds the others to that. It calls no name service: the
//! helper is a static program, and the C library would load the host's libraries into it.

#![expect(clippy::disallowed_methods, reason = "the one place of this crate that touches the operating system")]
#![expect(clippy::disallowed_types, reason = "the one place of this crate that touches the operating system")]

mod accounts;
mod blobs;
mod files;
mod host;
mod kernel;
mod packages;
mod process;
mod text;
mod traces;
mod units;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use blobs::Blobs;
use rectify_core::module::{Command, HostError, HostResult, Output, User};

use self::{
    process::{Identity, Job, Processes},
    text::{complaint, sanitize},
};

/// The machine that this process runs on.
///
/// Every look is at the machine as it is now: what is remembered (accounts, packages) is remembered only as long as its source
/// has not changed, units for a second at most. All methods may be called from several threads; who orders writes is the engine.
pub struct Live {
    blobs: Blobs,
    processes: Processes,
    accounts: accounts::Source,
    packages: packages::Cache,
    units: units::Cache,
    audit: traces::Log,
}

impl Live {
    /// The machine, with the blobs that came with the plan.
    pub fn new(blobs: Blobs) -> Self {
        Live {
            blobs,
            processes: Processes::default(),
            accounts: accounts::Source::new("/etc"),
            packages: packages::Cache::default(),
            units: units::Cache::default(),
            audit: traces::Log::default(),
        }
    }

    /// Says which units will probably be looked at, so that one look is enough for all of them.
    pub fn expect_units<'a>(&self, names: impl Iterator<Item = &'a str>) {
        units::expect(self, names);
    }

    /// Ends every command that runs now, with its children: first asked to, and after five seconds made to. From then on
    /// no command begins: whoever asks for one gets [`HostError::Cancelled`]. Returns when they are gone. A package
    /// transaction is not ended: half of one would be worse than a late end.
    pub fn kill_commands(&self) {
        self.processes.kill_all();
    }

    /// Runs a program for a module.
    fn exec(&self, command: &Command) -> HostResult<Output> {
        let accounts = self.accounts.get()?;
        let own = rustix::process::geteuid();
        let (identity, user) = match &command.user {
            Some(name) => self.identity(name)?,
            None => (None, accounts.users.iter().find(|u| u.uid == own.as_raw()).cloned()),
        };
        let mut env = environment(user.as_ref(), "C.UTF-8");
        env.extend(command.env.iter().map(|(k, v)| (k.clone(), v.clone())));
        let job = Job {
            argv: &command.argv,
            stdin: &command.stdin,
            env,
            cwd: command.cwd.as_deref().unwrap_or(Path::new("/")),
            identity,
            umask: command.umask,
            shielded: false,
        };
        self.processes.run(&job)
    }

    /// The account to run as, if it is not our own already.
    fn identity(&self, name: &str) -> HostResult<(Option<Identity>, Option<User>)> {
        let Some(user) = self.find_user(name)? else {
            return Err(HostError::Io {
                action: "running as".into(),
                object: sanitize(name.as_bytes()),
                message: "there is no such account".into(),
                errno: None,
            });
        };
        let own = rustix::process::geteuid();
        if own.as_raw() == user.uid {
            return Ok((None, Some(user)));
        }
        if !own.is_root() {
            let name = sanitize(name.as_bytes());
            return Err(HostError::Unsupported(format!("running as {name} needs root: use `become`")));
        }
        let identity = Identity { uid: user.uid, gid: user.gid, groups: self.supplementary(&user)? };
        Ok((Some(identity), Some(user)))
    }

    /// All groups of an account by number, its primary one included, as initgroups(3) would set them.
    fn supplementary(&self, user: &User) -> HostResult<Vec<u32>> {
        let accounts = self.accounts.get()?;
        let mut gids = vec![user.gid];
        if accounts.users.iter().any(|u| u.name == user.name) {
            gids.extend(accounts.groups.iter().filter(|g| g.members.contains(&user.name)).map(|g| g.gid));
        } else {
            // `name 100 101`, from wherever the account is.
            let line = self.getent("initgroups", &user.name)?.unwrap_or_default();
            gids.extend(line.split_ascii_whitespace().skip(1).filter_map(|g| g.parse::<u32>().ok()));
        }
        rectify_core::small::sort(&mut gids);
        gids.dedup();
        Ok(gids)
    }

    fn find_user(&self, name: &str) -> HostResult<Option<User>> {
        if let Some(user) = self.accounts.get()?.users.iter().find(|u| u.name == name) {
            return Ok(Some(user.clone()));
        }
        let line = self.getent("passwd", name)?;
        // `getent passwd 0` finds root: only the name that was asked for counts.
        Ok(line.as_deref().and_then(accounts::user_line).filter(|u| u.name == name))
    }

    /// One line of a database of the host's name services; `None` if it has none, or if the host has no `getent`.
    fn getent(&self, database: &str, key: &str) -> HostResult<Option<String>> {
        if key.is_empty() || key.starts_with('-') || key.contains([':', '\n', '\0']) {
            return Ok(None);
        }
        let output = match self.machinery_raw(&Command::new(["getent", database, key])) {
            Err(HostError::Io { errno: Some(n), .. }) if n == rustix::io::Errno::NOENT.raw_os_error() => {
                return Ok(None);
            }
            other => other?,
        };
        match output.code {
            0 => Ok(String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)),
            // getent(1): 1 unknown database, 2 no such key.
            1 | 2 => Ok(None),
            _ => Err(program_failed(&Command::new(["getent", database, key]), &output)),
        }
    }

    /// Runs a program of the host's own machinery, with messages in English; anything but success is an error.
    fn machinery(&self, command: &Command) -> HostResult<Output> {
        let output = self.machinery_raw(command)?;
        if output.code == 0 { Ok(output) } else { Err(program_failed(command, &output)) }
    }

    /// As [`Live::machinery`], whatever its exit status.
    fn machinery_raw(&self, command: &Command) -> HostResult<Output> {
        self.machinery_job(command, false)
    }

    /// As [`Live::machinery_raw`]; `shielded`: neither the helper's end nor a cancelled run ends it.
    fn machinery_job(&self, command: &Command, shielded: bool) -> HostResult<Output> {
        let accounts = self.accounts.get()?;
        let own = rustix::process::geteuid().as_raw();
        let mut env = environment(accounts.users.iter().find(|u| u.uid == own), "C");
        env.extend(command.env.iter().map(|(k, v)| (k.clone(), v.clone())));
        let (argv, stdin) = (command.argv.as_slice(), command.stdin.as_slice());
        let job = Job { argv, stdin, env, cwd: Path::new("/"), identity: None, umask: Some(0o022), shielded };
        self.processes.run(&job)
    }
}

/// The small, fixed environment of every program.
fn environment(user: Option<&User>, locale: &str) -> Vec<(String, String)> {
    let name = user.map_or("root", |u| u.name.as_str());
    let home = user.map_or_else(|| PathBuf::from("/"), |u| u.home.clone());
    [
        ("PATH", process::PATH),
        ("HOME", &home.to_string_lossy()),
        ("USER", name),
        ("LOGNAME", name),
        ("SHELL", user.map_or("/bin/sh", |u| u.shell.as_str())),
        ("LANG", locale),
        ("LC_ALL", locale),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}

/// The error of a program that did not succeed.
fn program_failed(command: &Command, output: &Output) -> HostError {
    let said = if output.stderr.trim_ascii().is_empty() { &output.stdout } else { &output.stderr };
    HostError::Program {
        program: sanitize(command.argv.join(" ").as_bytes()),
        status: if output.code > 128 {
            format!("signal {}", output.code - 128)
        } else {
            format!("exit {}", output.code)
        },
        stderr: complaint(said),
    }
}
