//! What `ansible-inventory` prints: `--list`, `--host`, `--graph`.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::model::{Group, Inventory, Var};
use super::{Selection, python};

/// Which hosts and variables to show.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Only these hosts.
    pub only: Option<&'a Selection<'a>>,
    /// Show variables where they are set, groups' with the groups, and not merged per host.
    pub export: bool,
    /// Count `group_vars/` and `host_vars/` beside the playbooks also where a group's own or a host's own variables are shown. Ansible
    /// does so only with `--playbook-dir`; a host's merged variables always include them.
    pub beside_playbooks: bool,
    /// `-e`: above everything else in a host's merged variables.
    pub extra_vars: Option<&'a Map<String, Value>>,
}

impl Inventory {
    /// `--list`: groups with their hosts and children, and `_meta.hostvars`.
    pub fn list(&self, view: &View<'_>) -> Value {
        let hosts = self.shown(view);
        let set: HashSet<&str> = hosts.iter().copied().collect();
        let mut out = Map::new();
        let mut seen = HashSet::new();
        self.list_group(self.all(), &set, view, &mut seen, &mut out);
        let mut hostvars = Map::new();
        for host in hosts {
            let vars = self.host_object(host, view);
            if !vars.is_empty() {
                hostvars.insert(host.to_owned(), Value::Object(vars));
            }
        }
        out.insert("_meta".to_owned(), json!({"hostvars": hostvars, "profile": "inventory_legacy"}));
        Value::Object(out)
    }

