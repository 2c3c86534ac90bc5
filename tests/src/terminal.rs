//! A terminal with a program in it, for what a person sees.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program on a terminal of its own.
pub struct Terminal {
    child: Child,
    screen: vt100::Parser,
}

impl Terminal {
    /// Starts a shell's command line on a terminal of so many rows and columns. `script` is the command for script(1), in
    /// the right network and with the right environment.
    ///
    /// # Errors
    /// script(1), of the Debian package bsdutils, cannot be started.
    pub fn start(mut script: Command, line: &str, rows: u16, columns: u16) -> Result<Self> {
        let inside = format!("stty cols {columns} rows {rows}; {line}");
        // It makes the terminal, passes our input on as what is typed, and ends as the command does.
        script.args(["-qefc", &inside, "/dev/null"]).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = script.spawn().context("start script(1), of the package bsdutils")?;
        Ok(Terminal { child, screen: vt100::Parser::new(rows, columns, 0) })
    }

    /// What is on the screen.
    pub fn seen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Follows what is painted until the screen is as wanted.
    ///
    /// # Errors
    /// The program ended before.
    pub fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        while !wanted(&self.seen()) {
            if !self.follow()? {
                bail!("it ended with this on the screen:\n{}", self.seen());
            }
        }
        Ok(())
    }

    /// Takes in what is painted next; false at the end.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn follow(&mut self) -> Result<bool> {
        let mut piece = [0; 4096];
        let n = self.child.stdout.as_mut().context("a terminal without an output")?.read(&mut piece)?;
        self.screen.process(&piece[..n]);
        Ok(n > 0)
    }

    /// Types.
    ///
    /// # Errors
    /// Nobody reads.
    pub fn press(&mut self, keys: &[u8]) -> Result<()> {
        Ok(self.child.stdin.as_mut().context("a terminal without an input")?.write_all(keys)?)
    }

    /// What is on the screen at the end, and the exit code.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn end(mut self) -> Result<(String, Option<i32>)> {
        while self.follow()? {}
        let code = self.child.wait()?.code();
        Ok((self.seen(), code))
    }
}
