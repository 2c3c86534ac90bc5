//! Which packages stay, and why the others are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rectify_core::module::{InstalledPackage, PackageDb, PackageStatus};

use crate::kind::shared::packages::{floor, matches};

/// The packages that stay.
pub(super) struct Kept<'a> {
    db: &'a PackageDb,
    /// By package or capability name, the keys of the packages that satisfy it.
    satisfy: HashMap<&'a str, Vec<&'a str>>,
    kept: BTreeSet<&'a str>,
    /// By package, those that require or recommend it.
    users: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Kept<'a> {
    /// What is allowed, what no list can touch, and all that these require.
    pub(super) fn new(db: &'a PackageDb, allow: &[String], recommends: bool) -> Self {
        let mut satisfy: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key, package) in installed(db) {
            satisfy.entry(&package.name).or_default().push(key);
            if package.name != *key {
                satisfy.entry(key).or_default().push(key);
            }
            for capability in &package.provides {
                satisfy.entry(capability).or_default().push(key);
            }
        }
        let allowed = |key: &str, p: &InstalledPackage| allow.iter().any(|a| matches(a, key) || matches(a, &p.name));
        let mut queue: Vec<&str> = installed(db)
            .filter(|(key, p)| allowed(key, p) || p.held || floor(db, key).is_some())
            .map(|(key, _)| key.as_str())
            .collect();
        let mut this = Kept { db, satisfy, kept: BTreeSet::new(), users: HashMap::new() };
        while let Some(key) = queue.pop() {
            if !this.kept.insert(key) {
                continue;
            }
            let Some(package) = db.packages.get(key) else { continue };
            let weak: &[Vec<String>] = if recommends { &package.recommends } else { &[] };
            for any in package.requires.iter().chain(weak) {
                queue.extend(this.satisfying(any));
            }
        }
        let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key, package) in installed(db) {
            for target in package.requires.iter().chain(&package.recommends).flat_map(|any| this.satisfying(any)) {
                users.entry(target).or_default().push(key);
            }
        }
        Kept { users, ..this }
    }

    /// The packages that satisfy one of these alternatives. All of them: which one is meant nobody has written down.
    fn satisfying(&self, any: &[String]) -> Vec<&'a str> {
        let find = |name: &str| self.satisfy.get(name).or_else(|| self.satisfy.get(name.split(':').next()?));
        any.iter().filter_map(|name| find(name)).flatten().copied().collect()
    }

    /// What is installed and does not stay, with its version.
    pub(super) fn extras(&self) -> BTreeMap<String, String> {
        let rest = installed(self.db).filter(|(key, _)| !self.kept.contains(key.as_str()));
        rectify_core::small::gather(rest.map(|(key, package)| (key.clone(), package.version.clone())))
    }

    /// Why such a package is there.
    pub(super) fn why(&self, name: &str) -> String {
        if self.db.installed(name).is_some_and(|p| p.manual) {
            return "it was installed on request".into();
        }
        // What requires it is none that stays: else it would stay too.
        let users = self.users.get(name).map_or(&[][..], Vec::as_slice);
        let staying: Vec<&str> = users.iter().copied().filter(|user| self.kept.contains(user)).collect();
        if !staying.is_empty() {
            return format!("it is only recommended by {}, see `keep_recommends`", some(&staying));
        }
        let requested: Vec<&str> = self.requested_users(name).into_iter().collect();
        if requested.is_empty() {
            return "nothing that was asked for needs it".into();
        }
        format!("it came along with {}", some(&requested))
    }

    /// The packages that were asked for, and that need or recommend this one, directly or not.
    fn requested_users(&self, name: &str) -> BTreeSet<&'a str> {
        let (mut found, mut seen) = (BTreeSet::new(), rectify_core::small::gather::<BTreeSet<_>, _>([name]));
        let mut queue = vec![name];
        while let Some(target) = queue.pop() {
            for user in self.users.get(target).into_iter().flatten().copied().filter(|u| !self.kept.contains(u)) {
                if !seen.insert(user) {
                    continue;
                }
                if self.db.installed(user).is_some_and(|p| p.manual) {
                    found.insert(user);
                } else {
                    queue.push(user);
                }
            }
        }
        found
    }
}

/// The first few.
fn some(names: &[&str]) -> String {
    match names {
        [a, b, c, _, ..] => format!("{a}, {b}, {c} and others"),
        all => all.join(", "),
    }
}

fn installed(db: &PackageDb) -> impl Iterator<Item = (&String, &InstalledPackage)> {
    db.packages.iter().filter(|(_, p)| p.status != PackageStatus::ConfigFiles)
}
