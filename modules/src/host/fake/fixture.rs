//! A fixture, ready to be looked at.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::Engine as _;
use indexmap::IndexMap;
use rectify_core::{
    digest,
    module::{FileKind, Group, Manager, Meta, Owner, Unit, User},
};

use super::spec::{Account, FullFile, Package, Spec, UnitSpec};
use crate::host::rehearsal::walk::Step;

/// The modification time of a file that says nothing else, nanoseconds since 1970.
const MTIME: i64 = 1_600_000_000_000_000_000;

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Bytes(Arc<[u8]>),
    Zeros(u64),
    Link(PathBuf),
    None,
}

/// What is at a path.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) meta: Meta,
    pub(super) content: Content,
}

/// The fixture as data; it never changes.
pub(super) struct Fixture {
    pub(super) spec: Spec,
    pub(super) nodes: BTreeMap<PathBuf, Node>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) units: BTreeMap<String, Unit>,
}

impl Fixture {
    /// Puts it together.
    ///
    /// # Errors
    /// What makes no sense in it.
    pub(super) fn build(spec: Spec) -> Result<Self, String> {
        let mut fixture = Fixture {
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            units: BTreeMap::new(),
            nodes: BTreeMap::new(),
            spec,
        };
        fixture.add_accounts();
        fixture.folder(Path::new("/"), 0o755);
        // Links first: a package's `/lib/x` is in `/usr/lib` where the host has it so.
        for (path, file) in fixture.spec.files.clone() {
            let full = file.map(|f| f.full()).unwrap_or_default();
            if full.link.is_some() {
                fixture.put(&path, &full)?;
            }
        }
        let packages: Vec<Package> = fixture.packages().filter(|(_, p)| p.installed).map(|(_, p)| p.clone()).collect();
        for package in &packages {
            for (path, file) in package.files.iter().chain(&package.makes) {
                fixture.put(path, &file.full())?;
            }
            for (name, unit) in &package.units {
                fixture.units.insert(name.clone(), make_unit(name, unit));
            }
        }
        for (path, file) in fixture.spec.files.clone() {
            match file {
                Some(file) => fixture.put(&path, &file.full())?,
                None => {
                    let path = fixture.real(&path);
                    fixture.nodes.retain(|p, _| !p.starts_with(&path));
                }
            }
        }
        for (name, unit) in fixture.spec.units.clone() {
            match unit {
                Some(unit) => fixture.units.insert(name.clone(), make_unit(&name, &unit)),
                None => fixture.units.remove(&name),
            };
        }
        fixture.add_account_files()?;
        Ok(fixture)
    }

    pub(super) fn packages(&self) -> impl Iterator<Item = (&String, &Package)> {
        self.spec.packages.iter().filter_map(|(name, p)| Some((name, p.as_ref()?)))
    }

    pub(super) fn manager(&self) -> Manager {
        self.spec.manager.unwrap_or(Manager::Apt)
    }

    pub(super) fn arch(&self) -> String {
        let usual = if self.manager() == Manager::Apt { "amd64" } else { "x86_64" };
        self.spec.arch.clone().unwrap_or_else(|| usual.to_owned())
    }

    fn add_accounts(&mut self) {
        let installed: Vec<Package> = self.packages().filter(|(_, p)| p.installed).map(|(_, p)| p.clone()).collect();
        let mut users: IndexMap<String, Option<Account>> = IndexMap::new();
        let mut groups = IndexMap::new();
        for package in installed {
            users.extend(package.users.into_iter().map(|(n, u)| (n, Some(u))));
            groups.extend(package.groups.into_iter().map(|(n, g)| (n, Some(g))));
        }
        users.extend(self.spec.users.clone());
        groups.extend(self.spec.groups.clone());
        for (name, group) in groups {
            let Some(group) = group else { continue };
            self.groups.insert(name.clone(), Group { name, gid: group.gid, members: group.members });
        }
        for (name, account) in users {
            let Some(account) = account else { continue };
            if account.gid.is_none() && !self.groups.contains_key(&name) {
                let group = Group { name: name.clone(), gid: account.uid, members: Vec::new() };
                self.groups.insert(name.clone(), group);
            }
            for group in &account.groups {
                if let Some(group) = self.groups.get_mut(group) {
                    group.members.push(name.clone());
                }
            }
            self.users.insert(name.clone(), make_user(&name, &account, &self.groups));
        }
        for group in self.groups.values_mut() {
            group.members.sort();
            group.members.dedup();
        }
        // Membership that only the group's side says.
        for (name, user) in &mut self.users {
            let of = self.groups.values().filter(|g| g.members.contains(name)).map(|g| g.name.clone());
            user.groups = of.collect();
        }
    }

