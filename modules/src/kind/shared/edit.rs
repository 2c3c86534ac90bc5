//! Editing a text file as a whole: what `lineinfile`, `blockinfile`, `replace`, `ini_file` and `cron` share.
//!
//! An edit is a function from text to text. The state is the file's content; what the edit wants is computed when the file is
//! looked at, so that an edit that fails (a pattern that takes too many steps) fails the look and not the change.

use std::{path::Path, sync::Arc};

use rectify_core::module::{
    Change, Content, FileKind, HostError, Meta, ModuleError, Observe, Operate, Relations, WriteAttrs,
};
use serde::Serialize;

use super::{
    attrs::{Attrs, Wanted},
    clock, paths, validate,
};

/// The longest file that is edited, in bytes.
pub(crate) const LIMIT: u64 = 16 << 20;
/// The bits of a file that an edit makes.
const NEW_MODE: u32 = 0o644;
/// Where bytes that are not UTF-8 stand while text is edited: the last private-use plane.
const RAW: u32 = 0x10_FF00;

/// Text to text; the error is for a person.
pub(crate) type Edit<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// What a file is and holds.
type Found = (Meta, Arc<[u8]>);

/// What is done if the file is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is an error.
    Fail,
    /// It is made, with its folder.
    Create,
    /// There is nothing to do.
    Leave,
}

/// A file that is edited, with what a task says of it besides the edit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) path: &'a Path,
    pub(crate) missing: Missing,
    pub(crate) wanted: Wanted<'a>,
    pub(crate) backup: bool,
    pub(crate) validate: Option<&'a str>,
}

/// A text file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TextFile {
    pub(crate) content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    mode: String,
    /// What is wanted of it, as far as only a look at the host can tell.
    #[serde(skip)]
    wish: Option<Wish>,
}

/// The file as it is to be.
#[derive(Debug, Clone)]
struct Wish {
    content: Content,
    owner: Option<String>,
    group: Option<String>,
}

impl PartialEq for TextFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.content, &self.owner, &self.group, &self.mode)
            == (&other.content, &other.owner, &other.group, &other.mode)
    }
}

impl Target<'_> {
    /// Checks what types cannot say.
    pub(crate) fn check(&self) -> Result<(), String> {
        paths::absolute("path", self.path)?;
        validate::check(self.validate)
    }

    /// Looks at the file, and works out what the edit makes of it.
    pub(crate) fn observe(&self, edit: Edit<'_>, host: &dyn Observe) -> Result<Option<TextFile>, ModuleError> {
        let Some((meta, bytes)) = self.read(host)? else {
            return match self.missing {
                Missing::Leave => Ok(None),
                Missing::Create => edit("").map(|_| None).map_err(ModuleError::failed),
                Missing::Fail => Err(not_there(self.path)),
            };
        };
        let text = decode(&bytes, self.path)?;
        let edited = edit(&text).map_err(|why| self.failed(&why))?;
        let content = if edited == text { Content::new(bytes.clone()) } else { Content::new(encode(&edited)) };
        if content.size() > LIMIT {
            return Err(self.failed(&format!("it would become longer than {} MiB", LIMIT >> 20)));
        }
        let (attrs, named) = (Attrs::of(&meta, host)?, self.wanted.named(host)?);
        Ok(Some(TextFile {
            content: Content::new(bytes),
            owner: Some(attrs.owner),
            group: Some(attrs.group),
            mode: attrs.mode,
            wish: Some(Wish { content, owner: named.owner, group: named.group }),
        }))
    }

    fn read(&self, host: &dyn Observe) -> Result<Option<Found>, ModuleError> {
        let Some(meta) = host.stat(self.path)? else {
            if host.lstat(self.path)?.is_some() {
                return Err(self.failed("it is a link that leads nowhere"));
            }
            return Ok(None);
        };
        match meta.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(self.failed("it is a folder")),
            FileKind::Link | FileKind::Other => return Err(self.failed("it is no regular file")),
        }
        match host.read(self.path, LIMIT) {
            Ok(bytes) => Ok(bytes.map(|bytes| (meta, bytes))),
            Err(HostError::TooLarge { size, .. }) => {
                Err(self.failed(&format!("it is {size} bytes long, and at most {} MiB are edited", LIMIT >> 20)))
            }
            Err(other) => Err(other.into()),
        }
    }

    fn failed(&self, why: &str) -> ModuleError {
        ModuleError::failed(format!("editing {}: {why}", self.path.display()))
    }

    /// The file as it is to be.
    pub(crate) fn desired(&self, edit: Edit<'_>, seen: Option<&TextFile>) -> Option<TextFile> {
        match seen {
            None if self.missing == Missing::Leave => None,
            None => {
                let attrs = self.wanted.over(None, NEW_MODE, false);
                let content = Content::new(encode(&edit("").unwrap_or_default()));
                let mode = attrs.mode.unwrap_or_default();
                Some(TextFile { content, owner: attrs.owner, group: attrs.group, mode, wish: None })
            }
            Some(seen) => {
                let attrs = self.wanted.over(Some(&seen.attrs()), NEW_MODE, false);
                let wish = seen.wish.as_ref();
                Some(TextFile {
                    content: wish.map_or_else(|| seen.content.clone(), |w| w.content.clone()),
                    owner: wish.and_then(|w| w.owner.clone()).or_else(|| seen.owner.clone()),
                    group: wish.and_then(|w| w.group.clone()).or_else(|| seen.group.clone()),
                    mode: attrs.mode.unwrap_or_else(|| seen.mode.clone()),
                    wish: None,
                })
            }
        }
    }

    /// Writes the content if it differs, and sets the attributes.
    pub(crate) fn apply(&self, change: &Change<TextFile>, host: &dyn Operate) -> Result<(), ModuleError> {
        let Some(after) = &change.after else { return Ok(host.remove(self.path)?) };
        let seen = change.before.as_ref().map(TextFile::attrs);
        if let (Some(before), Some(seen)) = (&change.before, &seen)
            && before.content == after.content
        {
            return self.wanted.set(self.path, seen, true, false, host);
        }
        let Some(bytes) = after.content.bytes() else { return Ok(()) };
        if change.before.is_none() {
            for folder in paths::missing_parents(self.path, host)? {
                host.make_dir(&folder, 0o755)?;
            }
        }
        if let Some(command) = self.validate {
            let put = |path: &Path, attrs: &WriteAttrs| Ok(host.write(path, bytes, attrs)?);
            validate::validate(command, self.path, &put, host)?;
        }
        if self.backup && change.before.is_some() {
            back_up(self.path, host)?;
        }
        let attrs = self.wanted.for_write(seen.as_ref(), NEW_MODE, host)?;
        Ok(host.write(self.path, bytes, &attrs)?)
    }

    /// What an edit touches.
    pub(crate) fn relations(&self) -> Relations {
        self.wanted.relations(Relations::file(self.path))
    }
}

