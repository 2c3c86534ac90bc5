//! The helper's own `main`, which stands in for Rust's.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the process is what is tested"
)]

use std::{
    io::pipe,
    process::{Command, Output, Stdio},
};

fn helper(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rectify-host"));
    command.args(words).stdin(Stdio::null());
    command
}

fn ran(words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = helper(words).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn it_knows_its_words_and_refuses_others() {
    assert_eq!(ran(&["--self-test"]), (Some(0), "rectify-host ok\n".into()));
    let (code, hash) = ran(&["--self-hash"]);
    let own = std::fs::read(env!("CARGO_BIN_EXE_rectify-host")).unwrap();
    assert_eq!((code, hash.trim_end()), (Some(0), &*rectify_core::digest::sha256(&own)));
    assert_eq!(ran(&["--other"]), (Some(2), String::new()));
}

#[test]
fn a_channel_that_is_gone_is_an_error_and_not_the_end() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let status = helper(&[]).stdout(writer).status().unwrap();
    // A process that SIGPIPE ends has no code.
    assert_eq!(status.code(), Some(1));
}