    /// The files that hold accounts say what the accounts are, unless the fixture has its own.
    fn add_account_files(&mut self) -> Result<(), String> {
        if self.users.is_empty() && self.groups.is_empty() {
            return Ok(());
        }
        let (users, groups) = (self.users.values().cloned().collect(), self.groups.values().cloned().collect());
        for (path, text, mode) in account_files(users, groups) {
            if !self.nodes.contains_key(path) {
                let file = FullFile { content: Some(text), mode: Some(mode.to_owned()), ..FullFile::default() };
                self.put(path, &file)?;
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, mode: u32) {
        let meta = self.meta(FileKind::Directory, mode);
        self.nodes.insert(path.to_owned(), Node { meta, content: Content::None });
    }

    fn put(&mut self, path: &Path, file: &FullFile) -> Result<(), String> {
        if !path.is_absolute() {
            return Err(format!("{} is not absolute", path.display()));
        }
        let path = &self.real(path);
        let missing: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
        for parent in missing.iter().rev() {
            match self.nodes.get(parent).map(|n| n.meta.kind) {
                Some(FileKind::Directory) => {}
                Some(_) => return Err(format!("{} is below {}, which is no folder", path.display(), parent.display())),
                None => self.folder(parent, 0o755),
            }
        }
        if let Some(other) = &file.hard {
            let node = self.nodes.get_mut(other).ok_or_else(|| format!("nothing is at {}", other.display()))?;
            node.meta.nlink += 1;
            let (node, ino) = (node.clone(), node.meta.ino);
            self.nodes.insert(path.to_owned(), node.clone());
            let names = self.nodes.values_mut().filter(|n| n.meta.ino == ino);
            names.for_each(|n| n.meta.nlink = node.meta.nlink);
            return Ok(());
        }
        let node = self.make(file).map_err(|e| format!("{}: {e}", path.display()))?;
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// The path with links to folders in its folders followed.
    fn real(&self, path: &Path) -> PathBuf {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
        let parent = self.real(parent);
        match self.nodes.get(&parent).map(|n| &n.content) {
            Some(Content::Link(target)) => parent.parent().unwrap_or(&parent).join(target).join(name),
            _ => parent.join(name),
        }
    }

    fn make(&self, file: &FullFile) -> Result<Node, String> {
        let (kind, usual, content, size) = match content_of(file)? {
            Content::Link(target) => {
                let size = target.as_os_str().len() as u64;
                (FileKind::Link, 0o777, Content::Link(target), size)
            }
            _ if file.dir => (FileKind::Directory, 0o755, Content::None, 4096),
            _ if file.device => (FileKind::Other, 0o660, Content::None, 0),
            Content::Zeros(size) => (FileKind::File, 0o644, Content::Zeros(size), size),
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                (FileKind::File, 0o644, Content::Bytes(bytes), size)
            }
            Content::None => (FileKind::File, 0o644, Content::Bytes(Arc::from([])), 0),
        };
        let mut meta = self.meta(kind, usual);
        meta.size = size;
        if let Some(mode) = &file.mode {
            meta.mode = u32::from_str_radix(mode, 8).map_err(|_| format!("mode {mode:?} is not octal"))?;
        }
        let owner = file.owner.as_ref().unwrap_or(&Owner::Id(0));
        let group = file.group.as_ref().unwrap_or(&Owner::Id(0));
        meta.uid = match owner {
            Owner::Id(id) => *id,
            Owner::Name(name) => self.users.get(name).ok_or_else(|| format!("no user {name}"))?.uid,
        };
        meta.gid = match group {
            Owner::Id(id) => *id,
            Owner::Name(name) => self.groups.get(name).ok_or_else(|| format!("no group {name}"))?.gid,
        };
        if let Some(mtime) = file.mtime {
            meta.mtime = mtime.saturating_mul(1_000_000_000);
        }
        Ok(Node { meta, content })
    }

    fn meta(&self, kind: FileKind, mode: u32) -> Meta {
        let folder = kind == FileKind::Directory;
        Meta {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: if folder { 4096 } else { 0 },
            mtime: MTIME,
            atime: MTIME,
            ctime: MTIME,
            nlink: if folder { 2 } else { 1 },
            ino: self.nodes.len() as u64 + 1000,
            dev: 1,
        }
    }

    /// What is at a canonical path when it is passed through.
    pub(super) fn step(&self, path: &Path) -> Step {
        match self.nodes.get(path) {
            None => Step::Missing,
            Some(Node { content: Content::Link(target), .. }) => Step::Link(target.clone()),
            Some(node) if node.meta.kind == FileKind::Directory => Step::Folder,
            Some(_) => Step::Other,
        }
    }
}

impl Content {
    /// Lower-case hexadecimal SHA-256.
    pub(super) fn sha256(&self) -> String {
        use sha2::{Digest, Sha256};
        match self {
            Content::Bytes(bytes) => digest::sha256(bytes),
            Content::Zeros(size) => {
                let (mut sha, block) = (Sha256::new(), vec![0; 1 << 20]);
                let mut left = *size;
                while left > 0 {
                    let part = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
                    sha.update(&block[..part]);
                    left -= part as u64;
                }
                digest::hex(&sha.finalize())
            }
            Content::Link(_) | Content::None => String::new(),
        }
    }
}

/// What a file's specification says that it holds.
pub(super) fn content_of(file: &FullFile) -> Result<Content, String> {
    let said = [
        file.content.is_some(),
        file.base64.is_some(),
        file.size.is_some(),
        file.dir,
        file.link.is_some(),
        file.hard.is_some(),
        file.device,
    ];
    if said.iter().filter(|s| **s).count() > 1 {
        return Err("it can be one thing only".into());
    }
    if let Some(target) = &file.link {
        return Ok(Content::Link(target.clone()));
    }
    if let Some(size) = file.size {
        return Ok(Content::Zeros(size));
    }
    if let Some(text) = &file.base64 {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| e.to_string())?;
        return Ok(Content::Bytes(bytes.into()));
    }
    Ok(file.content.as_ref().map_or(Content::None, |text| Content::Bytes(text.as_bytes().into())))
}

/// A unit as a fixture has it.
pub(super) fn make_unit(name: &str, spec: &UnitSpec) -> Unit {
    let active = spec.active.clone().unwrap_or_else(|| "inactive".into());
    let sub = if active == "active" { "running" } else { "dead" };
    Unit {
        name: name.to_owned(),
        load: spec.load.clone().unwrap_or_else(|| "loaded".into()),
        sub: spec.sub.clone().unwrap_or_else(|| sub.into()),
        active,
        file: spec.file.clone().unwrap_or_else(|| "disabled".into()),
        needs_reload: spec.needs_reload,
    }
}

/// An account as a fixture has it.
pub(super) fn make_user(name: &str, account: &Account, groups: &BTreeMap<String, Group>) -> User {
    let gid = account.gid.or_else(|| groups.get(name).map(|g| g.gid)).unwrap_or(account.uid);
    User {
        name: name.to_owned(),
        uid: account.uid,
        gid,
        comment: account.comment.clone(),
        home: account.home.clone().unwrap_or_else(|| Path::new("/home").join(name)),
        shell: account.shell.clone().unwrap_or_else(|| "/usr/sbin/nologin".into()),
        groups: account.groups.clone(),
        password: Some(account.password.clone().unwrap_or_else(|| "!".into())),
        expires: account.expires,
    }
}

/// passwd(5), group(5) and shadow(5): path, content, mode.
pub(super) fn account_files(
    mut users: Vec<User>,
    mut groups: Vec<Group>,
) -> [(&'static Path, String, &'static str); 3] {
    users.sort_by(|a, b| (a.uid, &a.name).cmp(&(b.uid, &b.name)));
    groups.sort_by(|a, b| (a.gid, &a.name).cmp(&(b.gid, &b.name)));
    let line = |u: &User| format!("{}:x:{}:{}:{}:{}:{}\n", u.name, u.uid, u.gid, u.comment, u.home.display(), u.shell);
    let shadow = |u: &User| {
        let expires = u.expires.map(|d| d.to_string()).unwrap_or_default();
        format!("{}:{}:19000:0:99999:7::{expires}:\n", u.name, u.password.as_deref().unwrap_or("!"))
    };
    let group = |g: &Group| format!("{}:x:{}:{}\n", g.name, g.gid, g.members.join(","));
    [
        (Path::new("/etc/passwd"), users.iter().map(line).collect(), "0644"),
        (Path::new("/etc/group"), groups.iter().map(group).collect(), "0644"),
        (Path::new("/etc/shadow"), users.iter().map(shadow).collect(), "0640"),
    ]
}
