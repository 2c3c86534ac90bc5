//! How to reach a host: OpenSSH's client configuration, resolved as `ssh` does.
//!
//! ```text
//! ~/.ssh/config, /etc/ssh/ssh_config ──load──► SshConfig ──resolve(host)──► ResolvedHost + what is not supported
//!   (includes read here, once)                      └──── ssh -G (where only OpenSSH understands it) ──┘
//! ```
//!
//! Loading is the only part that reads files. Resolving is pure, but for `Match exec`, which has to be permitted in
//! [`Env`], and for asking `ssh`. Nothing is looked up in the DNS.

mod env;
mod error;
mod exec;
mod expand;
mod finish;
mod glob;
mod jump;
mod keywords;
mod load;
mod matching;
mod openssh;
pub(crate) mod pattern;
mod resolve;
mod settings;
mod types;
mod values;
mod words;

use std::path::{Path, PathBuf};

pub use env::Env;
pub use error::{ConfigError, Effect, LineError, Unsupported};
pub use jump::JumpHost;
pub use types::{
    AddressFamily, AlgorithmChoice, ConfiguredFile, IdentityAgent, Proxy, ResolvedHost, Source, StrictHostKeys,
};

use load::{ConfigFile, Loader};
use resolve::Pass;

/// The system's configuration.
pub const SYSTEM_FILE: &str = "/etc/ssh/ssh_config";

/// A configuration, read and ready to be asked about many hosts.
#[derive(Debug)]
pub struct SshConfig {
    env: Env,
    files: Vec<ConfigFile>,
    user_file: Option<PathBuf>,
    system_file: Option<PathBuf>,
}

impl SshConfig {
    /// Reads the user's configuration, then the system's, and what they include. A file that does not exist is empty.
    ///
    /// Errors if a file cannot be read or could have been written by somebody else, or if a line makes no sense, in
    /// whatever section it stands: all such lines are in the error.
    pub fn load(user_file: Option<&Path>, system_file: Option<&Path>, env: Env) -> Result<Self, ConfigError> {
        let mut loader = Loader::new(&env, system_file);
        let mut files = Vec::new();
        for (path, of_user) in [(user_file, true), (system_file, false)] {
            if let Some(path) = path {
                files.extend(loader.load(path, of_user, 0)?);
            }
        }
        let mut lines = loader.errors;
        let config =
            Self { env, files, user_file: user_file.map(Path::to_owned), system_file: system_file.map(Path::to_owned) };
        lines.extend(Pass::new(&config, "").check());
        match lines.is_empty() {
            true => Ok(config),
            false => Err(ConfigError::Lines { lines }),
        }
    }

    /// Reads `~/.ssh/config` and `/etc/ssh/ssh_config`.
    pub fn load_default(env: Env) -> Result<Self, ConfigError> {
        let user_file = default_user_file(&env);
        Self::load(Some(&user_file), Some(Path::new(SYSTEM_FILE)), env)
    }

    /// What `ssh [-l user] [-p port] host` would use. `host` is a name or an address, without user and port.
    ///
    /// See [`ResolvedHost::unsupported`] for what is in force and not honoured.
    pub fn resolve(&self, host: &str, user: Option<&str>, port: Option<u16>) -> Result<ResolvedHost, ConfigError> {
        self.resolve_with(host, user, port, &[])
    }

    /// As [`resolve`](Self::resolve) for a command with `-o KEYWORD=VALUE` for each of `options`, which go before the files.
    pub fn resolve_with(
        &self,
        host: &str,
        user: Option<&str>,
        port: Option<u16>,
        options: &[(String, String)],
    ) -> Result<ResolvedHost, ConfigError> {
        check_names(host, user)?;
        Pass::new(self, host).resolve(user, port, options)
    }

