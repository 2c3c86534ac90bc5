//! `kernel_module`: kernel modules that are loaded, unloaded or forbidden, and an end to all loading after the boot.

mod guard;
mod lock;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{
    Change, Entity, Finding, ModuleError, Observe, Operate, Relations, Resource, Severity, WriteAttrs,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::lock::Lock;

/// The longest configuration file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Loads, unloads or forbids kernel modules, or turns off loading altogether, late in every boot.
///
/// Forbidding writes `/etc/modprobe.d/rectify-NAME.conf` and unloads the module if nothing uses it; one in use is reported, and
/// gone after the next boot. A module that a file system of this host needs is refused.
///
/// `loading: off` cannot be undone without a reboot. It never goes into sysctl.d, where it comes before firewall, network and
/// file systems: a unit sets `kernel.modules_disabled` when the machine is up, after everything that is loaded now (and in
/// `preload`) was loaded early by modules-load.d. `rectify.nomodlock` on the kernel's command line skips the unit. After it,
/// devices that are plugged in, new kinds of mounts and firewall rules, containers and live patches may not work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelModule {
    /// The modules.
    name: Option<Vec<String>>,
    /// What is to become of them: `loaded` (`present`), `absent` (unloaded), `forbidden`, or `allowed`, which takes back a
    /// `forbidden`. Default: `loaded`.
    state: Option<Wanted>,
    /// For `loaded` and `absent`: whether they are loaded at boot, by `/etc/modules-load.d/NAME.conf`. Default: `disabled`,
    /// which leaves that as it is.
    persistent: Option<Persistent>,
    /// Whether modules can be loaded once the machine is up.
    loading: Option<Loading>,
    /// With `loading: off`: modules that are loaded early in every boot beside those that are loaded now.
    preload: Option<Vec<String>>,
    /// With `loading: off`: whether it holds from now on, and not only from the next boot. Default: false.
    now: Option<bool>,
}

/// What is to become of modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    /// Loaded.
    #[serde(alias = "present")]
    Loaded,
    /// Unloaded.
    Absent,
    /// Never loaded.
    Forbidden,
    /// Not forbidden by us.
    Allowed,
}

/// Whether a module is loaded at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Persistent {
    /// As it is.
    Disabled,
    /// It is.
    Present,
    /// It is not.
    Absent,
}

/// Whether modules can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Loading {
    /// They can.
    #[serde(alias = "true", alias = "True", alias = "yes")]
    On,
    /// They cannot.
    #[serde(alias = "false", alias = "False", alias = "no")]
    Off,
}

/// What there is of the modules, and of the lock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    modules: BTreeMap<String, One>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loading: Option<Lock>,
    /// What is reported.
    #[serde(skip)]
    notes: Vec<(String, String)>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct One {
    loaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    forbidden: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_boot: Option<bool>,
    #[serde(skip)]
    uses: u32,
}

impl Resource for KernelModule {
    const KIND: &'static str = "kernel_module";
    const OTHER_NAMES: &'static [&'static str] = &["modprobe"];
    const EXAMPLE: &'static str = "kernel_module:\n  name: [dccp, sctp, rds, tipc]\n  state: forbidden\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let mut notes = Vec::new();
        let mut modules = BTreeMap::new();
        let names = self.names();
        if !names.is_empty() {
            let loaded = host.kernel_modules()?;
            if self.state() == Wanted::Forbidden {
                guard::check(&names, host)?;
            }
            for name in &names {
                let one = self.one(name, loaded.get(name).copied(), host)?;
                notes.extend(self.note(name, &one, host)?.map(|note| (name.clone(), note)));
                modules.insert(name.clone(), one);
            }
        }
        let loading = match self.loading {
            Some(wanted) => {
                let lock = Lock::observe(wanted == Loading::Off, self.preload.as_deref().unwrap_or_default(), host)?;
                if wanted == Loading::On && lock.is_in_force() {
                    notes.push((
                        "loading".into(),
                        "is off until this host boots again: nothing turns it on before".into(),
                    ));
                }
                Some(lock)
            }
            None => None,
        };
        Ok(Some(State { modules, loading, notes }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let mut want = seen?.clone();
        for one in want.modules.values_mut() {
            match self.state() {
                Wanted::Loaded => one.loaded = true,
                Wanted::Absent => one.loaded = false,
                Wanted::Forbidden => {
                    one.forbidden = Some(true);
                    // What is in use stays until the next boot.
                    one.loaded &= one.uses > 0;
                }
                Wanted::Allowed => one.forbidden = Some(false),
            }
            one.at_boot = one.at_boot.map(|_| self.persistent == Some(Persistent::Present));
        }
        want.loading =
            want.loading.map(|lock| lock.desired(self.loading == Some(Loading::Off), self.now == Some(true)));
        Some(want)
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(()) };
        for (name, want) in &after.modules {
            let Some(have) = before.modules.get(name).filter(|have| *have != want) else { continue };
            if have.forbidden != want.forbidden {
                put(&forbidding(name), (want.forbidden == Some(true)).then(|| forbidden_text(name)), host)?;
            }
            if have.at_boot != want.at_boot {
                put(&at_boot(name), (want.at_boot == Some(true)).then(|| format!("{name}\n")), host)?;
            }
            if have.loaded != want.loaded {
                host.set_kernel_module(name, want.loaded)?;
            }
        }
        if let (Some(have), Some(want)) = (&before.loading, &after.loading)
            && have != want
        {
            have.turn_into(want, host)?;
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        let named = self.name.is_some();
        if !named && self.loading.is_none() {
            return Err("say which modules, by `name`, or whether they can be loaded, by `loading`".into());
        }
        if !named && (self.state.is_some() || self.persistent.is_some()) {
            return Err("`state` and `persistent` need a `name`".into());
        }
        if self.loading != Some(Loading::Off) && (self.preload.is_some() || self.now.is_some()) {
            return Err("`preload` and `now` go with `loading: off` only".into());
        }
        if self.persistent.is_some_and(|p| p != Persistent::Disabled)
            && !matches!(self.state(), Wanted::Loaded | Wanted::Absent)
        {
            return Err("`persistent` goes with `state: loaded` and `state: absent` only".into());
        }
        let all = self.name.iter().chain(&self.preload).flatten();
        match all.into_iter().find(|n| !is_name(n)) {
            Some(name) => Err(format!("{name:?} is no name of a kernel module")),
            None => Ok(()),
        }
    }

    fn relations(&self) -> Relations {
        let mut relations = Relations::default();
        for name in self.names() {
            match self.state() {
                Wanted::Forbidden | Wanted::Allowed => relations.writes.push(Entity::Path(forbidding(&name))),
                _ if self.persistent.is_some() => relations.writes.push(Entity::Path(at_boot(&name))),
                _ => {}
            }
            relations.writes.push(Entity::KernelModule(name));
        }
        if self.loading.is_some() {
            relations.writes.extend(lock::entities());
        }
        relations
    }

    fn subject(&self) -> String {
        let names = self.names();
        if names.is_empty() { "loading of kernel modules".into() } else { names.join(", ") }
    }

    fn findings(&self, seen: Option<&State>) -> Vec<Finding> {
        let notes = seen.map(|s| s.notes.iter()).into_iter().flatten();
        notes
            .map(|(subject, message)| Finding {
                severity: Severity::Warning,
                subject: subject.clone(),
                message: message.clone(),
            })
            .collect()
    }
}

