//! `sysctl`: a kernel parameter, now and after the next boot.

mod boot;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use rectify_core::module::{
    Change, Entity, Finding, HostError, ModuleError, Observe, Operate, Relations, Resource, Severity, WriteAttrs,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest configuration file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Sets a kernel parameter in a configuration file, and in the running kernel.
///
/// A file that is not read at boot, or another one that has the last word, is reported as a finding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sysctl {
    /// The parameter, with dots.
    name: String,
    /// Its value; true and false stand for 1 and 0. Needed for `state: present`.
    value: Option<String>,
    /// Whether the file has it; `absent` leaves the running kernel as it is. Default: `present`.
    state: Option<Wanted>,
    /// The configuration file. Default: `/etc/sysctl.conf`.
    sysctl_file: Option<PathBuf>,
    /// Whether the running kernel is to have the value even with `reload: false`. Default: false.
    sysctl_set: Option<bool>,
    /// Whether the running kernel is to have the value. Default: true.
    reload: Option<bool>,
    /// Whether a kernel that does not have the parameter, or refuses the value, is left as it is. Default: false.
    ignoreerrors: Option<bool>,
    /// Whether the kernel refused, and that was to be ignored.
    #[serde(skip)]
    gave_up: AtomicBool,
}

/// Whether it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    /// It is.
    Present,
    /// It is not.
    Absent,
}

/// The values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    /// In the file.
    file: Option<String>,
    /// In the running kernel; `None`: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<String>,
    /// What stands in the way after a boot.
    #[serde(skip)]
    warning: Option<String>,
}

impl Resource for Sysctl {
    const KIND: &'static str = "sysctl";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("key", "name"), ("val", "value")];
    const EXAMPLE: &'static str =
        "sysctl:\n  name: net.ipv4.conf.all.accept_redirects\n  value: 0\n  sysctl_file: /etc/sysctl.d/60-web.conf\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let text = read(self.file(), host)?;
        let file = value_in(&text, &self.key());
        if self.is_absent() {
            return Ok(Some(State { file, live: None, warning: None }));
        }
        let mut live = None;
        if self.wants_live() {
            live = host.sysctl(&self.key())?.map(|v| normal(&v));
            if live.is_none() && self.ignoreerrors != Some(true) {
                return Err(ModuleError::failed(format!(
                    "this kernel has no parameter {}: is its name right, and the kernel module that has it loaded?",
                    self.key()
                )));
            }
        }
        let warning = boot::warning(self.file(), &self.key(), &self.wanted(), host)?;
        Ok(Some(State { file, live, warning }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let seen = seen?;
        if self.is_absent() {
            return Some(State { file: None, ..seen.clone() });
        }
        let wanted = self.wanted();
        let gave_up = self.gave_up.load(Ordering::Relaxed);
        let live = seen.live.as_ref().map(|live| if gave_up { live.clone() } else { wanted.clone() });
        Some(State { file: Some(wanted), live, warning: seen.warning.clone() })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(()) };
        if before.file != after.file {
            let old = read(self.file(), host)?;
            let new = with_value(&old, &self.key(), after.file.as_deref());
            let there = host.stat(self.file())?.is_some();
            let attrs = WriteAttrs { mode: (!there).then_some(0o644), ..WriteAttrs::default() };
            host.write(self.file(), new.as_bytes(), &attrs)?;
        }
        if let (true, Some(value)) = (before.live != after.live, &after.live) {
            match host.set_sysctl(&self.key(), value) {
                Err(HostError::Io { .. }) if self.ignoreerrors == Some(true) => {
                    self.gave_up.store(true, Ordering::Relaxed);
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        let key = self.key();
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c.is_control() || "=#;*".contains(c)) {
            return Err(format!("name: {:?} is no name of a kernel parameter", self.name));
        }
        if key.starts_with('.') || key.ends_with('.') || key.contains("..") {
            return Err(format!("name: {:?} is no name of a kernel parameter", self.name));
        }
        if !self.file().is_absolute() {
            return Err(format!("sysctl_file: {} is no absolute path", self.file().display()));
        }
        if self.is_absent() {
            return Ok(());
        }
        let Some(value) = &self.value else { return Err("`value` is missing".into()) };
        if value.trim().is_empty() || value.contains(char::is_control) {
            return Err(format!("value: {value:?} is no value of a kernel parameter"));
        }
        if key == "kernel.modules_disabled" {
            return Err(
                "kernel.modules_disabled in a file that is read early in the boot leaves the host without firewall, \
                        file systems and network: use `kernel_module: {loading: off}`, which comes late"
                    .into(),
            );
        }
        Ok(())
    }

    fn relations(&self) -> Relations {
        let mut relations = Relations::file(self.file());
        relations.writes.push(Entity::Sysctl(self.key()));
        relations
    }

    fn subject(&self) -> String {
        self.key()
    }

    fn findings(&self, seen: Option<&State>) -> Vec<Finding> {
        let warning = seen.and_then(|s| s.warning.clone());
        let finding = |message| Finding { severity: Severity::Warning, subject: self.key(), message };
        warning.map(finding).into_iter().collect()
    }
}

impl Sysctl {
    /// The name with dots; as sysctl(8) has it, the first separator says which one separates.
    fn key(&self) -> String {
        dotted(self.name.trim())
    }

    fn is_absent(&self) -> bool {
        self.state == Some(Wanted::Absent)
    }

    fn wants_live(&self) -> bool {
        self.reload.unwrap_or(true) || self.sysctl_set == Some(true)
    }

    fn file(&self) -> &Path {
        self.sysctl_file.as_deref().unwrap_or(Path::new("/etc/sysctl.conf"))
    }

    fn wanted(&self) -> String {
        let text = self.value.as_deref().unwrap_or_default();
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" => "1".into(),
            "false" | "no" | "off" | "n" | "f" => "0".into(),
            _ => normal(text),
        }
    }
}

fn dotted(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'/' => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// One space between several numbers: the kernel writes tabs.
fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(path: &Path, host: &dyn Observe) -> Result<String, ModuleError> {
    let bytes = host.read(path, LONGEST)?;
    match bytes.map(|b| String::from_utf8(b.to_vec())) {
        None => Ok(String::new()),
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => Err(ModuleError::failed(format!("{} is not UTF-8, and is not touched", path.display()))),
    }
}

/// A line's parameter and value (sysctl.d(5)); a `-` before the name means that errors are ignored.
fn parse(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    Some((dotted(name.strip_prefix('-').unwrap_or(name).trim()), normal(value)))
}

/// The last line counts.
fn value_in(text: &str, key: &str) -> Option<String> {
    text.lines().rev().filter_map(parse).find(|(name, _)| name == key).map(|(_, value)| value)
}

/// The text with one line for this parameter, or with none.
fn with_value(text: &str, key: &str, value: Option<&str>) -> String {
    let mut out = String::new();
    let mut due = value;
    for line in text.lines() {
        if parse(line).is_some_and(|(name, _)| name == key) {
            if let Some(value) = due.take() {
                out.push_str(&format!("{key}={value}\n"));
            }
            continue;
        }
        out.push_str(line);
        out.push('\n');
    }
    if let Some(value) = due {
        out.push_str(&format!("{key}={value}\n"));
    }
    out
}

#[cfg(test)]
mod tests;
