//! What sudo lets accounts of this host do.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rectify_core::module::{FileKind, HostError, HostResult, Observe};

use super::sudoers::{self, Aliases, Include, Item, Line, Rule, is_alias};
use crate::kind::shared::{glob::Glob, paths};

const SUDOERS: &str = "/etc/sudoers";
/// The longest file, and the most files.
const LIMIT: (u64, usize) = (1 << 20, 500);
/// How deep aliases and includes may be nested.
const DEEP: usize = 16;

/// An account as rules see it.
pub(super) struct Who<'a> {
    pub(super) name: &'a str,
    pub(super) uid: Option<u32>,
    pub(super) groups: &'a BTreeSet<String>,
    pub(super) gids: &'a BTreeSet<u32>,
}

/// Something that an account may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) command: String,
    runas: Option<String>,
    /// The group by which, if by one.
    by: Option<String>,
    place: String,
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sudo: {}", self.command)?;
        if let Some(runas) = &self.runas {
            write!(f, " as {runas}")?;
        }
        write!(f, " ({}", self.place)?;
        if let Some(by) = &self.by {
            write!(f, ", by {by}")?;
        }
        f.write_str(")")
    }
}

/// The rules of a host.
#[derive(Debug, Default)]
pub(super) struct Sudo {
    rules: Vec<Rule>,
    aliases: Aliases,
    hostname: String,
    files: usize,
    /// What was not understood or could not be read.
    pub(super) wrong: Vec<String>,
}

impl Sudo {
    /// Reads what is there.
    pub(super) fn read(host: &dyn Observe) -> HostResult<Self> {
        let mut sudo = Sudo::default();
        if let Some(name) = host.read("/etc/hostname".as_ref(), LIMIT.0)? {
            sudo.hostname = String::from_utf8_lossy(&name).trim().to_lowercase();
        }
        if host.stat(SUDOERS.as_ref())?.is_some() {
            sudo.file(Path::new(SUDOERS), 0, host)?;
        }
        Ok(sudo)
    }