impl KernelModule {
    /// As the kernel writes them.
    fn names(&self) -> Vec<String> {
        self.name.iter().flatten().map(|n| n.trim().replace('-', "_")).collect()
    }

    fn state(&self) -> Wanted {
        self.state.unwrap_or(Wanted::Loaded)
    }

    fn one(&self, name: &str, uses: Option<u32>, host: &dyn Observe) -> Result<One, ModuleError> {
        let forbidden = match self.state() {
            Wanted::Forbidden => Some(text(&forbidding(name), host)?.as_deref() == Some(&forbidden_text(name))),
            Wanted::Allowed => Some(host.lstat(&forbidding(name))?.is_some()),
            _ => None,
        };
        let at_boot = match self.persistent {
            Some(Persistent::Present) => Some(text(&at_boot(name), host)?.as_deref() == Some(&format!("{name}\n"))),
            Some(Persistent::Absent) => Some(host.lstat(&at_boot(name))?.is_some()),
            _ => None,
        };
        let built_in = uses.is_none() && self.state() == Wanted::Loaded && guard::is_built_in(name, host)?;
        Ok(One { loaded: uses.is_some() || built_in, forbidden, at_boot, uses: uses.unwrap_or(0) })
    }

    fn note(&self, name: &str, one: &One, host: &dyn Observe) -> Result<Option<String>, ModuleError> {
        if self.state() != Wanted::Forbidden {
            return Ok(None);
        }
        if one.uses > 0 {
            return Ok(Some(format!("is in use ({} times): it stays until this host boots again", one.uses)));
        }
        let built_in = !one.loaded && guard::is_built_in(name, host)?;
        Ok(built_in.then(|| "is part of this kernel itself: no configuration keeps it out".into()))
    }
}

fn is_name(name: &str) -> bool {
    let name = name.trim();
    !name.is_empty()
        && name.len() < 64
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b))
}

fn forbidding(name: &str) -> PathBuf {
    Path::new("/etc/modprobe.d").join(format!("rectify-{name}.conf"))
}

fn at_boot(name: &str) -> PathBuf {
    Path::new("/etc/modules-load.d").join(format!("{name}.conf"))
}

/// modprobe.d(5): `blacklist` keeps a device's alias from loading it, `install` everything else that goes through modprobe.
fn forbidden_text(name: &str) -> String {
    format!("# Forbidden by rectify.\ninstall {name} /bin/false\nblacklist {name}\n")
}

fn text(path: &Path, host: &dyn Observe) -> Result<Option<String>, ModuleError> {
    Ok(host.read(path, LONGEST)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Makes the file hold this, or takes it away.
fn put(path: &Path, content: Option<String>, host: &dyn Operate) -> Result<(), ModuleError> {
    let Some(content) = content else { return Ok(host.remove(path)?) };
    if let Some(folder) = path.parent()
        && host.stat(folder)?.is_none()
    {
        host.make_dir(folder, 0o755)?;
    }
    let attrs = WriteAttrs { mode: Some(0o644), uid: Some(0), gid: Some(0) };
    Ok(host.write(path, content.as_bytes(), &attrs)?)
}

#[cfg(test)]
mod tests;
