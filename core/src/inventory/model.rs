//! The inventory itself: columns of hosts and groups that refer to each other by number.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::diag::Span;

/// The names that mean this machine even where no inventory lists them.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// A variable's value and where it was set.
#[derive(Clone, Debug)]
pub struct Var {
    /// The value, templates not rendered; shared by all hosts of one range.
    pub value: Arc<Value>,
    /// Where it was set; the start of the output for what a script printed.
    pub at: Span,
    /// Whether it came out of a file that is vaulted as a whole.
    pub secret: bool,
}

/// The variables that one file (or one section of a file) sets, in order.
pub type Vars = IndexMap<Arc<str>, Var>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupId(pub(super) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct HostId(pub(super) u32);

/// A host as the sources declare it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name in the inventory.
    pub name: Arc<str>,
    /// Where it was named first.
    pub at: Span,
    pub(super) groups: Vec<GroupId>,
    pub(super) vars: Vars,
    pub(super) source: Option<Arc<str>>,
}

/// A group as the sources declare it.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// Where it was named first; `all` and `ungrouped` may be named nowhere.
    pub at: Option<Span>,
    /// `ansible_group_priority`: among groups of the same depth the higher wins; 1 unless set.
    pub priority: i64,
    /// The longest way down from `all`; deeper groups win.
    pub depth: u32,
    pub(super) hosts: Vec<HostId>,
    pub(super) children: Vec<GroupId>,
    pub(super) parents: Vec<GroupId>,
    pub(super) vars: Vars,
}

/// The variables of one `group_vars` and `host_vars` pair.
#[derive(Clone, Debug, Default)]
pub(super) struct VarsDir {
    pub(super) groups: HashMap<GroupId, Vars>,
    pub(super) hosts: HashMap<HostId, Vars>,
}

/// All hosts, groups and variables of the sources.
///
/// Variables stay where they were set and are merged per host when asked for, so loading costs nothing per host and variable of its
/// groups. Cheap to share (`Arc<Inventory>`), immutable after loading.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub(super) hosts: Vec<Host>,
    pub(super) host_ids: HashMap<Arc<str>, HostId>,
    pub(super) groups: Vec<Group>,
    pub(super) group_ids: HashMap<Arc<str>, GroupId>,
    pub(super) localhost: Option<HostId>,
    /// The variables of this machine where no source lists it.
    pub(super) implicit: Vars,
    /// Beside the sources, in the order of the sources.
    pub(super) beside_sources: Vec<VarsDir>,
    /// Beside the playbooks.
    pub(super) beside_playbooks: Vec<VarsDir>,
}

impl Inventory {
    pub(super) fn group_id(&self, name: &str) -> Option<GroupId> {
        self.group_ids.get(name).copied()
    }

    pub(super) fn host_id(&self, name: &str) -> Option<HostId> {
        self.host_ids.get(name).copied()
    }

    pub(super) fn group_at(&self, id: GroupId) -> &Group {
        &self.groups[id.0 as usize]
    }

    pub(super) fn host_at(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    /// The host of this name; this machine needs no entry to be selected, but has none here then.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.host_id(name).map(|id| self.host_at(id))
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.group_id(name).map(|id| self.group_at(id))
    }

    /// How many hosts the sources name.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// All groups in the order in which they were named, `all` and `ungrouped` first.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The hosts of a group and of the groups below it, each once, in Ansible's order; none for an unknown group.
    pub fn hosts_in(&self, group: &str) -> Vec<&str> {
        let ids = self.group_id(group).map(|id| self.members(id)).unwrap_or_default();
        ids.into_iter().map(|id| &*self.host_at(id).name).collect()
    }

    /// The names of a host's groups and of all groups above them, sorted, without `all`: Ansible's `group_names`.
    pub fn group_names(&self, host: &str) -> Vec<&str> {
        let Some(host) = self.host_id(host) else { return vec![] };
        let mut names: Vec<_> =
            self.groups_of(host).into_iter().filter(|g| g.0 != 0).map(|g| &*self.group_at(g).name).collect();
        names.sort_unstable();
        names
    }

    /// The groups directly below a group, in order.
    pub fn children_of<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Group> {
        group.children.iter().map(|id| self.group_at(*id))
    }

    /// The hosts directly in a group, in order.
    pub fn direct_hosts_of<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Host> {
        group.hosts.iter().map(|id| self.host_at(*id))
    }

    /// A group's hosts, level by level from the group down.
    pub(super) fn members(&self, group: GroupId) -> Vec<HostId> {
        let mut seen_groups = vec![false; self.groups.len()];
        let mut seen_hosts = vec![false; self.hosts.len()];
        let mut queue = vec![group];
        let mut out = Vec::new();
        seen_groups[group.0 as usize] = true;
        let mut next = 0;
        while let Some(&id) = queue.get(next) {
            let group = self.group_at(id);
            for host in &group.hosts {
                if !std::mem::replace(&mut seen_hosts[host.0 as usize], true) {
                    out.push(*host);
                }
            }
            for child in &group.children {
                if !std::mem::replace(&mut seen_groups[child.0 as usize], true) {
                    queue.push(*child);
                }
            }
            next += 1;
        }
        out
    }

    /// A host's groups and all above them, the weakest first: by depth, then priority, then name.
    pub(super) fn groups_of(&self, host: HostId) -> Vec<GroupId> {
        let mut all: Vec<GroupId> = self.host_at(host).groups.clone();
        let mut next = 0;
        while let Some(&id) = all.get(next) {
            for parent in &self.group_at(id).parents {
                if !all.contains(parent) {
                    all.push(*parent);
                }
            }
            next += 1;
        }
        all.sort_by(|a, b| {
            let (a, b) = (self.group_at(*a), self.group_at(*b));
            (a.depth, a.priority, &a.name).cmp(&(b.depth, b.priority, &b.name))
        });
        all
    }

    /// Sets every group's depth to the longest way down from a group without parents.
    pub(super) fn depths(&mut self) {
        let mut open: Vec<usize> = self.groups.iter().map(|g| g.parents.len()).collect();
        let mut ready: Vec<usize> = (0..open.len()).filter(|g| open[*g] == 0).collect();
        while let Some(id) = ready.pop() {
            let depth = self.groups[id].depth + 1;
            for child in self.groups[id].children.clone() {
                let child = child.0 as usize;
                self.groups[child].depth = self.groups[child].depth.max(depth);
                open[child] -= 1;
                if open[child] == 0 {
                    ready.push(child);
                }
            }
        }
    }
}
