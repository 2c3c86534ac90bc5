//! What a package manager would do, over the packages of a fixture.

use std::collections::{BTreeMap, BTreeSet};

use rectify_core::module::{
    HostError, HostResult, PackageChange, PackageDb, PackageRequest, PackageStatus, Transaction,
};

use super::{fixture::Fixture, look, spec::Package};

/// The installed packages while a request is worked out.
struct Solver<'a> {
    fixture: &'a Fixture,
    db: &'a PackageDb,
    request: &'a PackageRequest,
    /// By name: the version that it is to have.
    now: BTreeMap<String, String>,
}

/// Resolves a request from the state that `db` describes.
pub(super) fn solve(fixture: &Fixture, db: &PackageDb, request: &PackageRequest) -> HostResult<Transaction> {
    let there = db.packages.iter().filter(|(_, p)| p.status != PackageStatus::ConfigFiles);
    let before: BTreeMap<String, String> = there.map(|(n, p)| (n.clone(), p.version.clone())).collect();
    let mut solver = Solver { fixture, db, request, now: before.clone() };
    solver.remove()?;
    solver.install()?;
    solver.upgrade()?;
    if request.autoremove {
        solver.sweep();
    }
    Ok(solver.transaction(&before))
}

fn failed(text: String) -> HostError {
    HostError::Program { program: "the fixture's package manager".into(), status: "exit 100".into(), stderr: text }
}

fn groups(list: &[String]) -> Vec<Vec<String>> {
    list.iter().map(|r| r.split('|').map(|a| a.trim().to_owned()).collect()).collect()
}

