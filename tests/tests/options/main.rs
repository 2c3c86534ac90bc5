//! Every documented option does something: tests that fail if it is ignored, and a law that no option is without one.
//!
//! A case is mostly a pair of runs, one with the option and one without it, that must differ in what the case says.

#![expect(clippy::unwrap_used, reason = "a test")]

mod announce;
mod browser;
mod config;
mod connection;
mod drift;
mod flags;
mod holds;
mod keywords;
mod law;
mod local;
mod notify;
mod page;
mod provider;
mod reach;
mod record;
mod rollouts;
mod serve;
mod ssh_config;
mod vault;
