//! Whom to believe: OpenSSH's files of known host keys, read and judged as OpenSSH does.
//!
//! ```text
//! files ──► KnownHosts ──► decide(target, offered key or certificate) ──► Decision
//!               │      └─► algorithms_for(target)   what to ask the server for, so that a known key can match
//!               └────────► TrustTable::new(scanned) ──► approve ──► apply    first contact, all hosts at once
//! ```
//!
//! Where OpenSSH and this module differ, this one is the stricter: a key that is revoked for the bare host name is
//! revoked on every port; `@revoked` counts when a tab follows it; a file that cannot be read is an error.
//!
//! It opens no connection: who calls it hands in what the server offered.

mod algorithms;
mod certificate;
mod decide;
mod fault;
mod names;
mod parse;
mod store;
mod trust;
mod write;

pub use algorithms::KnownAlgorithms;
pub use certificate::CertificateFault;
pub use decide::{Decision, Offered, Target, TrustedBy};
pub use fault::{KnownHostsError, LineFault, LineWarning};
pub use parse::Marker;
pub use store::{KnownHosts, KnownKey, Place};
pub use trust::{Applied, KeyState, ScannedKey, TrustRow, TrustTable};
pub use write::{NewKey, append, replace};
