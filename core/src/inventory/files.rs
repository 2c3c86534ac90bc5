//! The world outside, as far as reading an inventory needs it.

use std::io;
use std::path::Path;

use crate::vault::Keyring;

/// What an executable inventory printed.
#[derive(Clone, Debug, Default)]
pub struct ScriptOutput {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
}

/// Reads files and runs inventory scripts; implemented over the real machine by the command line, over a table by tests.
pub trait Files {
    /// The file's bytes.
    ///
    /// # Errors
    /// As `std::fs::read`; also when the file is larger than the implementation allows.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in a directory, in any order; names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As `std::fs::read_dir`.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether the path is a directory, symbolic links followed.
    fn is_dir(&self, path: &Path) -> bool;

    /// Whether the path exists, symbolic links followed.
    fn exists(&self, path: &Path) -> bool;

    /// Whether the path is a file that may be executed.
    fn is_executable(&self, path: &Path) -> bool;

    /// Runs an executable inventory with arguments (`--list`, or `--host NAME`) and waits for its end.
    ///
    /// # Errors
    /// If it cannot be started.
    fn run_script(&self, path: &Path, args: &[&str]) -> io::Result<ScriptOutput>;

    /// What opens encrypted files and values; unless implemented, nothing does.
    fn keyring(&self) -> &Keyring {
        Keyring::none()
    }
}
