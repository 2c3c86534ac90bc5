//! How to reach a host: OpenSSH's client configuration.

pub(crate) mod pattern;
