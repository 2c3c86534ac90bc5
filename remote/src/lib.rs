//! How rectify gets onto hosts.
