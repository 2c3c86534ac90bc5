//! `user`: a local account.

mod home;
mod password;
mod state;
#[cfg(all(test, feature = "fake"))]
mod tests;

use std::path::{Path, PathBuf};

use rectify_core::module::{Change, Entity, ModuleError, Observe, Operate, Relations, Resource, UserChange};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::{
    password::Hidden,
    state::{Expiry, State},
};
use super::{lineinfile::Presence, shared::attrs};

/// Makes sure that a local account is there and as it should be, or that it is not there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// The login name of the account.
    name: String,
    /// Whether the account is to be there. Default: present.
    #[serde(default)]
    state: Presence,
    /// The user id. Default: the next free one; that of an account that is there stays.
    uid: Option<u32>,
    /// Whether a `uid` that another account has is accepted.
    #[serde(default)]
    non_unique: bool,
    /// The primary group, by name or number. Default for a new account: as the host is configured, usually a group of its own.
    group: Option<String>,
    /// The supplementary groups. The account leaves all others, unless `append` is true; an empty list leaves all.
    groups: Option<Vec<String>>,
    /// Whether the account stays in the groups that `groups` does not name.
    #[serde(default)]
    append: bool,
    /// The comment (GECOS) field, such as the full name.
    comment: Option<String>,
    /// The home folder.
    home: Option<PathBuf>,
    /// Whether a home folder that is not there is made, with what `/etc/skel` has in it. Default: true. A home of
    /// `/nonexistent`, which says that there is none, is never made.
    create_home: Option<bool>,
    /// Whether the old home folder is moved when `home` changes.
    #[serde(default)]
    move_home: bool,
    /// The login shell.
    shell: Option<String>,
    /// Whether a new account is a system account. One that is there stays as it is.
    #[serde(default)]
    system: bool,
    /// The password, encrypted as crypt(5) has it: `"{{ secret | password_hash('sha512') }}"`; `*` or `!` for none. It is
    /// shown nowhere.
    password: Option<String>,
    /// Whether the password is set each time it differs, or only for a new account. Default: always.
    #[serde(default)]
    update_password: UpdatePassword,
    /// Whether the password is locked, so that it opens nothing (keys still do).
    password_lock: Option<bool>,
    /// When the account expires, in seconds since 1970; negative: never.
    expires: Option<f64>,
    /// With `state: absent`: whether the home folder and the mail go too.
    #[serde(default)]
    remove: bool,
    /// Not supported: an account that is logged in is not taken away by force.
    #[serde(default)]
    force: bool,
    /// Not supported: make the key where it is used from, and put the public part in place with `authorized_key`.
    #[serde(default)]
    generate_ssh_key: bool,
}

/// When a password is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum UpdatePassword {
    /// Each time it differs.
    #[default]
    Always,
    /// Only for a new account.
    OnCreate,
}

