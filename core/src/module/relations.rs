//! What a task touches: the source of the graph's edges, and of what is unknown after a task that was not run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A thing on a host that a task can depend on or change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// The file, folder or link at this absolute path.
    Path(PathBuf),
    /// Everything at and below this absolute path.
    Tree(PathBuf),
    /// The account of this name.
    User(String),
    /// The group of this name.
    Group(String),
    /// The package of this name.
    Package(String),
    /// The systemd unit of this name, with its suffix.
    Unit(String),
    /// The kernel parameter of this name, with dots.
    Sysctl(String),
    /// The kernel module of this name.
    KernelModule(String),
    /// Anything else that is one thing: `(kind, name)`, such as `("apache_module", "rewrite")`.
    Other(String, String),
}

impl Entity {
    /// Whether a change of one can be seen in the other: the same thing, or a path within a tree.
    pub fn meets(&self, other: &Entity) -> bool {
        match (self, other) {
            (Entity::Tree(tree), Entity::Path(path)) | (Entity::Path(path), Entity::Tree(tree)) => {
                path.starts_with(tree)
            }
            (Entity::Tree(a), Entity::Tree(b)) => a.starts_with(b) || b.starts_with(a),
            _ => self == other,
        }
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entity::Path(p) => write!(f, "{}", p.display()),
            Entity::Tree(p) => write!(f, "everything below {}", p.display()),
            Entity::User(n) => write!(f, "user {n}"),
            Entity::Group(n) => write!(f, "group {n}"),
            Entity::Package(n) => write!(f, "package {n}"),
            Entity::Unit(n) => write!(f, "unit {n}"),
            Entity::Sysctl(n) => write!(f, "sysctl {n}"),
            Entity::KernelModule(n) => write!(f, "kernel module {n}"),
            Entity::Other(kind, n) => write!(f, "{kind} {n}"),
        }
    }
}

/// What a task writes and what it needs. Edges follow: who needs something waits for who writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relations {
    /// What it makes, changes or removes.
    pub writes: Vec<Entity>,
    /// What must be there first (a file's folder, its owner's account, a unit's file).
    pub needs: Vec<Entity>,
}

impl Relations {
    /// Writes these things.
    pub fn writes(entities: impl IntoIterator<Item = Entity>) -> Self {
        Relations { writes: entities.into_iter().collect(), needs: Vec::new() }
    }

    /// Needs these things too.
    #[must_use]
    pub fn needing(mut self, entities: impl IntoIterator<Item = Entity>) -> Self {
        self.needs.extend(entities);
        self
    }

    /// Writes the file at `path`, and needs the folder that it is in.
    pub fn file(path: &Path) -> Self {
        Relations::writes([Entity::Path(path.to_owned())]).needing(path.parent().map(|p| Entity::Path(p.to_owned())))
    }
}

/// How far an effect that is not known may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Anything at all: a command that declares nothing.
    Anything,
    /// This thing.
    Entity(Entity),
    /// Paths that are not there yet, and the listings of folders (what a package's installation puts on disk); below this
    /// folder.
    NewPaths(PathBuf),
    /// Accounts and groups that are not there yet (a package's installation makes them).
    NewAccounts,
    /// Units that are not there yet, or not loaded.
    NewUnits,
    /// The installed packages, as a whole.
    Packages,
    /// The accounts and groups, as a whole.
    Accounts,
    /// The units, as a whole.
    Units,
}
