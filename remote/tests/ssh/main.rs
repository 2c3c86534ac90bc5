//! Getting onto hosts, against the server of OpenSSH on loopback and against one that misbehaves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod become_root;
mod harness;
mod helper;
mod host_keys;
mod jumps;
mod logins;
mod protocol;
