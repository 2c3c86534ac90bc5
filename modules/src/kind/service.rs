//! `service`: whether a systemd unit runs, starts with the machine, or must not run at all.

use crate::host::UNIT_SUFFIXES;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rectify_core::module::{
    Change, Command, DirEntry, Entity, Finding, HostError, HostResult, ModuleError, Observe, Operate, Relations,
    Resource, Severity, Unit, UnitAction,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How often, and how long apart, a unit without a readiness protocol is asked whether it is still there after its start:
/// systemd calls it active as soon as its process exists, and many a broken configuration takes a second to end it.
const ROUNDS: u32 = 12;
const PAUSE: Duration = Duration::from_millis(150);

/// Starts, stops, restarts, enables or masks a systemd unit.
///
/// A unit that ends again right after its start is a failure, also where systemctl is content. Masking stops and disables
/// first; unmasking comes before anything else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// The unit; without a suffix it is a `.service`. Needed for all but `daemon_reload` alone.
    name: Option<String>,
    /// Whether it runs. `restarted` and `reloaded` act every time, and belong into handlers; `reloaded` starts a unit that does
    /// not run.
    state: Option<Wanted>,
    /// Whether it is started with the machine. A static unit, which nothing starts by itself, is left as it is.
    enabled: Option<bool>,
    /// Whether nothing and nobody can start it. It need not be there to be masked.
    masked: Option<bool>,
    /// With a unit: has systemd read its unit files before anything else is done to it, and whenever they changed. Without
    /// one: has systemd read all unit files, every time. Default: false.
    daemon_reload: Option<bool>,
    /// Whose units: only those of the whole machine, `system`, can be managed. Default: `system`.
    #[expect(dead_code, reason = "its type is all there is to it: every other value is refused")]
    scope: Option<Scope>,
    /// Whether the restart, reload or daemon-reload that was asked for is done.
    #[serde(skip)]
    acted: AtomicBool,
    /// Whether it was started, did its work and ended (`Type=oneshot`).
    #[serde(skip)]
    finished: AtomicBool,
}

/// What a unit is to be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    /// Runs.
    #[serde(alias = "running")]
    Started,
    /// Does not run.
    Stopped,
    /// Is restarted, or started.
    Restarted,
    /// Reads its configuration again, or is started.
    Reloaded,
}

/// Whose units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Scope {
    /// The machine's.
    System,
}

/// A unit as far as this module manages it; `None` is what it does not, or what the unit does not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_files: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<&'static str>,
    #[serde(skip)]
    unit: Option<Unit>,
}

const OUTDATED: &str = "changed since systemd read them";
const READ: &str = "read";
const FINISHED: &str = "finished";

