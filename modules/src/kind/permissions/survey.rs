//! Going through the trees. Only what deviates is held, up to a bound; the rest is counted.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use rectify_core::module::{FileKind, Finding, Meta, ModuleError, Observe, Severity};

use super::{
    Permissions,
    policy::{Policy, Wish},
};
use crate::kind::shared::{
    attrs::{Attrs, PartialAttrs, octal},
    mode::Mode,
    paths::Shown,
    tree::{self, Step},
};

/// How many deviating paths are held at a time.
const HELD: usize = 10_000;

/// How many findings are said one by one.
pub(super) const SAID: usize = 1000;

/// How many files with several names are kept in mind at a time.
const NAMES: usize = 100_000;

/// A path that deviates.
#[derive(Debug, Clone)]
pub(super) struct Fix {
    pub(super) before: PartialAttrs,
    pub(super) after: PartialAttrs,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
    pub(super) mode: Option<Mode>,
    pub(super) kind: FileKind,
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) nlink: u64,
    writers: Vec<String>,
}

impl Fix {
    /// The deviation as something to be told.
    pub(super) fn finding(&self, path: &Path) -> Finding {
        let side = |attrs: &PartialAttrs| {
            let parts = [("owner", &attrs.owner), ("group", &attrs.group), ("mode", &attrs.mode)];
            parts.iter().filter_map(|(k, v)| Some(format!("{k} {}", v.as_deref()?))).collect::<Vec<_>>().join(", ")
        };
        let mut message = format!("has {}, and should have {}", side(&self.before), side(&self.after));
        let mut severity = Severity::Warning;
        if !self.writers.is_empty() {
            message = format!("{} can write it; it {message}", self.writers.join(" and "));
            severity = Severity::Critical;
        }
        Finding { severity, subject: path.display().to_string(), message }
    }
}

/// What was found in the trees.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    pub(super) fixes: BTreeMap<Shown, Fix>,
    /// How much more deviates.
    pub(super) more: u64,
    /// What is not repaired.
    pub(super) findings: Vec<Finding>,
    /// How much more of that there is.
    pub(super) unsaid: u64,
}

/// A deviating file that has several names.
struct Names {
    first: PathBuf,
    fix: Fix,
    seen: u64,
}

impl Survey {
    fn say(&mut self, severity: Severity, path: &Path, message: String) {
        if self.findings.len() < SAID {
            self.findings.push(Finding { severity, subject: path.display().to_string(), message });
        } else {
            self.unsaid += 1;
        }
    }

    fn hold(&mut self, path: PathBuf, fix: Fix) {
        if self.fixes.len() < HELD {
            self.fixes.insert(Shown(path), fix);
        } else {
            self.more += 1;
        }
    }

    fn several_names(&mut self, path: &Path, others: u64) {
        let names = if others == 1 { "another name".into() } else { format!("{others} other names") };
        self.say(Severity::Warning, path, format!("deviates, and is not changed: it has {names} outside the policy"));
    }
}

/// What is done with a path that deviates.
type Deviates<'a> = &'a mut dyn FnMut(&mut Survey, PathBuf, Fix) -> Result<(), ModuleError>;

/// One way through the trees.
struct Search<'a> {
    policy: &'a Policy,
    host: &'a dyn Observe,
    survey: &'a mut Survey,
    names: HashMap<(u64, u64), Names>,
    deviates: Deviates<'a>,
}

impl Permissions {
    pub(super) fn survey(&self, policy: &Policy, host: &dyn Observe) -> Result<Survey, ModuleError> {
        let mut survey = Survey::default();
        self.go_through(policy, host, &mut survey, &mut |survey, path, fix| {
            survey.hold(path, fix);
            Ok(())
        })?;
        // Their order would otherwise be that of a hash.
        rectify_core::small::sort_by(&mut survey.findings, |a, b| a.subject.cmp(&b.subject));
        Ok(survey)
    }

