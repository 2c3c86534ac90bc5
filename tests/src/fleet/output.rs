//! What a command said.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The end of a command: its exit code and both streams as text.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Runs a command to its end with the given standard input.
    pub(super) fn of(command: &mut Command, input: &[u8]) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("run {command:?}"))?;
        let mut stdin = child.stdin.take().context("open a command's standard input")?;
        let output = std::thread::scope(|scope| {
            // A command may end without reading: its closed pipe is no error of ours.
            scope.spawn(move || stdin.write_all(input).is_ok());
            child.wait_with_output().with_context(|| format!("wait for {command:?}"))
        })?;
        Ok(Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Whether the exit code is 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns standard output.
    ///
    /// # Errors
    /// Any exit code but 0, with both streams in the message.
    pub fn ok(self) -> Result<String> {
        if !self.success() {
            bail!("exit code {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr);
        }
        Ok(self.stdout)
    }
}
