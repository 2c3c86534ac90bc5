//! The inventory as the compiler needs it.

use serde_json::{Map, Value};

use crate::inventory::Inventory;

/// What a pattern of hosts came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// The hosts, in the inventory's order.
    pub hosts: Vec<String>,
    /// Parts of the pattern that match nothing.
    pub unmatched: Vec<String>,
}

/// Hosts, their groups and variables.
pub trait Fleet: Sync {
    /// The hosts that a pattern names.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    fn select(&self, pattern: &str) -> Result<Selected, String>;

    /// The variables of a host from inventory, `group_vars` and `host_vars`, merged, with `inventory_hostname`, `group_names` and their like.
    fn vars(&self, host: &str) -> Map<String, Value>;

    /// Every group with its hosts, `all` and `ungrouped` included: Ansible's `groups`.
    fn groups(&self) -> Map<String, Value>;
}

impl Fleet for Inventory {
    fn select(&self, pattern: &str) -> Result<Selected, String> {
        let found = Inventory::select(self, pattern, None).map_err(|e| e.to_string())?;
        let hosts = found.hosts.into_iter().map(str::to_owned).collect();
        Ok(Selected { hosts, unmatched: found.unmatched })
    }

    fn vars(&self, host: &str) -> Map<String, Value> {
        let mut vars = Inventory::vars(self, host).unwrap_or_default();
        vars.extend(self.magic(host).into_iter().filter(|(_, value)| !value.is_null()));
        vars
    }

    fn groups(&self) -> Map<String, Value> {
        self.groups_map()
    }
}
