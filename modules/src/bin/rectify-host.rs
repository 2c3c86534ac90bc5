//! The helper: what rectify puts on a managed host, starts over SSH, and talks to in frames.
//!
//! It is started without arguments; with `--self-test`, to see whether programs may run where it lies; or with `--self-hash`.

#![no_main]
#![expect(clippy::disallowed_methods, reason = "the process itself: its end and its own file")]

use std::{
    ffi::{CStr, c_char, c_int},
    io::Write as _,
};

use rectify_core::{
    digest::sha256,
    wire::{Hello, PROTOCOL},
};
use rectify_modules::{
    REGISTRY,
    helper::{Ended, serve},
};

/// What the C library starts. Rust's own `main` brings a report of stack overflows, and with it `sscanf` and all that this
/// needs: a tenth of a megabyte, and the helper travels.
#[expect(unsafe_code, reason = "the names and types of the C library's start")]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    const SIGPIPE: c_int = 13;
    const SIG_IGN: usize = 1;
    unsafe extern "C" {
        fn signal(number: c_int, action: usize) -> usize;
    }
    // As Rust's own start does it: a write to a channel that is gone is an error, and not the end.
    // SAFETY: no handler is installed.
    unsafe { signal(SIGPIPE, SIG_IGN) };
    // SAFETY: the C library hands over `count` words, each ending with a zero, which live as long as the process.
    let word = (count > 1).then(|| unsafe { CStr::from_ptr(*words.add(1)) });
    // It also flushes what was written.
    std::process::exit(run(word.map(CStr::to_bytes)))
}

/// Does what the word says; returns the exit code.
fn run(word: Option<&[u8]>) -> c_int {
    match word {
        None => {}
        Some(b"--self-test") => return say("rectify-host ok"),
        Some(b"--self-hash") => return say(&own_hash()),
        Some(_) => {
            let _ = writeln!(std::io::stderr(), "rectify-host is started by rectify and takes no arguments");
            return 2;
        }
    }
    // Commands inherit this: what a task writes must not depend on the login that carries the helper.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match serve(std::io::stdin(), std::io::stdout(), &hello(), REGISTRY) {
        Ended::Done => 0,
        Ended::Failed => 1,
    }
}

fn say(line: &str) -> c_int {
    c_int::from(writeln!(std::io::stdout(), "{line}").is_err())
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
