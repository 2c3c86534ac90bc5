//! Write, test the whole configuration, reload once, look whether the server survived; on any failure everything as before.
//!
//! A passed test is not the end of it: Apache says "Syntax OK" to configurations with which it ends at the reload (a key
//! that does not fit its certificate, an address that is not the host's, a module that is not set up).

use std::{path::PathBuf, time::Duration};

use rectify_core::module::{HostError, ModuleError, Operate, UnitAction};

use super::{Layout, one_line};
use crate::host::kept::Kept;

/// When the server is looked at after a reload. It ends some time after the reload was asked for; and a unit is not asked
/// again within a second, so that the last pause must be longer.
#[cfg(not(test))]
const LOOKS: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1100)];
#[cfg(test)]
const LOOKS: [Duration; 1] = [Duration::ZERO];

/// How a changed configuration is put to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Tested, then reloaded if the server runs.
    Reload,
    /// Tested, then restarted if the server runs: for what a reload cannot change.
    Restart,
    /// Tested only.
    Test,
    /// Neither tested nor reloaded.
    Leave,
}

/// A change of the configuration.
pub(crate) struct Activation<'a> {
    pub(crate) layout: Layout,
    /// Every path that may be written.
    pub(crate) paths: &'a [PathBuf],
    pub(crate) put_to: Use,
    pub(crate) host: &'a dyn Operate,
}

impl Activation<'_> {
    /// Writes, tests, reloads.
    ///
    /// # Errors
    /// What went wrong, and whether all is as before.
    pub(crate) fn run(&self, write: impl FnOnce() -> Result<(), ModuleError>) -> Result<(), ModuleError> {
        let kept = Kept::of(self.paths, self.host)?;
        let runs = self.runs()?;
        if let Err(error) = write() {
            return Err(self.undone(&kept, error));
        }
        if self.put_to == Use::Leave {
            return Ok(());
        }
        match self.layout.complaint(self.host) {
            Ok(None) => {}
            Ok(Some(complaint)) => return Err(self.refused(&kept, &complaint)),
            // A rehearsal: what was written is not on the disk, so the server cannot be asked about it.
            Err(HostError::Unknown(_)) => return Ok(()),
            Err(error) => return Err(self.undone(&kept, error.into())),
        }
        let action = match self.put_to {
            Use::Reload if runs => UnitAction::Reload,
            Use::Restart if runs => UnitAction::Restart,
            _ => return Ok(()),
        };
        self.act(action).map_err(|what| self.revived(&kept, &what))
    }

    /// Whether the server runs, and is to be told.
    fn runs(&self) -> Result<bool, ModuleError> {
        if !matches!(self.put_to, Use::Reload | Use::Restart) {
            return Ok(false);
        }
        match self.host.unit(self.layout.unit()) {
            Ok(unit) => Ok(unit.active == "active"),
            // No systemd, so nothing that it runs; or a rehearsal, in which nothing is reloaded.
            Err(HostError::Unsupported(_) | HostError::Unknown(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Acts on the unit, and looks whether it lives on.
    fn act(&self, action: UnitAction) -> Result<(), String> {
        let word = if action == UnitAction::Restart { "restart" } else { "reload" };
        let unit = self.layout.unit();
        self.host.act_on_unit(unit, action).map_err(|e| format!("the {word} of {unit} failed: {e}"))?;
        for pause in LOOKS {
            std::thread::sleep(pause);
            let now = self.host.unit(unit).map_err(|e| format!("{unit} cannot be looked at after the {word}: {e}"))?;
            if !matches!(now.active.as_str(), "active" | "reloading") {
                let log = self.layout.log();
                return Err(format!("the {word} ended the server: {unit} is {} ({log} says why)", now.active));
            }
        }
        Ok(())
    }

    /// After a write that went wrong.
    fn undone(&self, kept: &Kept, error: ModuleError) -> ModuleError {
        match kept.restore(self.host) {
            Ok(()) => error,
            // A rehearsal that cannot know: it has written nothing that would have to be put back.
            Err(_) if error.because().is_some() => error,
            Err(second) => {
                ModuleError::failed(format!("{error}; and what was there before was not restored: {second}"))
            }
        }
    }

    /// After a test that the configuration did not pass.
    fn refused(&self, kept: &Kept, complaint: &str) -> ModuleError {
        if let Err(second) = kept.restore(self.host) {
            return ModuleError::failed(format!("{complaint}; and what was there before was not restored: {second}"));
        }
        match self.layout.complaint(self.host) {
            Ok(Some(before)) => ModuleError::failed(format!(
                "the configuration was broken before this change, which is undone; repair it first: {before}"
            )),
            _ => ModuleError::failed(format!("{complaint}; everything is as before, and nothing was reloaded")),
        }
    }

    /// After a reload that failed or ended the server.
    fn revived(&self, kept: &Kept, what: &str) -> ModuleError {
        let unit = self.layout.unit();
        if let Err(second) = kept.restore(self.host) {
            return ModuleError::failed(format!("{what}; and what was there before was not restored: {second}"));
        }
        let alive = self.host.unit(unit).is_ok_and(|u| u.active == "active");
        let action = if alive { UnitAction::Reload } else { UnitAction::Start };
        ModuleError::failed(match self.act(action) {
            Ok(()) if alive => format!("{what}; the files are as before, and were reloaded"),
            Ok(()) => format!("{what}; the files are as before, and the server was started with them"),
            Err(again) => format!("{what}; the files are as before, BUT THE SERVER DOES NOT RUN: {}", one_line(&again)),
        })
    }
}