    /// The keywords that are honoured, in lower case.
    pub fn honoured() -> &'static [&'static str] {
        keywords::FULL
    }

    /// As [`resolve`](Self::resolve); where something unsupported may lead elsewhere, `ssh` is asked instead, if given.
    ///
    /// It is not asked if it would run a `Match exec` that is not permitted: such a host
    /// [may lead elsewhere](ResolvedHost::may_lead_elsewhere), and it is for the caller to say so or refuse.
    pub fn resolve_or_ask(
        &self,
        host: &str,
        user: Option<&str>,
        port: Option<u16>,
        ssh: Option<&Path>,
    ) -> Result<ResolvedHost, ConfigError> {
        let own = self.resolve(host, user, port)?;
        match ssh {
            Some(ssh) if own.may_lead_elsewhere() && (self.env.run_match_exec || !self.has_match_exec()) => {
                let mut asked = self.resolve_by_openssh(ssh, host, user, port)?;
                asked.unsupported = named(own.unsupported, asked.unsupported);
                Ok(asked)
            }
            _ => Ok(own),
        }
    }

    /// The files that were read, included ones too, each time that they were.
    pub fn files(&self) -> Vec<&Path> {
        let mut files = Vec::new();
        let mut todo: Vec<&ConfigFile> = self.files.iter().rev().collect();
        while let Some(file) = todo.pop() {
            files.push(file.path.as_path());
            todo.extend(file.lines.iter().flat_map(|line| &line.included).collect::<Vec<_>>().into_iter().rev());
        }
        files
    }

    fn has_default_files(&self) -> bool {
        self.user_file == Some(default_user_file(&self.env))
            && self.system_file.as_deref() == Some(Path::new(SYSTEM_FILE))
    }

    fn has_match_exec(&self) -> bool {
        fn any(files: &[ConfigFile]) -> bool {
            let exec = |line: &load::Line| line.keyword == "match" && line.rest.to_ascii_lowercase().contains("exec");
            files.iter().flat_map(|file| &file.lines).any(|line| exec(line) || any(&line.included))
        }
        any(&self.files)
    }
}

/// What is not supported, by the lines that were read: of what may lead elsewhere only that which OpenSSH's answer still
/// has in it, and of that what no line of ours says.
fn named(own: Vec<Unsupported>, asked: Vec<Unsupported>) -> Vec<Unsupported> {
    fn keyword(option: &Unsupported) -> Option<&str> {
        option.option.split(' ').next()
    }
    let has = |all: &[Unsupported], option: &Unsupported| all.iter().any(|other| keyword(other) == keyword(option));
    let new: Vec<_> = asked.iter().filter(|option| !has(&own, option)).cloned().collect();
    let kept = own.into_iter().filter(|option| option.effect != Effect::Destination || has(&asked, option));
    kept.chain(new).collect()
}

fn default_user_file(env: &Env) -> PathBuf {
    env.home.join(".ssh/config")
}

/// Refuses names that would become options or commands once they are put into a command line, as OpenSSH does since 9.6.
fn check_names(host: &str, user: Option<&str>) -> Result<(), ConfigError> {
    let refuse = |what, value: &str, why| Err(ConfigError::Name { what, value: value.to_owned(), why });
    let odd = |c: char| c.is_control() || c.is_whitespace() || "'`\"$\\;&<>|(){},".contains(c);
    if host.is_empty() {
        return refuse("host", host, "it is empty");
    }
    if host.starts_with('-') || host.contains(odd) {
        return refuse("host", host, "it begins with a dash or has characters that a shell understands");
    }
    let Some(user) = user else { return Ok(()) };
    if user.is_empty() {
        return refuse("user", user, "it is empty");
    }
    let odd = |c: char| c.is_control() || "'`\";&<>|(){}".contains(c);
    if user.starts_with('-') || user.contains(odd) || user.contains(" -") || user.ends_with('\\') {
        return refuse("user", user, "it begins with a dash or has characters that a shell understands");
    }
    Ok(())
}
