//! `package_allowlist`: nothing is installed but what is allowed, and what that requires.

mod keep;

use std::collections::BTreeMap;

use rectify_core::module::{
    Change, Entity, Finding, ModuleError, Observe, Operate, PackageDb, PackageRequest, Relations, Resource, Severity,
    Transaction,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::keep::Kept;

/// Removes, or reports, every package that is neither allowed nor required by an allowed one.
///
/// Never touched, whatever the list says: what the distribution calls essential or protected; packages on hold; what holds up
/// the machine and the way into it (SSH server, sudo, PAM, systemd, the C library, the package manager with its keys,
/// kernels with firmware and initramfs, the boot loader, network configuration, file systems and disks, the guest agent of a
/// virtual machine, firewall, clock, shell and basic tools); and all that these require. What the list itself lacks shows in
/// a report, which is the default: read it before you let it remove anything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageAllowlist {
    /// What may be installed: names, or patterns with `*` and `?`. What these require is allowed too.
    allow: Vec<String>,
    /// Whether what is recommended by something that stays, stays too. Default: false.
    keep_recommends: Option<bool>,
    /// Whether the rest is removed, or only reported as findings. Default: `report`.
    mode: Option<Mode>,
    /// How many packages may be removed in one run; if there are more, nothing is done and the task fails. Default: 10.
    max_removals: Option<usize>,
    /// Whether the configuration of removed packages goes too (apt). Default: false.
    purge: Option<bool>,
}

/// What to do with the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Remove it.
    Remove,
    /// Report it.
    Report,
}

/// What is installed without being allowed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    packages: BTreeMap<String, String>,
    /// Why each of them is there.
    #[serde(skip)]
    why: BTreeMap<String, String>,
}

impl Resource for PackageAllowlist {
    const KIND: &'static str = "package_allowlist";
    const EXAMPLE: &'static str =
        "package_allowlist:\n  allow: [apache2, libapache2-mod-security2, php*, rsync]\n  mode: report\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let db = host.packages()?;
        let kept = Kept::new(&db, &self.allow, self.keep_recommends.unwrap_or(false));
        let extras = kept.extras();
        if self.mode() == Mode::Remove && !extras.is_empty() {
            self.check_number(&extras)?;
            let transaction = host.resolve(&self.request(extras.keys()))?;
            check(&transaction, &extras, &db)?;
        }
        let why = rectify_core::small::gather(extras.keys().map(|name| (name.clone(), kept.why(name))));
        Ok(Some(State { packages: extras, why }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let seen = seen?;
        Some(match self.mode() {
            Mode::Report => seen.clone(),
            Mode::Remove => State { packages: BTreeMap::new(), why: BTreeMap::new() },
        })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let Some(before) = &change.before else { return Ok(()) };
        host.transact(&self.request(before.packages.keys()))?;
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        if self.allow.iter().all(|name| name.trim().is_empty()) {
            return Err("`allow` is empty: everything but the base of the system would go".into());
        }
        match self.allow.iter().find(|n| n.contains(char::is_whitespace) || n.contains('=')) {
            Some(name) => Err(format!("allow: {name:?} is no name or pattern of packages (versions are not taken)")),
            None => Ok(()),
        }
    }

    fn relations(&self) -> Relations {
        Relations::writes([Entity::Package("*".into())])
    }

    fn exclusive(&self) -> Option<&'static str> {
        Some("packages")
    }

    fn subject(&self) -> String {
        "installed packages".into()
    }

    fn findings(&self, seen: Option<&State>) -> Vec<Finding> {
        let severity = if self.mode() == Mode::Report { Severity::Warning } else { Severity::Info };
        let why = seen.map(|s| s.why.iter()).into_iter().flatten();
        why.map(|(name, why)| Finding {
            severity,
            subject: name.clone(),
            message: format!("is not on the list of allowed packages: {why}"),
        })
        .collect()
    }
}

impl PackageAllowlist {
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Report)
    }

    fn request<'a>(&self, names: impl Iterator<Item = &'a String>) -> PackageRequest {
        PackageRequest {
            remove: names.cloned().collect(),
            purge: self.purge.unwrap_or(false),
            ..PackageRequest::default()
        }
    }

    fn check_number(&self, extras: &BTreeMap<String, String>) -> Result<(), ModuleError> {
        let most = self.max_removals.unwrap_or(10);
        if extras.len() <= most {
            return Ok(());
        }
        let names: Vec<&str> = extras.keys().map(String::as_str).collect();
        Err(ModuleError::failed(format!(
            "refused: {} packages are not on the list, and `max_removals` is {most}: {}",
            names.len(),
            names.join(", ")
        )))
    }
}

/// The package manager may see it otherwise than the dependencies say: nothing else may change.
fn check(transaction: &Transaction, extras: &BTreeMap<String, String>, db: &PackageDb) -> Result<(), ModuleError> {
    let other: Vec<String> = transaction
        .changes
        .iter()
        .filter(|c| c.to.is_some() || (!extras.contains_key(&c.name) && db.installed(&c.name).is_some()))
        .map(|c| match &c.to {
            Some(version) => format!("{} would come in version {version}", c.name),
            None => format!("{} would go", c.name),
        })
        .collect();
    if other.is_empty() {
        return Ok(());
    }
    Err(ModuleError::failed(format!(
        "refused: with what is not on the list, the package manager would change packages that are to stay: {}",
        other.join(", ")
    )))
}

#[cfg(test)]
mod tests;
