//! What a host's configuration comes to.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{Effect, Unsupported};
use super::jump::JumpHost;
use super::pattern::{self, ListMatch};

/// Everything that `ssh HOST` would use to reach the host, tokens and `~` expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedHost {
    /// The name as it was asked for.
    pub original: String,
    /// The name or address to connect to: `HostName`, in lower case.
    pub hostname: String,
    /// The port to connect to.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// By which way.
    pub proxy: Proxy,
    /// Private keys to try, in this order: the configured ones, or OpenSSH's default files (which need not exist).
    pub identity_files: Vec<ConfiguredFile>,
    /// Whether `identity_files` were configured: it is then worth a message if one is missing.
    pub identity_files_configured: bool,
    /// Certificates for the keys, besides `KEY-cert.pub`.
    pub certificate_files: Vec<ConfiguredFile>,
    /// Whether the agent may only offer keys that are in `identity_files`.
    pub identities_only: bool,
    /// Which agent.
    pub identity_agent: IdentityAgent,
    /// How long connecting may take; `None` for the system's limit.
    pub connect_timeout: Option<Duration>,
    /// After how long a silence to ask whether the server is alive; `None` for never.
    pub server_alive_interval: Option<Duration>,
    /// After how many unanswered questions to give up.
    pub server_alive_count_max: u32,
    /// Where host keys are looked up, and into the first of which they are written.
    pub user_known_hosts: Vec<PathBuf>,
    /// Where host keys are looked up besides.
    pub global_known_hosts: Vec<PathBuf>,
    /// What to do about unknown host keys.
    pub strict_host_key_checking: StrictHostKeys,
    /// The name to look up in the known hosts instead.
    pub host_key_alias: Option<String>,
    /// Whether names are hashed when they are written.
    pub hash_known_hosts: bool,
    /// Whether the address is looked up too.
    pub check_host_ip: bool,
    /// Which algorithms host keys may have, in order of preference.
    pub host_key_algorithms: AlgorithmChoice,
    /// Order of authentication methods, if configured.
    pub preferred_authentications: Option<Vec<String>>,
    /// Whether keys may be used to log in.
    pub pubkey_authentication: bool,
    /// Whether a password may be used.
    pub password_authentication: bool,
    /// Whether the server may ask questions.
    pub kbd_interactive_authentication: bool,
    /// Whether nobody is there to answer.
    pub batch_mode: bool,
    /// Which kind of addresses to use.
    pub address_family: AddressFamily,
    /// The local address to connect from.
    pub bind_address: Option<String>,
    /// Whether to compress.
    pub compression: bool,
    /// Options in force that are not supported, in the order of the files.
    pub unsupported: Vec<Unsupported>,
    /// Who resolved this.
    pub source: Source,
}

impl ResolvedHost {
    /// Whether something unsupported may make this lead to another machine, or another way, than `ssh` would take.
    pub fn may_lead_elsewhere(&self) -> bool {
        self.unsupported.iter().any(|option| option.effect == Effect::Destination)
    }
}

/// Who resolved a host's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This module.
    Own,
    /// `ssh -G`.
    OpenSsh,
}

/// By which way to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// Directly.
    None,
    /// Through these hosts, the first one first; never empty. Each is resolved by the configuration in its turn: the
    /// first one's own proxy counts, that of the others does not.
    Jump(Vec<JumpHost>),
    /// Over the standard input and output of this command, for the user's shell.
    Command(String),
}

/// A file, as configured and as it is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredFile {
    /// As written in the configuration.
    pub configured: String,
    /// With `~`, tokens and variables expanded.
    pub path: PathBuf,
}

/// Which authentication agent to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityAgent {
    /// The one that `SSH_AUTH_SOCK` names, if it is set.
    Environment,
    /// None.
    None,
    /// The one at this socket.
    Socket(PathBuf),
}

/// What to do about host keys that are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrictHostKeys {
    /// Refuse.
    Yes,
    /// Ask; refuse where nobody can be asked.
    Ask,
    /// File new ones, refuse changed ones.
    AcceptNew,
    /// Accept new ones, and changed ones with a warning.
    Off,
}

/// Which kind of addresses to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// Any.
    Any,
    /// IPv4 only.
    Inet,
    /// IPv6 only.
    Inet6,
}

/// A list of algorithms as it can be written: a list, or a change of the default list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlgorithmChoice {
    /// The default.
    Default,
    /// These only.
    Only(Vec<String>),
    /// The default, then these (`+`).
    Append(Vec<String>),
    /// These, then the default (`^`).
    Prepend(Vec<String>),
    /// The default without these patterns (`-`).
    Without(Vec<String>),
}

impl AlgorithmChoice {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (build, list): (fn(Vec<String>) -> Self, &str) = match text.as_bytes().first()? {
            b'+' => (Self::Append, &text[1..]),
            b'^' => (Self::Prepend, &text[1..]),
            b'-' => (Self::Without, &text[1..]),
            _ => (Self::Only, text),
        };
        let names: Vec<String> = list.split(',').map(str::to_owned).collect();
        names.iter().all(|name| !name.is_empty()).then(|| build(names))
    }

    /// The list that results from `default`. Wildcards stand for the matching ones of all algorithms that OpenSSH has.
    pub fn select<S: AsRef<str>>(&self, default: &[S]) -> Vec<String> {
        let default: Vec<String> = default.iter().map(|name| name.as_ref().to_owned()).collect();
        let expand = |names: &[String]| names.iter().flat_map(|name| with_wildcards(name)).collect::<Vec<_>>();
        let mut chosen = match self {
            Self::Default => default,
            Self::Only(names) => expand(names),
            Self::Append(names) => [default.clone(), expand(names)].concat(),
            Self::Prepend(names) => [expand(names), default.clone()].concat(),
            Self::Without(names) => {
                let list = names.join(",");
                default.into_iter().filter(|name| pattern::match_list(name, &list) != ListMatch::Yes).collect()
            }
        };
        let mut seen = std::collections::HashSet::new();
        chosen.retain(|name| seen.insert(name.clone()));
        chosen
    }
}

/// Host key algorithms of OpenSSH, but for those that are never worth accepting, in the order of `ssh -Q HostKeyAlgorithms`.
const ALL: [&str; 17] = [
    "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ssh-rsa",
    "rsa-sha2-256",
    "rsa-sha2-256-cert-v01@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-512-cert-v01@openssh.com",
];

fn with_wildcards(name: &str) -> Vec<String> {
    match name.contains(['*', '?']) {
        true => ALL.iter().filter(|known| pattern::matches(known, name)).map(|known| (*known).to_owned()).collect(),
        false => vec![name.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_algorithms() {
        let default = ["a-cert", "b-cert", "a", "b"];
        for (text, result) in [
            ("b,a", "b,a"),
            ("+c,a", "a-cert,b-cert,a,b,c"),
            ("^b", "b,a-cert,b-cert,a"),
            ("-*-cert,b", "a"),
            ("rsa-*256,a", "rsa-sha2-256,a"),
        ] {
            assert_eq!(AlgorithmChoice::parse(text).unwrap().select(&default).join(","), result, "{text}");
        }
        for text in ["", "+", "a,,b"] {
            assert_eq!(AlgorithmChoice::parse(text), None, "{text}");
        }
    }
}
