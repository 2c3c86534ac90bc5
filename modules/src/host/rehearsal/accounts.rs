//! Accounts and groups in the overlay, as useradd(8), usermod(8), userdel(8) and their siblings would leave them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{
    Because, FileKind, Group, GroupChange, HostError, HostResult, Owner, User, UserChange, WriteAttrs,
};

use super::{
    hand::Hand,
    login_defs::LoginDefs,
    notes::Scope,
    sight::{Sight, known},
    state::Put,
};

/// The files that hold accounts and groups.
const FILES: &[&str] = &["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];

impl Sight<'_> {
    /// Accounts are not known once their files were written by hand.
    fn accounts_by_hand(&self) -> Option<Because> {
        if self.world.exact || self.state.files.is_empty() {
            return None;
        }
        let written = |path: &&str| self.state.files.get(Path::new(path))?.inode.and_then(|id| self.inode(id).written);
        FILES.iter().filter_map(written).map(super::state::Stamp::because).reduce(Because::and)
    }

    fn accounts_known(&self, since: u64, absent: bool, own: impl Fn(&Scope) -> bool) -> HostResult<()> {
        known(self.accounts_by_hand())?;
        known(self.state.notes.on(since, |scope| match scope {
            Scope::Accounts => true,
            Scope::NewAccounts => absent,
            other => own(other),
        }))
    }

    /// The account of this name.
    pub(super) fn user(&self, name: &str) -> HostResult<Option<User>> {
        let mine = |scope: &Scope| matches!(scope, Scope::User(n) if n == name);
        let (since, user) = match self.state.users.get(name) {
            Some(put) => (put.stamp.seq, put.value.clone()),
            None => (0, self.world.base.user(name)?.map(|user| self.with_groups(user))),
        };
        self.accounts_known(since, user.is_none(), mine)?;
        Ok(user)
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &str) -> HostResult<Option<Group>> {
        let mine = |scope: &Scope| matches!(scope, Scope::Group(n) if n == name);
        let (since, group) = match self.state.groups.get(name) {
            Some(put) => (put.stamp.seq, put.value.clone()),
            None => (0, self.world.base.group(name)?),
        };
        self.accounts_known(since, group.is_none(), mine)?;
        Ok(group)
    }

    /// The account with this number.
    pub(super) fn user_by_id(&self, uid: u32) -> HostResult<Option<User>> {
        let own = self.state.users.values().filter_map(|p| p.value.as_ref()).find(|u| u.uid == uid);
        let name = match own {
            Some(user) => Some(user.name.clone()),
            None => self.world.base.user_by_id(uid)?.map(|u| u.name),
        };
        if let Some(name) = name
            && let Some(user) = self.user(&name)?
            && user.uid == uid
        {
            return Ok(Some(user));
        }
        // Nobody has the number, unless an account that is not known has it.
        self.accounts_known(0, true, |scope| matches!(scope, Scope::User(_)))?;
        Ok(None)
    }

    /// The group with this number.
    pub(super) fn group_by_id(&self, gid: u32) -> HostResult<Option<Group>> {
        let own = self.state.groups.values().filter_map(|p| p.value.as_ref()).find(|g| g.gid == gid);
        let name = match own {
            Some(group) => Some(group.name.clone()),
            None => self.world.base.group_by_id(gid)?.map(|g| g.name),
        };
        if let Some(name) = name
            && let Some(group) = self.group(&name)?
            && group.gid == gid
        {
            return Ok(Some(group));
        }
        self.accounts_known(0, true, |scope| matches!(scope, Scope::Group(_) | Scope::User(_)))?;
        Ok(None)
    }

    /// All accounts.
    pub(super) fn users(&self) -> HostResult<Vec<User>> {
        self.accounts_known(0, true, |scope| matches!(scope, Scope::User(_)))?;
        self.all_users()
    }

    /// All groups.
    pub(super) fn groups(&self) -> HostResult<Vec<Group>> {
        self.accounts_known(0, true, |scope| matches!(scope, Scope::Group(_) | Scope::User(_)))?;
        self.all_groups()
    }

    /// All accounts as far as they are known.
    fn all_users(&self) -> HostResult<Vec<User>> {
        let base = self.world.base.users()?.into_iter().map(|user| self.with_groups(user));
        Ok(merged(base, |u| u.name.clone(), &self.state.users))
    }

    /// All groups as far as they are known.
    fn all_groups(&self) -> HostResult<Vec<Group>> {
        Ok(merged(self.world.base.groups()?.into_iter(), |g| g.name.clone(), &self.state.groups))
    }

    /// An account of the base with the memberships that the overlay's groups give it.
    fn with_groups(&self, mut user: User) -> User {
        for (name, put) in &self.state.groups {
            let member = put.value.as_ref().is_some_and(|g| g.members.contains(&user.name));
            user.groups.retain(|g| g != name);
            if member {
                user.groups.push(name.clone());
            }
        }
        rectify_core::small::sort(&mut user.groups);
        user
    }
}

