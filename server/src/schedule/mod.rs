//! Schedules: when the fleet is looked at, and what may be corrected then.
//!
//! ```text
//! rectify.toml ─► read ─► Schedule ─┐             ┌─► look at every host ─► decide (policy, budget) ─► correct ─► done
//!            Clock ─► due times ────┴─► a round ──┤
//!        Commands (the page) ─────────────────────┘   every arrow is one small transaction; leases say who works on what
//! ```
//!
//! Nothing here knows how a host is reached: that is [`Fleet`]. Nothing here prints.

mod asks;
mod bind;
mod clock;
mod commands;
mod core;
mod cron;
mod definition;
mod due;
mod fleet;
mod holds;
mod lease;
mod lock;
mod news;
mod read;
mod restrict;
mod rows;
mod server;
mod spread;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod worker;

pub use bind::Bound;
pub use clock::{Clock, SystemClock};
pub use commands::{Ask, Begun, Command, Commands, Item, Refused};
pub use core::Say;
pub use cron::{Cron, CronProblem};
pub use definition::{Freeze, Maintenance, Missed, Mode, Policy, Schedule};
pub use fleet::{Allowed, Fleet, Member, Ran, Ready, Saw, Scope, Seen, Tell, Trouble, Went};
pub use holds::{hold, holds, release};
pub use lock::LockError;
pub use read::read;
pub use restrict::restrict;
pub use server::{Outcome, Parts, Reload, Server};
pub use spread::offset;
