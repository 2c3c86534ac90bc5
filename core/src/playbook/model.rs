//! A playbook after reading: everything static is carried out, what depends on the host is left.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::{arg::Arg, diag::Span, module::Module, plan};

use super::{files::Files, module::ModuleInfo};

/// Playbooks that were read, with all their imports and roles.
///
/// It holds no host's variables: it is read once and compiled for every host.
pub struct Playbook {
    /// The plays, in order, imported playbooks in their place.
    pub plays: Vec<PlayDef>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) modules: HashMap<&'static str, Arc<ModuleInfo>>,
    /// Whether all names of variables are known: one that is not there then does not exist.
    pub(crate) whole: bool,
    /// Every name that a task sets on the host: registered results and `set_fact`.
    pub(crate) set_names: BTreeSet<Arc<str>>,
    /// Every variable name that some template reads, itself or through other variables of the playbook.
    pub(crate) read_names: BTreeSet<Arc<str>>,
}

impl std::fmt::Debug for Playbook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playbook").field("plays", &self.plays.len()).finish_non_exhaustive()
    }
}

impl Playbook {
    /// Every setting that a task belongs to, with each place that names it.
    pub fn settings(&self) -> Vec<(&str, Span)> {
        let tasks = self.plays.iter().flat_map(|play| &play.tasks);
        tasks.filter_map(|t| Some((t.proto.rollout.as_ref()?.setting.as_str(), t.rollout_span?))).collect()
    }
}

/// How the tasks of a play are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As they are listed, but for those with `needs`.
    #[default]
    Listed,
    /// By what they name and touch.
    Graph,
}

/// `true`, `false`, or a template that says which.
#[derive(Debug, Clone, PartialEq)]
pub enum Flag {
    /// Known.
    Fixed(bool),
    /// To be rendered for a host.
    Template(String, Span),
}

/// `become` and its companions, where they were said; inner ones win one by one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Become {
    /// `become:`.
    pub on: Option<Flag>,
    /// `become_user:`, perhaps a template.
    pub user: Option<String>,
    /// `become_method:`.
    pub method: Option<String>,
    /// `become_flags:`.
    pub flags: Option<String>,
}

impl Become {
    /// These, and where they are silent, those around them.
    #[must_use]
    pub(crate) fn within(self, outer: &Become) -> Become {
        Become {
            on: self.on.or_else(|| outer.on.clone()),
            user: self.user.or_else(|| outer.user.clone()),
            method: self.method.or_else(|| outer.method.clone()),
            flags: self.flags.or_else(|| outer.flags.clone()),
        }
    }
}

/// A variable that a template or an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Use {
    pub(crate) name: Arc<str>,
    pub(crate) span: Span,
    /// It may be undefined there (`is defined`, `default`).
    pub(crate) guarded: bool,
}

/// A set of variables and where each was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct VarSet {
    pub(crate) values: Map<String, Value>,
    pub(crate) defs: HashMap<Arc<str>, VarDef>,
}

/// What a variable's value reads.
#[derive(Debug, Clone)]
pub(crate) struct VarDef {
    pub(crate) uses: Arc<Vec<Use>>,
}

impl VarSet {
    /// Adds those of `other`, which win.
    pub(crate) fn extend(&mut self, other: &VarSet) {
        self.values.extend(other.values.iter().map(|(k, v)| (k.clone(), v.clone())));
        self.defs.extend(other.defs.iter().map(|(k, v)| (k.clone(), v.clone())));
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
        self.defs.remove(name);
    }
}

/// A scope as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopeDef {
    pub(crate) parent: Option<usize>,
    pub(crate) vars: VarSet,
    /// Those of `vars` that are parameters of a role or an include: above results and set facts.
    pub(crate) params: BTreeSet<String>,
    /// A role's own defaults where another role of the play has another value for the name: below the inventory.
    pub(crate) defaults: VarSet,
}

/// A play.
pub struct PlayDef {
    /// Its `name:`, or its hosts.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The same, for the plan.
    pub origin: plan::Origin,
    /// The host pattern; a list is joined by commas. May be a template over `-e` variables.
    pub hosts: String,
    /// Where the pattern stands.
    pub hosts_span: Span,
    /// `order:`.
    pub order: Order,
    /// The folder of the playbook file.
    pub dir: PathBuf,
    /// `gather_facts:`, if it was said.
    pub gather_facts: Option<bool>,
    /// `connection:`.
    pub connection: Option<String>,
    /// `remote_user:`.
    pub remote_user: Option<String>,
    /// `become:` and companions.
    pub r#become: Become,
    /// `tags:`.
    pub tags: Vec<String>,
    /// Tasks first, then handlers.
    pub tasks: Vec<TaskDef>,
    /// The index of the first handler in [`PlayDef::tasks`].
    pub handlers_from: usize,
    pub(crate) defaults: VarSet,
    pub(crate) vars: VarSet,
    pub(crate) scopes: Vec<ScopeDef>,
    pub(crate) groups: Vec<Group>,
    /// Blocks whose failure has consequences.
    pub(crate) blocks: Vec<BlockDef>,
    /// Includes of which each host takes one part, outer ones after those within.
    pub(crate) includes: Vec<super::Include>,
    /// The namespace around each namespace of ids.
    pub(crate) space_parents: Vec<usize>,
    /// What orders its tasks whatever the host.
    pub(crate) edges: crate::compile::StaticEdges,
    /// Names that some task of the play registers.
    pub(crate) registered: BTreeSet<Arc<str>>,
}