impl Hand<'_> {
    /// See [`rectify_core::module::Operate::put_user`].
    pub(super) fn put_user(&mut self, name: &str, change: &UserChange) -> HostResult<()> {
        let old = self.sight().user(name)?;
        let tool = if old.is_some() { "usermod" } else { "useradd" };
        let fail = |status, text: String| failed(&format!("{tool} {name}"), status, text);
        self.only_root(&fail)?;
        if let (Some(uid), false) = (change.uid, change.non_unique)
            && self.sight().user_by_id(uid)?.is_some_and(|u| u.name != name)
        {
            return Err(fail(4, format!("UID '{uid}' already exists")));
        }
        if let Some(groups) = &change.groups {
            for group in groups {
                if self.sight().group(group)?.is_none() {
                    return Err(fail(6, format!("group '{group}' does not exist")));
                }
            }
        }
        let new = old.is_none();
        let mut user = match old {
            Some(user) => user,
            None => self.new_user(name, change)?,
        };
        if let Some(group) = &change.group {
            user.gid = self.gid_of(group)?.ok_or_else(|| fail(6, format!("group '{group}' does not exist")))?;
        }
        let old_home = user.home.clone();
        user.uid = change.uid.unwrap_or(user.uid);
        user.comment = change.comment.clone().unwrap_or(user.comment);
        user.home = change.home.clone().unwrap_or(user.home);
        user.shell = change.shell.clone().unwrap_or(user.shell);
        user.password = password(user.password, change);
        user.expires = change.expires.unwrap_or(user.expires);
        if let Some(groups) = &change.groups {
            self.set_membership(name, groups)?;
            user.groups = groups.clone();
            rectify_core::small::sort(&mut user.groups);
            user.groups.dedup();
        }
        let (home, uid, gid) = (user.home.clone(), user.uid, user.gid);
        self.state.users.insert(name.to_owned(), Put { stamp: self.stamp, value: Some(user) });
        self.account_files_changed();
        match (new, change.handle_home) {
            (true, true) => self.make_home(&home, uid, gid)?,
            (false, true) if home != old_home => self.move_home(&old_home, &home)?,
            _ => {}
        }
        Ok(())
    }

    /// What useradd makes of a name and its configuration.
    fn new_user(&mut self, name: &str, change: &UserChange) -> HostResult<User> {
        let defs = LoginDefs::read(&self.sight());
        let uid = match change.uid {
            Some(uid) => uid,
            None => {
                let taken: Vec<u32> = self.sight().all_users()?.iter().map(|u| u.uid).collect();
                let (low, high) = if change.system { defs.system_uids } else { defs.uids };
                free_id(low, high, change.system, &taken)
                    .ok_or_else(|| failed(&format!("useradd {name}"), 1, "no user id is free".into()))?
            }
        };
        let gid = match (&change.group, self.sight().group(name)?) {
            (Some(_), _) => uid,
            // The tools make no second group of the name, and take the default one instead (`useradd -N`).
            (None, Some(_)) => defs.default_group,
            (None, None) if defs.user_groups => {
                let gid = self.free_gid(&defs, change.system, Some(uid))?;
                let group = Group { name: name.to_owned(), gid, members: Vec::new() };
                self.state.groups.insert(name.to_owned(), Put { stamp: self.stamp, value: Some(group) });
                gid
            }
            (None, None) => defs.default_group,
        };
        Ok(User {
            name: name.to_owned(),
            uid,
            gid,
            comment: String::new(),
            home: defs.homes.join(name),
            shell: defs.shell.clone(),
            groups: Vec::new(),
            password: Some("!".into()),
            expires: None,
        })
    }

    /// See [`rectify_core::module::Operate::remove_user`].
    pub(super) fn remove_user(&mut self, name: &str, home: bool) -> HostResult<()> {
        let fail = |status, text: String| failed(&format!("userdel {name}"), status, text);
        let Some(user) = self.sight().user(name)? else {
            return Ok(());
        };
        self.only_root(&fail)?;
        let defs = LoginDefs::read(&self.sight());
        self.set_membership(name, &[])?;
        self.state.users.insert(name.to_owned(), Put { stamp: self.stamp, value: None });
        if defs.user_groups && self.owns_its_group(&user)? {
            self.state.groups.insert(name.to_owned(), Put { stamp: self.stamp, value: None });
        }
        if home {
            let place = self.sight().node(&user.home, false)?;
            if place.is_some_and(|n| n.meta.uid == user.uid) {
                self.remove(&user.home)?;
            }
            for spool in ["/var/mail", "/var/spool/mail"] {
                self.remove(&Path::new(spool).join(name))?;
            }
        }
        self.account_files_changed();
        Ok(())
    }

    /// Whether the group that has the account's name exists for it alone.
    fn owns_its_group(&self, user: &User) -> HostResult<bool> {
        let Some(group) = self.sight().group(&user.name)? else { return Ok(false) };
        let others = group.members.iter().any(|m| *m != user.name);
        let primary = self.sight().all_users()?.iter().any(|u| u.gid == group.gid);
        Ok(!others && !primary && group.gid == user.gid)
    }

    /// See [`rectify_core::module::Operate::put_group`].
    pub(super) fn put_group(&mut self, name: &str, change: &GroupChange) -> HostResult<()> {
        let old = self.sight().group(name)?;
        if old.is_some() && change.gid.is_none() {
            return Ok(());
        }
        let tool = if old.is_some() { "groupmod" } else { "groupadd" };
        let fail = |status, text: String| failed(&format!("{tool} {name}"), status, text);
        self.only_root(&fail)?;
        if let (Some(gid), false) = (change.gid, change.non_unique)
            && self.sight().group_by_id(gid)?.is_some_and(|g| g.name != name)
        {
            return Err(fail(4, format!("GID '{gid}' already exists")));
        }
        let group = match (old, change.gid) {
            (Some(group), None) => group,
            (Some(group), Some(gid)) => {
                self.regroup(group.gid, gid)?;
                Group { gid, ..group }
            }
            (None, Some(gid)) => Group { name: name.to_owned(), gid, members: Vec::new() },
            (None, None) => {
                let defs = LoginDefs::read(&self.sight());
                let gid = self.free_gid(&defs, change.system, None)?;
                Group { name: name.to_owned(), gid, members: Vec::new() }
            }
        };
        self.state.groups.insert(name.to_owned(), Put { stamp: self.stamp, value: Some(group) });
        self.account_files_changed();
        Ok(())
    }

    /// groupmod(8) takes the accounts whose primary group it is along.
    fn regroup(&mut self, from: u32, to: u32) -> HostResult<()> {
        let users: Vec<User> = self.sight().all_users()?.into_iter().filter(|u| u.gid == from).collect();
        for user in users {
            let name = user.name.clone();
            self.state.users.insert(name, Put { stamp: self.stamp, value: Some(User { gid: to, ..user }) });
        }
        Ok(())
    }

    /// See [`rectify_core::module::Operate::remove_group`].
    pub(super) fn remove_group(&mut self, name: &str) -> HostResult<()> {
        let fail = |status, text: String| failed(&format!("groupdel {name}"), status, text);
        let Some(group) = self.sight().group(name)? else {
            return Ok(());
        };
        self.only_root(&fail)?;
        if let Some(user) = self.sight().all_users()?.into_iter().find(|u| u.gid == group.gid) {
            return Err(fail(8, format!("cannot remove the primary group of user '{}'", user.name)));
        }
        for member in &group.members {
            if let Some(mut user) = self.sight().user(member)? {
                user.groups.retain(|g| g != name);
                self.state.users.insert(member.clone(), Put { stamp: self.stamp, value: Some(user) });
            }
        }
        self.state.groups.insert(name.to_owned(), Put { stamp: self.stamp, value: None });
        self.account_files_changed();
        Ok(())
    }

    /// Makes these the supplementary groups of an account, on the groups' side.
    fn set_membership(&mut self, user: &str, wanted: &[String]) -> HostResult<()> {
        for mut group in self.sight().all_groups()? {
            let (is, should) = (group.members.iter().any(|m| m == user), wanted.contains(&group.name));
            if is == should {
                continue;
            }
            group.members.retain(|m| m != user);
            if should {
                group.members.push(user.to_owned());
                rectify_core::small::sort(&mut group.members);
            }
            self.state.groups.insert(group.name.clone(), Put { stamp: self.stamp, value: Some(group) });
        }
        Ok(())
    }

    fn gid_of(&self, group: &Owner) -> HostResult<Option<u32>> {
        let found = match group {
            Owner::Id(gid) => self.sight().group_by_id(*gid)?,
            Owner::Name(name) => self.sight().group(name)?,
        };
        Ok(found.map(|g| g.gid))
    }

    fn free_gid(&self, defs: &LoginDefs, system: bool, preferred: Option<u32>) -> HostResult<u32> {
        let taken: Vec<u32> = self.sight().all_groups()?.iter().map(|g| g.gid).collect();
        if let Some(gid) = preferred.filter(|gid| !taken.contains(gid)) {
            return Ok(gid);
        }
        let (low, high) = if system { defs.system_gids } else { defs.gids };
        free_id(low, high, system, &taken).ok_or_else(|| failed("groupadd", 1, "no group id is free".into()))
    }

    /// Makes a home folder with what `/etc/skel` has, if nothing is there.
    fn make_home(&mut self, home: &Path, uid: u32, gid: u32) -> HostResult<()> {
        if self.sight().node(home, true)?.is_some() {
            return Ok(());
        }
        let mode = LoginDefs::read(&self.sight()).home_mode;
        let missing: Vec<PathBuf> = home.ancestors().skip(1).map(Path::to_owned).collect();
        for parent in missing.iter().rev() {
            if self.sight().node(parent, true)?.is_none() {
                self.make_dir(parent, 0o755)?;
            }
        }
        self.copy_skeleton(Path::new("/etc/skel"), home, mode, (uid, gid))?;
        self.note(Scope::Path(Path::new("/var/mail").join(home.file_name().unwrap_or_default())));
        self.note(Scope::Path(Path::new("/var/spool/mail").join(home.file_name().unwrap_or_default())));
        Ok(())
    }

    fn copy_skeleton(&mut self, from: &Path, to: &Path, mode: u32, owner: (u32, u32)) -> HostResult<()> {
        self.make_dir(to, mode)?;
        self.set_owner(to, Some(owner.0), Some(owner.1), false)?;
        if self.sight().node(from, true)?.is_none_or(|n| n.meta.kind != FileKind::Directory) {
            return Ok(());
        }
        let mut names = Vec::new();
        let sight = self.sight();
        let listing = sight.open(from)?;
        listing.run(sight.world, &mut |e| sight.check_entry(&listing.folder, e), &mut |e| {
            names.push(e.name);
            true
        })?;
        rectify_core::small::sort(&mut names);
        for name in names {
            let (source, copy) = (from.join(&name), to.join(&name));
            let Some(node) = self.sight().node(&source, false)? else { continue };
            match node.meta.kind {
                FileKind::Directory => self.copy_skeleton(&source, &copy, node.meta.mode, owner)?,
                FileKind::Link => {
                    let target = self.sight().read_link(&source)?;
                    self.symlink(&target, &copy)?;
                    self.set_owner(&copy, Some(owner.0), Some(owner.1), false)?;
                }
                FileKind::File => {
                    let attrs = WriteAttrs { mode: Some(node.meta.mode), uid: Some(owner.0), gid: Some(owner.1) };
                    self.copy_file(&source, &copy, &attrs)?;
                }
                FileKind::Other => {}
            }
        }
        Ok(())
    }

    /// Moves a home folder with all that is in it.
    fn move_home(&mut self, from: &Path, to: &Path) -> HostResult<()> {
        if self.sight().node(from, true)?.is_none() || self.sight().node(to, true)?.is_some() {
            return Ok(());
        }
        self.move_tree(from, to)?;
        self.remove(from)
    }

    /// Moves a tree entry by entry, attributes kept.
    fn move_tree(&mut self, from: &Path, to: &Path) -> HostResult<()> {
        let Some(node) = self.sight().node(from, false)? else { return Ok(()) };
        let meta = node.meta;
        match meta.kind {
            FileKind::Directory => {
                self.make_dir(to, meta.mode)?;
                let mut names = Vec::new();
                let sight = self.sight();
                let listing = sight.open(from)?;
                listing.run(sight.world, &mut |e| sight.check_entry(&listing.folder, e), &mut |e| {
                    names.push(e.name);
                    true
                })?;
                for name in names {
                    self.move_tree(&from.join(&name), &to.join(&name))?;
                }
            }
            FileKind::Link => {
                let target = self.sight().read_link(from)?;
                self.symlink(&target, to)?;
            }
            FileKind::File => {
                self.copy_file(from, to, &WriteAttrs { mode: Some(meta.mode), ..WriteAttrs::default() })?
            }
            FileKind::Other => return Ok(()),
        }
        self.set_owner(to, Some(meta.uid), Some(meta.gid), false)
    }

    /// The files that hold accounts have other content now.
    fn account_files_changed(&mut self) {
        for file in FILES {
            self.note(Scope::Content((*file).into()));
            self.note(Scope::Path(format!("{file}-").into()));
        }
        for file in ["/etc/subuid", "/etc/subgid"] {
            self.note(Scope::Content(file.into()));
        }
    }

    fn only_root(&self, fail: &dyn Fn(i32, String) -> HostError) -> HostResult<()> {
        if self.world.base.uid() == 0 { Ok(()) } else { Err(fail(1, "permission denied".into())) }
    }
}

