//! A program that takes another moment for the present.

#![expect(clippy::unwrap_used, reason = "a test asks it, and is to fail")]

use std::path::PathBuf;
use std::process::Command;

/// Has a program take `now` for the present when it starts: `2027-03-08 09:00:00`, in UTC. How long something takes stays as it is: nothing
/// times out for it.
pub fn set(command: &mut Command, now: &str) {
    command.env("TZ", "UTC").env("LD_PRELOAD", library()).env("FAKETIME", format!("@{now}"));
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// The library of Debian's `faketime`.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|f| f.path());
    let mut found = folders.map(|f| f.join("faketime/libfaketime.so.1")).filter(|f| f.exists());
    found.next().expect("faketime is installed: run .ci/setup")
}
