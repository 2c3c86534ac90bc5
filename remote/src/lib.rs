//! How rectify gets onto hosts.
//!
//! ```text
//! Target ─► Connector::connect ─► Session ─► exchange ─► frames
//!              │  pacing, jump hosts,          │  one channel, one exec: the start finds or
//!              │  host keys, authentication    │  receives the helper and becomes it
//! ```
//!
//! Nothing here prints, and nothing here knows what the frames mean.

mod error;
pub mod exchange;
pub mod fleet;
pub mod helper;
pub mod known_hosts;
pub mod pacing;
pub mod run;
mod secret;
pub mod session;
pub mod ssh_config;
mod text;

pub use error::{Attempt, BecomeProblem, Failure, HelperProblem, HostKeyProblem, HostKeyRefusal, Kind, RemoteError};
pub use secret::Secret;
