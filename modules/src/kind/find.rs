//! `find`: files of the host that match.

mod filter;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use rectify_core::module::{Action, Entity, FileKind, HostError, ModuleError, Observe, Operate, Relations, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::filter::Filter;
use super::shared::{
    clock,
    digest::Algorithm,
    mode::Mode,
    paths,
    stat::{checksum, facts},
    tree::{self, Entry, Step},
};

/// How many files a result may hold.
const MOST: usize = 10_000;

/// What is looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Type {
    /// Anything.
    Any,
    /// Folders.
    Directory,
    /// Regular files.
    #[default]
    File,
    /// Links.
    Link,
}

/// Which time of a file counts as its age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Stamp {
    /// When it was read last.
    Atime,
    /// When its attributes changed last.
    Ctime,
    /// When its content changed last.
    #[default]
    Mtime,
}

/// Looks for files and registers them as `files`, with the keys of `stat`; `matched` and `examined` count. It changes nothing.
///
/// A result of more than 10000 files is an error, unless `limit` says how many are enough. A file whose name is not UTF-8 is not in the
/// result but named in `skipped_paths`: no task could be given its path.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Find {
    /// The folders to look in. Absolute. One that is not there is named in `skipped_paths`.
    paths: Vec<PathBuf>,
    /// What names have to match: shell patterns, or with `use_regex` regular expressions from the name's beginning. One is enough.
    /// Default: any name.
    patterns: Option<Vec<String>>,
    /// What names must not match, in the same form.
    excludes: Option<Vec<String>>,
    /// Whether `patterns` and `excludes` are regular expressions. Default: false.
    #[serde(default)]
    use_regex: bool,
    /// What kind of thing is looked for: `file`, `directory`, `link`, `any`. Default: `file`.
    #[serde(default)]
    file_type: Type,
    /// How old a file must be at least: seconds, or a number with `s`, `m`, `h`, `d` or `w`. With a minus sign: at most.
    age: Option<String>,
    /// Which time counts: `mtime`, `atime`, `ctime`. Default: `mtime`.
    #[serde(default)]
    age_stamp: Stamp,
    /// How long a file must be at least: bytes, or a number with `k`, `m`, `g` or `t`. With a minus sign: at most.
    size: Option<String>,
    /// Whether folders within are looked into. Default: false.
    #[serde(default)]
    recurse: bool,
    /// How deep, 1 being what is in `paths` itself. Default: without limit.
    depth: Option<usize>,
    /// Whether names that begin with a dot count. Default: false.
    #[serde(default)]
    hidden: bool,
    /// Whether links to folders are entered. Default: false.
    #[serde(default)]
    follow: bool,
    /// A regular expression that a line of the file has to match from its beginning; with `read_whole_file`, that the content has
    /// to have a match for. A file of more than 16 MiB is not looked into and named in `skipped_paths`.
    contains: Option<String>,
    /// Whether `contains` looks at the content as a whole. Default: false.
    #[serde(default)]
    read_whole_file: bool,
    /// Permission bits that it has to have.
    mode: Option<Mode>,
    /// Whether the bits have to be exactly those of `mode`, rather than all of them among others. Default: true.
    exact_mode: Option<bool>,
    /// Whether the files' checksums are taken. Default: false.
    #[serde(default)]
    get_checksum: bool,
    /// The checksum's algorithm. Default: `sha1`.
    #[serde(default)]
    checksum_algorithm: Algorithm,
    /// How many files are enough: the search ends with so many.
    limit: Option<u32>,
}

#[derive(Default)]
struct Found {
    files: Vec<Value>,
    examined: u64,
    skipped: Map<String, Value>,
    /// How many have a name that no argument could hold.
    unnamed: usize,
    entered: HashSet<(u64, u64)>,
}

impl Found {
    /// A name that is not UTF-8: a later task that was given it as text would look for another file, and find none.
    fn unnamed(&mut self, path: &Path) {
        self.unnamed += 1;
        if self.skipped.len() < MOST {
            self.skipped.insert(paths::shown(path), "its name is not UTF-8".into());
        }
    }

    fn messages(&self) -> Vec<String> {
        let some = (self.unnamed > 0)
            .then(|| format!("{} left out, because their names are not UTF-8: see `skipped_paths`", self.unnamed));
        some.into_iter().collect()
    }
}

