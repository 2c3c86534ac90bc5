//! What can be wrong with a configuration, and what of it is not supported.

use std::path::PathBuf;

/// The configuration cannot be used, for any host or for this one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file exists and cannot be read.
    #[error("read ssh configuration {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Somebody else could have written a file; it can make us run commands.
    #[error("use ssh configuration {path}: it belongs to, or can be written by, somebody else (needs owner root or you, and no write permission for others)", path = path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// A file is larger than any sane one, or too many are included.
    #[error("read ssh configuration {path}: {what}", path = path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Of what.
        what: &'static str,
    },
    /// Lines that make no sense. OpenSSH refuses to work with any of them too.
    #[error("{}", lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Lines {
        /// All of them.
        lines: Vec<LineError>,
    },
    /// The name, or the user, could do harm in a command line.
    #[error("resolve {what} {value:?}: {why}")]
    Name {
        /// Host or user.
        what: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A value cannot be expanded for this host.
    #[error("expand {option} {value:?} for {host}: {why}")]
    Expand {
        /// The option.
        option: &'static str,
        /// Its value in the configuration.
        value: String,
        /// The host.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// The `ssh` program was asked and gave no usable answer.
    #[error("ask `{command}` about {host}: {why}")]
    OpenSsh {
        /// The command.
        command: String,
        /// The host.
        host: String,
        /// Its message.
        why: String,
    },
}

/// A line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// On what an unsupported option would have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// To which machine, or by which way, the connection goes: do not go on without saying so.
    Destination,
    /// Which host keys are believed.
    Trust,
    /// How to log in.
    Authentication,
    /// Anything else that a user would notice.
    Other,
}

/// An option in force for the host that this resolver does not support.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The option and its value, as one would write them.
    pub option: String,
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// On what it has an effect.
    pub effect: Effect,
}

impl Unsupported {
    /// Whether not to honour it would lead to another machine, or believe a key that is known to be stolen.
    pub fn forbids(&self) -> bool {
        self.effect == Effect::Destination || self.option.starts_with("revokedhostkeys ")
    }
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: `{}` is not supported", self.file.display(), self.line, self.option)
    }
}
