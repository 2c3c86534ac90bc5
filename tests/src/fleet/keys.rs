//! SSH keys of the controller and of the hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::run;

/// Makes an Ed25519 key pair without a passphrase and returns the public line without its comment.
pub(super) fn generate(private: &Path) -> Result<String> {
    let path = private.to_str().context("a key's path is not UTF-8")?;
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f", path])?;
    let public = fs::read_to_string(private.with_extension("pub")).with_context(|| format!("read {path}.pub"))?;
    Ok(public.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Writes a file with the given permission bits, and the folders above it.
pub(super) fn put(path: &Path, mode: u32, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}
