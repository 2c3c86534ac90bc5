//! The exit codes: part of the interface, each with its meaning.

use std::process::ExitCode;

/// Everything is as declared (check), or was made so (apply).
pub(crate) const OK: u8 = 0;
/// Something went wrong within the program itself.
pub(crate) const INTERNAL: u8 = 1;
/// A check: something would change, may change, or a finding stands.
pub(crate) const PENDING: u8 = 2;
/// At least one task failed or did not converge.
pub(crate) const FAILED: u8 = 3;
/// At least one host was unreachable.
pub(crate) const UNREACHABLE: u8 = 4;
/// The input is wrong: usage, playbook, inventory, plan.
pub(crate) const USAGE: u8 = 5;

/// An error that the operator can do something about; it ends the program with [`USAGE`] unless it says otherwise.
#[derive(Debug)]
pub(crate) struct Expected {
    /// What to print; complete, with all that helps.
    pub(crate) message: String,
    /// How the program ends.
    pub(crate) code: u8,
}

impl Expected {
    /// A mistake in what was given.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Expected { message: message.into(), code: USAGE }
    }

    /// A task or a step that failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Expected { message: message.into(), code: FAILED }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Expected {}

/// The exit code for an error: what an [`Expected`] asks for, [`INTERNAL`] for anything else.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(error.downcast_ref::<Expected>().map_or(INTERNAL, |e| e.code))
}
