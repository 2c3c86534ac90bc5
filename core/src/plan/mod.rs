//! The plan of one host: names and data, never code.
//!
//! A plan is what the controller makes of playbook and inventory for one host, and all that the helper is told. It can be
//! printed, saved, compared and sent. Templates in it are text; they are rendered on the host, where facts and registered
//! results are known.

mod found;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{arg::Arg, hold::Hold};
pub use found::{Found, found_names};

/// A task's number within a host's plan: its index in [`Plan::tasks`], the same in every event about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u32);

/// A scope's number: its index in [`Plan::scopes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeId(pub u32);

/// A block's number: its index in [`Plan::blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockId(pub u32);

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A rehearsal: nothing is written.
    Check,
    /// For real.
    Apply,
}

/// Where something stands in the operator's files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The file as it is shown to a person.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// An expression (`when:`, `until:` …) and where it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expr {
    /// The bare expression, without braces.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Everything that one host is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The run's id, unique on the controller.
    pub run: String,
    /// The host's name in the inventory.
    pub host: String,
    /// Check or apply.
    pub mode: Mode,
    /// The host's variables from the inventory, magic variables included.
    pub inventory_vars: serde_json::Map<String, serde_json::Value>,
    /// `-e`: above everything else.
    pub extra_vars: serde_json::Map<String, serde_json::Value>,
    /// The plays that this host is in, in order; each starts when the one before it has ended.
    pub plays: Vec<Play>,
    /// All tasks and handlers, by [`TaskId`]; a play owns a contiguous range.
    pub tasks: Vec<Task>,
    /// Variable scopes of roles, blocks and tasks, by [`ScopeId`]; a parent stands before its children.
    pub scopes: Vec<Scope>,
    /// Blocks whose failure has consequences, by [`BlockId`]; an outer one stands before those within.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// Texts among the values of this plan that are shown nowhere: what was encrypted, and passwords.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Every file that the tasks place, by the lower-case hexadecimal SHA-256 of its content: its size in bytes.
    pub blobs: BTreeMap<String, u64>,
    /// How to run.
    pub options: Options,
}

/// How the helper runs a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Options {
    /// How many tasks of this host may run side by side, at least 1.
    pub parallel: u32,
    /// Whether file contents go into the changes that are reported (`--no-diff` turns it off).
    pub diff: bool,
    /// Text longer than this many bytes is reported by size and hash, not by its lines.
    pub diff_limit: u64,
    /// Whether every result is reported in full (`-v`).
    pub verbose: u8,
    /// The contents whose lines the controller knows, as [`Property`](crate::event::Property) has them: of others the lines are reported, as
    /// hashes. Without it nobody asks for lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<BTreeSet<String>>,
    /// Whether what the host knows of when and by whom something was changed is reported, where it is not as wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub traces: bool,
    /// A hold that the controller knows of: it counts like one of the host's own operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

impl Default for Options {
    fn default() -> Self {
        Options { parallel: 4, diff: true, diff_limit: 1 << 20, verbose: 0, known: None, traces: false, hold: None }
    }
}

/// A play as one host sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Play {
    /// Its `name:`, or its hosts.
    pub name: String,
    /// Where it stands.
    pub origin: Origin,
    /// Its first task.
    pub first: TaskId,
    /// How many tasks and handlers it owns, from [`Play::first`] on.
    pub count: u32,
    /// Role defaults: below the inventory's variables.
    pub defaults: serde_json::Map<String, serde_json::Value>,
    /// `vars`, `vars_files` and role variables: above the inventory's.
    pub vars: serde_json::Map<String, serde_json::Value>,
    /// Whether facts are gathered before the first task.
    pub gather_facts: bool,
}

/// Variables that hold for some tasks of a play.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scope {
    /// The scope around this one.
    pub parent: Option<ScopeId>,
    /// The variables; their values may be templates.
    pub vars: serde_json::Map<String, serde_json::Value>,
    /// Parameters of a role or an include: above registered results and set facts.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// A part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `block:`.
    Body,
    /// `rescue:`: runs if a task of the body failed.
    Rescue,
    /// `always:`: runs however the others went.
    Always,
}

/// Where a task or a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// In which block.
    pub block: BlockId,
    /// In which part of it.
    pub section: Section,
}

/// A block with `rescue`, `always` or `transaction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Where it stands itself, if it is within another.
    pub within: Option<Place>,
    /// `transaction:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Transaction>,
}

/// `transaction:` on a block: what its tasks change is kept if all of them go well and the whole is valid, and taken back otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The task that ends it. It has the commands that say whether the whole is valid, in the argument `validate`.
    pub end: TaskId,
}

/// Why a task waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// `needs:` names it.
    Declared,
    /// The play is `order: listed` and it stands above.
    Listed,
    /// The other one makes what this one uses; the text says what, such as `directory /etc/app`.
    Resource(String),
    /// It reads the other one's registered result of this name.
    Register(String),
    /// It reads a variable or fact that the other one sets.
    Variable(String),
    /// It stands under `rescue` of the block whose task the other one is: it runs if one of these failed.
    Rescue,
    /// It stands under `always` of the block whose task the other one is: it runs however that one goes.
    Always,
    /// One of them is a `meta` task, or a section of the play ends between them.
    Barrier,
}

