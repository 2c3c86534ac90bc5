//! What dpkg and rpm know; what apt and dnf would do, and do.
//!
//! ```text
//! db        one bulk query, kept as long as the database's files are the same
//! resolve   the manager's own simulation, parsed           apt-get -s · dnf --assumeno
//! transact  one transaction; says what it did by comparing the database before and after
//! ```

mod apt;
mod dnf;
mod dnf_table;
mod dpkg;
mod rpm;

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indexmap::IndexMap;
use rectify_core::module::{
    Command, HostError, HostResult, InstalledPackage, Manager, Output, PackageChange, PackageDb, PackageRequest,
    PackageSpec, PackageStatus, Transaction,
};

use super::{
    Live,
    text::{complaint, sanitize},
};

/// What tells one version of a database file from the next.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// How often a lock that another process holds is tried again, one second apart.
const PATIENCE: usize = 60;

/// The database as it was read last.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<(Vec<Stamp>, Arc<PackageDb>)>>);

impl Cache {
    /// Makes the next look read it again.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Which package manager this host has. A Debian host on which `rpm` is installed as a mere tool is a Debian host.
fn manager() -> HostResult<Manager> {
    let there = |path: &str| Path::new(path).exists();
    if there(dpkg::STATUS) && there("/usr/bin/apt-get") {
        return Ok(Manager::Apt);
    }
    if there("/usr/bin/rpm") && there("/usr/bin/dnf") {
        return Ok(Manager::Dnf);
    }
    let has = if there("/usr/bin/yum") {
        "it has yum, and not dnf"
    } else if there("/usr/bin/microdnf") {
        "it has microdnf, and not dnf"
    } else if there("/usr/bin/zypper") {
        "it has zypper"
    } else if there("/sbin/apk") {
        "it has apk"
    } else {
        "neither is there"
    };
    Err(HostError::Unsupported(format!("packages of this host cannot be managed: it needs apt or dnf, and {has}")))
}

/// Everything that is installed.
pub(super) fn db(live: &Live) -> HostResult<Arc<PackageDb>> {
    let manager = manager()?;
    let mut cache = live.packages.0.lock().unwrap_or_else(PoisonError::into_inner);
    let stamps = || -> Vec<Stamp> {
        match manager {
            Manager::Apt => dpkg::FILES.iter().map(|p| stamp(Path::new(p))).collect(),
            Manager::Dnf => rpm::FILES.iter().map(|p| stamp(Path::new(p))).collect(),
        }
    };
    let before = stamps();
    if let Some((then, db)) = cache.as_ref()
        && *then == before
    {
        return Ok(Arc::clone(db));
    }
    let (stamps, db) = match manager {
        Manager::Apt => (before, Arc::new(dpkg::read()?)),
        Manager::Dnf => {
            let db = Arc::new(rpm::read(live)?);
            // Reading alone touches the files of rpm's database.
            (stamps(), db)
        }
    };
    *cache = Some((stamps, Arc::clone(&db)));
    Ok(db)
}

fn stamp(path: &Path) -> Stamp {
    let m = std::fs::metadata(path).ok()?;
    Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec()))
}

/// What a request would do.
pub(super) fn resolve(live: &Live, request: &PackageRequest) -> HostResult<Transaction> {
    let db = db(live)?;
    match db.manager {
        Manager::Apt => apt::resolve(live, &db, request),
        Manager::Dnf => dnf::resolve(live, &db, request, true),
    }
}

/// The newest versions that the repositories offer.
pub(super) fn candidates(live: &Live, names: &[String]) -> HostResult<IndexMap<String, String>> {
    if names.is_empty() {
        return Ok(IndexMap::new());
    }
    match manager()? {
        Manager::Apt => apt::candidates(live, names),
        Manager::Dnf => dnf::candidates(live, names),
    }
}

/// What an installed package owns.
pub(super) fn files(live: &Live, name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
    let db = db(live)?;
    let Some(package) = db.packages.get(name) else {
        return Err(HostError::Io {
            action: "listing the files of the package".into(),
            object: sanitize(name.as_bytes()),
            message: "it is not installed".into(),
            errno: None,
        });
    };
    match db.manager {
        Manager::Apt => dpkg::files(package),
        Manager::Dnf => rpm::files(live, package),
    }
}

/// Does what a request asks for; says what changed.
pub(super) fn transact(live: &Live, request: &PackageRequest) -> HostResult<Transaction> {
    let before = db(live)?;
    let result = match before.manager {
        Manager::Apt => apt::transact(live, &before, request),
        Manager::Dnf => dnf::transact(live, &before, request),
    };
    live.packages.forget();
    result?;
    Ok(difference(&before, &*db(live)?))
}

/// What changed between two looks at the database.
fn difference(before: &PackageDb, after: &PackageDb) -> Transaction {
    let mut names: Vec<&String> = before.packages.keys().chain(after.packages.keys()).collect();
    rectify_core::small::sort(&mut names);
    names.dedup();
    let version = |db: &PackageDb, name: &str| db.installed(name).map(|p| p.version.clone());
    let changes = names
        .into_iter()
        .filter_map(|name| {
            let (from, to) = (version(before, name), version(after, name));
            let purge = to.is_none() && before.packages.contains_key(name) && !after.packages.contains_key(name);
            let purge = purge && before.manager == Manager::Apt;
            (from != to || (from.is_none() && purge)).then(|| PackageChange { name: name.clone(), from, to, purge })
        })
        .collect();
    Transaction { changes }
}

