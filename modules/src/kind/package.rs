//! `package`: packages that are to be there, to be new, or to be gone.

mod goal;
mod index;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use rectify_core::module::{
    Change, Entity, HostError, HostResult, Manager, ModuleError, Observe, Operate, PackageDb, PackageRequest,
    Relations, Resource, Transaction,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::packages::{floor, is_pattern, matches};

/// Installs, upgrades or removes packages, with apt or dnf, whichever the host has.
///
/// All names of a task are one transaction. A check shows every package that the transaction would bring, change or take
/// away, as the package manager itself resolves it. A transaction that would take along a package that the host cannot do
/// without (its way in, its kernel, its package manager …) is refused, unless the task names that package itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// The packages: names, `name=version`, `name-version` (dnf), what a package provides, or the path of a package file on
    /// the host. Patterns with `*` and `?` stand for installed packages, and go with `latest` and `absent` only.
    name: Option<Vec<String>>,
    /// What is to become of them. Default: `present`.
    state: Option<Wanted>,
    /// The version of a single package.
    version: Option<String>,
    /// Whether the configuration of removed packages goes too (apt), also of those that were removed earlier. Default: false.
    purge: Option<bool>,
    /// Whether packages go too that came as dependencies and that nothing needs any more; without `name`, only these.
    /// Default: false.
    autoremove: Option<bool>,
    /// Whether the index of the repositories is fetched: before a transaction if there is one to do, before the comparison
    /// with `latest`, and by itself if there is no `name`. Default: false.
    update_cache: Option<bool>,
    /// For how many seconds a fetched index is good, unless the list of repositories was changed since. Turns `update_cache`
    /// on. Default: 0, with names that are to be `latest` 3600.
    cache_valid_time: Option<u64>,
    /// Whether recommended packages are installed too. Default: as the host is configured.
    install_recommends: Option<bool>,
    /// Whether a version may go down. Default: false.
    allow_downgrade: Option<bool>,
    /// The release to prefer (apt), such as `bookworm-backports`.
    default_release: Option<String>,
    /// Repositories to enable for this transaction (dnf).
    enablerepo: Option<Vec<String>>,
    /// Repositories to leave out of this transaction (dnf).
    disablerepo: Option<Vec<String>>,
    /// Names and patterns of packages that must not go: a transaction that would take one along is refused.
    protect: Option<Vec<String>>,
    /// Brings every installed package to its newest version, with all that this takes along (`dist`, `full`).
    upgrade: Option<Upgrade>,
    /// For how many seconds to wait, in steps of a minute, while another process holds the package manager's lock.
    /// Default: 60.
    lock_timeout: Option<u64>,
    /// The package manager that the task is written for; a host with another one fails. Default: `auto`.
    #[serde(rename = "use")]
    manager: Option<Use>,
    /// Whether this task has fetched the index.
    #[serde(skip)]
    fetched: AtomicBool,
}

/// What is to become of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    /// There, in whichever version.
    #[serde(alias = "installed")]
    Present,
    /// There, in the newest version that the repositories have.
    Latest,
    /// Gone.
    #[serde(alias = "removed")]
    Absent,
}

/// How to upgrade everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Upgrade {
    /// With all that it takes along.
    #[serde(alias = "full")]
    Dist,
}

/// Which package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Use {
    /// Whichever there is.
    Auto,
    /// apt.
    Apt,
    /// dnf.
    #[serde(alias = "yum", alias = "dnf4")]
    Dnf,
}

/// The packages in question and their versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    /// Those that the task names, and those that change along with them.
    packages: BTreeMap<String, Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'static str>,
    /// What becomes of them; empty: nothing does.
    #[serde(skip)]
    next: BTreeMap<String, Option<String>>,
    /// Whether the index is to be fetched first.
    #[serde(skip)]
    fetch: bool,
}

const STALE: &str = "to be fetched";
const FRESH: &str = "fetched";
const LEFTOVER: &str = "only its configuration";
const WHATEVER: &str = "the version that the fetched index has";

