//! The three hosts behind one contract.

#[cfg(feature = "fake")]
pub mod fake;
pub mod live;
pub mod rehearsal;
