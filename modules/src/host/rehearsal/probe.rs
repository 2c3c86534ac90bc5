//! Whether a question can still be put to the base, and noting what commands may have changed.

use std::path::{Path, PathBuf};

use rectify_core::module::{Because, Command, Entity, Extent, HostError, HostResult};
use rustix::io::Errno;

use super::{
    notes::{Note, Scope},
    sight::{Sight, known},
    state::{Put, State},
    walk::refuse,
};

/// Where programs are looked for.
const PATH: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

impl Sight<'_> {
    /// Whether the base's answer to this question still holds: not if it depends on what tasks changed. A probe that reads
    /// nothing depends on nothing that tasks change, but for the program itself.
    pub(super) fn check_probe(&self, command: &Command) -> HostResult<()> {
        if !self.world.exact {
            let mut because: Option<Because> = None;
            for entity in &command.reads {
                if let Some(found) = self.changed(entity)? {
                    because = Some(because.take().unwrap_or_default().and(found));
                }
            }
            known(because)?;
            self.check_program(command)?;
        }
        Ok(())
    }

    /// The tasks that changed this thing, or made it unknown.
    pub(super) fn changed(&self, entity: &Entity) -> HostResult<Option<Because>> {
        let state = self.state;
        fn put<T>(put: Option<&Put<T>>) -> Option<Because> {
            put.map(|p| p.stamp.because())
        }
        let (written, noted) = match entity {
            Entity::Path(path) => return self.touched(path, false),
            Entity::Tree(path) => return self.touched(path, true),
            Entity::User(name) => (
                put(state.users.get(name)),
                state.notes.on(0, |s| matches!(s, Scope::User(n) if n == name) || matches!(s, Scope::Accounts)),
            ),
            Entity::Group(name) => (
                put(state.groups.get(name)),
                state.notes.on(0, |s| matches!(s, Scope::Group(n) if n == name) || matches!(s, Scope::Accounts)),
            ),
            Entity::Package(name) => {
                (put(state.packages.done.get(name)), state.notes.on(0, |s| matches!(s, Scope::Packages)))
            }
            Entity::Unit(name) => (
                put(state.units.get(name)),
                state.notes.on(0, |s| matches!(s, Scope::Unit(n) if n == name) || matches!(s, Scope::Units)),
            ),
            Entity::Sysctl(key) => {
                (put(state.sysctls.get(key)), state.notes.on(0, |s| matches!(s, Scope::Sysctl(k) if k == key)))
            }
            Entity::KernelModule(name) => (
                put(state.kernel_modules.get(&name.replace('-', "_"))),
                state.notes.on(0, |s| matches!(s, Scope::KernelModules)),
            ),
            Entity::Other(kind, name) => {
                (None, state.notes.on(0, |s| matches!(s, Scope::Other(k, n) if k == kind && n == name)))
            }
        };
        Ok([written, noted].into_iter().flatten().reduce(Because::and))
    }

    /// A program that a task took away is not there to be asked, one that a task brought is not there yet.
    fn check_program(&self, command: &Command) -> HostResult<()> {
        if self.state.files.is_empty() && self.state.notes.is_empty() {
            return Ok(());
        }
        let Some(program) = command.argv.first().filter(|p| !p.is_empty()) else { return Ok(()) };
        let candidates: Vec<PathBuf> = if program.contains('/') {
            vec![PathBuf::from(program)]
        } else {
            PATH.iter().map(|folder| Path::new(folder).join(program)).collect()
        };
        let (mut gone, mut unknown) = (false, None);
        for path in candidates.iter().filter(|p| p.is_absolute()) {
            match self.node(path, true) {
                Ok(Some(_)) => return known(self.touched(path, false)?),
                Ok(None) => gone |= self.touched(path, false)?.is_some(),
                // The program as it was: whoever minds a change of it says so in `reads`.
                Err(HostError::Unknown(_)) if self.world.base.stat(path)?.is_some() => return Ok(()),
                Err(HostError::Unknown(because)) => unknown = Some(because),
                Err(other) => return Err(other),
            }
        }
        known(unknown)?;
        // Nothing leads to it now: either the base agrees, or tasks took it away.
        if gone { Err(refuse("running", Path::new(program), Errno::NOENT)) } else { Ok(()) }
    }
}

impl State {
    /// Notes effects that are not known from here on; `canonical` resolves paths.
    pub(super) fn note_unknown(&mut self, extents: &[Extent], because: &Because, canonical: &dyn Fn(&Path) -> PathBuf) {
        self.seq += 1;
        let seq = self.seq;
        for extent in extents {
            for scope in scopes(extent, canonical) {
                self.notes.add(Note { seq, because: because.clone(), scope });
            }
        }
    }
}

/// What an extent covers, in the notes' terms.
fn scopes(extent: &Extent, canonical: &dyn Fn(&Path) -> PathBuf) -> Vec<Scope> {
    // Accounts, packages and units are seen in files too.
    let account_files =
        || ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"].map(|f| Scope::Content(f.into()));
    match extent {
        Extent::Anything => vec![Scope::Anything],
        Extent::NewPaths(path) => vec![Scope::NewPaths(canonical(path))],
        Extent::NewAccounts => [Scope::NewAccounts].into_iter().chain(account_files()).collect(),
        Extent::Accounts => [Scope::Accounts].into_iter().chain(account_files()).collect(),
        Extent::NewUnits => vec![Scope::NewUnits],
        Extent::Units => vec![Scope::Units],
        Extent::Packages => package_scopes(),
        Extent::Entity(entity) => match entity {
            Entity::Path(path) => vec![Scope::Path(canonical(path))],
            Entity::Tree(path) => vec![Scope::Tree(canonical(path))],
            Entity::User(name) => [Scope::User(name.clone())].into_iter().chain(account_files()).collect(),
            Entity::Group(name) => [Scope::Group(name.clone())].into_iter().chain(account_files()).collect(),
            Entity::Package(_) => package_scopes(),
            Entity::Unit(name) => vec![Scope::Unit(name.clone()), Scope::UnitLinks(name.clone())],
            Entity::Sysctl(key) => vec![Scope::Sysctl(key.clone())],
            Entity::KernelModule(_) => vec![Scope::KernelModules, Scope::NewSysctls],
            Entity::Other(kind, name) => vec![Scope::Other(kind.clone(), name.clone())],
        },
    }
}

/// A transaction that may be run may bring anything that is new.
fn package_scopes() -> Vec<Scope> {
    vec![Scope::Packages, Scope::NewPaths("/".into()), Scope::NewAccounts, Scope::NewUnits]
}
