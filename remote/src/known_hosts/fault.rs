//! What can be wrong with a file of known hosts.

use std::path::PathBuf;

/// A file could not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// The file exists and cannot be read. Never taken for "no keys known": that would invite to trust anybody.
    #[error("read known hosts {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than any sane one.
    #[error("read known hosts {path}: larger than {limit} bytes", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// New lines could not be written.
    #[error("{action} {path}: {source}", path = path.display())]
    Write {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line of the file cannot be rewritten on behalf of one host.
    #[error("replace the key of {name}: line {line} of {path} speaks for other hosts too (it has wildcards or a marker); edit it by hand", path = path.display())]
    SharedLine {
        /// The host, as filed.
        name: String,
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A host name that cannot be written into the file without changing its meaning.
    #[error("file a key for {name:?}: not a host name")]
    Name {
        /// The name.
        name: String,
    },
    /// A key that cannot be written in OpenSSH's format.
    #[error("file a key for {name}: the key cannot be encoded")]
    Key {
        /// The host.
        name: String,
    },
}

/// Why a line was left out. The other lines still count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The line is not UTF-8 where it matters.
    #[error("not text")]
    NotText,
    /// A `@marker` other than `@revoked` and `@cert-authority`, or two of them.
    #[error("unknown or repeated marker")]
    Marker,
    /// OpenSSH looks for a space after a marker and so does not see this one.
    #[error("a marker has to be followed by a space; OpenSSH ignores this line")]
    MarkerTab,
    /// The line ends before the key.
    #[error("no key")]
    NoKey,
    /// A hashed name that is not `|1|salt|hash`.
    #[error("damaged hashed name")]
    HashedName,
    /// The key cannot be decoded, or is not of the type that the line states.
    #[error("damaged key")]
    Key,
    /// A key of a type that is not supported.
    #[error("key of an unsupported type")]
    KeyType,
}

/// A line that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineWarning {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1 over all lines, comments and empty ones included.
    pub line: usize,
    /// What is wrong with it.
    pub fault: LineFault,
}

impl std::fmt::Display for LineWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: line ignored: {}", self.file.display(), self.line, self.fault)
    }
}
