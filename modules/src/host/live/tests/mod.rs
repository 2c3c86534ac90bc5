//! The live host on this machine, in folders of its own. What needs root is done where there is root, and said where not.

mod crash;
mod files;
mod packages;
mod replace;
mod root;
mod run;

use super::{Blobs, Live};

fn live() -> Live {
    Live::new(Blobs::new())
}

/// Whether the tests run as root; says so if not.
fn root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("not root: {what} is not tested");
    }
    root
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// Asserts that a copy of this test program ran its one test, and that it passed.
fn assert_passed(output: &std::process::Output) {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
