//! `group`: a local group.

use rectify_core::module::{Change, Entity, GroupChange, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lineinfile::Presence;

/// Makes sure that a local group is there, or that it is not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// The name of the group.
    name: String,
    /// Its number. Default: the next free one; that of a group that is there stays.
    gid: Option<u32>,
    /// Whether the group is to be there. A group that is the primary one of an account cannot go. Default: present.
    #[serde(default)]
    state: Presence,
    /// Whether a new group gets a number from the range for system groups. A group that is there stays as it is.
    #[serde(default)]
    system: bool,
    /// Whether a `gid` that another group has is accepted.
    #[serde(default)]
    non_unique: bool,
}

/// A group as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct State {
    /// Its number; `None`: the next free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
}

impl Resource for Group {
    const KIND: &'static str = "group";
    const EXAMPLE: &'static str = "group:\n  name: deploy\n  gid: 1500\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        Ok(host.group(&self.name)?.map(|group| State { gid: Some(group.gid) }))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        (self.state == Presence::Present).then(|| State { gid: self.gid.or(seen.and_then(|s| s.gid)) })
    }

    fn apply(&self, change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        match &change.after {
            None => host.remove_group(&self.name)?,
            Some(after) => {
                let change = GroupChange { gid: after.gid, system: self.system, non_unique: self.non_unique };
                host.put_group(&self.name, &change)?;
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("`name` is empty".into());
        }
        if self.non_unique && self.gid.is_none() {
            return Err("`non_unique` needs `gid`, the number that may be taken".into());
        }
        Ok(())
    }

    fn relations(&self) -> Relations {
        Relations::writes([Entity::Group(self.name.clone())])
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
        if let Some(gid) = seen.and_then(|s| s.gid) {
            data.insert("gid".into(), gid.into());
        }
        data
    }
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{host::fake::Fake, kind::shared::twice::converge};

    #[test]
    fn a_group_is_made_changed_and_taken_away() {
        let fake = Fake::debian();
        let group = |args| converge::<Group>(args, &fake).unwrap();
        assert!(group(json!({"name": "web", "system": true})));
        assert!(!group(json!({"name": "web"})));
        assert!(group(json!({"name": "web", "gid": 1500})));
        assert_eq!(fake.group("web").unwrap().unwrap().gid, 1500);
        assert!(group(json!({"name": "web", "state": "absent"})));
        assert!(!group(json!({"name": "web", "state": "absent"})));
    }

    #[test]
    fn a_number_that_is_taken_is_refused() {
        let fake = Fake::debian();
        assert!(converge::<Group>(json!({"name": "web", "gid": 27}), &fake).is_err());
        assert!(converge::<Group>(json!({"name": "web", "gid": 27, "non_unique": true}), &fake).unwrap());
    }

    #[test]
    fn a_primary_group_cannot_go() {
        let error = converge::<Group>(json!({"name": "deploy", "state": "absent"}), &Fake::debian()).unwrap_err();
        assert!(error.to_string().contains("primary group"), "{error}");
    }
}
