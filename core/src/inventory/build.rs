//! Carrying out the steps of the readers.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::model::{Group, GroupId, Host, HostId, Inventory, LOCALHOST, Var, Vars};
use super::read::{Step, Steps};
use crate::diag::{Diagnostic, Diagnostics, Span};

/// Builds an inventory source by source.
pub(super) struct Builder<'a> {
    pub(super) inventory: Inventory,
    pub(super) found: &'a mut Diagnostics,
    /// The source that is being read, as hosts will name it in `inventory_file`.
    pub(super) source: Option<Arc<str>>,
}

impl Inventory {
    /// Of hosts that are known by nothing but their names and the names of the groups that each is in: patterns choose among them.
    pub fn of_names<'n>(hosts: impl IntoIterator<Item = (&'n str, &'n [String])>) -> Self {
        let mut found = Diagnostics::new();
        let mut builder = Builder::new(&mut found);
        for (name, groups) in hosts {
            let host = builder.host(&Arc::from(name), None, Span::default());
            for group in groups {
                let group = builder.group(group, None);
                builder.add_host(group, host);
            }
        }
        builder.reconcile();
        builder.inventory
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(found: &'a mut Diagnostics) -> Self {
        let mut builder = Self { inventory: Inventory::default(), found, source: None };
        builder.group("all", None);
        builder.group("ungrouped", None);
        builder.add_child(GroupId(0), GroupId(1), Span::default());
        builder
    }