    fn file(&mut self, path: &Path, depth: usize, host: &dyn Observe) -> HostResult<()> {
        self.files += 1;
        if depth > DEEP || self.files > LIMIT.1 {
            self.wrong.push(format!("{}: too many files include each other", path.display()));
            return Ok(());
        }
        let Some(bytes) = soft(host.read(path, LIMIT.0), &mut self.wrong)?.flatten() else { return Ok(()) };
        let text = String::from_utf8_lossy(&bytes);
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        let shown = paths::shown(path);
        sudoers::read(&shown, &text, &mut self.aliases, &mut |l| lines.push(l), &mut |w| wrong.push(w));
        self.wrong.extend(wrong);
        for line in lines {
            match line {
                Line::Rules(rules) => self.rules.extend(rules),
                Line::Include(Include::File(name)) => self.file(&self.beside(path, &name), depth + 1, host)?,
                Line::Include(Include::Folder(name)) => {
                    for file in self.folder(&self.beside(path, &name), host)? {
                        self.file(&file, depth + 1, host)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Where an include leads: `%h` is the host's name, and what is no absolute path is beside the file.
    fn beside(&self, file: &Path, name: &str) -> PathBuf {
        let short = self.hostname.split('.').next().unwrap_or_default();
        paths::parent(file).join(name.replace("%h", short))
    }

    /// The files of a folder that sudo reads, in its order.
    fn folder(&mut self, folder: &Path, host: &dyn Observe) -> HostResult<Vec<PathBuf>> {
        let mut files = Vec::new();
        if host.stat(folder)?.is_none() {
            return Ok(files);
        }
        let mut each = |entry: rectify_core::module::DirEntry| {
            let name = entry.name.as_encoded_bytes();
            if !name.contains(&b'.') && !name.ends_with(b"~") && entry.kind != FileKind::Directory {
                files.push(folder.join(&entry.name));
            }
            files.len() < LIMIT.1
        };
        soft(host.list(folder, &mut each), &mut self.wrong)?;
        rectify_core::small::sort(&mut files);
        Ok(files)
    }

    /// The names that rules give and that are none of a group, a number or an alias.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let rules = self.rules.iter().flat_map(|r| &r.users);
        let items = rules.chain(self.aliases.users.values().flatten());
        let plain = |text: &&String| {
            !text.starts_with(['%', '#', '+']) && *text != "ALL" && !self.aliases.users.contains_key(*text)
        };
        items.map(|i| &i.text).filter(plain).cloned().collect()
    }

    /// Whom rules name that nobody can be found for here: groups of other name services.
    pub(super) fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        let items = |items: &[Item]| {
            let elsewhere = |i: &&Item| !i.not && (i.text.starts_with('+') || i.text.starts_with("%:"));
            items.iter().filter(elsewhere).map(|i| i.text.clone()).collect::<Vec<_>>()
        };
        for rule in self.rules.iter().filter(|r| self.here(&r.hosts)) {
            let direct = items(&rule.users);
            let aliased = rule.users.iter().filter_map(|i| self.aliases.users.get(&i.text)).flat_map(|a| items(a));
            unseen.extend(direct.into_iter().chain(aliased).map(|who| format!("{who} ({})", rule.place)));
        }
        unseen
    }

    /// What an account may do.
    pub(super) fn grants(&self, who: &Who<'_>) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::new();
        for rule in self.rules.iter().filter(|r| self.here(&r.hosts)) {
            let Some((true, by)) = self.matches(&rule.users, who, 0) else { continue };
            for allowed in &rule.commands {
                for (not, command) in self.expand(&allowed.command, allowed.not, 0) {
                    // The last rule that fits a command decides.
                    grants.retain(|g| if not && command == "ALL" { false } else { g.command != command });
                    if !not {
                        let (runas, by) = (allowed.runas.clone(), by.clone());
                        grants.push(Grant { command, runas, by, place: rule.place.clone() });
                    }
                }
            }
        }
        grants
    }

    /// Whether a list names an account, and the group by which it does. The last item that fits decides.
    fn matches(&self, items: &[Item], who: &Who<'_>, depth: usize) -> Option<(bool, Option<String>)> {
        if depth > DEEP {
            return None;
        }
        items.iter().rev().find_map(|Item { not, text }| {
            let plain = |fits: bool| fits.then_some((true, None));
            let group = |fits: bool| fits.then(|| (true, Some(text.clone())));
            let found = if text == "ALL" {
                group(true)
            } else if let Some(number) = text.strip_prefix('#') {
                plain(who.uid.is_some() && number.parse().ok() == who.uid)
            } else if let Some(number) = text.strip_prefix("%#") {
                group(number.parse().is_ok_and(|gid| who.gids.contains(&gid)))
            } else if let Some(name) = text.strip_prefix('%') {
                group(who.groups.contains(name))
            } else {
                match self.aliases.users.get(text).filter(|_| is_alias(text)) {
                    Some(alias) => self.matches(alias, who, depth + 1),
                    None => plain(text == who.name),
                }
            };
            found.map(|(fits, by)| (fits != *not, by))
        })
    }

    /// Whether rules for these hosts hold here. Addresses and netgroups may be this host's.
    fn here(&self, items: &[Item]) -> bool {
        self.is_here(items, 0) == Some(true)
    }

    fn is_here(&self, items: &[Item], depth: usize) -> Option<bool> {
        if depth > DEEP {
            return None;
        }
        items.iter().rev().find_map(|Item { not, text }| {
            let address = text.starts_with(|c: char| c == '+' || c.is_ascii_digit()) || text.contains([':', '/']);
            let found = match self.aliases.hosts.get(text) {
                Some(alias) => self.is_here(alias, depth + 1),
                None => (text == "ALL" || (address && !not) || self.is_named(text)).then_some(true),
            };
            found.map(|fits| fits != *not)
        })
    }

    fn is_named(&self, pattern: &str) -> bool {
        let short = self.hostname.split('.').next().unwrap_or_default();
        Glob::new(&pattern.to_lowercase()).is_ok_and(|p| p.is_match(&self.hostname) || p.is_match(short))
    }

    /// The commands that one stands for, and whether each is forbidden.
    fn expand(&self, command: &str, not: bool, depth: usize) -> Vec<(bool, String)> {
        match self.aliases.commands.get(command).filter(|_| depth < DEEP) {
            Some(items) => items.iter().flat_map(|i| self.expand(&i.text, not != i.not, depth + 1)).collect(),
            None => vec![(not, command.to_owned())],
        }
    }
}

/// Whether a command of a rule lets somebody reconfigure or publish: everything does, and these programs, and editing in these trees.
pub(super) fn matters(command: &str, programs: &[Glob], trees: &[PathBuf]) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    if program == "sudoedit" {
        let mut files = words.peekable();
        return files.peek().is_none()
            || files.any(|file| {
                file.contains(['*', '?', '[', '^']) || trees.iter().any(|t| Path::new(file).starts_with(t))
            });
    }
    let name = program.rsplit('/').next().unwrap_or_default();
    program == "ALL"
        || (program.contains('/') && name.is_empty())
        || program.starts_with('^')
        || name.contains(['*', '?', '['])
        || programs.iter().any(|p| p.is_match(name))
}

/// A look that may be refused: then that is told, and what can be seen is seen.
pub(super) fn soft<T>(result: HostResult<T>, wrong: &mut Vec<String>) -> HostResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ (HostError::Io { .. } | HostError::TooLarge { .. })) => {
            wrong.push(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
