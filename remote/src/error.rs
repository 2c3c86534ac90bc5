//! Why a host could not be reached or kept: what was tried, where, why it failed, what to do next.

use std::{fmt, sync::Arc, time::Duration};

use crate::text::clean;

/// A failure on one host. Other hosts are not affected by it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host}: {failure}")]
pub struct RemoteError {
    /// The host as the inventory names it, with its address where that differs.
    pub host: String,
    /// What went wrong.
    pub failure: Failure,
}

/// The coarse kind of a [`Failure`], for counting, retrying and exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The name could not be resolved.
    Dns,
    /// Nobody listens there, or the network says that it cannot be reached.
    Refused,
    /// No answer in time.
    Timeout,
    /// The host key is unknown, changed, revoked or badly certified.
    HostKey,
    /// No credential was accepted.
    Auth,
    /// The change of user failed.
    Become,
    /// The helper could not be put in place or started.
    Helper,
    /// The peer broke a protocol.
    Protocol,
    /// The connection broke after it stood.
    Lost,
    /// The run was cancelled.
    Cancelled,
}

/// What went wrong, with the facts that a person needs.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// Name resolution failed.
    #[error("cannot resolve `{name}`: {reason}")]
    Dns {
        /// The name that was looked up.
        name: String,
        /// The resolver's words.
        reason: String,
    },
    /// No TCP connection.
    #[error("cannot connect to {address}: {reason}")]
    Refused {
        /// Address and port, or all that were tried.
        address: String,
        /// The operating system's words.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer within {} s while {doing}", .after.as_secs_f32())]
    Timeout {
        /// What was being done: `connecting to 10.0.0.1:22`.
        doing: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The peer closed the connection during the handshake.
    #[error("the connection was closed while {doing}: {reason}")]
    Closed {
        /// What was being done.
        doing: String,
        /// The peer's or the operating system's words.
        reason: String,
    },
    /// The host key was refused.
    #[error(transparent)]
    HostKey(#[from] HostKeyRefusal),
    /// No credential was accepted.
    #[error("cannot log in as `{user}`: {}", list(.tried, .closed))]
    Auth {
        /// The account.
        user: String,
        /// Every credential, in the order in which they were tried, and what became of it.
        tried: Vec<Attempt>,
        /// Why the peer hung up, if it did.
        closed: Option<String>,
    },
    /// The ProxyCommand did not give a connection.
    #[error("the proxy command `{command}` failed: {reason}")]
    Proxy {
        /// The command.
        command: String,
        /// Its last words, or why it could not be started.
        reason: String,
    },
    /// A jump host on the way could not be used.
    #[error("jump host {0}")]
    Jump(Arc<RemoteError>),
    /// The change of user failed.
    #[error("cannot become `{user}` with {method}: {problem}")]
    Become {
        /// `sudo`, `doas` or `su`, or the path of one of them.
        method: String,
        /// The account to become.
        user: String,
        /// Why not.
        problem: BecomeProblem,
    },
    /// The helper could not be put in place or started.
    #[error(transparent)]
    Helper(#[from] HelperProblem),
    /// The peer broke a protocol.
    #[error("protocol error while {doing}: {reason}")]
    Protocol {
        /// What was being done.
        doing: String,
        /// What was wrong.
        reason: String,
    },
    /// The connection or the helper ended before its work did.
    #[error("the connection was lost: {reason}")]
    Lost {
        /// How it ended, with the helper's last words on its error output.
        reason: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// One credential that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What: `agent key SHA256:… (comment)`, `/home/a/.ssh/id_ed25519`, `password`.
    pub what: String,
    /// What became of it: `not accepted`, `no such file`.
    pub result: String,
}

/// Why a host key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} ({algorithm} {fingerprint}){}", .location.as_ref().map(|l| format!(", see {l}")).unwrap_or_default())]
pub struct HostKeyRefusal {
    /// What is wrong with the key.
    pub problem: HostKeyProblem,
    /// The algorithm's SSH name.
    pub algorithm: String,
    /// `SHA256:…` of the key that the host offered.
    pub fingerprint: String,
    /// `file:line` of the entry that decided, if one did.
    pub location: Option<String>,
}

/// What is wrong with a host key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyProblem {
    /// No entry for this host.
    #[error("the host key is not known")]
    Unknown,
    /// Another key is on file.
    #[error("THE HOST KEY HAS CHANGED: either the host was reinstalled or somebody is in between")]
    Changed,
    /// The key is marked `@revoked`.
    #[error("the host key is revoked")]
    Revoked,
    /// The host certificate does not hold.
    #[error("the host certificate is not valid: {0}")]
    Certificate(String),
    /// The known_hosts files could not be used.
    #[error("the host key cannot be checked: {0}")]
    Unreadable(String),
}

/// Why a change of user failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BecomeProblem {
    /// A password is wanted and none was given.
    #[error("a password is required")]
    PasswordRequired,
    /// The password was not accepted.
    #[error("the password is wrong")]
    WrongPassword,
    /// The account may not do this.
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// sudo insists on a terminal.
    #[error("sudo insists on a terminal (requiretty)")]
    RequireTty,
    /// The program is not there.
    #[error("the program is not installed there")]
    NotInstalled,
    /// The account's name or the password cannot be passed on.
    #[error("{0}")]
    Unusable(String),
    /// Anything else, in the program's own words.
    #[error("{0}")]
    Other(String),
}

/// Why the helper is not running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelperProblem {
    /// There is no helper for this kind of machine.
    #[error("no helper for the architecture `{arch}` (there is one for: {have})")]
    NoArchitecture {
        /// `uname -m` of the host.
        arch: String,
        /// The architectures that there are helpers for.
        have: String,
    },
    /// No directory took it.
    #[error("no directory takes the helper: {reasons}")]
    NoPlace {
        /// Each directory and why not.
        reasons: String,
    },
    /// The start on the host ended by itself.
    #[error("the helper did not start: {reason}")]
    Start {
        /// How it ended, with its last words.
        reason: String,
    },
}

impl RemoteError {
    pub(crate) fn new(host: impl Into<String>, failure: impl Into<Failure>) -> Self {
        Self { host: host.into(), failure: failure.into() }
    }

    /// The coarse kind; that of the jump host's failure if one was on the way.
    pub fn kind(&self) -> Kind {
        match &self.failure {
            Failure::Dns { .. } => Kind::Dns,
            Failure::Refused { .. } | Failure::Closed { .. } | Failure::Proxy { .. } => Kind::Refused,
            Failure::Timeout { .. } => Kind::Timeout,
            Failure::HostKey(_) => Kind::HostKey,
            Failure::Auth { .. } => Kind::Auth,
            Failure::Jump(at) => at.kind(),
            Failure::Become { .. } => Kind::Become,
            Failure::Helper(_) => Kind::Helper,
            Failure::Protocol { .. } => Kind::Protocol,
            Failure::Lost { .. } => Kind::Lost,
            Failure::Cancelled => Kind::Cancelled,
        }
    }

    /// What to do next, as a sentence fragment for a person; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let text = match &self.failure {
            Failure::Jump(at) => return at.hint(),
            Failure::Dns { .. } => "check the name, or set `ansible_host` to an address",
            Failure::Refused { .. } => "check that the host is up and that sshd listens on this port",
            Failure::Timeout { .. } => "check the address and what filters on the way there; `-T` gives it longer",
            Failure::Closed { .. } => {
                "sshd may be overloaded (MaxStartups) or refuse this address: see its log, or use fewer forks"
            }
            Failure::HostKey(refusal) => return Some(refusal.hint()),
            Failure::Auth { tried, .. } => return Some(auth_hint(tried)),
            Failure::Become { problem, method, .. } => return become_hint(problem, method),
            Failure::Helper(HelperProblem::NoArchitecture { arch, .. }) => {
                return Some(format!(
                    "build rectify with a helper for it: `RECTIFY_HELPERS={arch}=PATH` for one that is built already, \
                     `RECTIFY_HELPER_TARGETS={arch}-unknown-linux-musl` to build one"
                ));
            }
            Failure::Helper(HelperProblem::NoPlace { .. }) => {
                "free some space, or make one of these directories private (0700), yours, and executable"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

impl HostKeyRefusal {
    fn hint(&self) -> String {
        let compare =
            "compare the fingerprint with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on its console)";
        match &self.problem {
            HostKeyProblem::Unknown => format!("run `rectify trust`, and {compare}"),
            HostKeyProblem::Changed => match &self.location {
                Some(at) => {
                    format!("{compare}; if it is right, remove {at} and run `rectify trust`")
                }
                None => format!("{compare}; if it is right, run `rectify trust`"),
            },
            HostKeyProblem::Revoked => "this key must not be used: give the host a new one".to_owned(),
            HostKeyProblem::Certificate(_) => {
                "have the host key signed again, or trust the plain key with `rectify trust`".to_owned()
            }
            HostKeyProblem::Unreadable(_) => "repair the file that is named".to_owned(),
        }
    }
}

fn auth_hint(tried: &[Attempt]) -> String {
    if tried.is_empty() {
        return "name a key (`ansible_ssh_private_key_file`, IdentityFile), start an agent, or give a password with `-k`".to_owned();
    }
    "check the user name and the host's authorized_keys; `-k` asks for a password".to_owned()
}

fn become_hint(problem: &BecomeProblem, method: &str) -> Option<String> {
    match problem {
        BecomeProblem::PasswordRequired => Some("give it with `-K`, or `ansible_become_password`".to_owned()),
        BecomeProblem::RequireTty => Some(
            "remove `Defaults requiretty` from sudoers for this account, or set `ansible_become_method: su`".to_owned(),
        ),
        BecomeProblem::NotInstalled => Some(format!("install {method}, or set `ansible_become_method`")),
        BecomeProblem::NotPermitted(_) => Some(format!("allow this account to run /bin/sh with {method}")),
        _ => None,
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.result)
    }
}

impl Attempt {
    pub(crate) fn new(what: impl Into<String>, result: impl AsRef<str>) -> Self {
        Self { what: what.into(), result: clean(result.as_ref().as_bytes()) }
    }
}

fn list(tried: &[Attempt], closed: &Option<String>) -> String {
    let mut parts: Vec<String> = tried.iter().map(ToString::to_string).collect();
    if parts.is_empty() {
        parts.push("there is no key, agent or password to try".to_owned());
    }
    if let Some(why) = closed {
        parts.push(format!("then the host hung up: {why}"));
    }
    parts.join("; ")
}
