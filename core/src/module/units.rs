//! systemd units.

use serde::{Deserialize, Serialize};

/// A unit as `systemctl show` reports it (systemctl(1), org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The name with its suffix.
    pub name: String,
    /// `LoadState`: `loaded`, `masked`, `not-found`, `error` …
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `failed`, `activating` …
    pub active: String,
    /// `SubState`: `running`, `exited`, `dead` …
    pub sub: String,
    /// `UnitFileState`: `enabled`, `disabled`, `static`, `masked`, `generated`, empty …
    pub file: String,
    /// `NeedDaemonReload`.
    pub needs_reload: bool,
}

impl Unit {
    /// Whether there is such a unit at all.
    pub fn exists(&self) -> bool {
        self.load != "not-found"
    }
}

/// What can be done to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitAction {
    /// `systemctl start`.
    Start,
    /// `systemctl stop`.
    Stop,
    /// `systemctl restart`.
    Restart,
    /// `systemctl reload`.
    Reload,
    /// `systemctl enable`.
    Enable,
    /// `systemctl disable`.
    Disable,
    /// `systemctl mask`.
    Mask,
    /// `systemctl unmask`.
    Unmask,
}
