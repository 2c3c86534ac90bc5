//! `permissions`: who may write what, over whole trees.

mod policy;
mod survey;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use rectify_core::module::{Change, Entity, Finding, ModuleError, Observe, Operate, Relations, Resource, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    policy::Policy,
    survey::{Fix, Survey},
};
use super::shared::{
    attrs::{PartialAttrs, Wanted, gid, uid},
    kept::Kept,
    mode::Mode,
    paths::{self, Shown},
};

/// What may be written, and by whom.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Writable {
    /// Shell patterns for paths: absolute, or below any of the trees. `*` does not match `/`, `**` does. A folder that matches stands
    /// for everything in it.
    paths: Vec<String>,
    /// The owner there. Default: that of the policy.
    owner: Option<String>,
    /// The group there. Default: that of the policy.
    group: Option<String>,
    /// The permission bits of files there. Default: as they are.
    file_mode: Option<Mode>,
    /// The permission bits of folders there. Default: as they are.
    dir_mode: Option<Mode>,
}

/// Holds whole trees to a policy: owner, group and bits of everything in them, and who must not be able to write there.
///
/// Only what deviates is reported and set. Links are never followed, and their bits never set. A file that has a name outside the
/// trees is reported and not changed: whoever may write in a tree can give any file a name in it. Devices, sockets and FIFOs stay
/// as they are. Access lists (acl(5)) are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permissions {
    /// The trees, by their topmost folders. Absolute.
    path: Vec<PathBuf>,
    /// The owner of everything, by name or number. Default: as it is.
    owner: Option<String>,
    /// The group of everything, by name or number. Default: as it is.
    group: Option<String>,
    /// The permission bits of files. Example: `'0644'`, `u=rwX,go=rX`. Default: as they are.
    file_mode: Option<Mode>,
    /// The permission bits of folders. Default: as they are.
    dir_mode: Option<Mode>,
    /// What the policy does not concern: shell patterns as in `writable`.
    #[serde(default)]
    exclude: Vec<String>,
    /// Where something else holds, because somebody has to write there. The first that matches counts.
    #[serde(default)]
    writable: Vec<Writable>,
    /// The accounts that must not be able to write anything outside `writable`: names, or `group:NAME` for a group. Bits that let them
    /// are taken away. What they own they can make writable for themselves; it is reported, unless `owner` gives it to another.
    #[serde(default)]
    forbid_writable_by: Vec<String>,
    /// Whether other file systems that are mounted in a tree are left alone. Default: true.
    one_file_system: Option<bool>,
    /// Whether deviations are repaired. With `false` they are reported as findings. Default: true.
    repair: Option<bool>,
    #[serde(skip)]
    kept: Kept<Survey>,
}

/// What deviates in the trees.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    paths: BTreeMap<Shown, PartialAttrs>,
    /// How much more there is than what is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
}

impl Permissions {
    fn repairs(&self) -> bool {
        self.repair.unwrap_or(true)
    }

    /// Goes through the trees and repairs what deviates, each path as it is met: however many there are, none is held.
    fn converge(&self, host: &dyn Operate) -> Result<(), ModuleError> {
        let policy = Policy::new(self, host)?;
        let mut repair = |_: &mut Survey, path: PathBuf, fix: Fix| {
            // Looked at again: what has several names comes long after it was seen, and others write to a tree.
            let Some(meta) = host.lstat(&path)? else { return Ok(()) };
            if meta.kind != fix.kind || (meta.dev, meta.ino, meta.nlink) != (fix.dev, fix.ino, fix.nlink) {
                return Ok(());
            }
            let wanted = Wanted { owner: fix.owner.as_deref(), group: fix.group.as_deref(), mode: fix.mode.as_ref() };
            let seen = super::shared::attrs::Attrs::of(&meta, host)?;
            let directory = meta.kind == rectify_core::module::FileKind::Directory;
            wanted.set(&path, &seen, false, directory, host)
        };
        self.go_through(&policy, host, &mut Survey::default(), &mut repair)
    }
}

impl Resource for Permissions {
    const KIND: &'static str = "permissions";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("paths", "path")];
    const EXAMPLE: &'static str = "permissions:\n  path: /srv/www/site\n  owner: root\n  group: publishers\n  file_mode: '0664'\n  dir_mode: '2775'\n  forbid_writable_by: www-data\n  writable:\n    - paths: wp-content/uploads\n      owner: www-data\n      file_mode: '0644'\n      dir_mode: '0755'\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let survey = self.survey(&Policy::new(self, host)?, host)?;
        self.kept.set(survey.clone());
        if !self.repairs() {
            return Ok(Some(State { paths: BTreeMap::new(), more: None }));
        }
        let paths = rectify_core::small::gather(survey.fixes.into_iter().map(|(path, fix)| (path, fix.before)));
        Ok(Some(State { paths, more: Some(survey.more).filter(|more| *more > 0) }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let fixes = self.kept.get().map(|survey| survey.fixes).unwrap_or_default();
        let seen = seen?;
        let wanted = |path: &Shown, before: &PartialAttrs| {
            fixes.get(path).map_or_else(|| before.clone(), |fix| fix.after.clone())
        };
        let paths =
            rectify_core::small::gather(seen.paths.iter().map(|(path, before)| (path.clone(), wanted(path, before))));
        Some(State { paths, more: None })
    }

    fn apply(&self, _change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        self.converge(host)
    }

    fn findings(&self, _seen: Option<&State>) -> Vec<Finding> {
        let Some(survey) = self.kept.get() else { return Vec::new() };
        let mut findings = survey.findings;
        if !self.repairs() {
            let room = survey::SAID.saturating_sub(findings.len());
            findings.extend(survey.fixes.iter().take(room).map(|(Shown(path), fix)| fix.finding(path)));
            let unsaid = survey.fixes.len().saturating_sub(room) as u64 + survey.more;
            findings.extend((unsaid > 0).then(|| self.rest(unsaid, "deviate from the policy")));
        }
        findings.extend((survey.unsaid > 0).then(|| self.rest(survey.unsaid, "cannot be repaired")));
        findings
    }

    fn validate(&self) -> Result<(), String> {
        if self.path.is_empty() {
            return Err("path: name at least one folder".into());
        }
        for path in &self.path {
            paths::absolute("path", path)?;
            if path.components().count() < 2 {
                return Err("path: a policy for / as a whole would make the host useless".into());
            }
        }
        let modes = self.writable.iter().flat_map(|w| [&w.file_mode, &w.dir_mode]);
        if modes.chain([&self.file_mode, &self.dir_mode]).any(|m| matches!(m, Some(Mode::Preserve))) {
            return Err("`preserve` makes no sense here: leave the bits out to keep them".into());
        }
        Policy::patterns(self).map(|_| ())
    }

    fn relations(&self) -> Relations {
        let trees: Vec<Entity> = self.path.iter().cloned().map(Entity::Tree).collect();
        let relations = if self.repairs() { Relations::writes(trees) } else { Relations::default().needing(trees) };
        let accounts = self.writable.iter().map(|w| (w.owner.as_deref(), w.group.as_deref()));
        accounts
            .chain([(self.owner.as_deref(), self.group.as_deref())])
            .fold(relations, |relations, (owner, group)| Wanted { owner, group, mode: None }.relations(relations))
    }

    fn subject(&self) -> String {
        self.path.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl Permissions {
    fn rest(&self, number: u64, what: &str) -> Finding {
        Finding { severity: Severity::Warning, subject: self.subject(), message: format!("{number} more paths {what}") }
    }
}
