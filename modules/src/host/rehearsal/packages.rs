//! Packages in the overlay: what a transaction does to the database, to files, and to what is known.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use rectify_core::module::{
    Because, FileKind, HostError, HostResult, InstalledPackage, Manager, PackageChange, PackageDb, PackageRequest,
    PackageStatus, Transaction, Unit,
};

use super::{
    hand::Hand,
    notes::Scope,
    requests::{combined, reversals},
    sight::{Sight, known},
    state::Put,
    units::{UNIT_FOLDERS, is_unit_name},
};

/// Where package managers are configured, so that a change there changes what they would do.
const CONFIGURATION: &[&str] = &[
    "/etc/apt",
    "/etc/yum.repos.d",
    "/etc/dnf",
    "/etc/yum",
    "/etc/yum.conf",
    "/etc/pki/rpm-gpg",
    "/usr/share/keyrings",
];

/// What package managers write for themselves in every transaction.
const BOOKKEEPING: &[&str] = &[
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache/apt",
    "/var/log/apt",
    "/var/log/dpkg.log",
    "/var/lib/rpm",
    "/usr/lib/sysimage/rpm",
    "/var/lib/dnf",
    "/var/cache/dnf",
    "/etc/ld.so.cache",
];

impl Sight<'_> {
    /// Everything that is installed.
    pub(super) fn packages(&self) -> HostResult<Arc<PackageDb>> {
        known(self.state.notes.on(0, |scope| matches!(scope, Scope::Packages)))?;
        self.known_packages()
    }

    fn known_packages(&self) -> HostResult<Arc<PackageDb>> {
        match &self.state.packages.db {
            Some(db) => Ok(db.clone()),
            None => self.world.base.packages(),
        }
    }

    /// What a request would do now.
    pub(super) fn resolve(&self, request: &PackageRequest) -> HostResult<Transaction> {
        known(self.state.notes.on(0, |scope| matches!(scope, Scope::Packages)))?;
        if !request.install.is_empty() || !request.latest.is_empty() {
            self.check_sources()?;
        }
        let packages = &self.state.packages;
        if packages.requests.is_empty() {
            return self.world.base.resolve(request);
        }
        // What was installed in memory has dependents that the base knows nothing of.
        for name in &request.remove {
            if let Some(put) = packages.done.get(name)
                && put.value.is_some()
                && self.world.base.packages()?.installed(name).is_none()
            {
                return Err(HostError::Unknown(put.stamp.because()));
            }
        }
        let earlier: Vec<&PackageRequest> = packages.requests.iter().map(|(_, r)| r).collect();
        let whole = self.world.base.resolve(&combined(&earlier, request))?;
        let mut changes: Vec<PackageChange> =
            whole.changes.into_iter().filter_map(|change| self.beyond_done(change)).collect();
        for name in reversals(request, &packages.done) {
            if !changes.iter().any(|c| c.name == name)
                && let Some(change) = self.reversal(&name, request)?
            {
                changes.push(change);
            }
        }
        rectify_core::small::sort(&mut changes);
        Ok(Transaction { changes })
    }

    /// A change of the base's, less what was done in memory already.
    fn beyond_done(&self, change: PackageChange) -> Option<PackageChange> {
        let Some(put) = self.state.packages.done.get(&change.name) else { return Some(change) };
        (put.value != change.to).then(|| PackageChange { from: put.value.clone(), ..change })
    }

    /// A package that went in memory, and is asked for again.
    fn reversal(&self, name: &str, request: &PackageRequest) -> HostResult<Option<PackageChange>> {
        let wanted = request.install.iter().find(|spec| spec.name == name).and_then(|spec| spec.version.clone());
        let candidate = self.world.base.candidates(&[name.to_owned()])?.shift_remove(name);
        Ok(wanted.or(candidate).map(|to| PackageChange {
            name: name.to_owned(),
            from: None,
            to: Some(to),
            purge: false,
        }))
    }

    /// The newest versions that the repositories offer.
    pub(super) fn candidates(&self, names: &[String]) -> HostResult<IndexMap<String, String>> {
        self.check_sources()?;
        known(self.state.notes.on(0, |_| false))?;
        self.world.base.candidates(names)
    }

    /// What the repositories offer is not known once their configuration was changed.
    fn check_sources(&self) -> HostResult<()> {
        if self.world.exact {
            return Ok(());
        }
        let mut because: Option<Because> = None;
        for path in CONFIGURATION.iter().map(Path::new) {
            let written = self.state.files.below(path).map(|(_, entry)| entry.stamp.because());
            let noted = self.state.notes.below_exactly(path);
            for found in written.chain(noted) {
                because = Some(because.take().unwrap_or_default().and(found));
            }
        }
        known(because)
    }

    /// The files of a package, and which of them survive its removal.
    pub(super) fn package_files(&self, name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
        known(self.state.notes.on(0, |scope| matches!(scope, Scope::Packages)))?;
        match self.state.packages.done.get(name) {
            Some(Put { stamp, value: Some(_) }) if !self.world.exact => Err(HostError::Unknown(stamp.because())),
            Some(Put { value: None, .. }) => match self.state.packages.left.get(name) {
                Some(left) if !left.is_empty() => Ok(left.iter().map(|p| (p.clone(), true)).collect()),
                _ => Err(HostError::Unsupported(format!("package {name} is not installed"))),
            },
            _ => self.world.base.package_files(name),
        }
    }

    /// Paths with the links in their folders followed (`/bin` is a link on most hosts).
    pub(super) fn canonical(&self, paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
        let mut folders: BTreeMap<PathBuf, Option<PathBuf>> = BTreeMap::new();
        paths
            .filter_map(|path| {
                let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Some(path) };
                let real = folders.entry(folder.to_owned()).or_insert_with(|| {
                    let place = self.walk("reading", folder, true).ok()?;
                    Some(place.path)
                });
                Some(real.as_ref()?.join(name))
            })
            .collect()
    }
}

