//! Owner, group and mode of a path: what `file`, `copy`, `template` and the editing modules share.

use std::path::Path;

use rectify_core::module::{Entity, HostError, Meta, ModuleError, Observe, Operate, Owner, Relations, WriteAttrs};
use serde::Serialize;

use super::mode::Mode;

/// The attributes that a task asks for; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) owner: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
    pub(crate) mode: Option<&'a Mode>,
}

/// The attributes of a path, as a person sees them: names where there are any, the mode in octal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attrs {
    pub(crate) owner: String,
    pub(crate) group: String,
    pub(crate) mode: String,
}

impl Attrs {
    /// The attributes of what was found.
    pub(crate) fn of(meta: &Meta, host: &dyn Observe) -> Result<Self, HostError> {
        Ok(Attrs { owner: user_name(meta.uid, host)?, group: group_name(meta.gid, host)?, mode: octal(meta.mode) })
    }

    /// The bits.
    pub(crate) fn bits(&self) -> u32 {
        u32::from_str_radix(&self.mode, 8).unwrap_or_default()
    }
}

/// `0644`.
pub(crate) fn octal(bits: u32) -> String {
    format!("{:04o}", bits & 0o7777)
}

/// An account's name, or its number if it has none.
pub(crate) fn user_name(uid: u32, host: &dyn Observe) -> Result<String, HostError> {
    Ok(host.user_by_id(uid)?.map_or_else(|| uid.to_string(), |u| u.name))
}

/// A group's name, or its number if it has none.
pub(crate) fn group_name(gid: u32, host: &dyn Observe) -> Result<String, HostError> {
    Ok(host.group_by_id(gid)?.map_or_else(|| gid.to_string(), |g| g.name))
}

/// A name or number as a playbook gives it.
pub(crate) fn owner(text: &str) -> Owner {
    text.parse().map_or_else(|_| Owner::Name(text.to_owned()), Owner::Id)
}

/// The user id for a name or number.
pub(crate) fn uid(text: &str, host: &dyn Observe) -> Result<u32, ModuleError> {
    match owner(text) {
        Owner::Id(id) => Ok(id),
        Owner::Name(name) => match host.user(&name)? {
            Some(user) => Ok(user.uid),
            None => Err(ModuleError::failed(format!("there is no account {name:?} on this host to own it"))),
        },
    }
}

/// The group id for a name or number.
pub(crate) fn gid(text: &str, host: &dyn Observe) -> Result<u32, ModuleError> {
    match owner(text) {
        Owner::Id(id) => Ok(id),
        Owner::Name(name) => match host.group(&name)? {
            Some(group) => Ok(group.gid),
            None => Err(ModuleError::failed(format!("there is no group {name:?} on this host"))),
        },
    }
}

impl Wanted<'_> {
    /// The attributes that are wanted of something that has `seen`, or is new with the bits `new`. Names that the task gives
    /// stay names; a number is shown by its name where it has one, which `seen` then does too.
    pub(crate) fn over(&self, seen: Option<&Attrs>, new: u32, directory: bool) -> PartialAttrs {
        let current = seen.map_or(new, Attrs::bits);
        PartialAttrs {
            owner: self.owner.map(str::to_owned).or_else(|| seen.map(|s| s.owner.clone())),
            group: self.group.map(str::to_owned).or_else(|| seen.map(|s| s.group.clone())),
            mode: Some(octal(self.mode.map_or(current, |m| m.resolve(current, directory)))),
        }
    }

    /// What a file that is written gets. The bits of a new one are `new` where nothing is asked for.
    pub(crate) fn for_write(
        &self,
        seen: Option<&Attrs>,
        new: u32,
        host: &dyn Observe,
    ) -> Result<WriteAttrs, ModuleError> {
        let current = seen.map_or(new, Attrs::bits);
        Ok(WriteAttrs {
            mode: match (self.mode, seen) {
                (Some(mode), _) => Some(mode.resolve(current, false)),
                (None, None) => Some(new),
                (None, Some(_)) => None,
            },
            uid: self.owner.map(|o| uid(o, host)).transpose()?,
            gid: self.group.map(|g| gid(g, host)).transpose()?,
        })
    }

    /// Sets what differs on something that is there. A change of owner comes first: it clears set-id bits.
    pub(crate) fn set(
        &self,
        path: &Path,
        seen: &Attrs,
        follow: bool,
        directory: bool,
        host: &dyn Operate,
    ) -> Result<(), ModuleError> {
        let new_uid = self.owner.filter(|o| !same_user(o, &seen.owner, host)).map(|o| uid(o, host)).transpose()?;
        let new_gid = self.group.filter(|g| !same_group(g, &seen.group, host)).map(|g| gid(g, host)).transpose()?;
        let owned = new_uid.is_some() || new_gid.is_some();
        if owned {
            host.set_owner(path, new_uid, new_gid, follow)?;
        }
        if let Some(mode) = self.mode {
            let bits = mode.resolve(seen.bits(), directory);
            if bits != seen.bits() || (owned && bits & 0o6000 != 0) {
                host.set_mode(path, bits)?;
            }
        }
        Ok(())
    }

    /// The owner and group that are wanted, by the names that states show: a number by its name, a second name of an account
    /// by its first. An account that is not there (yet) keeps the name that the task gives it.
    pub(crate) fn named(&self, host: &dyn Observe) -> Result<Named, HostError> {
        let user = match self.owner.map(owner) {
            Some(Owner::Id(id)) => Some(user_name(id, host)?),
            Some(Owner::Name(name)) => Some(match host.user(&name)? {
                Some(user) => user_name(user.uid, host)?,
                None => name,
            }),
            None => None,
        };
        let group = match self.group.map(owner) {
            Some(Owner::Id(id)) => Some(group_name(id, host)?),
            Some(Owner::Name(name)) => Some(match host.group(&name)? {
                Some(group) => group_name(group.gid, host)?,
                None => name,
            }),
            None => None,
        };
        Ok(Named { owner: user, group })
    }

    /// The accounts that must be there first.
    pub(crate) fn relations(&self, relations: Relations) -> Relations {
        let user = self.owner.map(owner).and_then(|o| match o {
            Owner::Name(name) => Some(Entity::User(name)),
            Owner::Id(_) => None,
        });
        let group = self.group.map(owner).and_then(|g| match g {
            Owner::Name(name) => Some(Entity::Group(name)),
            Owner::Id(_) => None,
        });
        relations.needing(user).needing(group)
    }
}

fn same_user(wanted: &str, seen: &str, host: &dyn Observe) -> bool {
    wanted == seen || matches!((owner(wanted), uid(seen, host)), (Owner::Id(a), Ok(b)) if a == b)
}

fn same_group(wanted: &str, seen: &str, host: &dyn Observe) -> bool {
    wanted == seen || matches!((owner(wanted), gid(seen, host)), (Owner::Id(a), Ok(b)) if a == b)
}

/// Attributes of something that may be new: what is `None` is left to the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PartialAttrs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
}

/// Owner and group by the names that states show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
}
