//! `file`: files, folders and links, and their attributes.

mod apply;
mod ask;
mod below;
#[cfg(test)]
mod tests;
mod times;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{Change, Entity, Meta, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::{ask::Ask, times::Times};
use super::shared::{
    attrs::{Named, PartialAttrs, Wanted},
    kept::Kept,
    mode::Mode,
    paths::{self, Shown},
    place::{NEW_FILE, NEW_FOLDER, What},
};

/// What is to be at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wish {
    /// A file that is there already; only its attributes are set.
    File,
    /// A folder; those above it are made too.
    Directory,
    /// Nothing; a folder goes with all that is in it.
    Absent,
    /// A symbolic link to `src`.
    Link,
    /// Another name of the file `src`.
    Hard,
    /// A file, made empty if it is not there; its times are set to now.
    Touch,
}

/// Makes or removes files, folders and links, and sets their attributes. It writes no content.
///
/// With `recurse`, owner, group and mode of everything in a folder are set too. Links in it are not followed: whoever may
/// write there could otherwise lead to any file of the host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The path. Absolute.
    path: PathBuf,
    /// What is to be there: `file` (must be there already), `directory`, `absent`, `link`, `hard`, `touch`. Default: what is there
    /// now; nothing there: `file`, or `directory` with `recurse`.
    state: Option<Wish>,
    /// What a link points to, as it is written in the link; or the file of which a hard link is another name.
    src: Option<PathBuf>,
    /// Permission bits, as text: `'0644'`, or `u=rwX,g=rX,o=`. Default: as they are; 0644 for a new file, 0755 for a new folder.
    mode: Option<Mode>,
    /// The owner, by name or number. Default: as it is; the account that does the work for what is new.
    owner: Option<String>,
    /// The group, by name or number. Default: as it is.
    group: Option<String>,
    /// Whether the attributes of everything in the folder are set as well. Default: false.
    #[serde(default)]
    recurse: bool,
    /// Whether a link is made though nothing is where it points, and whether it takes the place of a file or an empty folder.
    /// Default: false.
    #[serde(default)]
    force: bool,
    /// Whether the attributes of what a link leads to are set, rather than the link's own. Default: true.
    follow: Option<bool>,
    /// When the content was changed last: `preserve`, `now`, or a time in `modification_time_format`, in UTC. Default: `now` for
    /// `touch`, otherwise `preserve`.
    modification_time: Option<String>,
    /// The form of `modification_time`, as in strptime(3). Default: `%Y%m%d%H%M.%S`.
    modification_time_format: Option<String>,
    /// When it was read last: `preserve`, `now`, or a time in `access_time_format`, in UTC. Default: `now` for `touch`, otherwise
    /// `preserve`.
    access_time: Option<String>,
    /// The form of `access_time`, as in strptime(3). Default: `%Y%m%d%H%M.%S`.
    access_time_format: Option<String>,
    #[serde(skip)]
    kept: Kept<Look>,
    #[serde(skip)]
    started: Kept<i64>,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct State {
    state: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modification_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_time: Option<String>,
    /// The folders that are made on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    parents: Option<String>,
    /// What in the folder is not as it should be.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    below: BTreeMap<Shown, PartialAttrs>,
    /// How much more of that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
}

/// What a look found out about the wish.
#[derive(Debug, Clone)]
struct Look {
    path: PathBuf,
    ask: Ask,
    named: Named,
    times: Times,
    parents: Option<String>,
    meta: Option<Meta>,
    /// The wishes for what deviates below.
    below: BTreeMap<Shown, PartialAttrs>,
}