/// What a sequence consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Task(usize),
    Group(usize),
}

/// A block, a role, or imported tasks: a sequence that `needs` can name. The first one of a play is the play itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) id: Option<(String, Span)>,
    pub(crate) needs: Option<Vec<(String, Span)>>,
    /// Which part of the block around it this is.
    pub(crate) section: Option<plan::Section>,
    pub(crate) items: Vec<Item>,
    /// Ids are looked up in this namespace first, then outward.
    pub(crate) space: usize,
    /// The namespace that its own id is in.
    pub(crate) outer_space: usize,
}

/// A block with `rescue`, `always` or `transaction`.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockDef {
    /// Where it stands itself.
    pub(crate) within: Option<(usize, plan::Section)>,
    /// If it is a transaction: its tasks, and the one that ends it.
    pub(crate) transaction: Option<(std::ops::Range<usize>, usize)>,
}

/// A task as it was read; all that it inherits is carried out.
pub struct TaskDef {
    /// What the plan says, with numbers that count within the play.
    pub(crate) proto: plan::Task,
    /// Its `name:` or its module's word.
    pub(crate) span: Span,
    /// `None` for `meta`.
    pub(crate) module: Option<&'static dyn Module>,
    pub(crate) arg_spans: HashMap<String, (Span, Span)>,
    pub(crate) scope: Option<usize>,
    /// The block and the part of it that it stands in.
    pub(crate) place: Option<(usize, plan::Section)>,
    pub(crate) r#become: Become,
    pub(crate) no_log: Flag,
    pub(crate) check_mode: Option<Flag>,
    pub(crate) loop_span: Span,
    pub(crate) id: Option<(String, Span)>,
    pub(crate) needs: Option<Vec<(String, Span)>>,
    pub(crate) space: usize,
    pub(crate) notify_spans: Vec<Span>,
    pub(crate) uses: Vec<Use>,
    /// What the arguments alone read.
    pub(crate) arg_uses: Vec<Use>,
    /// Names that its conditions test with `is defined`: it runs only where they exist.
    pub(crate) tested: BTreeSet<String>,
    /// Everything it reads, itself or through variables of the playbook.
    pub(crate) reads: Vec<crate::compile::Read>,
    /// What its arguments and its loop read.
    pub(crate) arg_reads: Vec<crate::compile::Read>,
    /// What `src` and the loop read, if `src` is a template.
    pub(crate) src_reads: Vec<crate::compile::Read>,
    /// What `become`, `no_log` and `check_mode` read, if one of them is a template.
    pub(crate) flag_reads: Option<Vec<crate::compile::Read>>,
    /// The names that `src` may come to, as far as its parts are known.
    pub(crate) src_choices: Vec<String>,
    /// The folders in which `src` is looked for, without the `files` or `templates` below them; nearest first.
    pub(crate) search: Arc<Vec<PathBuf>>,
    /// All tasks above it come first and all below it later, in any order of the play.
    pub(crate) barrier: bool,
    /// Where its setting was named.
    pub(crate) rollout_span: Option<Span>,
}

impl TaskDef {
    /// What the plan will say of it, before anything is rendered for a host.
    pub fn plan(&self) -> &plan::Task {
        &self.proto
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }
}

/// What a task inherits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited {
    pub(crate) when: Vec<plan::Expr>,
    pub(crate) uses: Vec<Use>,
    pub(crate) tags: Vec<String>,
    pub(crate) notify: Vec<(String, Span)>,
    pub(crate) r#become: Become,
    pub(crate) environment: IndexMap<String, Arg>,
    pub(crate) no_log: Option<Flag>,
    pub(crate) check_mode: Option<Flag>,
    pub(crate) ignore_errors: Option<plan::Expr>,
    pub(crate) rollout: Option<SettingUse>,
}

/// `rollout:`: the setting that tasks belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingUse {
    pub(crate) setting: String,
    pub(crate) on: plan::RolloutOn,
    pub(crate) span: Span,
}
