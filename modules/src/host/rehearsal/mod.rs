//! A host that reads through to another one and keeps its writes in memory.
//!
//! ```text
//!   task 1 ──► RehearsalView ─┐                    ┌─ known:   files, accounts, packages, units … that tasks wrote
//!   task 2 ──► RehearsalView ─┼─► one overlay ──────┤
//!   task 3 ──► RehearsalView ─┘        │           └─ unknown: notes of what may have changed, and because of whom
//!                                      ▼
//!                              the base, only observed
//! ```
//!
//! Every write and every note has a place in one sequence, and the later one counts: a file that is written after a command
//! whose effects are not known is known again. A look that a later note covers answers [`HostError::Unknown`] with the
//! tasks that are to blame.
//!
//! A rehearsal refuses what the machine would refuse, with the same `errno`, as far as can be seen without trying: missing
//! folders, loops, folders where files are expected, permissions, read-only mounts, masked units, ids that are taken. It
//! cannot foresee a full disk, a service that does not start, or an immutable file.
//!
//! The base is expected to hold still for as long as the rehearsal lasts.

mod accounts;
mod hand;
mod kernel;
mod login_defs;
mod mounts;
mod notes;
mod observe;
mod operate;
mod packages;
mod probe;
mod requests;
mod sight;
mod state;
mod unit_file;
mod units;
pub(crate) mod walk;
mod world;
mod writing;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use rectify_core::{
    module::{Because, Entity, Extent, HostResult, Observe},
    plan::TaskId,
};

use self::{
    hand::Hand,
    notes::{Note, Scope},
    sight::Sight,
    state::{Stamp, State},
    world::{Base, World},
};

/// A rehearsal over another host. Clones share the overlay; it may be used by many threads at once.
#[derive(Clone)]
pub struct Rehearsal<'a> {
    shared: Arc<Shared<'a>>,
}

struct Shared<'a> {
    world: World<'a>,
    state: RwLock<State>,
}

/// A rehearsal as one task sees it: what is written through it is put down to that task.
#[derive(Clone)]
pub struct RehearsalView<'a> {
    rehearsal: Rehearsal<'a>,
    task: TaskId,
}

impl<'a> Rehearsal<'a> {
    /// Over a host that is lent.
    pub fn new(base: &'a dyn Observe) -> Self {
        Self::over(World::new(Base::Borrowed(base)))
    }

    /// Over a host that is shared.
    pub fn shared(base: Arc<dyn Observe + 'a>) -> Self {
        Self::over(World::new(Base::Shared(base)))
    }

    fn over(world: World<'a>) -> Self {
        Rehearsal { shared: Arc::new(Shared { world, state: RwLock::default() }) }
    }

    /// Says where the blobs that came with the plan are. To be called before the rehearsal is used or cloned.
    #[must_use]
    pub fn with_blobs(self, blobs: impl Fn(&str) -> HostResult<Arc<[u8]>> + Send + Sync + 'a) -> Self {
        self.rebuilt(|world| world.blobs = Some(Box::new(blobs)))
    }

    /// A rehearsal whose base is a fixture: every effect is known, time stands still.
    #[cfg(feature = "fake")]
    pub(crate) fn exact(base: Arc<dyn Observe + 'a>) -> Self {
        Self::shared(base).rebuilt(|world| {
            world.exact = true;
            world.clock = || 1_700_000_000_000_000_000;
        })
    }

    fn rebuilt(self, change: impl FnOnce(&mut World<'a>)) -> Self {
        match Arc::try_unwrap(self.shared) {
            Ok(mut shared) => {
                change(&mut shared.world);
                Rehearsal { shared: Arc::new(shared) }
            }
            Err(_) => panic!("a rehearsal is set up before it is shared"),
        }
    }

    /// The host as this task sees and changes it.
    pub fn for_task(&self, task: TaskId) -> RehearsalView<'a> {
        RehearsalView { rehearsal: self.clone(), task }
    }

