//! Playbooks: from files to tasks, everything static carried out, everything wrong reported.
//!
//! ```text
//! files ─► yaml ─► plays ─► blocks, imports, roles ─► tasks (TaskDef) ─► Playbook ─► crate::compile, per host ─► Plan
//!            │        │              │                    │
//!            └────────┴──────────────┴────────────────────┴──► Diagnostics
//! ```
//!
//! A playbook is read once, without knowing a host. Reading goes on after a problem, so that all are shown at once.

mod analysis;
mod args;
mod check;
mod choose;
mod files;
mod foreign;
mod include;
mod include_one_of;
mod include_vars;
mod keys;
mod loader;
mod lookups;
mod loops;
pub(crate) mod magic;
mod model;
mod module;
mod pattern;
mod play;
mod read;
mod role;
mod rollout;
mod task;
mod tasks;
mod transaction;
mod vars_files;
mod words;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

pub(crate) use analysis::{candidates, diagnostic, template_options};
pub use files::{FileInfo, FileKind, Files};
pub(crate) use include_one_of::Include;
pub use keys::keywords;
pub use model::{Become, Flag, Order, PlayDef, Playbook, TaskDef};
pub(crate) use model::{Item, Use, VarSet};

use crate::{
    diag::{Diagnostics, SourceMap},
    module::Registry,
};
use loader::Loader;

/// Reads playbooks with everything that they import.
///
/// Roles are looked for in `roles/` beside the playbook, then in `roles_path`. Every problem goes into `found`, every text that
/// was read into `map`. Problems that depend on a host are found by [`crate::compile`], also for a playbook with errors, so that all
/// are shown at once; its plans must not be used then.
pub fn load(
    paths: &[PathBuf],
    files: Arc<dyn Files>,
    registry: Registry,
    roles_path: Vec<PathBuf>,
    map: &mut SourceMap,
    found: &mut Diagnostics,
) -> Playbook {
    let mut loader = Loader::new(files.clone(), registry, roles_path, map, found);
    let mut plays = Vec::new();
    for path in paths {
        loader.playbook(path, None, &play::Imported::default(), &[], &mut plays);
    }
    let mut set_names: BTreeSet<Arc<str>> = std::mem::take(&mut loader.set_facts);
    let modules = std::mem::take(&mut loader.modules);
    let whole = !loader.gaps.files && !loader.gaps.names;
    for play in &plays {
        set_names.extend(play.registered.iter().cloned());
    }
    let mut playbook = Playbook { plays, files, modules, whole, set_names, read_names: BTreeSet::new() };
    check::check_names(&mut playbook, found);
    playbook
}
