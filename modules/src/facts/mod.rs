//! Facts with Ansible's names, read from the files of the host: no program is run.
//!
//! | file | what |
//! | --- | --- |
//! | `distribution` | os-release(5): distribution, version, family |
//! | `platform` | kernel, names, package and service manager, security modules, accounts, local facts |
//! | `hardware` | processors, memory, DMI, mounts |
//! | `network` | interfaces, addresses, routes, resolver |
//! | `virtualization` | container or virtual machine |
//! | `time` | the date, in the host's time zone |
//!
//! A fact whose source is not there, or may not be read, is left out: an invented one would steer a playbook.

mod distribution;
mod hardware;
mod local;
mod network;
mod platform;
#[cfg(all(test, feature = "fake"))]
mod tests;
mod time;
mod virtualization;

use std::path::Path;

use rectify_core::module::{DirEntry, HostError, ModuleError, Observe};
use serde_json::{Map, Value};

/// Facts by name.
pub(crate) type Facts = Map<String, Value>;

/// Where local facts are, unless a task says otherwise.
pub(crate) const LOCAL: &str = "/etc/ansible/facts.d";

/// A part of the facts that can be asked for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What nearly every playbook reads.
    Min,
    /// Processors, memory, DMI, mounts.
    Hardware,
    /// Interfaces, addresses, routes, resolver.
    Network,
    /// Container or virtual machine.
    Virtual,
}

impl Part {
    const ALL: [Part; 4] = [Part::Min, Part::Hardware, Part::Network, Part::Virtual];
    const MIN_NAMES: &'static [&'static str] = &[
        "min",
        "distribution",
        "platform",
        "system",
        "pkg_mgr",
        "service_mgr",
        "date_time",
        "env",
        "user",
        "lsb",
        "local",
        "selinux",
        "apparmor",
        "fips",
        "cmdline",
        "ssh_pub_keys",
        "python",
        "chroot",
        "systemd",
        "caps",
    ];

    /// The part that a word of `gather_subset` names.
    fn named(word: &str) -> Option<Part> {
        match word {
            "hardware" | "devices" | "mounts" | "dmi" | "processor" | "memory" | "uptime" => Some(Part::Hardware),
            "network" | "interfaces" | "default_ipv4" | "default_ipv6" | "all_ipv4_addresses"
            | "all_ipv6_addresses" | "dns" => Some(Part::Network),
            "virtual" | "virtualization_type" | "virtualization_role" => Some(Part::Virtual),
            other if Part::MIN_NAMES.contains(&other) => Some(Part::Min),
            _ => None,
        }
    }

    /// The parts that `gather_subset` asks for: all of them, unless it names some (`network`) or takes some away (`!network`).
    /// The least part is always there, unless `!min` takes it away.
    ///
    /// # Errors
    /// A word that names no part.
    pub(crate) fn chosen(subset: &[String]) -> Result<Vec<Part>, String> {
        let (mut plus, mut minus, mut no_min) = (Vec::new(), Vec::new(), false);
        for word in subset.iter().map(|w| w.trim()).filter(|w| !w.is_empty()) {
            match word {
                "all" => plus.extend(Part::ALL),
                "!all" => minus.extend([Part::Hardware, Part::Network, Part::Virtual]),
                "!min" => no_min = true,
                _ => {
                    let (list, name) = match word.strip_prefix('!') {
                        Some(name) => (&mut minus, name),
                        None => (&mut plus, word),
                    };
                    match Part::named(name) {
                        Some(part) => list.push(part),
                        None if matches!(name, "facter" | "ohai") && word.starts_with('!') => {}
                        None => return Err(format!("gather_subset: {word:?} names no part of the facts")),
                    }
                }
            }
        }
        // A part by its own name is stronger than `!all`; `!hardware` is stronger than `all`.
        let named = |part: Part, sign: &str| {
            subset.iter().any(|w| w.trim().strip_prefix(sign).is_some_and(|name| Part::named(name) == Some(part)))
        };
        let wanted = |part: &Part| match part {
            Part::Min => !no_min,
            other if named(*other, "!") => false,
            other if named(*other, "") => true,
            other => !minus.contains(other) && (plus.is_empty() || plus.contains(other)),
        };
        Ok(Part::ALL.into_iter().filter(wanted).collect())
    }
}

/// Gathers the facts of a host, by their names below `ansible_facts`.
///
/// # Errors
/// If the host cannot be looked at.
pub fn gather(host: &dyn Observe) -> Result<Map<String, Value>, ModuleError> {
    gather_parts(host, &Part::ALL, Path::new(LOCAL))
}

/// Gathers some of the facts; local ones are those of the folder `local`.
pub(crate) fn gather_parts(host: &dyn Observe, parts: &[Part], local: &Path) -> Result<Facts, ModuleError> {
    let look = Look(host);
    let mut facts = Facts::new();
    for part in parts {
        match part {
            Part::Min => {
                distribution::gather(look, &mut facts)?;
                platform::gather(look, &mut facts)?;
                time::gather(look, &mut facts)?;
                facts.insert("local".into(), Value::Object(local::gather(look, local)?));
            }
            Part::Hardware => hardware::gather(look, &mut facts)?,
            Part::Network => network::gather(look, &mut facts)?,
            Part::Virtual => virtualization::gather(look, &mut facts)?,
        }
    }
    facts.insert("gather_subset".into(), vec!["all"].into());
    facts.insert("module_setup".into(), true.into());
    Ok(facts)
}

/// Looking for facts: what is not there, or may not be read, has no fact; what is not known stays not known.
#[derive(Clone, Copy)]
struct Look<'a>(&'a dyn Observe);

impl Look<'_> {
    /// The text of a file, at most 4 MiB of it.
    fn text(self, path: impl AsRef<Path>) -> Result<Option<String>, ModuleError> {
        let bytes = lenient(self.0.read(path.as_ref(), 4 << 20))?.flatten();
        Ok(bytes.map(|b| String::from_utf8_lossy(&b).into_owned()))
    }

    /// The text of a file of one line.
    fn line(self, path: impl AsRef<Path>) -> Result<Option<String>, ModuleError> {
        Ok(self.text(path)?.map(|t| t.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()))
    }

    fn exists(self, path: impl AsRef<Path>) -> Result<bool, ModuleError> {
        Ok(lenient(self.0.stat(path.as_ref()))?.flatten().is_some())
    }

    /// The names in a folder, sorted; none if it is not there.
    fn names(self, path: impl AsRef<Path>) -> Result<Vec<String>, ModuleError> {
        let mut names = Vec::new();
        if !self.exists(&path)? {
            return Ok(names);
        }
        lenient(self.0.list(path.as_ref(), &mut |entry: DirEntry| {
            names.push(entry.name.to_string_lossy().into_owned());
            names.len() < 10_000
        }))?;
        rectify_core::small::sort(&mut names);
        Ok(names)
    }
}

fn lenient<T>(result: Result<T, HostError>) -> Result<Option<T>, ModuleError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ (HostError::Unknown(_) | HostError::Cancelled)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Puts in a fact that is there.
fn put(facts: &mut Facts, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        facts.insert(name.into(), value.into());
    }
}

/// `KEY=value` lines as a shell reads them, quotes taken off.
fn assignments(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.trim().split_once('='))
        .filter(|(key, _)| !key.starts_with('#'))
        .map(|(key, value)| {
            let value = value.trim();
            let bare = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
            (key.trim().to_owned(), bare.to_owned())
        })
        .collect()
}