fn failed(program: &str, status: i32, text: String) -> HostError {
    HostError::Program { program: program.to_owned(), status: format!("exit {status}"), stderr: text }
}

fn password(old: Option<String>, change: &UserChange) -> Option<String> {
    match (&change.password, change.locked) {
        (Some(new), Some(true)) => Some(format!("!{}", new.trim_start_matches('!'))),
        (Some(new), Some(false)) => Some(new.trim_start_matches('!').to_owned()),
        (Some(new), None) => Some(new.clone()),
        (None, Some(true)) => old.map(|p| if p.starts_with('!') { p } else { format!("!{p}") }),
        (None, Some(false)) => old.map(|p| p.strip_prefix('!').map(str::to_owned).unwrap_or(p)),
        (None, None) => old,
    }
}

/// The id that shadow's tools choose: for accounts one above the highest, for system accounts one below the lowest; where
/// the range is used up to its end, the first gap.
fn free_id(low: u32, high: u32, system: bool, taken: &[u32]) -> Option<u32> {
    let within = || taken.iter().copied().filter(|id| (low..=high).contains(id));
    let next = if system {
        within().min().map_or(Some(high), |id| id.checked_sub(1))
    } else {
        within().max().map_or(Some(low), |id| id.checked_add(1))
    };
    let free = |id: &u32| (low..=high).contains(id) && !taken.contains(id);
    next.filter(free).or_else(|| if system { (low..=high).rev().find(free) } else { (low..=high).find(free) })
}

fn merged<T: Clone>(
    base: impl Iterator<Item = T>,
    name: impl Fn(&T) -> String,
    own: &BTreeMap<String, Put<T>>,
) -> Vec<T> {
    let mut all: Vec<T> = base.filter(|item| !own.contains_key(&name(item))).collect();
    all.extend(own.values().filter_map(|put| put.value.clone()));
    all
}
