//! What a task asks for, and whether what is there allows it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{DirEntry, FileKind, Meta, ModuleError, Observe};

use super::{
    super::shared::{
        attrs::Attrs,
        clock::{self, SECOND},
        paths,
        place::What,
    },
    File, Look, State, Wish,
    times::Times,
};

/// A wish, with what the task leaves open filled in from what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// What is there, with other attributes.
    As,
    Directory,
    Absent,
    Link {
        target: PathBuf,
    },
    Hard {
        target: PathBuf,
    },
    Touch,
}

/// Where a link at `path` with this target leads, without looking.
pub(super) fn absolute_target(path: &Path, target: &Path) -> PathBuf {
    paths::parent(path).join(target)
}

impl State {
    fn of(state: What) -> Self {
        State {
            state,
            target: None,
            owner: None,
            group: None,
            mode: None,
            modification_time: None,
            access_time: None,
            parents: None,
            below: BTreeMap::new(),
            more: None,
        }
    }

    pub(super) fn attrs(&self) -> Option<Attrs> {
        let mode = self.mode.clone().unwrap_or_else(|| "0000".into());
        Some(Attrs { owner: self.owner.clone()?, group: self.group.clone()?, mode })
    }
}

impl File {
    /// Looks at the path, and settles what is wanted of it.
    pub(super) fn look(&self, host: &dyn Observe) -> Result<(Look, Option<State>), ModuleError> {
        let path = self.place(host)?;
        let own = host.lstat(&path)?;
        let ask = self.ask(&path, own.as_ref(), host)?;
        if ask == Ask::Absent {
            let look = self.blank(path, ask);
            return Ok((look, own.map(|meta| State::of(meta.kind.into()))));
        }
        let is_link = own.as_ref().is_some_and(|m| m.kind == FileKind::Link);
        let behind = if is_link && self.follow() { host.stat(&path)? } else { own.clone() };
        self.refuse_conflicts(&path, &ask, own.as_ref(), behind.as_ref(), host)?;
        let now = self.started.get().unwrap_or_else(clock::now);
        self.started.set(now);
        let mut look = Look {
            named: self.wanted().named(host)?,
            times: self.times(now).map_err(ModuleError::Invalid)?,
            ..self.blank(path, ask)
        };
        let seen = match (&own, &behind) {
            (None, _) => None,
            (Some(own), behind) => Some(self.seen(&look, own, behind.as_ref(), host)?),
        };
        look.meta = behind;
        if look.ask == Ask::Directory && own.is_none() {
            let missing = paths::missing_parents(&look.path, host)?;
            let names: Vec<String> = missing.iter().map(|p| p.display().to_string()).collect();
            look.parents = Some(names.join(", ")).filter(|n| !n.is_empty());
        }
        let Some(mut seen) = seen else { return Ok((look, None)) };
        if self.recurse && seen.state == What::Directory {
            let found = self.below(&look.path, host)?;
            seen.below = found.before;
            seen.more = Some(found.more).filter(|more| *more > 0);
            look.below = found.after;
        }
        Ok((look, Some(seen)))
    }

    fn blank(&self, path: PathBuf, ask: Ask) -> Look {
        let times = Times { modification: None, access: None };
        Look { path, ask, named: Default::default(), times, parents: None, meta: None, below: BTreeMap::new() }
    }

    /// The path itself; for a hard link, one of the source's name in a folder that is there.
    fn place(&self, host: &dyn Observe) -> Result<PathBuf, ModuleError> {
        if let (Some(Wish::Hard), Some(src)) = (self.state, &self.src)
            && let (Some(name), Some(meta)) = (src.file_name(), host.stat(&self.path)?)
            && meta.kind == FileKind::Directory
        {
            return Ok(self.path.join(name));
        }
        Ok(self.path.clone())
    }

    fn ask(&self, path: &Path, own: Option<&Meta>, host: &dyn Observe) -> Result<Ask, ModuleError> {
        let shown = path.display();
        let wish = match (self.state, own) {
            (Some(wish), _) => wish,
            (None, Some(meta)) if meta.kind == FileKind::Directory => Wish::Directory,
            (None, Some(meta)) if meta.kind == FileKind::Link && self.src.is_some() => Wish::Link,
            (None, Some(_)) => Wish::File,
            (None, None) if self.recurse => Wish::Directory,
            (None, None) => Wish::File,
        };
        if self.src.is_some() && !matches!(wish, Wish::Link | Wish::Hard) {
            return Err(ModuleError::Invalid("src: say `state: link` or `state: hard`".into()));
        }
        Ok(match (wish, own) {
            (Wish::Absent, _) => Ask::Absent,
            (Wish::Directory, _) => Ask::Directory,
            (Wish::Touch, _) => Ask::Touch,
            (Wish::File, Some(meta)) if meta.kind == FileKind::Link && self.state.is_none() => {
                Ask::Link { target: host.read_link(path)? }
            }
            (Wish::File, Some(_)) => Ask::As,
            (Wish::File, None) => {
                return Err(ModuleError::failed(format!(
                    "{shown} does not exist, and `state: file` makes none: use `touch`, `copy` or `template`"
                )));
            }
            (Wish::Link | Wish::Hard, found) => match (&self.src, found) {
                (Some(src), _) if wish == Wish::Hard => Ask::Hard { target: src.clone() },
                (Some(src), _) => Ask::Link { target: src.clone() },
                (None, Some(meta)) if wish == Wish::Link && meta.kind == FileKind::Link => {
                    Ask::Link { target: host.read_link(path)? }
                }
                (None, Some(meta)) if wish == Wish::Hard && meta.kind == FileKind::File && meta.nlink > 1 => Ask::As,
                _ => return Err(ModuleError::failed(format!("{shown}: a new link needs `src`, and there is none"))),
            },
        })
    }