impl TextFile {
    fn attrs(&self) -> Attrs {
        Attrs {
            owner: self.owner.clone().unwrap_or_default(),
            group: self.group.clone().unwrap_or_default(),
            mode: self.mode.clone(),
        }
    }
}

/// Copies the file to a name that says from when it is: `/etc/x.2026-11-21@22:18:09~`.
pub(crate) fn back_up(path: &Path, host: &dyn Operate) -> Result<(), ModuleError> {
    let Some(meta) = host.stat(path)? else { return Ok(()) };
    let copy = format!("{}.{}~", path.display(), clock::stamp(meta.mtime.div_euclid(clock::SECOND)));
    let attrs = WriteAttrs { mode: Some(meta.mode), uid: Some(meta.uid), gid: Some(meta.gid) };
    Ok(host.copy_file(path, Path::new(&copy), &attrs)?)
}

fn not_there(path: &Path) -> ModuleError {
    let data = serde_json::Map::from_iter([("rc".to_owned(), 257.into())]);
    let message = format!("editing {}: it does not exist, and the task does not say `create: true`", path.display());
    ModuleError::Failed { message, data }
}

/// The text of a file. Bytes that are not UTF-8 are kept, each as a character of its own that [`encode`] knows.
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<String, ModuleError> {
    if bytes.contains(&0) {
        return Err(ModuleError::failed(format!("editing {}: it is binary, not text", path.display())));
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|b| char::from_u32(RAW + u32::from(*b))));
    }
    Ok(text)
}

/// The bytes of a text.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(RAW)) {
            Ok(raw) if raw >= 0x80 => bytes.push(raw),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// An edit until nothing is left to do, as far as that comes after a few times; else once, so that the second look finds
/// that it does not converge.
pub(crate) fn settled(text: &str, edit: Edit<'_>) -> Result<String, String> {
    let once = edit(text)?;
    let mut now = once.clone();
    for _ in 0..64 {
        match edit(&now) {
            Ok(next) if next == now => return Ok(now),
            // What doubles each time must not fill the memory first.
            Ok(next) if next.len() <= text.len().saturating_mul(2).saturating_add(65_536) => now = next,
            _ => break,
        }
    }
    Ok(once)
}

/// A line and what ends it: `\n`, `\r\n`, or nothing at the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    pub(crate) text: &'t str,
    pub(crate) end: &'t str,
}

/// The lines of a text.
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    let split = |line: &'_ str| -> usize { line.trim_end_matches(['\n', '\r']).len() };
    text.split_inclusive('\n')
        .map(|line| {
            let at = if line.ends_with('\n') { split(line) } else { line.len() };
            Line { text: &line[..at], end: &line[at..] }
        })
        .collect()
}

/// What ends the lines of a text: as its first line, or `\n`.
pub(crate) fn line_end<'t>(lines: &[Line<'t>]) -> &'t str {
    match lines.first() {
        Some(Line { end, .. }) if end.ends_with("\r\n") => "\r\n",
        _ => "\n",
    }
}

/// The text again.
pub(crate) fn join(lines: &[Line<'_>]) -> String {
    lines.iter().flat_map(|l| [l.text, l.end]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf8_survive() {
        let bytes = b"caf\xe9 \xc3\xa9 \xff\n";
        let text = decode(bytes, Path::new("/x")).unwrap();
        assert_eq!(encode(&text), bytes);
        assert!(decode(b"a\0b", Path::new("/x")).is_err());
    }

    #[test]
    fn lines_keep_their_ends() {
        let text = "a\r\nb\n\nc";
        let split = lines(text);
        assert_eq!(split.iter().map(|l| l.text).collect::<Vec<_>>(), ["a", "b", "", "c"]);
        assert_eq!((join(&split).as_str(), line_end(&split)), (text, "\r\n"));
    }
}