    /// Carries out a source's steps, or none of them if it is not readable.
    pub(super) fn run(&mut self, steps: Steps) -> bool {
        let failed = steps.failed();
        self.found.extend(steps.problems);
        if failed {
            return false;
        }
        for step in steps.steps {
            self.step(step);
        }
        true
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Group { name, at } => {
                self.group(&name, Some(at));
            }
            Step::Child { group, child, at } => {
                let group = self.group(&group, Some(at));
                if let Some(child) = self.inventory.group_id(&child) {
                    self.add_child(group, child, at);
                } else if let Some(host) = self.inventory.host_id(&child) {
                    self.add_host(group, host);
                }
            }
            Step::Host { name, group, port, at } => {
                let group = group.map(|g| self.group(&g, Some(at)));
                let host = self.host(&name, port, at);
                if let Some(group) = group {
                    self.add_host(group, host);
                }
            }
            Step::Var { of, key, value, at } => self.set(&of, key, value, at),
        }
    }

    /// Sets a variable; a name that a group and a host share means the group, as in Ansible.
    fn set(&mut self, of: &str, key: Arc<str>, value: Arc<Value>, at: Span) {
        if !is_variable(&key) {
            let text = format!("`{key}` is no valid name of a variable, templates cannot use it");
            self.found.push(Diagnostic::warning("inventory-variable-name", text).at(at, ""));
        }
        if let Some(group) = self.inventory.group_id(of) {
            if &*key == "ansible_group_priority" {
                self.priority(group, &value, at);
                return;
            }
            self.inventory.groups[group.0 as usize].vars.insert(key, Var { value, at, secret: false });
        } else if let Some(host) = self.inventory.host_id(of) {
            self.inventory.hosts[host.0 as usize].vars.insert(key, Var { value, at, secret: false });
        }
    }

    fn priority(&mut self, group: GroupId, value: &Value, at: Span) {
        let number = match value {
            Value::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)),
            Value::Bool(b) => Some(i64::from(*b)),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(n) => self.inventory.groups[group.0 as usize].priority = n,
            None => {
                let text = "`ansible_group_priority` must be an integer";
                self.found.push(Diagnostic::error("inventory-priority", text).at(at, ""));
            }
        }
    }

    pub(super) fn group(&mut self, name: &str, at: Option<Span>) -> GroupId {
        if let Some(id) = self.inventory.group_id(name) {
            return id;
        }
        let name: Arc<str> = Arc::from(name);
        let id = GroupId(u32::try_from(self.inventory.groups.len()).expect("fewer than 2^32 groups"));
        self.inventory.group_ids.insert(name.clone(), id);
        self.inventory.groups.push(Group {
            name,
            at,
            hosts: vec![],
            children: vec![],
            parents: vec![],
            vars: Vars::new(),
            priority: 1,
            depth: 0,
        });
        id
    }

    pub(super) fn host(&mut self, name: &Arc<str>, port: Option<u64>, at: Span) -> HostId {
        if let Some(id) = self.inventory.host_id(name) {
            return id;
        }
        let id = HostId(u32::try_from(self.inventory.hosts.len()).expect("fewer than 2^32 hosts"));
        let mut vars = Vars::new();
        if let Some(port) = port.filter(|p| *p != 0) {
            vars.insert(Arc::from("ansible_port"), Var { value: Arc::new(Value::from(port)), at, secret: false });
        }
        if LOCALHOST.contains(&&**name) {
            if let Some(first) = self.inventory.localhost {
                let first = &self.inventory.hosts[first.0 as usize];
                let text = format!("`{name}` and `{}` are both this machine", first.name);
                self.found.push(
                    Diagnostic::warning("inventory-localhost", text).at(at, "").also(first.at, "the first counts"),
                );
            } else {
                self.inventory.localhost = Some(id);
            }
        }
        self.inventory.host_ids.insert(name.clone(), id);
        let source = self.source.clone();
        self.inventory.hosts.push(Host { name: name.clone(), at, groups: vec![], vars, source });
        id
    }

    pub(super) fn add_host(&mut self, group: GroupId, host: HostId) {
        let groups = &mut self.inventory.hosts[host.0 as usize].groups;
        if !groups.contains(&group) {
            groups.push(group);
            self.inventory.groups[group.0 as usize].hosts.push(host);
        }
    }

    fn add_child(&mut self, parent: GroupId, child: GroupId, at: Span) {
        let name = |id: GroupId| self.inventory.groups[id.0 as usize].name.clone();
        if parent == child {
            let text = format!("the group `{}` cannot contain itself", name(parent));
            self.found.push(Diagnostic::error("inventory-cycle", text).at(at, ""));
            return;
        }
        if self.inventory.groups[parent.0 as usize].children.contains(&child) {
            return;
        }
        if let Some(path) = self.path(child, parent) {
            let path: Vec<_> = path.iter().map(|g| name(*g).to_string()).collect();
            let text = format!("groups contain each other: {} -> {}", path.join(" -> "), path[0]);
            let mut problem = Diagnostic::error("inventory-cycle", text).at(at, "this closes the circle");
            if let Some(first) = self.inventory.groups[child.0 as usize].at {
                problem = problem.also(first, format!("`{}` is declared here", path[0]));
            }
            self.found.push(problem);
            return;
        }
        self.inventory.groups[parent.0 as usize].children.push(child);
        self.inventory.groups[child.0 as usize].parents.push(parent);
    }

    /// The way down from one group to another, if there is one.
    fn path(&self, from: GroupId, to: GroupId) -> Option<Vec<GroupId>> {
        let mut came: IndexMap<GroupId, GroupId> = IndexMap::from([(from, from)]);
        let mut next = 0;
        while let Some((&group, _)) = came.get_index(next) {
            if group == to {
                let mut path = vec![group];
                while let Some(last) = path.last().copied().filter(|g| *g != from) {
                    path.push(came[&last]);
                }
                path.reverse();
                return Some(path);
            }
            for child in &self.inventory.groups[group.0 as usize].children {
                came.entry(*child).or_insert(group);
            }
            next += 1;
        }
        None
    }

    /// Ansible's rules after all sources: every group is below `all`, every host without a group is in `ungrouped` and no other host is.
    pub(super) fn reconcile(&mut self) {
        for id in 1..self.inventory.groups.len() {
            let group = &self.inventory.groups[id];
            if group.parents.is_empty() {
                let at = group.at.unwrap_or_default();
                self.add_child(GroupId(0), GroupId(id as u32), at);
            }
        }
        let ungrouped = GroupId(1);
        let mut leave = Vec::new();
        let mut join = Vec::new();
        for (at, host) in self.inventory.hosts.iter().enumerate() {
            let others = host.groups.iter().any(|g| g.0 > 1);
            match (host.groups.contains(&ungrouped), others) {
                (true, true) => leave.push(at),
                (false, false) => join.push(at),
                _ => {}
            }
        }
        for at in &leave {
            self.inventory.hosts[*at].groups.retain(|g| *g != ungrouped);
        }
        if !leave.is_empty() {
            let hosts = &self.inventory.hosts;
            let keep = |h: &HostId| hosts[h.0 as usize].groups.contains(&ungrouped);
            self.inventory.groups[1].hosts.retain(keep);
        }
        for at in join {
            self.add_host(ungrouped, HostId(at as u32));
        }
        self.inventory.depths();
        self.clashes();
    }

    fn clashes(&mut self) {
        for group in &self.inventory.groups {
            let Some(host) = self.inventory.host_id(&group.name) else { continue };
            let host = &self.inventory.hosts[host.0 as usize];
            let text = format!("`{}` is the name of a group and of a host", group.name);
            let mut problem = Diagnostic::warning("inventory-name-clash", text).at(host.at, "the host");
            if let Some(at) = group.at {
                problem = problem.also(at, "the group");
            }
            self.found.push(problem.note("variables set in the inventory under this name belong to the group"));
        }
    }
}

/// A Python identifier that is no keyword.
fn is_variable(name: &str) -> bool {
    const KEYWORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
        && !KEYWORDS.contains(&name)
}