/// An edge of the plan's graph, seen from the later task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The task that comes first.
    pub on: TaskId,
    /// Why.
    pub why: Reason,
}

/// `loop:` and `loop_control:`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loop {
    /// The list, or a template that gives one.
    pub over: Arg,
    /// Whether lists within the list are flattened by one level (`with_items`).
    pub flatten: bool,
    /// Whether `over` is a mapping whose entries are looped over (`with_dict`).
    pub dict: bool,
    /// The name of the loop variable, `item` by default.
    pub var: String,
    /// The name of the index variable, from 0.
    pub index_var: Option<String>,
    /// A template that names an item on the screen.
    pub label: Option<String>,
}

/// `until:`, `retries:` and `delay:`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Retry {
    /// The condition to wait for; `None`: success.
    pub until: Vec<Expr>,
    /// How many times it is tried again after the first failure.
    pub retries: u32,
    /// Seconds between two tries.
    pub delay: f64,
}

/// A handler's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handler {
    /// What `notify:` may say: its name and its `listen:` topics.
    pub topics: Vec<String>,
}

/// A file of the controller that a task places on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Path below the source folder for an entry of a folder, empty for the file itself.
    pub below: String,
    /// Hash of the content, a key of [`Plan::blobs`]; `None` for a folder.
    pub sha256: Option<String>,
    /// The permission bits that it has on the controller (`mode: preserve`).
    pub mode: u32,
    /// Whether it is encrypted on the controller: its content is shown nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// What a host does with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutMode {
    /// Nothing.
    Off,
    /// It looks what the setting would change, and changes nothing.
    Observe,
    /// It has the setting.
    Enforce,
}

impl std::fmt::Display for RolloutMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RolloutMode::Off => "off",
            RolloutMode::Observe => "observe",
            RolloutMode::Enforce => "enforce",
        })
    }
}

/// When a task of a setting runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutOn {
    /// Where it is enforced; where it is observed, it is rehearsed.
    Enforce,
    /// Only where it is observed: it measures what enforcing would block.
    Observe,
    /// Only once the setting is retired: it undoes.
    Retired,
}

/// A task's setting, as one host stands with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The setting's id.
    pub setting: String,
    /// When the task runs.
    pub on: RolloutOn,
    /// What the host does with the setting.
    pub mode: RolloutMode,
    /// Why, in the words that a person reads.
    pub why: String,
}

/// One task, or one handler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Its `name:`, perhaps with templates; the module's word if it has none.
    pub name: String,
    /// The name of the role that it comes from.
    pub role: Option<String>,
    /// Where it stands.
    pub origin: Origin,
    /// The module's word, such as `file`.
    pub module: String,
    /// The arguments, aliases already replaced; always a [`Arg::Map`].
    pub args: Arg,
    /// The variables it sees.
    pub scope: Option<ScopeId>,
    /// All must hold, outermost block first.
    pub when: Vec<Expr>,
    /// `loop:`.
    pub r#loop: Option<Loop>,
    /// The name of the variable that gets the result.
    pub register: Option<String>,
    /// Topics that are notified when it changed something; may be templates.
    pub notify: Vec<String>,
    /// Set if this is a handler: it runs at the end of the play, or at `meta: flush_handlers`, if it was notified.
    pub handler: Option<Handler>,
    /// The account that it runs as, if not the one that the helper runs as; may be a template.
    pub become_user: Option<String>,
    /// `changed_when:`; `None` if not given, an empty list never stands here.
    pub changed_when: Option<Vec<Expr>>,
    /// `failed_when:`.
    pub failed_when: Option<Vec<Expr>>,
    /// `ignore_errors:` as an expression (`true`, `false`, or one that is evaluated after a failure).
    pub ignore_errors: Option<Expr>,
    /// `until:`.
    pub retry: Option<Retry>,
    /// Whether arguments, results and differences are kept from every output.
    pub no_log: bool,
    /// `environment:` for commands; values may be templates.
    pub environment: IndexMap<String, Arg>,
    /// `check_mode:`: `Some(false)` runs it even in a check (it is declared to change nothing), `Some(true)` only rehearses
    /// it even in an apply.
    pub check_mode: Option<bool>,
    /// Where it stands, if in a block whose failure has consequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The files of the controller that `src` may name: rendered `src` text to what it stands for.
    pub files: BTreeMap<String, Vec<FileRef>>,
    /// The templates that a template of this task includes, by the names that it gives them: keys of [`Plan::blobs`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, String>,
    /// `with_first_found`, or a lookup `first_found` in the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// What the file of an `include_tasks` or `include_vars` may be called once rendered, and the variables that it brings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// `rollout:`: the setting that it belongs to, and whether it runs here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The tasks that come first, and why. Only tasks of the same play.
    pub needs: Vec<Edge>,
    /// `tags:`, its blocks' and roles' included; for display.
    pub tags: Vec<String>,
}

impl Plan {
    /// The task with this number.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id.0 as usize)
    }

    /// The parts of blocks that a task stands in, innermost first.
    pub fn places(&self, task: &Task) -> impl Iterator<Item = Place> {
        // A plan comes over the wire: blocks that stand in each other end all the same.
        let out = |place: &Place| self.blocks.get(place.block.0 as usize).and_then(|block| block.within);
        std::iter::successors(task.place, out).take(self.blocks.len())
    }
}
