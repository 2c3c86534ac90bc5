//! `recurse`: what in a folder is not as it should be.

use std::{collections::BTreeMap, path::Path};

use rectify_core::module::{FileKind, ModuleError, Observe, Operate};

use super::{
    super::shared::{
        attrs::{Attrs, PartialAttrs, gid, octal, uid},
        paths::Shown,
        tree::{self, Step},
    },
    File,
};

/// How many deviating paths are held and shown at a time. More are counted, and repaired in rounds.
const HELD: usize = 10_000;

/// What deviates, and how it should be.
#[derive(Default)]
pub(super) struct Below {
    pub(super) before: BTreeMap<Shown, PartialAttrs>,
    pub(super) after: BTreeMap<Shown, PartialAttrs>,
    pub(super) more: u64,
}

impl File {
    /// Goes through the folder. Nothing but the deviations is held.
    pub(super) fn below(&self, root: &Path, host: &dyn Observe) -> Result<Below, ModuleError> {
        let wanted = self.wanted();
        let named = wanted.named(host)?;
        let owner = self.owner.as_deref().map(|o| uid(o, host)).transpose()?;
        let group = self.group.as_deref().map(|g| gid(g, host)).transpose()?;
        let mut found = Below::default();
        tree::walk(root, host, &mut |entry| {
            let (meta, link) = (entry.meta, entry.meta.kind == FileKind::Link);
            let bits = self.mode.as_ref().filter(|_| !link);
            let bits = bits.map(|mode| mode.resolve(meta.mode, meta.kind == FileKind::Directory));
            let right = owner.is_none_or(|o| o == meta.uid)
                && group.is_none_or(|g| g == meta.gid)
                && bits.is_none_or(|b| b == meta.mode);
            if right {
                return Ok(Step::Into);
            }
            if found.before.len() >= HELD {
                found.more += 1;
                return Ok(Step::Into);
            }
            let seen = Attrs::of(meta, host)?;
            let before = PartialAttrs {
                owner: owner.map(|_| seen.owner.clone()),
                group: group.map(|_| seen.group.clone()),
                mode: bits.map(|_| seen.mode.clone()),
            };
            let after = PartialAttrs { owner: named.owner.clone(), group: named.group.clone(), mode: bits.map(octal) };
            found.before.insert(Shown(entry.path.to_owned()), before);
            found.after.insert(Shown(entry.path.to_owned()), after);
            Ok(Step::Into)
        })?;
        Ok(found)
    }

    /// Repairs what was found, and goes through the folder again while there is more.
    pub(super) fn repair(&self, root: &Path, host: &dyn Operate) -> Result<(), ModuleError> {
        let mut most = u64::MAX;
        loop {
            let found = self.below(root, host)?;
            let left = found.before.len() as u64 + found.more;
            // What does not get less will not come to an end: the engine's own second look says what is left.
            if left == 0 || left >= most {
                return Ok(());
            }
            most = left;
            for Shown(path) in found.before.keys() {
                let Some(meta) = host.lstat(path)? else { continue };
                self.set(path, &meta, false, host)?;
            }
        }
    }
}
