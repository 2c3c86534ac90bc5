//! The helper: what rectify puts on a managed host, starts over SSH, and talks to in frames.
//!
//! It is started without arguments; with `--self-test`, to see whether programs may run where it lies; or with `--self-hash`.

#![expect(clippy::disallowed_methods, reason = "the process itself: its arguments and its own file")]

use std::{io::Write as _, process::ExitCode};

use rectify_core::{
    digest::sha256,
    wire::{Hello, PROTOCOL},
};
use rectify_modules::{
    REGISTRY,
    helper::{Ended, serve},
};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--self-test") => return say("rectify-host ok"),
        Some("--self-hash") => return say(&own_hash()),
        Some(_) => {
            let _ = writeln!(std::io::stderr(), "rectify-host is started by rectify and takes no arguments");
            return ExitCode::from(2);
        }
    }
    // Commands inherit this: what a task writes must not depend on the login that carries the helper.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match serve(std::io::stdin(), std::io::stdout(), &hello(), REGISTRY) {
        Ended::Done => ExitCode::SUCCESS,
        Ended::Failed => ExitCode::FAILURE,
    }
}

fn say(line: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The hash of the file that runs, for hosts without any program that could tell it.
fn own_hash() -> String {
    let own = std::fs::read("/proc/self/exe").unwrap_or_default();
    sha256(&own)
}

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").into(),
        arch: rustix::system::uname().machine().to_string_lossy().into_owned(),
        uid: rustix::process::geteuid().as_raw(),
    }
}
