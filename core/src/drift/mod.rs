//! Drift: what moved on a host since it was last as wanted, and who moved it, the host or the policy.
//!
//! ```text
//! events ─► Fold ─► Look: the items that a run saw of a host ─┐
//!                                                            ├─► judge ─► what is known now, and what happened
//! what is known of the host, from earlier looks ─────────────┘
//! ```
//!
//! An *item* is a property of a thing on a host. What is *left* of it is what it was when it was last seen as wanted, or made so: from that, what
//! is seen and what is wanted follows its [`Cause`]. Nothing here reads a clock or a database.

mod bounds;
mod cause;
mod fold;
mod judge;
mod known;
mod lines;
mod look;
mod merge;
mod state;
#[cfg(test)]
mod tests;
mod traces;

pub use cause::Cause;
pub use fold::Fold;
pub use judge::{Happened, Judged, hashes, judge, unwanted};
pub use known::{Key, Known};
pub use look::{Item, Look};
pub use state::{Flap, State, flapping, state};
pub use traces::{Tells, traces};
