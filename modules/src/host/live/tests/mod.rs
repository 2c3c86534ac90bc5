//! The live host on this machine, in folders of its own. What needs root is done where there is root, and said where not.

mod crash;
mod files;
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