    /// Goes through the trees once. A path may be changed when it is handed over: nothing looks at it again.
    pub(super) fn go_through(
        &self,
        policy: &Policy,
        host: &dyn Observe,
        survey: &mut Survey,
        deviates: Deviates<'_>,
    ) -> Result<(), ModuleError> {
        let mut search = Search { policy, host, survey, names: HashMap::new(), deviates };
        for root in &self.path {
            let meta = match host.lstat(root)? {
                Some(meta) if meta.kind == FileKind::Directory => meta,
                Some(meta) if meta.kind == FileKind::Link => {
                    let root = root.display();
                    return Err(ModuleError::failed(format!("{root} is a link: name the folder that it leads to")));
                }
                Some(_) => return Err(ModuleError::failed(format!("{} is no folder", root.display()))),
                None => return Err(ModuleError::failed(format!("{} does not exist", root.display()))),
            };
            if policy.excludes(root) {
                continue;
            }
            search.visit(root, &meta)?;
            let one = self.one_file_system.unwrap_or(true);
            tree::walk(root, host, &mut |entry| {
                // What exists only in a rehearsal has no device number.
                let elsewhere = entry.meta.dev != meta.dev && entry.meta.dev != 0 && meta.dev != 0;
                if (one && elsewhere) || policy.excludes(entry.path) {
                    return Ok(Step::Over);
                }
                search.visit(entry.path, entry.meta)?;
                Ok(Step::Into)
            })?;
        }
        for Names { first, fix, seen } in std::mem::take(&mut search.names).into_values() {
            if seen >= fix.nlink {
                (search.deviates)(search.survey, first, fix)?;
            } else {
                search.survey.several_names(&first, fix.nlink - seen);
            }
        }
        Ok(())
    }
}

impl Search<'_> {
    fn visit(&mut self, path: &Path, meta: &Meta) -> Result<(), ModuleError> {
        if meta.kind == FileKind::Other {
            return Ok(());
        }
        let wish = self.policy.wish(path, meta);
        if let Some(who) = &wish.owned_by {
            let message = format!("belongs to {who}, who can give itself the right to write it; name another `owner`");
            self.survey.say(Severity::Critical, path, message);
        }
        let Some(fix) = fix(meta, wish, self.host)? else { return Ok(()) };
        if meta.kind == FileKind::Directory || meta.nlink < 2 {
            return (self.deviates)(self.survey, path.to_owned(), fix);
        }
        let full = self.names.len() >= NAMES;
        match self.names.get_mut(&(meta.dev, meta.ino)) {
            Some(known) if meta.ino != 0 => {
                known.seen += 1;
                if path < known.first.as_path() {
                    known.first = path.to_owned();
                }
            }
            None if !full && meta.ino != 0 => {
                self.names.insert((meta.dev, meta.ino), Names { first: path.to_owned(), fix, seen: 1 });
            }
            _ => self.survey.several_names(path, meta.nlink - 1),
        }
        Ok(())
    }
}

/// What is to be set on a path, if anything.
fn fix(meta: &Meta, wish: Wish, host: &dyn Observe) -> Result<Option<Fix>, ModuleError> {
    let owner = wish.owner.filter(|(id, _)| *id != meta.uid).map(|(_, name)| name);
    let group = wish.group.filter(|(id, _)| *id != meta.gid).map(|(_, name)| name);
    let bits = Some(wish.bits).filter(|bits| *bits != meta.mode);
    if owner.is_none() && group.is_none() && bits.is_none() {
        return Ok(None);
    }
    let seen = Attrs::of(meta, host)?;
    let before = PartialAttrs {
        owner: owner.as_ref().map(|_| seen.owner),
        group: group.as_ref().map(|_| seen.group),
        mode: bits.map(|_| seen.mode),
    };
    let after = PartialAttrs { owner: owner.clone(), group: group.clone(), mode: bits.map(octal) };
    // A change of owner clears set-id bits: the bits are set again after it.
    let mode = (meta.kind != FileKind::Link).then_some(Mode::Bits(wish.bits));
    let Meta { kind, dev, ino, nlink, .. } = *meta;
    Ok(Some(Fix { before, after, owner, group, mode, kind, dev, ino, nlink, writers: wish.writers }))
}
