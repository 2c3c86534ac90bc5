//! The test fleet of rectify: real hosts on this machine, in network namespaces of their own.
//!
//! [`image`] builds root file systems once, [`fleet`] boots hosts over them, [`changes`] says exactly what a run left on
//! a host's disk, [`law`] holds checks to what applies do, [`pool`] shares booted hosts between the tests of one binary,
//! [`proxy`] makes a slow line, [`terminal`] shows what a person sees.
//! Needs root and the Debian packages that `.ci/setup` installs; what is missing is an error that names it.

pub mod changes;
mod command;
pub mod fleet;
pub mod image;
pub mod law;
pub mod pool;
pub mod proxy;
pub mod rectify;
pub mod terminal;
