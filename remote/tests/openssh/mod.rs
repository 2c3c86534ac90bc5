//! OpenSSH's own programs, as the judge of ours. Missing ones are a failure that says what to install.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The path of a program of the Debian package `package`.
pub(crate) fn tool(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{name}` is missing: install the package {package}"))
}

pub(crate) fn ssh() -> PathBuf {
    tool("ssh", "openssh-client")
}

pub(crate) fn keygen(args: &[&str]) -> Output {
    let out = Command::new(tool("ssh-keygen", "openssh-client")).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stderr).contains("usage:"), "ssh-keygen {args:?}: {}", text(&out.stderr));
    out
}

/// As [`keygen`], and has to succeed.
pub(crate) fn keygen_ok(args: &[&str]) {
    let out = keygen(args);
    assert!(out.status.success(), "ssh-keygen {args:?}: {}", text(&out.stderr));
}

/// Makes a key pair `folder/name` and returns the type and base64 of its public half.
pub(crate) fn new_key(folder: &Path, name: &str, kind: &str) -> String {
    let file = folder.join(name);
    let bits: &[&str] = if kind == "rsa" { &["-b", "2048"] } else { &[] };
    keygen_ok(&[&["-q", "-t", kind, "-N", "", "-C", "", "-f", file.to_str().unwrap()], bits].concat());
    public(&file)
}

/// The type and base64 of the public half of a key file.
pub(crate) fn public(file: &Path) -> String {
    std::fs::read_to_string(format!("{}.pub", file.display())).unwrap().trim().to_owned()
}

/// `name` as ssh-keygen hashes it.
pub(crate) fn hashed(folder: &Path, name: &str, key: &str) -> String {
    let file = folder.join("to-hash");
    std::fs::write(&file, format!("{name} {key}\n")).unwrap();
    keygen_ok(&["-q", "-H", "-f", file.to_str().unwrap()]);
    let line = std::fs::read_to_string(&file).unwrap();
    let _ = std::fs::remove_file(folder.join("to-hash.old"));
    line.split(' ').next().unwrap().to_owned()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
