//! Running the command of a `Match exec`.

use std::process::{Command, Stdio};

use super::env::Env;

/// Whether the command, run by the user's shell, succeeds.
pub(super) fn succeeds(env: &Env, command: &str) -> Result<bool, String> {
    let shell = env.vars.get("SHELL").filter(|shell| !shell.is_empty()).map_or("/bin/sh", String::as_str);
    let status = Command::new(shell)
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Its words would stand amid the progress of a fleet, once for every host.
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("run `{shell}` for `exec`: {error}"))?;
    Ok(status.success())
}