/// Whether a package is there as asked, so that it is not named to the manager at all (which would upgrade it).
fn satisfied(db: &PackageDb, spec: &PackageSpec, same: impl Fn(&InstalledPackage, &str) -> bool) -> bool {
    match (&spec.version, db.installed(&spec.name)) {
        (None, Some(package)) => package.status == PackageStatus::Installed,
        (Some(version), Some(package)) => package.status == PackageStatus::Installed && same(package, version),
        (None, None) => {
            db.packages.values().any(|p| p.status == PackageStatus::Installed && p.provides.contains(&spec.name))
        }
        (Some(_), None) => false,
    }
}

/// Runs a manager, waiting for a lock that another process holds.
fn patiently(live: &Live, command: &Command, shielded: bool) -> HostResult<Output> {
    let mut tries = 0;
    loop {
        let output = live.machinery_job(command, shielded)?;
        let locked = output.code != 0 && contains(&output.stderr, "Could not get lock");
        if !locked || tries == PATIENCE {
            return Ok(output);
        }
        tries += 1;
        // Who holds it cannot be waited for: it is no child of ours.
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|w| w == words.as_bytes())
}

/// The error of a manager, with its command as a person would write it and its own words.
fn failed(program: &str, output: &Output) -> HostError {
    let said = if output.stderr.trim_ascii().is_empty() { &output.stdout } else { &output.stderr };
    let mut stderr = complaint(said);
    if stderr.contains("dpkg was interrupted") {
        stderr.push_str(
            "\nan earlier change of packages was cut off on this host: run `dpkg --configure -a` there first",
        );
    }
    HostError::Program {
        program: sanitize(program.as_bytes()),
        status: if output.code > 128 {
            format!("signal {}", output.code - 128)
        } else {
            format!("exit {}", output.code)
        },
        stderr,
    }
}

/// Refuses a name that a manager would take for something else.
fn bad_name(name: &str) -> HostError {
    HostError::Unsupported(format!("'{}' is no name of a package", sanitize(name.as_bytes())))
}

#[cfg(test)]
pub(in crate::host::live::packages) mod fixture {
    //! Databases for the tests of this folder.
    use super::*;

    pub(super) fn package(name: &str, version: &str) -> InstalledPackage {
        InstalledPackage {
            name: name.into(),
            arch: "amd64".into(),
            version: version.into(),
            status: PackageStatus::Installed,
            manual: true,
            essential: false,
            held: false,
            requires: Vec::new(),
            recommends: Vec::new(),
            provides: Vec::new(),
            section: String::new(),
            size_kib: 0,
        }
    }

    pub(super) fn db(manager: Manager, packages: impl IntoIterator<Item = InstalledPackage>) -> PackageDb {
        let packages = packages.into_iter().map(|p| (p.name.clone(), p)).collect();
        PackageDb { manager, arch: "amd64".into(), packages }
    }

    pub(super) fn change(name: &str, from: Option<&str>, to: Option<&str>, purge: bool) -> PackageChange {
        PackageChange { name: name.into(), from: from.map(Into::into), to: to.map(Into::into), purge }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        fixture::{change, db, package},
        *,
    };

    #[test]
    fn what_a_transaction_did_is_read_off_the_database() {
        let left = |name: &str| InstalledPackage { status: PackageStatus::ConfigFiles, ..package(name, "1") };
        let before = db(Manager::Apt, [package("a", "1"), package("b", "1"), package("c", "1"), left("d"), left("e")]);
        let after = db(Manager::Apt, [package("a", "2"), left("b"), package("n", "1"), left("e")]);
        let expected = vec![
            change("a", Some("1"), Some("2"), false),
            change("b", Some("1"), None, false),
            change("c", Some("1"), None, true),
            change("d", None, None, true),
            change("n", None, Some("1"), false),
        ];
        assert_eq!(difference(&before, &after).changes, expected);
        assert!(difference(&before, &before).is_empty());
    }

    #[test]
    fn a_package_that_is_provided_is_there() {
        let spec =
            |name: &str, version: Option<&str>| PackageSpec { name: name.into(), version: version.map(Into::into) };
        let mta = InstalledPackage { provides: vec!["mail-transport-agent".into()], ..package("postfix", "3") };
        let broken = InstalledPackage { status: PackageStatus::Broken, ..package("broken", "1") };
        let db = db(Manager::Apt, [mta, broken]);
        let same = |p: &InstalledPackage, v: &str| p.version == v;
        assert!(satisfied(&db, &spec("mail-transport-agent", None), same));
        assert!(satisfied(&db, &spec("postfix", Some("3")), same));
        assert!(!satisfied(&db, &spec("postfix", Some("4")), same));
        assert!(!satisfied(&db, &spec("broken", None), same), "what is broken is to be installed again");
    }
}
