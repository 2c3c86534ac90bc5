//! The test fleet of rectify: real hosts on this machine, in network namespaces of their own.
//!
//! [`image`] builds root file systems once, [`fleet`] boots hosts over them, [`changes`] says exactly what a run left on
//! a host's disk, [`law`] holds checks to what applies do, [`pool`] shares booted hosts between the tests of one binary,
//! [`proxy`] makes a slow line, [`clock`] another day, [`mailbox`] takes mail, [`terminal`] shows what a person sees, [`guide`] compares a guide
//! with what happened.
//! Needs root and the Debian packages that `.ci/setup` installs; what is missing is an error that names it.

pub mod changes;
pub mod clock;
mod command;
pub mod fleet;
pub mod guide;
pub mod image;
pub mod law;
pub mod mailbox;
pub mod pool;
pub mod proxy;
pub mod rectify;
pub mod terminal;
