//! How rectify gets onto hosts.

pub mod known_hosts;
pub mod ssh_config;