impl Find {
    fn search(
        &self,
        root: &Path,
        filter: &Filter,
        limit: Option<usize>,
        host: &dyn Observe,
        found: &mut Found,
    ) -> Result<(), ModuleError> {
        tree::walk(root, host, &mut |entry| {
            if self.depth.is_some_and(|most| entry.depth > most) {
                return Ok(Step::Over);
            }
            found.examined += 1;
            let hidden = entry.path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            if (self.hidden || !hidden) && self.matches(&entry, filter, host, found)? {
                if entry.path.to_str().is_none() {
                    found.unnamed(entry.path);
                    return self.step(&entry, host, found);
                }
                if found.files.len() >= MOST {
                    return Err(ModuleError::failed(format!(
                        "more than {MOST} files match below {}: narrow the search, or say with `limit` how many are enough",
                        root.display()
                    )));
                }
                let mut data = facts(entry.path, entry.meta, host)?;
                if self.get_checksum
                    && let Some(sum) = checksum(entry.path, entry.meta, self.checksum_algorithm, host)?
                {
                    data.insert("checksum".into(), sum.into());
                }
                found.files.push(data.into());
                if limit.is_some_and(|limit| found.files.len() >= limit) {
                    return Ok(Step::Stop);
                }
            }
            self.step(&entry, host, found)
        })
    }

    fn step(&self, entry: &Entry<'_>, host: &dyn Observe, found: &mut Found) -> Result<Step, ModuleError> {
        if !self.recurse || self.depth.is_some_and(|most| entry.depth >= most) {
            return Ok(Step::Over);
        }
        if !self.follow {
            return Ok(Step::Into);
        }
        let meta = if entry.meta.kind == FileKind::Link { host.stat(entry.path)? } else { Some(entry.meta.clone()) };
        let Some(meta) = meta.filter(|m| m.kind == FileKind::Directory) else { return Ok(Step::Over) };
        // A link to a folder above would lead in circles.
        let new = meta.ino == 0 || found.entered.insert((meta.dev, meta.ino));
        Ok(if new && entry.depth < 64 { Step::Through } else { Step::Over })
    }

    fn matches(
        &self,
        entry: &Entry<'_>,
        filter: &Filter,
        host: &dyn Observe,
        found: &mut Found,
    ) -> Result<bool, ModuleError> {
        let kind = entry.meta.kind;
        let right = match self.file_type {
            Type::Any => true,
            Type::Directory => kind == FileKind::Directory,
            Type::File => kind == FileKind::File,
            Type::Link => kind == FileKind::Link,
        };
        if !right || !filter.meta(entry) {
            return Ok(false);
        }
        let Some(contains) = filter.contains.as_ref() else { return Ok(true) };
        if kind != FileKind::File {
            return Ok(false);
        }
        match contains.file(entry.path, host) {
            Err(error @ HostError::TooLarge { .. }) => {
                found.skipped.insert(entry.path.to_string_lossy().into_owned(), error.to_string().into());
                Ok(false)
            }
            other => Ok(other?),
        }
    }
}

impl Action for Find {
    const KIND: &'static str = "find";
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("path", "paths"), ("name", "paths"), ("pattern", "patterns"), ("exclude", "excludes")];
    const PURE: bool = true;
    const EXAMPLE: &'static str =
        "find:\n  paths: /etc/apache2/sites-enabled\n  patterns: '*.conf'\n  file_type: any\nregister: sites\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let filter = Filter::new(self, clock::now()).map_err(ModuleError::Invalid)?;
        let limit = self.limit.map(|limit| limit as usize);
        let mut found = Found::default();
        for root in &self.paths {
            match host.stat(root)? {
                Some(meta) if meta.kind == FileKind::Directory => {
                    if limit.is_none_or(|limit| found.files.len() < limit) {
                        self.search(root, &filter, limit, host, &mut found)?;
                    }
                }
                other => {
                    let why = if other.is_some() { "is not a folder" } else { "does not exist" };
                    found.skipped.insert(root.to_string_lossy().into_owned(), why.into());
                }
            }
        }
        let messages = found.messages();
        rectify_core::small::sort_by(&mut found.files, |a, b| a["path"].as_str().cmp(&b["path"].as_str()));
        let mut data = Map::new();
        data.insert("matched".into(), found.files.len().into());
        data.insert("examined".into(), found.examined.into());
        data.insert("files".into(), found.files.into());
        data.insert("skipped_paths".into(), found.skipped.into());
        Ok(Report { messages, ..Report::looked(data) })
    }

    fn validate(&self) -> Result<(), String> {
        if self.paths.is_empty() {
            return Err("paths: name at least one folder".into());
        }
        for path in &self.paths {
            paths::absolute("paths", path)?;
        }
        if self.limit == Some(0) {
            return Err("limit: at least 1".into());
        }
        Filter::new(self, 0).map(|_| ())
    }

    fn relations(&self) -> Relations {
        Relations::default().needing(self.paths.iter().cloned().map(Entity::Tree))
    }

    fn subject(&self) -> String {
        self.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}
