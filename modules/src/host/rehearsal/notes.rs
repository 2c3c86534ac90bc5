//! What is not known any more, since when, and because of which tasks.
//!
//! A note covers what it names from its place in the sequence on; a write that comes later is known again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use rectify_core::module::Because;

/// What a note covers.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    /// Everything.
    Anything,
    /// What is at this canonical path.
    Path(PathBuf),
    /// What is at and below this canonical path.
    Tree(PathBuf),
    /// What is not there yet below this canonical path, and the listings there.
    NewPaths(PathBuf),
    /// The content, not the metadata, of the file at this canonical path.
    Content(PathBuf),
    /// The files that an upgraded package had.
    PackageFiles(Arc<HashSet<PathBuf>>),
    /// Links that point to one of these (they are made and removed by a package's scripts).
    LinksTo(Arc<HashSet<PathBuf>>),
    /// The links by which this unit is enabled.
    UnitLinks(String),
    /// This account.
    User(String),
    /// This group.
    Group(String),
    /// All accounts and groups.
    Accounts,
    /// Accounts and groups that are not there yet.
    NewAccounts,
    /// The installed packages.
    Packages,
    /// This unit.
    Unit(String),
    /// All units.
    Units,
    /// Units that are not there yet.
    NewUnits,
    /// This kernel parameter.
    Sysctl(String),
    /// Kernel parameters that are not there yet.
    NewSysctls,
    /// The loaded kernel modules.
    KernelModules,
    /// Another thing that is one thing.
    Other(String, String),
}

/// Something that is not known.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// Its place in the sequence of writes.
    pub(super) seq: u64,
    /// The tasks that it is due to.
    pub(super) because: Because,
    /// What it covers.
    pub(super) scope: Scope,
}

/// All notes.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Notes of one canonical path, so that a look costs no more than the depth of its path.
    by_path: HashMap<PathBuf, Vec<Note>>,
    /// The paths of `by_path`, for what is below another.
    order: BTreeSet<PathBuf>,
    /// No path in `by_path` is shorter, in bytes.
    shortest: usize,
    /// All others.
    general: Vec<Note>,
}

/// Which part of a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Metadata of what is there.
    Present,
    /// That nothing is there.
    Absent,
    /// The content of what is there.
    Content,
    /// That it is a folder which is passed through.
    Through,
}

impl Notes {
    /// Adds one.
    pub(super) fn add(&mut self, note: Note) {
        let list = match &note.scope {
            Scope::Path(p) | Scope::Tree(p) | Scope::NewPaths(p) | Scope::Content(p) => {
                let length = p.as_os_str().len();
                self.shortest = if self.by_path.is_empty() { length } else { self.shortest.min(length) };
                self.order.insert(p.clone());
                self.by_path.entry(p.clone()).or_default()
            }
            _ => &mut self.general,
        };
        list.push(note);
    }

    /// Whether nothing is unknown.
    pub(super) fn is_empty(&self) -> bool {
        self.by_path.is_empty() && self.general.is_empty()
    }

    /// Who is to blame if a look at this canonical path, known since `since`, is not known.
    pub(super) fn on_path(&self, path: &Path, since: u64, look: Look) -> Option<Because> {
        let mut because = Blame::default();
        for (own, note) in self.upwards(path).filter(|(_, n)| n.seq > since) {
            let covers = match &note.scope {
                Scope::Path(_) => own,
                Scope::Tree(_) => look != Look::Through,
                Scope::NewPaths(_) => !own && look == Look::Absent,
                Scope::Content(_) => own && look == Look::Content,
                _ => false,
            };
            because.add_if(covers, note);
        }
        for note in self.general.iter().filter(|n| n.seq > since) {
            let covers = match &note.scope {
                Scope::Anything => look != Look::Through,
                Scope::PackageFiles(files) => matches!(look, Look::Present | Look::Content) && files.contains(path),
                Scope::UnitLinks(unit) => is_unit_link(path, unit),
                _ => false,
            };
            because.add_if(covers, note);
        }
        because.found
    }

