//! The engine on a fake host: what it runs, and what it says of it.

#![expect(clippy::unwrap_used, reason = "a test")]
#![cfg(feature = "fake")]

mod basics;
mod blocks;
mod holds;
mod includes;
mod rollouts;
mod secrets;
mod support;
mod transactions;
