//! Placing a file, folder or link: what `copy` and `template` do, for one path or for many.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rectify_core::module::{Content, FileKind, HostError, HostResult, Meta, ModuleError, Observe, Operate, WriteAttrs};
use serde::Serialize;

use super::{
    attrs::{Attrs, Wanted, gid, octal, uid},
    clock,
    mode::Mode,
    paths::missing_parents,
    validate,
};

/// The bits of a new file and of a new folder for which nothing is asked.
pub(crate) const NEW_FILE: u32 = 0o644;
pub(crate) const NEW_FOLDER: u32 = 0o755;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    File,
    Directory,
    Link,
    Hard,
    Other,
}

impl From<FileKind> for What {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => What::File,
            FileKind::Directory => What::Directory,
            FileKind::Link => What::Link,
            FileKind::Other => What::Other,
        }
    }
}

impl What {
    /// What a person calls it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            What::File | What::Hard => "a file",
            What::Directory => "a folder",
            What::Link => "a link",
            What::Other => "a device, socket or FIFO",
        }
    }
}

/// Something that is placed, as a person sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Placed {
    pub(crate) state: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    /// The folders that are made on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parents: Option<String>,
}

/// What is to be at a path.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A file with these bytes.
    Bytes(Arc<[u8]>),
    /// A file that came with the plan.
    Blob { sha256: String, size: u64 },
    /// A file with the content of another file of the host.
    HostFile { path: PathBuf, sha256: String, size: u64 },
    /// A folder.
    Folder,
    /// A link with this target.
    Link(PathBuf),
}

impl Source {
    fn what(&self) -> What {
        match self {
            Source::Folder => What::Directory,
            Source::Link(_) => What::Link,
            _ => What::File,
        }
    }

    /// The content that it stands for; with its bytes if `shown` and it is not too long.
    fn content(&self, shown: bool, host: &dyn Observe) -> HostResult<Option<Content>> {
        let (sha256, size, bytes) = match self {
            Source::Bytes(bytes) => return Ok(Some(Content::new(bytes.clone()))),
            Source::Folder | Source::Link(_) => return Ok(None),
            Source::Blob { sha256, size } if shown && *size <= Content::SHOWN => {
                (sha256, size, Some(host.blob(sha256)?))
            }
            Source::HostFile { path, sha256, size } if shown && *size <= Content::SHOWN => {
                (sha256, size, read(path, host)?)
            }
            Source::Blob { sha256, size } | Source::HostFile { sha256, size, .. } => (sha256, size, None),
        };
        Ok(Some(bytes.map_or_else(|| Content::hashed(sha256.clone(), *size), Content::new)))
    }

    fn sha256(&self) -> Option<String> {
        match self {
            Source::Bytes(bytes) => Some(Content::new(bytes.clone()).sha256().to_owned()),
            Source::Blob { sha256, .. } | Source::HostFile { sha256, .. } => Some(sha256.clone()),
            Source::Folder | Source::Link(_) => None,
        }
    }

    fn put(&self, path: &Path, attrs: &WriteAttrs, host: &dyn Operate) -> Result<(), ModuleError> {
        match self {
            Source::Bytes(bytes) => host.write(path, bytes, attrs)?,
            Source::Blob { sha256, .. } => host.write_blob(path, sha256, attrs)?,
            Source::HostFile { path: from, .. } => host.copy_file(from, path, attrs)?,
            Source::Folder | Source::Link(_) => {
                return Err(ModuleError::Invalid(format!("{} is to be no file", path.display())));
            }
        }
        Ok(())
    }
}

/// Text that is short enough to be shown; `None` if it is not, or has grown meanwhile.
fn read(path: &Path, host: &dyn Observe) -> HostResult<Option<Arc<[u8]>>> {
    match host.read(path, Content::SHOWN) {
        Err(HostError::TooLarge { .. }) => Ok(None),
        other => other,
    }
}

/// How things are placed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) owner: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
    /// Whether a link that is in the way is followed, instead of being replaced.
    pub(crate) follow: bool,
    /// Whether what is there is replaced.
    pub(crate) force: bool,
    /// Whether what is replaced is kept beside it.
    pub(crate) backup: bool,
    pub(crate) validate: Option<&'a str>,
    /// The bits of folders that are made on the way.
    pub(crate) directory_mode: Option<&'a Mode>,
}

/// One path and what is to be there.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) source: Source,
    /// The bits that are asked for; of a folder, those that it gets when it is made.
    pub(crate) mode: Option<Mode>,
    /// Whether the folders above it are made.
    pub(crate) with_parents: bool,
}

/// What a job found, and what it wants.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) before: Option<Placed>,
    pub(crate) after: Placed,
    pub(crate) meta: Option<Meta>,
}

impl Sight {
    /// Whether there is something to do.
    pub(crate) fn differs(&self) -> bool {
        self.before.as_ref() != Some(&self.after)
    }
}