impl Solver<'_> {
    fn package(&self, name: &str) -> Option<&Package> {
        self.fixture.spec.packages.get(name).and_then(Option::as_ref)
    }

    fn requires(&self, name: &str) -> Vec<Vec<String>> {
        self.package(name).map(|p| groups(&p.requires)).unwrap_or_default()
    }

    fn recommends(&self, name: &str) -> Vec<Vec<String>> {
        self.package(name).map(|p| groups(&p.recommends)).unwrap_or_default()
    }

    /// The installed package that satisfies a name.
    fn satisfies(&self, wanted: &str) -> Option<String> {
        if self.now.contains_key(wanted) {
            return Some(wanted.to_owned());
        }
        let provides = |name: &&String| self.package(name).is_some_and(|p| p.provides.iter().any(|c| c == wanted));
        self.now.keys().find(provides).cloned()
    }

    fn remove(&mut self) -> HostResult<()> {
        let mut going: Vec<String> = self.request.remove.clone();
        while let Some(name) = going.pop() {
            if self.now.remove(&name).is_none() {
                continue;
            }
            if self.package(&name).is_some_and(|p| p.essential) {
                return Err(failed(format!("{name} is essential")));
            }
            let broken = |n: &&String| {
                self.requires(n).iter().any(|any| {
                    any.iter().all(|a| self.satisfies(a).is_none())
                        && any.iter().any(|a| *a == name || self.gone(a, &name))
                })
            };
            let more: Vec<String> = self.now.keys().filter(broken).cloned().collect();
            going.extend(more);
        }
        Ok(())
    }

    /// Whether a capability went with this package.
    fn gone(&self, capability: &str, name: &str) -> bool {
        self.package(name).is_some_and(|p| p.provides.iter().any(|c| c == capability))
    }

    fn install(&mut self) -> HostResult<()> {
        for spec in &self.request.install {
            let package = self.package(&spec.name);
            let offered = package.and_then(look::candidate);
            let Some(version) = spec.version.clone().or(offered.clone()).filter(|_| package.is_some()) else {
                if self.now.contains_key(&spec.name) {
                    continue;
                }
                return Err(failed(format!("unable to locate package {}", spec.name)));
            };
            let known = offered.as_ref() == Some(&version) || package.is_some_and(|p| p.version == version);
            match self.now.get(&spec.name) {
                Some(found) if spec.version.is_none() || *found == version => continue,
                _ if !known => return Err(failed(format!("version {version} of {} was not found", spec.name))),
                Some(found) if offered.as_ref() == Some(found) && !self.request.allow_downgrade => {
                    return Err(failed(format!("{} would be downgraded", spec.name)));
                }
                _ => self.bring(&spec.name, version)?,
            }
        }
        Ok(())
    }

    fn upgrade(&mut self) -> HostResult<()> {
        for name in &self.request.latest {
            let Some(version) = self.package(name).and_then(look::candidate) else {
                return Err(failed(format!("unable to locate package {name}")));
            };
            let held = self.db.installed(name).is_some_and(|p| p.held);
            if !held && self.now.get(name) != Some(&version) {
                self.bring(name, version)?;
            }
        }
        Ok(())
    }

    /// Brings a package and what it needs.
    fn bring(&mut self, name: &str, version: String) -> HostResult<()> {
        if self.request.remove.iter().any(|n| n == name) {
            return Err(failed(format!("{name} is to be removed and is required")));
        }
        self.now.insert(name.to_owned(), version);
        let recommended = if self.request.recommends.unwrap_or(true) { self.recommends(name) } else { Vec::new() };
        let needed = self.requires(name).into_iter().map(|any| (any, true));
        for (any, must) in needed.chain(recommended.into_iter().map(|any| (any, false))).collect::<Vec<_>>() {
            if any.iter().any(|a| self.satisfies(a).is_some()) {
                continue;
            }
            match any.iter().find_map(|a| self.offered(a)) {
                Some((name, version)) => self.bring(&name, version)?,
                None if must => return Err(failed(format!("{name} depends on {}", any.join(" | ")))),
                None => {}
            }
        }
        Ok(())
    }

    /// The package that the repositories offer for a name or capability.
    fn offered(&self, wanted: &str) -> Option<(String, String)> {
        let version = |name: &str| Some((name.to_owned(), look::candidate(self.package(name)?)?));
        let provides = |p: &Package| p.provides.iter().any(|c| c == wanted);
        version(wanted).or_else(|| self.fixture.packages().find(|(_, p)| provides(p)).and_then(|(n, _)| version(n)))
    }

    /// Takes away what was only installed as a dependency and that nothing needs any more.
    fn sweep(&mut self) {
        let asked = |n: &String| self.request.install.iter().any(|s| s.name == *n) || self.request.latest.contains(n);
        let root = |n: &&String| asked(n) || self.db.installed(n).is_some_and(|p| p.manual || p.essential);
        let mut queue: Vec<String> = self.now.keys().filter(root).cloned().collect();
        let mut needed: BTreeSet<String> = BTreeSet::new();
        while let Some(name) = queue.pop() {
            let wants = self.requires(&name).into_iter().chain(self.recommends(&name)).flatten();
            let wants: Vec<String> = wants.filter_map(|a| self.satisfies(&a)).collect();
            if needed.insert(name) {
                queue.extend(wants);
            }
        }
        self.now.retain(|name, _| needed.contains(name));
    }

    fn transaction(&self, before: &BTreeMap<String, String>) -> Transaction {
        let names: BTreeSet<&String> = before.keys().chain(self.now.keys()).collect();
        let mut changes = Vec::new();
        for name in names {
            let (from, to) = (before.get(name).cloned(), self.now.get(name).cloned());
            if from != to {
                let purge = to.is_none() && self.request.purge;
                changes.push(PackageChange { name: name.clone(), from, to, purge });
            }
        }
        if self.request.purge {
            let left = |n: &&String| self.db.packages.get(*n).is_some_and(|p| p.status == PackageStatus::ConfigFiles);
            let left = self.request.remove.iter().filter(left).filter(|n| !self.now.contains_key(*n));
            changes.extend(left.map(|n| PackageChange { name: n.clone(), from: None, to: None, purge: true }));
            changes.sort();
        }
        Transaction { changes }
    }
}