    /// Notes that these effects are not known from here on, because of these tasks. The engine calls it for a task that may
    /// change something, or that would run.
    pub fn note_unknown(&self, extents: &[Extent], because: Because) {
        let mut state = self.write();
        let world = &self.shared.world;
        let files: Vec<HashSet<PathBuf>> = {
            let sight = Sight { world, state: &state };
            extents.iter().filter_map(|extent| package_files(&sight, extent)).collect()
        };
        let canonical: BTreeMap<PathBuf, PathBuf> = {
            let sight = Sight { world, state: &state };
            rectify_core::small::gather(
                extents.iter().filter_map(path_of).map(|p| (p.to_owned(), canonical(&sight, p))),
            )
        };
        state.note_unknown(extents, &because, &|p| canonical.get(p).cloned().unwrap_or_else(|| p.to_owned()));
        let seq = state.seq;
        for files in files.into_iter().map(Arc::new) {
            for scope in [Scope::PackageFiles(files.clone()), Scope::LinksTo(files)] {
                state.notes.add(Note { seq, because: because.clone(), scope });
            }
        }
    }

    /// Every path that tasks wrote, changed or removed, with the last of them, sorted by path.
    pub fn written(&self) -> Vec<(PathBuf, TaskId)> {
        let state = self.read();
        state.files.below(Path::new("/")).map(|(path, entry)| (path.clone(), entry.stamp.task)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RehearsalView<'_> {
    /// Looks, with the overlay locked for reading. No caller's code runs within.
    fn look<T>(&self, look: impl FnOnce(Sight<'_>) -> T) -> T {
        let state = self.rehearsal.read();
        look(Sight { world: &self.rehearsal.shared.world, state: &state })
    }

    /// Writes, with the overlay locked for writing.
    fn act<T>(&self, act: impl FnOnce(&mut Hand<'_>) -> T) -> T {
        let mut state = self.rehearsal.write();
        state.seq += 1;
        let stamp = Stamp { seq: state.seq, task: self.task };
        act(&mut Hand { world: &self.rehearsal.shared.world, state: &mut state, stamp })
    }

    /// Takes this transaction as the one that is run; a fixture resolves its own.
    #[cfg(feature = "fake")]
    pub(crate) fn perform(
        &self,
        request: &rectify_core::module::PackageRequest,
        transaction: &rectify_core::module::Transaction,
    ) -> HostResult<()> {
        self.act(|hand| hand.perform(request, transaction))
    }

    /// Puts a package's true entry into the database.
    #[cfg(feature = "fake")]
    pub(crate) fn put_package(&self, name: &str, package: rectify_core::module::InstalledPackage) {
        self.act(|hand| {
            if let Some(db) = &mut hand.state.packages.db {
                Arc::make_mut(db).packages.insert(name.to_owned(), package);
            }
        });
    }

    /// Puts a unit in place.
    #[cfg(feature = "fake")]
    pub(crate) fn put_unit(&self, unit: rectify_core::module::Unit) {
        self.act(|hand| {
            let put = state::Put { stamp: hand.stamp, value: Some(unit) };
            hand.state.units.insert(put.value.as_ref().map(|u| u.name.clone()).unwrap_or_default(), put)
        });
    }
}

/// The files of an installed package that an extent names.
fn package_files(sight: &Sight<'_>, extent: &Extent) -> Option<HashSet<PathBuf>> {
    let Extent::Entity(Entity::Package(name)) = extent else { return None };
    let files = sight.package_files(name).ok()?;
    Some(sight.canonical(files.into_iter().map(|(path, _)| path)).into_iter().collect())
}

fn path_of(extent: &Extent) -> Option<&Path> {
    match extent {
        Extent::NewPaths(path) | Extent::Entity(Entity::Path(path) | Entity::Tree(path)) => Some(path),
        _ => None,
    }
}

/// The canonical form of a path, as far as it can be resolved: links in its folders followed, its end not.
fn canonical(sight: &Sight<'_>, path: &Path) -> PathBuf {
    if let Ok(place) = sight.walk("reading", path, false) {
        return place.path;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => canonical(sight, parent).join(name),
        _ => path.to_owned(),
    }
}
