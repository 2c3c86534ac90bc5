//! Schedules: when the fleet is looked at, and what may be corrected then.
//!
//! ```text
//! rectify.toml ─► read ─► Schedule ─┐             ┌─► look at every host ─► decide (policy, budget) ─► correct ─► done
//!            Clock ─► due times ────┴─► a round ──┤
//!        Commands (the page) ─────────────────────┘   every arrow is one small transaction; leases say who works on what
//! ```
//!
//! Nothing here knows how a host is reached: that is [`Fleet`]. Nothing here prints.

mod bind;
mod clock;
mod commands;
mod cron;
mod definition;
mod fleet;
mod read;
mod spread;

pub use bind::Bound;
pub use clock::{Clock, SystemClock};
pub use commands::{Ask, Begun, Command, Commands, Item, Refused};
pub use cron::{Cron, CronProblem};
pub use definition::{Freeze, Maintenance, Missed, Mode, Policy, Schedule};
pub use fleet::{Allowed, Fleet, Member, Ran, Ready, Saw, Scope, Seen, Trouble};
pub use read::read;
pub use spread::offset;
