//! What holds for one host: variables merged by Ansible's precedence, and where each comes from.
//!
//! From weak to strong: `all` in the sources · groups in the sources · `group_vars/all` beside the sources, then beside the playbooks ·
//! `group_vars/GROUP` beside the sources, then beside the playbooks · the host in the sources · `host_vars/HOST` beside the sources,
//! then beside the playbooks. Groups among themselves: by depth, then `ansible_group_priority`, then name, the last wins.
//! A variable replaces a weaker one as a whole, dictionaries are not merged.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::model::{GroupId, HostId, Inventory, LOCALHOST, Var, Vars};
use super::read::address;

impl Inventory {
    /// A host's variables, or `None` for a host that is neither listed nor this machine.
    ///
    /// Templates are not rendered; what Ansible adds by itself (`inventory_hostname`, `groups`) is in [`Inventory::magic`].
    pub fn vars(&self, host: &str) -> Option<Map<String, Value>> {
        let merged = self.merged(host)?;
        Some(merged.into_iter().map(|(k, v)| (k.to_owned(), (*v.value).clone())).collect())
    }

    /// A host's variables by reference, each with its place; `None` as in [`Inventory::vars`].
    pub fn merged(&self, host: &str) -> Option<IndexMap<&str, &Var>> {
        let mut out = IndexMap::new();
        for layer in self.layers(host)? {
            out.extend(layer.iter().map(|(k, v)| (&**k, v)));
        }
        Some(out)
    }

    /// One variable of a host, without merging the others.
    pub fn var(&self, host: &str, name: &str) -> Option<&Var> {
        self.layers(host)?.into_iter().rev().find_map(|layer| layer.get(name))
    }

    /// Every place that sets a variable for a host, the one that counts last.
    pub fn history(&self, host: &str, name: &str) -> Vec<&Var> {
        self.layers(host).unwrap_or_default().into_iter().filter_map(|layer| layer.get(name)).collect()
    }

    /// A group's own variables: from the sources, then from `group_vars/` beside the sources and the playbooks.
    pub fn group_vars(&self, group: &str) -> Option<IndexMap<&str, &Var>> {
        self.group_layers(group, true)
    }

    pub(super) fn group_layers(&self, group: &str, beside_playbooks: bool) -> Option<IndexMap<&str, &Var>> {
        let id = self.group_id(group)?;
        let mut out = IndexMap::new();
        let playbooks = if beside_playbooks { self.beside_playbooks.as_slice() } else { &[] };
        let dirs = self.beside_sources.iter().chain(playbooks);
        for layer in std::iter::once(&self.group_at(id).vars).chain(dirs.filter_map(|d| d.groups.get(&id))) {
            out.extend(layer.iter().map(|(k, v)| (&**k, v)));
        }
        Some(out)
    }

    /// What Ansible adds to a host's variables: `inventory_hostname`, `inventory_hostname_short`, `group_names`, `inventory_file`,
    /// `inventory_dir` (null for hosts of a list on the command line).
    pub fn magic(&self, host: &str) -> Map<String, Value> {
        let short = if address::is_ip(host) { host } else { host.split('.').next().unwrap_or(host) };
        let source = self.host(host).and_then(|h| h.source.as_deref());
        let dir = source.and_then(|s| Path::new(s).parent()).map(|d| d.to_string_lossy().into_owned());
        Map::from_iter([
            ("inventory_hostname".to_owned(), Value::from(host)),
            ("inventory_hostname_short".to_owned(), Value::from(short)),
            ("group_names".to_owned(), Value::from(self.group_names(host))),
            ("inventory_file".to_owned(), source.map_or(Value::Null, Value::from)),
            ("inventory_dir".to_owned(), dir.map_or(Value::Null, Value::from)),
        ])
    }

    /// Ansible's `groups`: every group's name with the names of its hosts.
    pub fn groups_map(&self) -> Map<String, Value> {
        self.groups().map(|g| (g.name.to_string(), Value::from(self.hosts_in(&g.name)))).collect()
    }

    /// The host's layers of variables, the weakest first.
    fn layers(&self, name: &str) -> Option<Vec<&Vars>> {
        let host = self.host_id(name);
        if host.is_none() && !LOCALHOST.contains(&name) {
            return None;
        }
        let groups: Vec<GroupId> =
            host.map(|h| self.groups_of(h)).unwrap_or_default().into_iter().filter(|g| g.0 != 0).collect();
        let mut out = vec![&self.group_at(GroupId(0)).vars];
        out.extend(groups.iter().map(|g| &self.group_at(*g).vars));
        let both = || self.beside_sources.iter().chain(&self.beside_playbooks);
        out.extend(both().filter_map(|dir| dir.groups.get(&GroupId(0))));
        for dir in both() {
            out.extend(groups.iter().filter_map(|g| dir.groups.get(g)));
        }
        match host {
            Some(id) => out.extend(self.own_layers(id, true)),
            None => out.push(&self.implicit),
        }
        out.retain(|layer| !layer.is_empty());
        Some(out)
    }

    /// The layers that are about this host alone.
    pub(super) fn own_layers(&self, id: HostId, beside_playbooks: bool) -> Vec<&Vars> {
        let playbooks = if beside_playbooks { self.beside_playbooks.as_slice() } else { &[] };
        let dirs = self.beside_sources.iter().chain(playbooks);
        std::iter::once(&self.host_at(id).vars).chain(dirs.filter_map(|dir| dir.hosts.get(&id))).collect()
    }
}