impl Job {
    fn wanted<'a>(&'a self, rules: &Rules<'a>, exists: bool) -> Wanted<'a> {
        let keeps = exists && matches!(self.source, Source::Folder);
        Wanted { owner: rules.owner, group: rules.group, mode: self.mode.as_ref().filter(|_| !keeps) }
    }

    fn new_bits(&self) -> u32 {
        if matches!(self.source, Source::Folder) { NEW_FOLDER } else { NEW_FILE }
    }

    /// Looks. Texts are held only if `shown`.
    pub(crate) fn look(&self, rules: &Rules<'_>, shown: bool, host: &dyn Observe) -> Result<Sight, ModuleError> {
        let mut meta = host.lstat(&self.path)?;
        let is_link = |m: &Option<Meta>| m.as_ref().is_some_and(|m| m.kind == FileKind::Link);
        let folder_behind = is_link(&meta) && matches!(self.source, Source::Folder);
        if is_link(&meta) && (rules.follow || folder_behind) && self.source.what() != What::Link {
            // A link that leads nowhere: what it leads to is new.
            meta = host.stat(&self.path)?;
        }
        let before = meta.as_ref().map(|meta| self.seen(meta, shown, host)).transpose()?;
        if let Some(found) = &before
            && !rules.force
        {
            return Ok(Sight { after: found.clone(), before, meta });
        }
        if let Some(found) = &before {
            self.may_replace(found.state)?;
            // A folder behind a link is not given up for a file by a slip in `dest`.
            let folder = found.state == What::Link
                && self.source.what() == What::File
                && host.stat(&self.path)?.is_some_and(|m| m.kind == FileKind::Directory);
            if folder {
                let path = self.path.display();
                return Err(ModuleError::failed(format!("{path} is a link to a folder, and is to be a file")));
            }
        }
        let mut after = self.wish(before.as_ref(), rules, shown, host)?;
        if self.with_parents && before.is_none() {
            let missing = missing_parents(&self.path, host)?;
            let names: Vec<String> = missing.iter().map(|p| p.display().to_string()).collect();
            after.parents = Some(names.join(", ")).filter(|names| !names.is_empty());
        }
        Ok(Sight { before, after, meta })
    }

    fn may_replace(&self, found: What) -> Result<(), ModuleError> {
        let wanted = self.source.what();
        let fits = match wanted {
            What::File => matches!(found, What::File | What::Link),
            What::Link => matches!(found, What::Link | What::File),
            other => found == other,
        };
        if fits {
            return Ok(());
        }
        let path = self.path.display();
        Err(ModuleError::failed(format!("{path} is {}, and is to be {}", found.noun(), wanted.noun())))
    }

    fn seen(&self, meta: &Meta, shown: bool, host: &dyn Observe) -> Result<Placed, ModuleError> {
        let state = What::from(meta.kind);
        if state == What::Link {
            let target = host.read_link(&self.path)?.to_string_lossy().into_owned();
            return Ok(Placed {
                state,
                target: Some(target),
                content: None,
                owner: None,
                group: None,
                mode: None,
                parents: None,
            });
        }
        let Attrs { owner, group, mode } = Attrs::of(meta, host)?;
        let content = match (state, &self.source) {
            (What::File, Source::Bytes(_) | Source::Blob { .. } | Source::HostFile { .. }) => {
                self.seen_content(meta, shown, host)?
            }
            _ => None,
        };
        Ok(Placed {
            state,
            target: None,
            content,
            owner: Some(owner),
            group: Some(group),
            mode: Some(mode),
            parents: None,
        })
    }

    /// The content that is there: read only if it differs from what is wanted.
    fn seen_content(&self, meta: &Meta, shown: bool, host: &dyn Observe) -> HostResult<Option<Content>> {
        let Some(sha256) = host.sha256(&self.path)? else { return Ok(None) };
        let short = meta.size <= Content::SHOWN;
        let differs = self.source.sha256().is_none_or(|wanted| wanted != sha256);
        let bytes = if shown && short && differs { read(&self.path, host)? } else { None };
        Ok(Some(bytes.map_or_else(|| Content::hashed(sha256, meta.size), Content::new)))
    }

    fn wish(
        &self,
        before: Option<&Placed>,
        rules: &Rules<'_>,
        shown: bool,
        host: &dyn Observe,
    ) -> Result<Placed, ModuleError> {
        let state = self.source.what();
        if let Source::Link(target) = &self.source {
            let target = Some(target.to_string_lossy().into_owned());
            return Ok(Placed { state, target, content: None, owner: None, group: None, mode: None, parents: None });
        }
        let stays = before.filter(|b| b.state == state);
        let seen = stays.and_then(Placed::attrs);
        let wanted = self.wanted(rules, seen.is_some());
        let named = wanted.named(host)?;
        let wanted = Wanted { owner: named.owner.as_deref(), group: named.group.as_deref(), mode: wanted.mode };
        let attrs = wanted.over(seen.as_ref(), self.new_bits(), state == What::Directory);
        let known =
            stays.and_then(|b| b.content.clone()).filter(|c| self.source.sha256().as_deref() == Some(c.sha256()));
        let content = match known {
            Some(same) => Some(same),
            None => self.source.content(shown, host)?,
        };
        Ok(Placed {
            state,
            target: None,
            content,
            owner: attrs.owner,
            group: attrs.group,
            mode: attrs.mode,
            parents: None,
        })
    }