    /// Who is to blame if the listing of this canonical folder, known since `since`, is not known. `child` says since when
    /// the entry at a path is known, if it is.
    pub(super) fn on_listing(
        &self,
        folder: &Path,
        since: u64,
        child: &dyn Fn(&Path) -> Option<u64>,
    ) -> Option<Because> {
        let mut because = Blame::default();
        for (_, note) in self.upwards(folder).filter(|(_, n)| n.seq > since) {
            because.add_if(matches!(note.scope, Scope::Tree(_) | Scope::NewPaths(_)), note);
        }
        for (path, notes) in self.below(folder).filter(|(path, _)| path.parent() == Some(folder)) {
            let known = child(path).unwrap_or(since);
            for note in notes.iter().filter(|n| n.seq > known) {
                because.add_if(matches!(note.scope, Scope::Path(_) | Scope::Tree(_)), note);
            }
        }
        for note in self.general.iter().filter(|n| n.seq > since) {
            let covers = match &note.scope {
                Scope::Anything => true,
                Scope::UnitLinks(_) => may_hold_unit_links(folder),
                _ => false,
            };
            because.add_if(covers, note);
        }
        because.found
    }

    /// Who is to blame if anything at or below this canonical path is not known.
    pub(super) fn on_tree(&self, tree: &Path) -> Option<Because> {
        let mut because = Blame::default();
        for (_, notes) in self.below(tree) {
            notes.iter().for_each(|note| because.add_if(true, note));
        }
        for (_, note) in self.upwards(tree).filter(|(own, _)| !own) {
            because.add_if(!matches!(note.scope, Scope::Content(_)), note);
        }
        for note in &self.general {
            let covers = match &note.scope {
                Scope::Anything => true,
                Scope::PackageFiles(files) => files.iter().any(|f| f.starts_with(tree)),
                Scope::UnitLinks(_) => may_hold_unit_links(tree) || Path::new("/etc").starts_with(tree),
                _ => false,
            };
            because.add_if(covers, note);
        }
        because.found
    }

    /// Who is to blame if a link to this target is not known.
    pub(super) fn on_link_to(&self, target: &Path, since: u64) -> Option<Because> {
        self.on(since, |scope| matches!(scope, Scope::LinksTo(files) if files.contains(target)))
    }

    /// Whether a look at links has to ask for their targets at all.
    pub(super) fn watches_links(&self) -> bool {
        self.general.iter().any(|n| matches!(n.scope, Scope::LinksTo(_)))
    }

    /// Who is to blame if a note since `since` covers what `covers` says, or everything.
    pub(super) fn on(&self, since: u64, covers: impl Fn(&Scope) -> bool) -> Option<Because> {
        let mut because = Blame::default();
        for note in self.general.iter().filter(|n| n.seq > since) {
            because.add_if(matches!(note.scope, Scope::Anything) || covers(&note.scope), note);
        }
        because.found
    }

    /// Who is to blame for what is not known at or below this path, by notes that name a path there.
    pub(super) fn below_exactly(&self, tree: &Path) -> impl Iterator<Item = Because> {
        let named = |n: &Note| !matches!(n.scope, Scope::NewPaths(_) | Scope::Content(_));
        self.below(tree).flat_map(|(_, notes)| notes).filter(move |n| named(n)).map(|n| n.because.clone())
    }

    fn below(&self, tree: &Path) -> impl Iterator<Item = (&PathBuf, &Vec<Note>)> {
        let tree = tree.to_owned();
        let paths = self.order.range(tree.clone()..).take_while(move |path| path.starts_with(&tree));
        paths.filter_map(|path| Some((path, self.by_path.get(path)?)))
    }

    /// The notes of a path (true) and of all above it (false).
    fn upwards<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (bool, &'a Note)> {
        let longer = |ancestor: &&Path| ancestor.as_os_str().len() >= self.shortest;
        let paths = path.ancestors().take_while(longer).filter(|_| !self.by_path.is_empty());
        paths.flat_map(move |at| self.by_path.get(at).into_iter().flatten().map(move |note| (at == path, note)))
    }
}

/// Gathers who is to blame.
#[derive(Default)]
struct Blame {
    found: Option<Because>,
}

impl Blame {
    fn add_if(&mut self, covers: bool, note: &Note) {
        if covers {
            let sofar = self.found.take().unwrap_or_default();
            self.found = Some(sofar.and(note.because.clone()));
        }
    }
}

/// Whether links that enable a unit stand below this folder: systemd's own, and those of System V's run levels.
fn may_hold_unit_links(folder: &Path) -> bool {
    folder.starts_with("/etc/systemd/system")
        || folder.starts_with("/etc")
            && folder.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("rc") && n.ends_with(".d"))
}

fn is_unit_link(path: &Path, unit: &str) -> bool {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return false };
    let Some(folder) = path.parent().filter(|f| may_hold_unit_links(f)) else { return false };
    if folder.starts_with("/etc/systemd/system") {
        return name == unit;
    }
    let service = unit.strip_suffix(".service").unwrap_or(unit);
    name.len() > 3 && name.get(3..) == Some(service)
}