    fn list_group<'a>(
        &'a self,
        group: &'a Group,
        shown: &HashSet<&str>,
        view: &View<'_>,
        seen: &mut HashSet<&'a str>,
        out: &mut Map<String, Value>,
    ) {
        let mut entry = Map::new();
        if &*group.name != "all" {
            let hosts: Vec<_> = self.direct_hosts_of(group).map(|h| &*h.name).filter(|h| shown.contains(h)).collect();
            insert(&mut entry, "hosts", json!(hosts));
        }
        let children: Vec<_> = self.children_of(group).map(|g| &*g.name).collect();
        insert(&mut entry, "children", json!(children));
        for child in self.children_of(group) {
            if seen.insert(&child.name) {
                self.list_group(child, shown, view, seen, out);
            }
        }
        if view.export {
            insert(&mut entry, "vars", Value::Object(self.group_object(group, view)));
        }
        if !entry.is_empty() {
            out.insert(group.name.to_string(), Value::Object(entry));
        }
    }

    /// `--list --yaml`: the same as a YAML inventory, each host's variables where it comes up first.
    pub fn list_tree(&self, view: &View<'_>) -> Value {
        let hosts = self.shown(view).into_iter().collect();
        let mut seen = (HashSet::new(), HashSet::new());
        let all = self.all();
        let entry = self.tree_group(all, &hosts, view, &mut seen);
        if entry.is_empty() { json!({}) } else { json!({ "all": entry }) }
    }

    fn tree_group<'a>(
        &'a self,
        group: &'a Group,
        shown: &HashSet<&str>,
        view: &View<'_>,
        seen: &mut (HashSet<&'a str>, HashSet<&'a str>),
    ) -> Map<String, Value> {
        let mut children = Map::new();
        for child in self.children_of(group) {
            if !seen.0.insert(&child.name) {
                children.insert(child.name.to_string(), json!({}));
                continue;
            }
            let entry = self.tree_group(child, shown, view, seen);
            if !entry.is_empty() {
                children.insert(child.name.to_string(), Value::Object(entry));
            }
        }
        let mut hosts = Map::new();
        for host in self.direct_hosts_of(group).filter(|h| &*group.name != "all" && shown.contains(&*h.name)) {
            let first = seen.1.insert(&host.name);
            let vars = if first { self.host_object(&host.name, view) } else { Map::new() };
            hosts.insert(host.name.to_string(), Value::Object(vars));
        }
        let mut entry = Map::new();
        insert(&mut entry, "children", Value::Object(children));
        insert(&mut entry, "hosts", Value::Object(hosts));
        if view.export {
            insert(&mut entry, "vars", Value::Object(self.group_object(group, view)));
        }
        entry
    }

    /// `--host`: a host's variables, sorted by name.
    pub fn host_object(&self, host: &str, view: &View<'_>) -> Map<String, Value> {
        let mut vars = IndexMap::new();
        match self.host_id(host).filter(|_| view.export) {
            Some(id) => self
                .own_layers(id, view.beside_playbooks)
                .into_iter()
                .for_each(|l| vars.extend(l.iter().map(|(k, v)| (&**k, v)))),
            None => vars = self.merged(host).unwrap_or_default(),
        }
        let mut out = object(vars);
        let extra = view.extra_vars.filter(|_| !view.export).into_iter().flatten();
        out.extend(extra.filter(|(name, _)| !INTERNAL.contains(&name.as_str())).map(|(k, v)| (k.clone(), v.clone())));
        out.sort_keys();
        out
    }

    /// A group's own variables, sorted by name, with its priority where that is not 1.
    fn group_object(&self, group: &Group, view: &View<'_>) -> Map<String, Value> {
        let mut vars = object(self.group_layers(&group.name, view.beside_playbooks).unwrap_or_default());
        if group.priority != 1 {
            vars.insert("ansible_group_priority".to_owned(), Value::from(group.priority));
        }
        vars.sort_keys();
        vars
    }

    /// `--graph`: the tree below a group, as text without a final line break; `None` if there is no such group.
    pub fn graph(&self, group: &str, with_vars: bool, view: &View<'_>) -> Option<String> {
        let mut lines = Vec::new();
        self.graph_group(self.group(group)?, 0, with_vars, view, &mut lines);
        Some(lines.join("\n"))
    }

    fn graph_group(&self, group: &Group, depth: usize, with_vars: bool, view: &View<'_>, lines: &mut Vec<String>) {
        lines.push(branch(&format!("@{}:", group.name), depth));
        for child in self.children_of(group) {
            self.graph_group(child, depth + 1, with_vars, view, lines);
        }
        if &*group.name != "all" {
            for host in self.direct_hosts_of(group) {
                lines.push(branch(&host.name, depth + 1));
                if with_vars {
                    graph_vars(&self.host_object(&host.name, view), depth + 2, lines);
                }
            }
        }
        if with_vars {
            graph_vars(&self.group_object(group, view), depth + 1, lines);
        }
    }

    fn all(&self) -> &Group {
        &self.groups[0]
    }

    fn shown<'a>(&'a self, view: &View<'a>) -> Vec<&'a str> {
        view.only.map_or_else(|| self.hosts_in("all"), |only| only.hosts.clone())
    }
}

fn graph_vars(vars: &Map<String, Value>, depth: usize, lines: &mut Vec<String>) {
    for (name, value) in vars {
        lines.push(branch(&format!("{{{name} = {}}}", python::text(value)), depth));
    }
}

fn branch(name: &str, depth: usize) -> String {
    if depth == 0 { name.to_owned() } else { format!("{}--{name}", "  |".repeat(depth)) }
}

/// Inserts what is not empty.
fn insert(map: &mut Map<String, Value>, key: &str, value: Value) {
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    if !empty {
        map.insert(key.to_owned(), value);
    }
}

/// The variables sorted by name, without those that Ansible sets itself.
fn object(vars: IndexMap<&str, &Var>) -> Map<String, Value> {
    let mut out: Map<String, Value> = vars
        .into_iter()
        .filter(|(name, _)| !INTERNAL.contains(name))
        .map(|(name, var)| (name.to_owned(), (*var.value).clone()))
        .collect();
    out.sort_keys();
    out
}

/// Names that belong to Ansible; `ansible-inventory` leaves them out.
const INTERNAL: [&str; 33] = [
    "ansible_async_path",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "groups",
    "group_names",
    "hostvars",
    "playbook_dir",
    "play_hosts",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
];