impl Resource for Package {
    const KIND: &'static str = "package";
    const OTHER_NAMES: &'static [&'static str] = &["apt", "dnf", "yum"];
    const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("pkg", "name"),
        ("package", "name"),
        ("deb", "name"),
        ("update-cache", "update_cache"),
        ("expire-cache", "update_cache"),
        ("install-recommends", "install_recommends"),
        ("install_weak_deps", "install_recommends"),
        ("allow-downgrade", "allow_downgrade"),
        ("default-release", "default_release"),
    ];
    const EXAMPLE: &'static str = "package:\n  name: [apache2, libapache2-mod-security2]\n  protect: [php*]\n";
    const PASSING: &'static [&'static str] = &["index"];
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let db = host.packages()?;
        self.check_manager(&db)?;
        let request = self.request(&db);
        let mut state = State { packages: self.named(&db), index: None, next: BTreeMap::new(), fetch: false };
        if self.index_is_wanted() {
            let stale = self.must_fetch(&db, host)?;
            state.index = Some(if stale { STALE } else { FRESH });
            state.fetch = stale;
        }
        let Some(request) = request else { return Ok(Some(state)) };
        if self.fetches() && state.index.is_none() {
            // Whether it is needed can only be found out on the host itself: if in doubt, it is.
            state.fetch = match self.must_fetch(&db, host) {
                Err(HostError::Unknown(_)) => true,
                other => other?,
            };
        }
        match host.resolve(&request) {
            Ok(transaction) => {
                self.refuse(&transaction, &db)?;
                preview(&mut state, &transaction);
            }
            // The index is too old to know: what a new one has shows when it is there.
            Err(HostError::Program { .. }) if state.fetch => {
                let missing = request.install.iter().map(|s| &s.name).chain(&request.latest);
                state.next = rectify_core::small::gather(missing.map(|name| (name.clone(), Some(WHATEVER.into()))));
                for name in state.next.keys() {
                    state.packages.entry(name.clone()).or_insert(None);
                }
            }
            Err(other) => return Err(other.into()),
        }
        Ok(Some(state))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let seen = seen?;
        let mut packages = seen.packages.clone();
        packages.extend(seen.next.clone());
        let acts = !seen.next.is_empty() || seen.index == Some(STALE);
        Some(State { packages, index: seen.index.map(|_| FRESH), next: BTreeMap::new(), fetch: seen.fetch && !acts })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let fetch = change.before.as_ref().is_some_and(|s| s.fetch);
        if fetch {
            let only = PackageRequest { refresh: Some(0), ..PackageRequest::default() };
            self.transact(&only, host)?;
            self.fetched.store(true, Ordering::Relaxed);
        }
        let db = host.packages()?;
        let Some(mut request) = self.request(&db) else { return Ok(()) };
        if fetch {
            match host.resolve(&request) {
                Ok(transaction) => self.refuse(&transaction, &db)?,
                // With a fetched index this says for good that it cannot be; a rehearsal has none, and says so.
                Err(HostError::Program { .. }) => request.refresh = Some(u64::MAX),
                Err(other) => return Err(other.into()),
            }
        }
        self.transact(&request, host)?;
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        self.check_arguments()
    }

    fn relations(&self) -> Relations {
        let mut relations = Relations::writes(self.names().map(|name| match name.split_once('=') {
            _ if name.starts_with('/') => Entity::Other("package file".into(), name.to_owned()),
            Some((name, _)) => Entity::Package(name.to_owned()),
            None => Entity::Package(name.to_owned()),
        }));
        if self.names().next().is_none() {
            relations.writes.push(Entity::Other("package".into(), "index".into()));
        }
        relations.needing(self.names().filter(|n| n.starts_with('/')).map(|n| Entity::Path(n.into())))
    }

    fn exclusive(&self) -> Option<&'static str> {
        Some("packages")
    }

    fn subject(&self) -> String {
        let names: Vec<&str> = self.names().collect();
        match (names.is_empty(), self.upgrade) {
            (false, _) => names.join(", "),
            (true, Some(_)) => "all packages".into(),
            (true, None) if self.autoremove == Some(true) => "packages that nothing needs".into(),
            (true, None) => "package index".into(),
        }
    }
}

