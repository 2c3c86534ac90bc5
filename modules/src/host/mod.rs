//! The three hosts behind one contract.

pub mod as_user;
#[cfg(feature = "fake")]
pub mod fake;
pub mod live;
pub mod rehearsal;