    fn refuse_conflicts(
        &self,
        path: &Path,
        ask: &Ask,
        own: Option<&Meta>,
        behind: Option<&Meta>,
        host: &dyn Observe,
    ) -> Result<(), ModuleError> {
        let shown = path.display();
        let fail = |text: String| Err(ModuleError::failed(text));
        if let (Some(own), Ask::As | Ask::Directory | Ask::Touch) = (own, ask)
            && own.kind == FileKind::Link
        {
            match behind.map(|m| m.kind) {
                None => return fail(format!("{shown} is a link that leads nowhere")),
                Some(FileKind::Link) => return fail(format!("{shown} is a link, and `follow: false` leaves it alone")),
                Some(_) => {}
            }
        }
        match (ask, own.map(|m| m.kind), behind.map(|m| m.kind)) {
            (Ask::As, _, Some(FileKind::Directory)) => fail(format!("{shown} is a folder, not a file")),
            (Ask::Directory, Some(_), Some(kind)) if kind != FileKind::Directory => {
                fail(format!("{shown} is {}, and is to be a folder", What::from(kind).noun()))
            }
            (Ask::Link { target }, kind, _) => self.refuse_link(path, target, kind, host),
            (Ask::Hard { target }, kind, _) => self.refuse_hard(path, target, own, kind, host),
            _ => Ok(()),
        }
    }

    fn refuse_link(
        &self,
        path: &Path,
        target: &Path,
        kind: Option<FileKind>,
        host: &dyn Observe,
    ) -> Result<(), ModuleError> {
        let (shown, to) = (path.display(), target.display());
        if !self.force && self.src.is_some() && host.stat(&absolute_target(path, target))?.is_none() {
            return Err(ModuleError::failed(format!(
                "{shown}: nothing is at {to}, where the link is to point; `force: true` makes it all the same"
            )));
        }
        match kind {
            None | Some(FileKind::Link) => Ok(()),
            Some(kind) if !self.force => {
                let noun = What::from(kind).noun();
                Err(ModuleError::failed(format!("{shown} is {noun}; `force: true` would put the link in its place")))
            }
            Some(FileKind::Directory) => {
                let mut empty = true;
                host.list(path, &mut |_: DirEntry| {
                    empty = false;
                    false
                })?;
                if empty {
                    return Ok(());
                }
                Err(ModuleError::failed(format!(
                    "{shown} is a folder with something in it, which a link does not replace"
                )))
            }
            Some(_) => Ok(()),
        }
    }

    fn refuse_hard(
        &self,
        path: &Path,
        target: &Path,
        own: Option<&Meta>,
        kind: Option<FileKind>,
        host: &dyn Observe,
    ) -> Result<(), ModuleError> {
        let (shown, to) = (path.display(), target.display());
        let Some(source) = host.lstat(target)? else {
            return Err(ModuleError::failed(format!("{shown}: there is nothing at {to} to be given another name")));
        };
        match (kind, own) {
            (Some(FileKind::Directory), _) => Err(ModuleError::failed(format!("{shown} is a folder"))),
            (Some(FileKind::Link) | None, _) | (_, None) => Ok(()),
            (Some(_), Some(own)) if self.force || same(own, &source) => Ok(()),
            _ => Err(ModuleError::failed(format!("{shown} is another file; `force: true` would replace it"))),
        }
    }

    fn seen(&self, look: &Look, own: &Meta, behind: Option<&Meta>, host: &dyn Observe) -> Result<State, ModuleError> {
        let mut state = State::of(own.kind.into());
        match &look.ask {
            Ask::Link { .. } if own.kind == FileKind::Link => {
                state.target = Some(host.read_link(&look.path)?.to_string_lossy().into_owned());
            }
            Ask::Hard { target } if host.lstat(target)?.is_some_and(|source| same(own, &source)) => {
                state.state = What::Hard;
                state.target = Some(target.to_string_lossy().into_owned());
            }
            // What a link leads to counts.
            Ask::As | Ask::Directory | Ask::Touch => state.state = behind.unwrap_or(own).kind.into(),
            _ => {}
        }
        // A link that leads nowhere has, for who follows it, no attributes.
        if let Some(meta) = behind {
            let Attrs { owner, group, mode } = Attrs::of(meta, host)?;
            state.owner = Some(owner);
            state.group = Some(group);
            state.mode = Some(mode).filter(|_| meta.kind != FileKind::Link);
            state.modification_time = look.times.modification.map(|_| clock::show(meta.mtime.div_euclid(SECOND)));
            state.access_time = look.times.access.map(|_| clock::show(meta.atime.div_euclid(SECOND)));
        }
        Ok(state)
    }
}

/// Whether two names are of one file. What exists only in a rehearsal has no number; it is the same if nothing tells the two
/// apart.
pub(super) fn same(a: &Meta, b: &Meta) -> bool {
    if a.ino == 0 || b.ino == 0 {
        return a == b && a.nlink > 1;
    }
    (a.dev, a.ino) == (b.dev, b.ino)
}
