//! The three hosts behind one contract.

pub mod fake;
pub mod live;
pub mod rehearsal;
