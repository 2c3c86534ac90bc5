//! A rehearsal over a fixture: a whole host in memory, for tests.
//!
//! A [`Fake`] stands for the machine: what a package brings, what a command does, what a unit becomes are written down in
//! its fixture, so nothing is unknown. A [`Rehearsal`] over a `Fake` stands for a check of that machine.
//!
//! ```
//! use rectify_core::module::{Observe, Operate};
//! use rectify_modules::host::fake::Fake;
//!
//! let machine = Fake::from_yaml("base: debian\nfiles: {/etc/motd: \"hello\\n\"}").unwrap();
//! machine.remove("/etc/motd".as_ref()).unwrap();
//! assert_eq!(machine.lstat("/etc/motd".as_ref()).unwrap(), None);
//! ```

mod fixture;
mod look;
mod operate;
mod snapshot;
mod solver;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use rectify_core::{
    digest,
    module::{Command, HostResult},
    plan::TaskId,
};

use self::{fixture::Fixture, spec::Spec};
use super::rehearsal::{Rehearsal, RehearsalView};

const DEBIAN: &str = include_str!("fixtures/debian.yaml");
const ROCKY: &str = include_str!("fixtures/rocky.yaml");

/// A host in memory.
pub struct Fake {
    fixture: Arc<Fixture>,
    view: RehearsalView<'static>,
    ran: Mutex<Vec<Command>>,
    blobs: Arc<Mutex<Vec<Arc<[u8]>>>>,
}

impl Fake {
    /// From YAML; the keys are those of the fixtures that stand beside this file, and `base: debian` or `base: rocky` to start
    /// from one of these.
    ///
    /// # Errors
    /// What does not parse or makes no sense, for a person.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let spec: Spec = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        let base = match spec.base.as_deref() {
            None => None,
            Some("debian") => Some(DEBIAN),
            Some("rocky") => Some(ROCKY),
            Some(other) => return Err(format!("base: {other:?} is neither debian nor rocky")),
        };
        let spec = match base {
            Some(base) => serde_yaml::from_str::<Spec>(base).map_err(|e| e.to_string())?.with(spec),
            None => spec,
        };
        if let Some(fault) = spec.faults.iter().find(|f| !look::is_known_errno(&f.errno)) {
            return Err(format!("faults: {:?} is no errno that a fixture knows", fault.errno));
        }
        let fixture = Arc::new(Fixture::build(spec)?);
        let blobs: Arc<Mutex<Vec<Arc<[u8]>>>> = Arc::default();
        let source = blobs.clone();
        let rehearsal = Rehearsal::exact(fixture.clone()).with_blobs(move |sha256| find_blob(&source, sha256));
        Ok(Fake { fixture, view: rehearsal.for_task(TaskId(0)), ran: Mutex::default(), blobs })
    }

    /// A Debian 12 web server: systemd, sshd, apache2 with PHP, curl and wget.
    pub fn debian() -> Self {
        Self::from_yaml(DEBIAN).expect("the fixture that comes with this file is well formed")
    }

    /// A Rocky Linux 9 web server: systemd, sshd, httpd with PHP, curl and wget.
    pub fn rocky() -> Self {
        Self::from_yaml(ROCKY).expect("the fixture that comes with this file is well formed")
    }

    /// Adds a blob, as if it came with the plan; its hash is what [`rectify_core::module::Operate::write_blob`] takes.
    pub fn add_blob(&self, bytes: impl Into<Arc<[u8]>>) -> String {
        let bytes = bytes.into();
        let sha256 = digest::sha256(&bytes);
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        sha256
    }

    /// The commands that were run, in order.
    pub fn ran(&self) -> Vec<Command> {
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn find_blob(blobs: &Mutex<Vec<Arc<[u8]>>>, sha256: &str) -> HostResult<Arc<[u8]>> {
    let blobs = blobs.lock().unwrap_or_else(PoisonError::into_inner);
    blobs.iter().find(|b| digest::sha256(b) == sha256).cloned().ok_or_else(|| {
        rectify_core::module::HostError::Unsupported(format!("no file with the hash {sha256} came with the plan"))
    })
}