impl Package {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.name.iter().flatten().map(|n| n.trim()).filter(|n| !n.is_empty())
    }

    fn state(&self) -> Wanted {
        if self.upgrade.is_some() { Wanted::Latest } else { self.state.unwrap_or(Wanted::Present) }
    }

    fn check_arguments(&self) -> Result<(), String> {
        let names: Vec<&str> = self.names().collect();
        if names.is_empty() {
            if self.name.is_none() && self.autoremove != Some(true) && !self.fetches() && self.upgrade.is_none() {
                return Err("`name` is missing: say which packages".into());
            }
            if self.version.is_some() {
                return Err("`version` needs a `name`".into());
            }
        } else if self.upgrade.is_some() {
            return Err("`upgrade` is about all packages: leave out `name`".into());
        }
        if self.version.is_some() && (names.len() > 1 || names.iter().any(|n| n.contains('='))) {
            return Err("`version` is for one name; write `name=version` for several".into());
        }
        if self.version.is_some() && self.state() == Wanted::Latest {
            return Err("`version` and `state: latest` contradict each other".into());
        }
        if let Some(name) = names.iter().find(|n| is_pattern(n.split('=').next().unwrap_or(n)))
            && self.state() == Wanted::Present
        {
            return Err(format!("name: the pattern {name:?} goes with `state: latest` and `state: absent` only"));
        }
        if self.purge == Some(true) && self.state() == Wanted::Latest && self.autoremove != Some(true) {
            return Err("`purge` goes with `state: absent` or `autoremove: true`".into());
        }
        Ok(())
    }

    fn check_manager(&self, db: &PackageDb) -> Result<(), ModuleError> {
        let (has, wants) = match (db.manager, self.manager) {
            (Manager::Apt, Some(Use::Dnf)) => ("apt", "dnf"),
            (Manager::Dnf, Some(Use::Apt)) => ("dnf", "apt"),
            _ => return Ok(()),
        };
        Err(ModuleError::failed(format!("the task is for hosts with {wants}, and this one has {has}")))
    }

    /// Refuses a transaction that takes along what is to stay.
    fn refuse(&self, transaction: &Transaction, db: &PackageDb) -> Result<(), ModuleError> {
        let mut kept = Vec::new();
        for change in transaction.removed().filter(|c| c.from.is_some()) {
            let stem = change.name.split(':').next().unwrap_or_default();
            let by_task = self.protect.iter().flatten().find(|p| matches(p, stem) || matches(p, &change.name));
            let named =
                self.state() == Wanted::Absent && self.names().any(|n| n.split('=').next() == Some(&change.name));
            match (by_task, floor(db, &change.name)) {
                (Some(_), _) => kept.push(format!("{} (the task protects it)", change.name)),
                (None, Some(why)) if !named => kept.push(format!("{} ({why})", change.name)),
                _ => {}
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let going: Vec<&str> = transaction.removed().map(|c| c.name.as_str()).collect();
        Err(ModuleError::failed(format!(
            "refused: the transaction would remove {}; in all it would remove {}",
            kept.join(", "),
            going.join(", ")
        )))
    }

    /// Runs a transaction, waiting as long as the task says for a lock that another process holds.
    fn transact(&self, request: &PackageRequest, host: &dyn Operate) -> HostResult<Transaction> {
        // One attempt of the host's waits a minute.
        let mut attempts = self.lock_timeout.unwrap_or(60).div_ceil(60).max(1);
        loop {
            attempts -= 1;
            match host.transact(request) {
                Err(HostError::Program { stderr, .. }) if attempts > 0 && stderr.contains("Could not get lock") => {}
                other => return other,
            }
        }
    }
}

/// Shows all that a transaction changes.
fn preview(state: &mut State, transaction: &Transaction) {
    for change in &transaction.changes {
        let before = match (&change.from, change.purge) {
            (None, true) => Some(LEFTOVER.to_owned()),
            (from, _) => from.clone(),
        };
        state.packages.insert(change.name.clone(), before);
        state.next.insert(change.name.clone(), change.to.clone());
    }
}

#[cfg(test)]
mod tests;
