//! Running this machine's own tools, with errors that say what was run and what it answered.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a tool to its end and returns its standard output; anything but success is an error with its own words in it.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(args).stdin(Stdio::null()).output().with_context(|| format!("run {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {} ended with {}: {}",
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
