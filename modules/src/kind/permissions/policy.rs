//! The policy with its names looked up: what is wanted of a path.

use std::path::Path;

use rectify_core::module::{FileKind, Meta, ModuleError, Observe};

use super::{Mode, Permissions, gid, uid};
use crate::kind::shared::glob::Glob;

/// Somebody who must not be able to write.
struct Forbidden {
    name: String,
    uid: Option<u32>,
    gids: Vec<u32>,
}

/// Owner, group and bits for a part of the trees.
struct Rule {
    patterns: Vec<Glob>,
    owner: Option<(u32, String)>,
    group: Option<(u32, String)>,
    file_mode: Option<Mode>,
    dir_mode: Option<Mode>,
}

pub(super) struct Policy {
    exclude: Vec<Glob>,
    writable: Vec<Rule>,
    general: Rule,
    forbidden: Vec<Forbidden>,
}

/// What is wanted of a path.
pub(super) struct Wish {
    pub(super) owner: Option<(u32, String)>,
    pub(super) group: Option<(u32, String)>,
    pub(super) bits: u32,
    /// Who could write it if nothing were done, of those who must not.
    pub(super) writers: Vec<String>,
    /// Who owns it, of those who must not be able to write, and will still own it.
    pub(super) owned_by: Option<String>,
}

impl Policy {
    /// The patterns alone, which need no host.
    pub(super) fn patterns(args: &Permissions) -> Result<(Vec<Glob>, Vec<Vec<Glob>>), String> {
        let roots = &args.path;
        let exclude = compile(&args.exclude, roots)?;
        let writable = args.writable.iter().map(|w| compile(&w.paths, roots)).collect::<Result<_, _>>()?;
        Ok((exclude, writable))
    }

    pub(super) fn new(args: &Permissions, host: &dyn Observe) -> Result<Self, ModuleError> {
        let (exclude, patterns) = Policy::patterns(args).map_err(ModuleError::Invalid)?;
        let owner = |name: &Option<String>| account(name.as_deref(), host);
        let group = |name: &Option<String>| team(name.as_deref(), host);
        let general = Rule {
            patterns: Vec::new(),
            owner: owner(&args.owner)?,
            group: group(&args.group)?,
            file_mode: args.file_mode.clone(),
            dir_mode: args.dir_mode.clone(),
        };
        let mut writable = Vec::new();
        for (rule, patterns) in args.writable.iter().zip(patterns) {
            writable.push(Rule {
                patterns,
                owner: owner(&rule.owner)?.or_else(|| general.owner.clone()),
                group: group(&rule.group)?.or_else(|| general.group.clone()),
                file_mode: rule.file_mode.clone(),
                dir_mode: rule.dir_mode.clone(),
            });
        }
        let forbidden = args.forbid_writable_by.iter().map(|name| forbidden(name, host)).collect::<Result<_, _>>()?;
        Ok(Policy { exclude, writable, general, forbidden })
    }

    /// Whether the policy leaves this alone, and everything in it.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        self.exclude.iter().any(|pattern| pattern.is_match(&text))
    }

    /// What is wanted of a path below `root`.
    pub(super) fn wish(&self, path: &Path, meta: &Meta) -> Wish {
        let special = self.writable.iter().find(|rule| {
            path.ancestors().any(|at| {
                let text = at.to_string_lossy();
                rule.patterns.iter().any(|pattern| pattern.is_match(&text))
            })
        });
        let rule = special.unwrap_or(&self.general);
        let directory = meta.kind == FileKind::Directory;
        let mode = if directory { &rule.dir_mode } else { &rule.file_mode };
        let mut bits = mode.as_ref().map_or(meta.mode, |mode| mode.resolve(meta.mode, directory));
        if meta.kind == FileKind::Link {
            bits = meta.mode;
        }
        let mut wish =
            Wish { owner: rule.owner.clone(), group: rule.group.clone(), bits, writers: Vec::new(), owned_by: None };
        if special.is_none() && meta.kind != FileKind::Link {
            self.forbid(&mut wish, meta);
        }
        wish
    }

    fn forbid(&self, wish: &mut Wish, meta: &Meta) {
        let uid = wish.owner.as_ref().map_or(meta.uid, |(id, _)| *id);
        let gid = wish.group.as_ref().map_or(meta.gid, |(id, _)| *id);
        for who in &self.forbidden {
            if who.uid == Some(uid) {
                wish.owned_by.get_or_insert_with(|| who.name.clone());
                wish.bits &= !0o200;
            } else if who.gids.contains(&gid) {
                wish.bits &= !0o020;
            } else {
                wish.bits &= !0o002;
            }
            if who.writes(meta) {
                wish.writers.push(who.name.clone());
            }
        }
    }
}

impl Forbidden {
    fn writes(&self, meta: &Meta) -> bool {
        let bit = if self.uid == Some(meta.uid) {
            return true;
        } else if self.gids.contains(&meta.gid) {
            0o020
        } else {
            0o002
        };
        meta.mode & bit != 0
    }
}

fn compile(patterns: &[String], roots: &[std::path::PathBuf]) -> Result<Vec<Glob>, String> {
    let mut compiled = Vec::new();
    for pattern in patterns {
        let pattern = pattern.trim_end_matches('/');
        if pattern.starts_with('/') {
            compiled.push(Glob::new(pattern)?);
            continue;
        }
        for root in roots {
            let root = root.to_string_lossy();
            compiled.push(Glob::below(root.trim_end_matches('/'), pattern)?);
        }
    }
    Ok(compiled)
}

fn account(name: Option<&str>, host: &dyn Observe) -> Result<Option<(u32, String)>, ModuleError> {
    let Some(name) = name else { return Ok(None) };
    let id = uid(name, host)?;
    Ok(Some((id, crate::kind::shared::attrs::user_name(id, host)?)))
}

fn team(name: Option<&str>, host: &dyn Observe) -> Result<Option<(u32, String)>, ModuleError> {
    let Some(name) = name else { return Ok(None) };
    let id = gid(name, host)?;
    Ok(Some((id, crate::kind::shared::attrs::group_name(id, host)?)))
}

fn forbidden(name: &str, host: &dyn Observe) -> Result<Forbidden, ModuleError> {
    if let Some(group) = name.strip_prefix("group:") {
        return Ok(Forbidden { name: name.to_owned(), uid: None, gids: vec![gid(group, host)?] });
    }
    let id = uid(name, host)?;
    if id == 0 {
        return Err(ModuleError::Invalid("forbid_writable_by: root cannot be kept from writing".into()));
    }
    let mut gids = Vec::new();
    if let Some(user) = host.user_by_id(id)? {
        gids.push(user.gid);
        for group in &user.groups {
            gids.extend(host.group(group)?.map(|g| g.gid));
        }
    }
    Ok(Forbidden { name: name.to_owned(), uid: Some(id), gids })
}