impl Resource for Service {
    const KIND: &'static str = "service";
    const OTHER_NAMES: &'static [&'static str] = &["systemd", "systemd_service"];
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("service", "name"), ("unit", "name"), ("daemon-reload", "daemon_reload")];
    const EXAMPLE: &'static str = "service:\n  name: apache2\n  state: started\n  enabled: true\n";
    const PASSING: &'static [&'static str] = &["due"];
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let acted = self.acted.load(Ordering::Relaxed);
        let Some(name) = self.unit() else {
            let due = (self.reads_units() && !acted).then_some("daemon-reload");
            return Ok(Some(State { active: None, enabled: None, masked: None, unit_files: None, due, unit: None }));
        };
        let unit = host.unit(&name)?;
        if !unit.exists() && self.masked != Some(true) && (self.state.is_some() || self.enabled.is_some()) {
            return Err(missing(&name));
        }
        let due = match self.state {
            Some(Wanted::Restarted) if !acted => Some("restart"),
            Some(Wanted::Reloaded) if !acted => Some("reload"),
            _ => None,
        };
        let ended = unit.active == "inactive" && self.finished.load(Ordering::Relaxed);
        Ok(Some(State {
            active: Some(if ended { FINISHED.to_owned() } else { unit.active.clone() }),
            enabled: enabled(&unit, host)?,
            masked: Some(masked(&unit)),
            unit_files: self.reads_units().then_some(if unit.needs_reload { OUTDATED } else { READ }),
            due,
            unit: Some(unit),
        }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let mut want = seen?.clone();
        want.due = None;
        want.unit_files = want.unit_files.map(|_| READ);
        if want.unit.is_none() {
            return Some(want);
        }
        want.masked = self.masked.or(want.masked);
        if self.masked == Some(true) {
            // What is masked counts as disabled: systemd does not say what would be without the mask.
            want.enabled = want.enabled.map(|_| false);
        } else if want.enabled.is_some() {
            want.enabled = self.enabled.or(want.enabled);
        }
        let up = want.active.as_deref().is_some_and(is_up);
        let stops = self.state == Some(Wanted::Stopped) || self.masked == Some(true);
        match self.state {
            Some(Wanted::Started | Wanted::Restarted | Wanted::Reloaded) if !up => want.active = Some("active".into()),
            _ if stops && up => want.active = Some("inactive".into()),
            _ => {}
        }
        Some(want)
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        if self.reads_units() {
            host.reload_units()?;
        }
        let (Some(name), Some(before), Some(after)) = (self.unit(), &change.before, &change.after) else {
            self.acted.store(true, Ordering::Relaxed);
            return Ok(());
        };
        if before.masked == Some(true) && after.masked == Some(false) {
            host.act_on_unit(&name, UnitAction::Unmask)?;
            if !host.unit(&name)?.exists() && (self.state.is_some() || self.enabled.is_some()) {
                return Err(missing(&name));
            }
        }
        if after.active.as_deref() == Some("inactive") && before.active != after.active {
            host.act_on_unit(&name, UnitAction::Stop)?;
        }
        self.apply_enabled(&name, before, after, host)?;
        if before.masked == Some(false) && after.masked == Some(true) {
            host.act_on_unit(&name, UnitAction::Mask)?;
        }
        let up = before.active.as_deref().is_some_and(is_up);
        let action = match before.due {
            Some("restart") => Some(UnitAction::Restart),
            Some("reload") if up => Some(UnitAction::Reload),
            _ if !up && after.active.as_deref() == Some("active") => Some(UnitAction::Start),
            _ => None,
        };
        if let Some(action) = action {
            host.act_on_unit(&name, action)?;
            self.acted.store(true, Ordering::Relaxed);
            self.settle(&name, action, host)?;
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        let Some(name) = &self.name else {
            let more = self.state.is_some() || self.enabled.is_some() || self.masked.is_some();
            return match (self.reads_units(), more) {
                (true, false) => Ok(()),
                _ => Err("`name` is missing: say which unit".into()),
            };
        };
        if name.is_empty() || name.starts_with('-') || name.contains(['*', '?', '[', '/']) || name.contains(' ') {
            return Err(format!("name: {name:?} is no name of a unit (patterns and paths are not taken)"));
        }
        if self.state.is_none() && self.enabled.is_none() && self.masked.is_none() && !self.reads_units() {
            return Err("say what is wanted, by `state`, `enabled`, `masked` or `daemon_reload`".into());
        }
        if self.masked == Some(true) && self.state.is_some_and(|s| s != Wanted::Stopped) {
            return Err("a masked unit cannot run: `masked: true` goes with `state: stopped` only".into());
        }
        if self.masked == Some(true) && self.enabled == Some(true) {
            return Err("a masked unit cannot be enabled: `masked: true` goes with `enabled: false` only".into());
        }
        Ok(())
    }

    fn relations(&self) -> Relations {
        match self.unit() {
            Some(name) => Relations::writes([Entity::Unit(name)]),
            None => Relations::default(),
        }
    }

    fn subject(&self) -> String {
        self.unit().unwrap_or_else(|| "unit files".into())
    }

    fn findings(&self, seen: Option<&State>) -> Vec<Finding> {
        let unit = seen.and_then(|s| s.unit.as_ref());
        let Some(unit) = unit.filter(|u| u.file == "indirect" && self.enabled == Some(true)) else { return Vec::new() };
        vec![Finding {
            severity: Severity::Warning,
            subject: unit.name.clone(),
            message: "cannot be enabled itself, it only enables others (`Also=` in its file): name those instead"
                .into(),
        }]
    }

    fn returns(&self, seen: Option<&State>) -> Map<String, Value> {
        let mut data = Map::new();
        let Some(State { unit: Some(unit), enabled, .. }) = seen else { return data };
        data.insert("name".into(), unit.name.clone().into());
        data.insert("state".into(), if is_up(&unit.active) { "started" } else { "stopped" }.into());
        if let Some(enabled) = enabled {
            data.insert("enabled".into(), (*enabled).into());
        }
        let status = [
            ("Id", &unit.name),
            ("LoadState", &unit.load),
            ("ActiveState", &unit.active),
            ("SubState", &unit.sub),
            ("UnitFileState", &unit.file),
        ];
        let status: Map<String, Value> = status.into_iter().map(|(k, v)| (k.to_owned(), v.clone().into())).collect();
        data.insert("status".into(), status.into());
        data
    }
}

impl Service {
    /// The unit's full name.
    fn unit(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        let full = UNIT_SUFFIXES.iter().any(|s| name.ends_with(s));
        Some(if full { name.clone() } else { format!("{name}.service") })
    }

    fn reads_units(&self) -> bool {
        self.daemon_reload == Some(true)
    }

    fn apply_enabled(&self, name: &str, before: &State, after: &State, host: &dyn Operate) -> Result<(), ModuleError> {
        let Some(wanted) = after.enabled else { return Ok(()) };
        // Under a mask it could not be seen.
        let seen = if before.masked == Some(true) { enabled(&host.unit(name)?, host)? } else { before.enabled };
        if seen.is_some() && seen != Some(wanted) && (self.enabled.is_some() || self.masked == Some(true)) {
            host.act_on_unit(name, if wanted { UnitAction::Enable } else { UnitAction::Disable })?;
        }
        Ok(())
    }

    /// Makes sure that what was started stays.
    fn settle(&self, name: &str, action: UnitAction, host: &dyn Operate) -> Result<(), ModuleError> {
        let mut restarts = None;
        for round in 0..ROUNDS {
            let shown = match shown(name, host) {
                Ok(shown) => shown,
                // A host without processes: what it knows of the unit is all there is to know.
                Err(error @ (HostError::Unknown(_) | HostError::Unsupported(_))) => {
                    return if is_up(&host.unit(name)?.active) { Ok(()) } else { Err(error.into()) };
                }
                Err(error) => return Err(error.into()),
            };
            if shown.kind == "oneshot" && shown.active == "inactive" && shown.result == "success" {
                self.finished.store(true, Ordering::Relaxed);
                return Ok(());
            }
            let again = shown.sub == "auto-restart" || shown.restarts > *restarts.get_or_insert(shown.restarts);
            if again || !is_up(&shown.active) {
                return Err(died(name, action, &shown, again));
            }
            // The other types tell systemd when they are ready.
            if !matches!(shown.kind.as_str(), "simple" | "exec" | "idle") {
                return Ok(());
            }
            if round + 1 < ROUNDS {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }
}

/// What systemd says of a unit beyond what every host knows.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    kind: String,
    active: String,
    sub: String,
    result: String,
    restarts: u32,
}

fn shown(name: &str, host: &dyn Observe) -> HostResult<Shown> {
    const PROPERTIES: &str = "--property=Type,ActiveState,SubState,Result,NRestarts";
    let command = Command::new(["systemctl", "show", "--no-pager", PROPERTIES, "--", name]);
    let output = host.probe(&command.reading([Entity::Unit(name.to_owned())]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field =
        |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().to_owned();
    Ok(Shown {
        kind: field("Type"),
        active: field("ActiveState"),
        sub: field("SubState"),
        result: field("Result"),
        restarts: field("NRestarts").parse().unwrap_or_default(),
    })
}

fn died(name: &str, action: UnitAction, shown: &Shown, again: bool) -> ModuleError {
    let verb = match action {
        UnitAction::Restart => "restart",
        UnitAction::Reload => "reload",
        _ => "start",
    };
    let how = if again {
        "it ends and systemd starts it over and over".to_owned()
    } else {
        format!("it is {}", shown.active)
    };
    let why = if shown.result.is_empty() { "unknown" } else { &shown.result };
    ModuleError::failed(format!(
        "{name} did not survive its {verb}: {how} (result: {why}); `journalctl -u {name}` on the host says more"
    ))
}

fn missing(name: &str) -> ModuleError {
    ModuleError::failed(format!("there is no unit {name} on this host: is its name right, and its package installed?"))
}

/// Whether it runs, or is about to.
fn is_up(active: &str) -> bool {
    matches!(active, "active" | "activating" | "reloading" | "refreshing" | FINISHED)
}

fn masked(unit: &Unit) -> bool {
    unit.load == "masked" || unit.file.starts_with("masked")
}

/// Whether it starts with the machine; `None`: it is no unit that could be enabled.
fn enabled(unit: &Unit, host: &dyn Observe) -> HostResult<Option<bool>> {
    Ok(match unit.file.as_str() {
        _ if !unit.exists() => Some(false),
        "enabled" | "enabled-runtime" => Some(true),
        "disabled" | "linked" | "linked-runtime" | "masked" | "masked-runtime" => Some(false),
        "generated" if unit.name.ends_with(".service") => started_by_links(&unit.name, host)?,
        _ => None,
    })
}

/// Whether a System V script has its links; `None`: there is no such script, another generator made the unit.
fn started_by_links(unit: &str, host: &dyn Observe) -> HostResult<Option<bool>> {
    let script = unit.trim_end_matches(".service");
    if host.stat(&std::path::Path::new("/etc/init.d").join(script))?.is_none() {
        return Ok(None);
    }
    let folder = std::path::Path::new("/etc/rc5.d");
    let mut found = false;
    if host.stat(folder)?.is_some() {
        host.list(folder, &mut |entry: DirEntry| {
            let name = entry.name.to_string_lossy();
            let starts = name
                .strip_prefix('S')
                .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == script);
            found |= starts;
            !found
        })?;
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests;
