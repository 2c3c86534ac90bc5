//! Questions whose answers are not to be seen.

use std::{fs::File, io};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Asks on the terminal, without an echo. What is typed as soon as the question stands there is hidden already: the crate
/// that reads prints the question first and turns the echo off then.
///
/// # Errors
/// There is no terminal, or it is gone.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    let _quiet = Quiet::new();
    rpassword::prompt_password(question)
}

/// The terminal without its echo, until it is dropped.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    /// None without a terminal; the crate that reads says so better.
    fn new() -> Option<Quiet> {
        let terminal = File::open("/dev/tty").ok()?;
        let before = tcgetattr(&terminal).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &quiet).ok()?;
        Some(Quiet { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
