//! What a task asks the package manager for, given what is installed.

use std::collections::BTreeMap;

use rectify_core::module::{InstalledPackage, Manager, PackageDb, PackageRequest, PackageSpec, PackageStatus};

use super::{
    super::shared::packages::{is_pattern, matches},
    Package, Wanted,
};

impl Package {
    /// `None`: nothing is missing, and nothing is there that should not be.
    pub(super) fn request(&self, db: &PackageDb) -> Option<PackageRequest> {
        let mut request = PackageRequest {
            purge: self.purge.unwrap_or(false),
            autoremove: self.autoremove.unwrap_or(false),
            recommends: self.install_recommends,
            allow_downgrade: self.allow_downgrade.unwrap_or(false),
            enable_repos: self.enablerepo.clone().unwrap_or_default(),
            disable_repos: self.disablerepo.clone().unwrap_or_default(),
            default_release: self.default_release.clone(),
            ..PackageRequest::default()
        };
        match self.state() {
            Wanted::Present => request.install = self.specs(db).filter(|spec| !satisfied(db, spec)).collect(),
            Wanted::Latest => request.latest = self.latest(db),
            Wanted::Absent => request.remove = self.absent(db),
        }
        let asks = !request.install.is_empty() || !request.latest.is_empty() || !request.remove.is_empty();
        (asks || request.autoremove).then_some(request)
    }

    /// The packages that the task names, with the versions that they have.
    pub(super) fn named(&self, db: &PackageDb) -> BTreeMap<String, Option<String>> {
        if self.upgrade.is_some() {
            return BTreeMap::new();
        }
        let mut found = BTreeMap::new();
        for spec in self.specs(db) {
            if is_pattern(&spec.name) {
                found.extend(
                    expand(db, &spec.name)
                        .filter_map(|name| Some((name.clone(), Some(db.installed(name)?.version.clone())))),
                );
                continue;
            }
            let version = match db.packages.get(&spec.name) {
                Some(p) if p.status != PackageStatus::ConfigFiles => Some(p.version.clone()),
                Some(_) if self.purge == Some(true) => Some(super::LEFTOVER.to_owned()),
                _ => provider(db, &spec.name).map(|p| format!("{} {}", p.name, p.version)),
            };
            found.insert(spec.name, version);
        }
        found
    }

    fn specs<'a>(&'a self, db: &'a PackageDb) -> impl Iterator<Item = PackageSpec> + 'a {
        self.names().map(|name| {
            let spec = spec(db, name);
            PackageSpec { version: self.version.clone().or(spec.version), ..spec }
        })
    }

    fn latest(&self, db: &PackageDb) -> Vec<String> {
        let all = || db.packages.iter().filter(|(_, p)| p.status != PackageStatus::ConfigFiles && !p.held);
        if self.upgrade.is_some() {
            return all().map(|(name, _)| name.clone()).collect();
        }
        let mut names = Vec::new();
        for spec in self.specs(db) {
            if is_pattern(&spec.name) {
                names.extend(all().map(|(name, _)| name).filter(|name| matches(&spec.name, name)).cloned());
            } else {
                names.push(spec.name);
            }
        }
        names.dedup();
        names
    }

    fn absent(&self, db: &PackageDb) -> Vec<String> {
        let leftovers = self.purge == Some(true);
        let there = |name: &str| match db.packages.get(name) {
            Some(p) => p.status != PackageStatus::ConfigFiles || leftovers,
            None => false,
        };
        let mut names: Vec<String> = Vec::new();
        for spec in self.specs(db) {
            if is_pattern(&spec.name) {
                names.extend(expand(db, &spec.name).filter(|name| there(name)).cloned());
            } else if there(&spec.name) {
                let other_version = spec
                    .version
                    .as_deref()
                    .is_some_and(|v| db.installed(&spec.name).is_some_and(|p| !has_version(db.manager, p, v)));
                names.extend((!other_version).then_some(spec.name));
            } else if db.manager == Manager::Dnf {
                // dnf removes by what is provided; apt never does.
                names.extend(provider(db, &spec.name).map(|p| p.name.clone()));
            }
        }
        rectify_core::small::sort(&mut names);
        names.dedup();
        names
    }
}

fn expand<'a>(db: &'a PackageDb, pattern: &'a str) -> impl Iterator<Item = &'a String> {
    db.packages.keys().filter(move |name| matches(pattern, name))
}

/// A name as the playbook has it, taken apart.
fn spec(db: &PackageDb, text: &str) -> PackageSpec {
    if text.starts_with('/') {
        return PackageSpec { name: text.to_owned(), version: None };
    }
    if let Some((name, version)) = text.split_once('=') {
        return PackageSpec { name: native(db, name.trim()), version: Some(version.trim().to_owned()) };
    }
    if db.manager == Manager::Dnf && !db.packages.contains_key(text) {
        // `name-version`: only what is installed tells where the name ends. Of what is not, dnf itself makes sense.
        let installed = text.match_indices('-').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let found = installed
            .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
            .find(|(name, _)| db.installed(name).is_some());
        if let Some((name, version)) = found {
            return PackageSpec { name: name.to_owned(), version: Some(version.to_owned()) };
        }
    }
    PackageSpec { name: native(db, text), version: None }
}

/// Without the host's own architecture.
fn native(db: &PackageDb, name: &str) -> String {
    let separator = if db.manager == Manager::Apt { ':' } else { '.' };
    match name.rsplit_once(separator) {
        Some((stem, arch)) if arch == db.arch || (arch == "noarch" && separator == '.') => stem.to_owned(),
        _ => name.to_owned(),
    }
}

fn satisfied(db: &PackageDb, spec: &PackageSpec) -> bool {
    match (db.installed(&spec.name), &spec.version) {
        (Some(package), None) => package.status == PackageStatus::Installed,
        (Some(package), Some(version)) => {
            package.status == PackageStatus::Installed && has_version(db.manager, package, version)
        }
        (None, None) => provider(db, &spec.name).is_some(),
        (None, Some(_)) => false,
    }
}

/// An installed package that provides this.
fn provider<'a>(db: &'a PackageDb, name: &str) -> Option<&'a InstalledPackage> {
    db.packages.values().find(|p| p.status == PackageStatus::Installed && p.provides.iter().any(|c| c == name))
}

/// apt's versions may end in `*`; dnf's may be without epoch and release.
fn has_version(manager: Manager, package: &InstalledPackage, wanted: &str) -> bool {
    let have = package.version.as_str();
    match manager {
        Manager::Apt => matches(wanted, have),
        Manager::Dnf => {
            let bare = have.split_once(':').map_or(have, |(_, rest)| rest);
            let full = format!("{bare}.{}", package.arch);
            [have, bare, &full]
                .iter()
                .any(|h| *h == wanted || h.strip_prefix(wanted).is_some_and(|r| r.starts_with('-')))
        }
    }
}