    /// Makes what was found into what is wanted. Gives the path of the backup, if one was made.
    pub(crate) fn apply(
        &self,
        sight: &Sight,
        rules: &Rules<'_>,
        host: &dyn Operate,
    ) -> Result<Option<PathBuf>, ModuleError> {
        let before = sight.before.as_ref();
        let seen = before.filter(|b| b.state == sight.after.state).and_then(Placed::attrs);
        let wanted = self.wanted(rules, seen.is_some());
        if sight.after.parents.is_some() {
            let above = Wanted { mode: rules.directory_mode, ..wanted };
            for folder in missing_parents(&self.path, host)? {
                make_folder(&folder, &above, host)?;
            }
        }
        match (&self.source, &seen) {
            (Source::Link(target), _) => host.symlink(target, &self.path)?,
            (Source::Folder, None) => make_folder(&self.path, &wanted, host)?,
            (_, Some(seen)) if before.is_some_and(|b| b.content == sight.after.content) => {
                wanted.set(&self.path, seen, true, self.source.what() == What::Directory, host)?;
            }
            _ => return self.replace(sight, seen.as_ref(), &wanted, rules, host),
        }
        Ok(None)
    }

    fn replace(
        &self,
        sight: &Sight,
        seen: Option<&Attrs>,
        wanted: &Wanted<'_>,
        rules: &Rules<'_>,
        host: &dyn Operate,
    ) -> Result<Option<PathBuf>, ModuleError> {
        if let Some(command) = rules.validate {
            validate::validate(command, &self.path, &|path, attrs| self.source.put(path, attrs, host), host)?;
        }
        let attrs = wanted.for_write(seen, NEW_FILE, host)?;
        let mut kept = None;
        if let (true, Some(meta), true) = (rules.backup, &sight.meta, seen.is_some()) {
            kept = Some(backup(&self.path, meta, host)?);
        }
        if sight.before.as_ref().is_some_and(|b| b.state == What::Link) {
            host.remove(&self.path)?;
        }
        self.source.put(&self.path, &attrs, host)?;
        Ok(kept)
    }
}

impl Placed {
    fn attrs(&self) -> Option<Attrs> {
        Some(Attrs { owner: self.owner.clone()?, group: self.group.clone()?, mode: self.mode.clone()? })
    }
}

/// Makes one folder as it is wanted.
pub(crate) fn make_folder(path: &Path, wanted: &Wanted<'_>, host: &dyn Operate) -> Result<(), ModuleError> {
    let bits = wanted.mode.map_or(NEW_FOLDER, |mode| mode.resolve(NEW_FOLDER, true));
    let (owner, group) =
        (wanted.owner.map(|o| uid(o, host)).transpose()?, wanted.group.map(|g| gid(g, host)).transpose()?);
    host.make_dir(path, bits)?;
    if owner.is_some() || group.is_some() {
        host.set_owner(path, owner, group, false)?;
    }
    Ok(())
}

/// Keeps a file beside itself, under a name that says when; with its owner and bits.
pub(crate) fn backup(path: &Path, meta: &Meta, host: &dyn Operate) -> Result<PathBuf, ModuleError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}~", clock::stamp(clock::now())));
    let kept = PathBuf::from(name);
    let attrs = WriteAttrs { mode: Some(meta.mode), uid: Some(meta.uid), gid: Some(meta.gid) };
    host.copy_file(path, &kept, &attrs)?;
    Ok(kept)
}

/// The result of something that was placed, with Ansible's keys.
pub(crate) fn returns(path: &Path, placed: &Placed, meta: Option<&Meta>) -> serde_json::Map<String, serde_json::Value> {
    let mut data = serde_json::Map::new();
    data.insert("dest".into(), path.to_string_lossy().into());
    data.insert("state".into(), serde_json::to_value(placed.state).unwrap_or_default());
    for (key, value) in [("owner", &placed.owner), ("group", &placed.group), ("mode", &placed.mode)] {
        if let Some(value) = value {
            data.insert(key.into(), value.as_str().into());
        }
    }
    if let Some(meta) = meta {
        data.insert("uid".into(), meta.uid.into());
        data.insert("gid".into(), meta.gid.into());
        data.insert("size".into(), meta.size.into());
        data.insert("mode".into(), octal(meta.mode).into());
    }
    data
}