impl File {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() }
    }

    fn follow(&self) -> bool {
        self.follow.unwrap_or(true)
    }

    /// The attributes that are wanted of what has those of `seen`.
    fn attrs(&self, look: &Look, seen: Option<&State>) -> PartialAttrs {
        let wanted = self.wanted();
        let wanted = Wanted { owner: look.named.owner.as_deref(), group: look.named.group.as_deref(), ..wanted };
        let directory = seen.map_or(look.ask == Ask::Directory, |s| s.state == What::Directory);
        let attrs = seen.and_then(State::attrs);
        let mut wish = match &look.ask {
            Ask::Link { .. } | Ask::Hard { .. } if attrs.is_none() => {
                PartialAttrs { mode: None, ..wanted.over(None, 0, false) }
            }
            Ask::Directory => wanted.over(attrs.as_ref(), NEW_FOLDER, true),
            _ => wanted.over(attrs.as_ref(), NEW_FILE, directory),
        };
        // A link's own bits mean nothing, and nothing can be set on what it does not lead to.
        if let (Ask::Link { .. }, Some(seen)) = (&look.ask, seen)
            && seen.state == What::Link
        {
            wish.mode = wish.mode.filter(|_| seen.mode.is_some());
            if seen.owner.is_none() {
                wish = PartialAttrs { owner: None, group: None, mode: None };
            }
        }
        wish
    }
}

impl Resource for File {
    const KIND: &'static str = "file";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("dest", "path"), ("name", "path")];
    const EXAMPLE: &'static str =
        "file:\n  path: /srv/www/uploads\n  state: directory\n  owner: www-data\n  group: www-data\n  mode: '0750'\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let (look, seen) = self.look(host)?;
        self.kept.set(look);
        Ok(seen)
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        let Some(look) = self.kept.get() else { return seen.cloned() };
        let PartialAttrs { owner, group, mode } = self.attrs(&look, seen);
        let (state, target) = match &look.ask {
            Ask::Absent => return None,
            Ask::As => (seen?.state, seen?.target.clone()),
            Ask::Directory => (What::Directory, None),
            Ask::Touch => (seen.map_or(What::File, |s| s.state), None),
            Ask::Link { target } => (What::Link, Some(target.to_string_lossy().into_owned())),
            Ask::Hard { target } => (What::Hard, Some(target.to_string_lossy().into_owned())),
        };
        Some(State {
            state,
            target,
            owner,
            group,
            mode,
            modification_time: look.times.shown_modification(),
            access_time: look.times.shown_access(),
            parents: look.parents,
            below: look.below,
            more: None,
        })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        self.make(change, host)
    }

    fn validate(&self) -> Result<(), String> {
        paths::absolute("path", &self.path)?;
        if self.recurse && !matches!(self.state, None | Some(Wish::Directory)) {
            return Err("recurse: it goes with `state: directory` only".into());
        }
        match (self.state, &self.src) {
            (Some(Wish::Link | Wish::Hard) | None, _) | (_, None) => {}
            _ => return Err("src: it goes with `state: link` and `state: hard` only".into()),
        }
        if let (Some(Wish::Hard), Some(src)) = (self.state, &self.src) {
            paths::absolute("src", src)?;
        }
        if matches!(self.mode, Some(Mode::Preserve)) {
            return Err("mode: `preserve` needs a source, and there is none: write the bits, such as '0644'".into());
        }
        self.times(0).map(|_| ())
    }

    fn relations(&self) -> Relations {
        let path = self.path.clone();
        let own =
            if self.recurse || self.state == Some(Wish::Absent) { Entity::Tree(path) } else { Entity::Path(path) };
        let needs = self.path.parent().map(|p| Entity::Path(p.to_owned()));
        let source = self.src.as_deref().map(|src| Entity::Path(ask::absolute_target(&self.path, src)));
        self.wanted().relations(Relations::writes([own]).needing(needs).needing(source))
    }

    fn subject(&self) -> String {
        self.path.display().to_string()
    }

    fn returns(&self, seen: Option<&State>) -> Map<String, Value> {
        let mut data = Map::new();
        let path: &Path = &self.path;
        data.insert("path".into(), path.to_string_lossy().into());
        data.insert("dest".into(), path.to_string_lossy().into());
        let Some(state) = seen else {
            data.insert("state".into(), "absent".into());
            return data;
        };
        data.insert("state".into(), serde_json::to_value(state.state).unwrap_or_default());
        let parts = [("owner", &state.owner), ("group", &state.group), ("mode", &state.mode), ("src", &state.target)];
        for (key, value) in parts {
            if let Some(value) = value {
                data.insert(key.into(), value.as_str().into());
            }
        }
        if let Some(meta) = self.kept.get().and_then(|look| look.meta) {
            data.insert("uid".into(), meta.uid.into());
            data.insert("gid".into(), meta.gid.into());
            data.insert("size".into(), meta.size.into());
        }
        data
    }
}