impl Hand<'_> {
    /// Does to the overlay what this transaction does, as far as it is known.
    pub(super) fn perform(&mut self, request: &PackageRequest, transaction: &Transaction) -> HostResult<()> {
        if self.world.base.uid() != 0 && !transaction.is_empty() {
            let message = "permission denied: only root may change packages (`become: true`, or -b)".to_owned();
            let errno = Some(rustix::io::Errno::ACCESS.raw_os_error());
            return Err(HostError::Io { action: "changing".into(), object: "packages".into(), message, errno });
        }
        let mut db = (*self.sight().known_packages()?).clone();
        let mut gone: HashSet<PathBuf> = HashSet::new();
        let came: Vec<&PackageChange> = transaction.changes.iter().filter(|c| c.to.is_some()).collect();
        for change in transaction.removed() {
            gone.extend(self.remove_package(change, &mut db)?);
        }
        if !gone.is_empty() {
            self.note(Scope::LinksTo(Arc::new(gone)));
        }
        if !came.is_empty() {
            // What comes may put back what went.
            self.next_seq();
        }
        for change in &came {
            self.bring_package(change, request, &came, &mut db);
        }
        if came.iter().any(|c| c.from.is_some()) {
            self.upgraded(&came)?;
        }
        if !came.is_empty() {
            self.note(Scope::NewPaths("/".into()));
            self.note(Scope::NewAccounts);
            self.note(Scope::NewUnits);
            for file in ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"] {
                self.note(Scope::Content(file.into()));
            }
        }
        if !transaction.is_empty() {
            for path in BOOKKEEPING {
                self.note(Scope::Tree(path.into()));
            }
        }
        for change in &transaction.changes {
            let put = Put { stamp: self.stamp, value: change.to.clone() };
            self.state.packages.done.insert(change.name.clone(), put);
        }
        self.state.packages.db = Some(Arc::new(db));
        self.state.packages.requests.push((self.stamp, request.clone()));
        Ok(())
    }

    /// A package that was not there, or was there in another version. What it requires is not told by a transaction: all that
    /// came along with what was asked for counts as required by it, which is why it came.
    fn bring_package(
        &mut self,
        change: &PackageChange,
        request: &PackageRequest,
        came: &[&PackageChange],
        db: &mut PackageDb,
    ) {
        let version = change.to.clone().unwrap_or_default();
        let asked =
            |name: &str| request.install.iter().any(|s| s.name == name) || request.latest.iter().any(|n| n == name);
        let manual = asked(&change.name);
        if let Some(old) = db.packages.get_mut(&change.name) {
            let was_there = old.status != PackageStatus::ConfigFiles;
            old.version = version;
            old.status = PackageStatus::Installed;
            old.manual = if was_there { old.manual || manual } else { manual };
            return;
        }
        let along = came.iter().filter(|c| c.from.is_none() && !asked(&c.name)).map(|c| vec![c.name.clone()]);
        let (name, arch) = change.name.split_once(':').unwrap_or((&change.name, &db.arch));
        let package = InstalledPackage {
            name: name.to_owned(),
            arch: arch.to_owned(),
            version,
            status: PackageStatus::Installed,
            manual,
            essential: false,
            held: false,
            requires: if manual { along.collect() } else { Vec::new() },
            recommends: Vec::new(),
            provides: Vec::new(),
            section: String::new(),
            size_kib: 0,
        };
        db.packages.insert(change.name.clone(), package);
    }

    /// Files that an upgraded package had are not known any more.
    fn upgraded(&mut self, came: &[&PackageChange]) -> HostResult<()> {
        let mut files = HashSet::new();
        for change in came.iter().filter(|c| c.from.is_some()) {
            match self.sight().package_files(&change.name) {
                Ok(list) => files.extend(self.sight().canonical(list.into_iter().map(|(path, _)| path))),
                // It was itself installed in memory: its files are covered by that.
                Err(HostError::Unknown(_)) => {}
                Err(other) => return Err(other),
            }
        }
        let units = files.iter().filter_map(|f| unit_of(f));
        for unit in rectify_core::small::gather::<BTreeSet<_>, _>(units) {
            self.note(Scope::Unit(unit));
        }
        self.note(Scope::PackageFiles(Arc::new(files)));
        Ok(())
    }

    /// Takes a package away; says which files went.
    fn remove_package(&mut self, change: &PackageChange, db: &mut PackageDb) -> HostResult<Vec<PathBuf>> {
        let files = match self.sight().package_files(&change.name) {
            Ok(files) => files,
            // It came in memory: what it put on disk is not known, and neither is what is left.
            Err(HostError::Unknown(_)) => Vec::new(),
            Err(other) => return Err(other),
        };
        let keeps = |conf: bool| conf && db.manager == Manager::Apt && !change.purge;
        let kept: Vec<PathBuf> = files.iter().filter(|(_, conf)| keeps(*conf)).map(|(p, _)| p.clone()).collect();
        match db.packages.get_mut(&change.name) {
            Some(package) if !kept.is_empty() => package.status = PackageStatus::ConfigFiles,
            _ => {
                db.packages.remove(&change.name);
            }
        }
        self.state.packages.left.insert(change.name.clone(), kept);
        let going: Vec<PathBuf> =
            self.sight().canonical(files.iter().filter(|(_, c)| !keeps(*c)).map(|(p, _)| p.clone()));
        self.take_away(&going)?;
        if db.manager == Manager::Dnf {
            for (path, _) in files.iter().filter(|(_, conf)| *conf) {
                let mut saved = path.clone().into_os_string();
                saved.push(".rpmsave");
                self.note(Scope::Path(saved.into()));
            }
        }
        self.scripts_ran(change)?;
        let units: BTreeSet<String> = rectify_core::small::gather(going.iter().filter_map(|f| unit_of(f)));
        for unit in units {
            self.unit_went(&unit, db.manager == Manager::Apt && !change.purge);
        }
        Ok(self.sight().canonical(files.into_iter().map(|(path, _)| path)))
    }

    /// Removes files, then the folders that this leaves empty, innermost first.
    fn take_away(&mut self, paths: &[PathBuf]) -> HostResult<()> {
        let mut folders = Vec::new();
        for path in paths {
            let Some(node) = self.sight().walk("removing", path, false).ok().and_then(|p| p.end.ok().flatten()) else {
                continue;
            };
            if node.meta.kind == FileKind::Directory {
                folders.push(path);
            } else {
                self.white_out(path, Some(node))?;
            }
        }
        rectify_core::small::sort_by_key(&mut folders, |path| std::cmp::Reverse(path.components().count()));
        for folder in folders {
            // Where it is not known what else is in it, it is not known whether it stays.
            match self.sight().is_empty(folder) {
                Ok(true) => {
                    let node = self.sight().node(folder, false)?;
                    self.white_out(folder, node)?;
                }
                Ok(false) => {}
                Err(HostError::Unknown(_)) => self.note(Scope::Path(folder.clone())),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// What the scripts of a removed package may have done to what it made while it was there.
    fn scripts_ran(&mut self, change: &PackageChange) -> HostResult<()> {
        let name = change.name.split(':').next().unwrap_or_default();
        let places: &[&str] = if change.purge {
            &["/etc", "/etc/default", "/var/lib", "/var/log", "/var/cache", "/run"]
        } else {
            &["/var/cache", "/run"]
        };
        for place in places {
            let path = Path::new(place).join(name);
            if self.sight().node(&path, false).is_ok_and(|n| n.is_some()) {
                self.note(Scope::Tree(path));
            }
        }
        Ok(())
    }

    /// A unit whose file went with its package. Debian's scripts mask it for as long as the package's configuration is there,
    /// or its System V script is taken for a unit: what `systemctl` then says of it is not known.
    fn unit_went(&mut self, name: &str, configuration_stays: bool) {
        self.note(Scope::UnitLinks(name.to_owned()));
        let unit = Unit {
            name: name.to_owned(),
            load: "not-found".into(),
            active: "inactive".into(),
            sub: "dead".into(),
            file: String::new(),
            needs_reload: false,
        };
        self.state.units.insert(name.to_owned(), Put { stamp: self.stamp, value: Some(unit) });
        if configuration_stays {
            self.next_seq();
            self.note(Scope::Unit(name.to_owned()));
        }
    }

    /// What comes after this is later than what came before, within one task.
    pub(super) fn next_seq(&mut self) {
        self.state.seq += 1;
        self.stamp.seq = self.state.seq;
    }
}

fn unit_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?;
    (UNIT_FOLDERS.iter().any(|f| folder == Path::new(f)) && is_unit_name(name)).then(|| name.to_owned())
}