impl Resource for User {
    const KIND: &'static str = "user";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("user", "name"), ("createhome", "create_home")];
    const EXAMPLE: &'static str =
        "user:\n  name: deploy\n  shell: /bin/bash\n  groups: [www-data]\n  append: true\n  password_lock: true\n";
    const SECRETS: &'static [&'static str] = &["password"];
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let Some(user) = host.user(&self.name)? else { return Ok(None) };
        if user.password.is_none() && (self.sets_password() || self.password_lock.is_some()) {
            return Err(ModuleError::failed(format!("reading the password of {}: only root can", self.name)));
        }
        let group = attrs::group_name(user.gid, host)?;
        let folder = match self.wants_home(&user.home) {
            true => Some(host.stat(&user.home)?.is_some()),
            false => None,
        };
        let password = user.password.as_deref().unwrap_or_default();
        Ok(Some(State {
            uid: Some(user.uid),
            groups: user.groups.into_iter().filter(|g| *g != group).collect(),
            group: Some(group),
            comment: Some(user.comment),
            home: Some(user.home),
            home_folder: folder.map(Into::into),
            shell: Some(user.shell),
            password: self.sets_password().then(|| Hidden::seen(password)),
            locked: self.password_lock.is_some().then(|| password.starts_with('!')),
            expires: self.expires.is_some().then_some(Expiry(user.expires)),
            gid: Some(user.gid),
        }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        if self.state == Presence::Absent {
            return None;
        }
        let new = State::default();
        let old = seen.unwrap_or(&new);
        let group = match &self.group {
            Some(given) if given.parse().is_ok_and(|gid: u32| old.gid == Some(gid)) => old.group.clone(),
            Some(given) => Some(given.clone()),
            None => old.group.clone(),
        };
        let home = self.home.clone().or_else(|| old.home.clone());
        let folder = self.wants_home(home.as_deref().unwrap_or(Path::new("/home"))).then(|| true.into());
        let password = self.password.as_deref().filter(|_| seen.is_none() || self.sets_password());
        Some(State {
            uid: self.uid.or(old.uid),
            groups: self.groups(&old.groups, group.as_deref()),
            group,
            comment: self.comment.clone().or_else(|| old.comment.clone()),
            home,
            home_folder: folder,
            shell: self.shell.clone().or_else(|| old.shell.clone()),
            password: password.map(|given| Hidden::wanted(given, old.password.as_ref())),
            locked: self.password_lock,
            expires: self.expires.map(Expiry::at),
            gid: old.gid,
        })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let Some(after) = &change.after else { return Ok(host.remove_user(&self.name, self.remove)?) };
        let new = change.before.is_none();
        let before = change.before.clone().unwrap_or_default();
        let user = UserChange {
            uid: after.uid.filter(|_| after.uid != before.uid),
            group: after.group.as_deref().filter(|_| after.group != before.group).map(attrs::owner),
            groups: (after.groups != before.groups).then(|| after.groups.clone()),
            comment: after.comment.clone().filter(|_| after.comment != before.comment),
            home: after.home.clone().filter(|_| after.home != before.home),
            handle_home: if new { after.home_folder.is_some() } else { self.move_home && after.home != before.home },
            shell: after.shell.clone().filter(|_| after.shell != before.shell),
            password: match (&after.password, &self.password) {
                (Some(hidden), Some(given)) if Some(hidden) != before.password.as_ref() => Some(given.clone()),
                _ => None,
            },
            locked: after.locked.filter(|_| after.locked != before.locked || after.password != before.password),
            system: self.system,
            expires: after.expires.filter(|_| after.expires != before.expires).map(|e| e.0),
            non_unique: self.non_unique,
        };
        if user != (UserChange { system: self.system, non_unique: self.non_unique, ..UserChange::default() }) || new {
            host.put_user(&self.name, &user)?;
        }
        if after.home_folder.is_some()
            && let Some(user) = host.user(&self.name)?
        {
            home::make(&user, host)?;
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("`name` is empty".into());
        }
        if self.non_unique && self.uid.is_none() {
            return Err("`non_unique` needs `uid`, the number that may be taken".into());
        }
        if self.append && self.groups.is_none() {
            return Err("`append` needs `groups`, the groups to be added".into());
        }
        if self.force {
            return Err("`force` is not supported: an account that is logged in is not taken away by force".into());
        }
        if self.generate_ssh_key {
            return Err(
                "`generate_ssh_key` is not supported: a private key belongs where it is used from; make it there, \
                 and put the public part in place with `authorized_key`"
                    .into(),
            );
        }
        if let Some(home) = &self.home
            && !home.is_absolute()
        {
            return Err(format!("home: {:?} is no absolute path", home.display().to_string()));
        }
        for (name, text) in [("comment", &self.comment), ("shell", &self.shell)] {
            if text.as_ref().is_some_and(|t| t.contains([':', '\n'])) {
                return Err(format!("{name}: neither a colon nor a line end can be in it"));
            }
        }
        self.password.as_deref().map_or(Ok(()), password::check)
    }

    fn relations(&self) -> Relations {
        let groups = self.groups.iter().flatten().chain(&self.group);
        let needs = groups.filter(|g| g.parse::<u32>().is_err()).map(|g| Entity::Group(g.clone()));
        let home = self.home.as_ref().filter(|_| self.create_home != Some(false) || self.remove);
        let home = home.map(|home| if self.remove { Entity::Tree(home.clone()) } else { Entity::Path(home.clone()) });
        Relations::writes([Entity::User(self.name.clone())].into_iter().chain(home)).needing(needs)
    }

    fn exclusive(&self) -> Option<&'static str> {
        Some("accounts")
    }

    fn subject(&self) -> String {
        self.name.clone()
    }

    fn returns(&self, seen: Option<&State>) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("name".into(), self.name.clone().into());
        let Some(seen) = seen else { return data };
        data.insert("uid".into(), seen.uid.into());
        data.insert("group".into(), seen.gid.into());
        data.insert("groups".into(), seen.groups.join(",").into());
        data.insert("comment".into(), seen.comment.clone().into());
        data.insert("home".into(), seen.home.as_ref().map(|h| h.to_string_lossy().into_owned()).into());
        data.insert("shell".into(), seen.shell.clone().into());
        data
    }
}

impl User {
    /// Whether the password of an account that is there matters.
    fn sets_password(&self) -> bool {
        self.password.is_some() && self.update_password == UpdatePassword::Always
    }

    fn wants_home(&self, home: &Path) -> bool {
        self.state == Presence::Present
            && self.create_home.unwrap_or(true)
            && !["/nonexistent", "/dev/null"].iter().any(|none| home == Path::new(none))
    }

    /// The supplementary groups, sorted, without the primary one.
    fn groups(&self, seen: &[String], primary: Option<&str>) -> Vec<String> {
        let Some(wanted) = &self.groups else { return seen.to_vec() };
        let kept = if self.append { seen } else { &[] };
        let mut groups: Vec<String> =
            kept.iter().chain(wanted).filter(|g| !g.is_empty() && Some(g.as_str()) != primary).cloned().collect();
        rectify_core::small::sort(&mut groups);
        groups.dedup();
        groups
    }
}
