//! What happens in a run, as events: the record from which every display, count and exit code is made.
//!
//! # The contract of the stream
//!
//! * The first event is [`RunEvent::Started`], the last is [`RunEvent::Finished`]; `seq` rises by one from 0.
//! * Per host: [`RunEvent::Connecting`], then either [`RunEvent::Unreachable`], or [`RunEvent::Connected`], then host
//!   events, then [`RunEvent::HostFinished`]; a host that is lost on the way ends with `Unreachable` instead.
//! * Before its tasks, a host may say once that it is held ([`HostEvent::Held`]), and what was found that no task looked
//!   for ([`HostEvent::Found`]).
//! * Per task: one [`HostEvent::TaskStarted`], any number of [`HostEvent::ItemFinished`], one
//!   [`HostEvent::TaskFinished`]. A task that is skipped has only the last. Every task of a host that ends with
//!   `HostFinished` finishes exactly once, a handler that was not notified included (skipped, not notified).
//!
//! [`RunState::apply`] is the one table of legal transitions; it refuses anything else.

mod change;
mod kept;
mod lines;
mod mask;
mod outcome;
mod state;

use serde::{Deserialize, Serialize};

pub use change::{Diff, PropertyChange, compare};
pub use kept::{HIDDEN, Keeper, Kept, POLICY, Property, Thing, Trace, is_hash, line_hash, lines_of, split_lines};
pub use outcome::{Failure, Outcome, SkipReason, Status};
pub use state::{Counts, HostPhase, HostState, IllegalTransition, RunState};

use crate::{
    hold::Hold,
    module::{Blocked, Finding},
    plan::{Mode, Origin, TaskId},
};

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the run, from 0.
    pub seq: u64,
    /// When the controller put it in order: microseconds since 1970, UTC.
    pub at: i64,
    /// What happened.
    #[serde(flatten)]
    pub what: RunEvent,
}

/// What happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run begins.
    Started {
        /// The run's id.
        run: String,
        /// Check or apply.
        mode: Mode,
        /// The playbooks as they were named.
        playbooks: Vec<String>,
        /// The hosts, in inventory order.
        hosts: Vec<String>,
        /// The version of the program.
        version: String,
    },
    /// A connection to the host is being made.
    Connecting {
        /// The host's name in the inventory.
        host: String,
    },
    /// The helper runs on the host and has the plan.
    Connected {
        /// The host's name in the inventory.
        host: String,
        /// The tasks that may run there.
        tasks: Vec<TaskInfo>,
    },
    /// Something happened on the host.
    Host {
        /// The host's name in the inventory.
        host: String,
        /// What.
        #[serde(flatten)]
        what: HostEvent,
    },
    /// The host could not be reached, or was lost.
    Unreachable {
        /// The host's name in the inventory.
        host: String,
        /// What was tried and why it failed.
        failure: Failure,
    },
    /// The host is through.
    HostFinished {
        /// The host's name in the inventory.
        host: String,
    },
    /// Something that the operator should know and that stops nothing.
    Warning {
        /// The host that it is about, if it is about one.
        host: Option<String>,
        /// One line.
        message: String,
    },
    /// The operator interrupted the run.
    Interrupted {
        /// Whether running commands were ended too.
        kill: bool,
    },
    /// The run is over.
    Finished,
}

/// What a display needs to know of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Its number in the host's plan.
    pub id: TaskId,
    /// Its name as written.
    pub name: String,
    /// The module's word.
    pub module: String,
    /// The role that it comes from.
    pub role: Option<String>,
    /// The play's name.
    pub play: String,
    /// Where it stands.
    pub origin: Origin,
    /// Whether it is a handler.
    pub handler: bool,
    /// The setting that it belongs to, and where the host stands with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<crate::plan::Rollout>,
}

/// What happens on a host. Made by the helper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on_host", rename_all = "snake_case")]
pub enum HostEvent {
    /// A task begins.
    TaskStarted {
        /// Which.
        task: TaskId,
        /// Its name with templates rendered, as far as that could be done.
        name: String,
    },
    /// One item of a task's loop is done.
    ItemFinished {
        /// Which task.
        task: TaskId,
        /// The item's label.
        item: String,
        /// How it went.
        report: Box<TaskReport>,
    },
    /// A task is done.
    TaskFinished {
        /// Which.
        task: TaskId,
        /// How it went; for a loop, the items together.
        report: Box<TaskReport>,
    },
    /// A transaction failed: what these tasks had changed was taken back. Each of them has finished.
    RolledBack {
        /// The tasks that had changed something, in the order in which they ended.
        tasks: Vec<TaskId>,
        /// The task that failed, or the transaction's own if the validation did.
        because: TaskId,
    },
    /// The host's operators hold it: nothing is changed, and what follows is what a check sees, also in an apply. Before any task.
    Held {
        /// Who, until when and why.
        hold: Hold,
    },
    /// Something was found that no task looked for, such as a hold that has expired. Before any task.
    Found {
        /// What.
        finding: Finding,
    },
    /// Something that the operator should know and that stops nothing.
    Notice {
        /// The task that it is about, if it is about one.
        task: Option<TaskId>,
        /// One line.
        message: String,
    },
}

/// How a task, or an item of its loop, went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The outcome.
    pub outcome: Outcome,
    /// What the task manages: a path, a name. Empty if it was not looked at.
    pub subject: String,
    /// Every property that changed or would change.
    pub changes: Vec<PropertyChange>,
    /// What was seen and wanted of the things that it manages, in short; `None` where nothing was seen, and where it may not be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kept: Option<Kept>,
    /// What was found and is not repaired.
    pub findings: Vec<Finding>,
    /// How often enforcing the task's setting would have blocked something, if that was counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blocked: Option<Blocked>,
    /// Lines for the operator (`debug`).
    pub messages: Vec<String>,
    /// The registered result, if the run is verbose; masked for `no_log`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<serde_json::Value>,
    /// Whether a failure was ignored because the task says so.
    #[serde(default)]
    pub ignored: bool,
    /// Whether a failure is the cause of the `rescue` of its block to run: the host has not failed by it.
    #[serde(default)]
    pub rescued: bool,
    /// How long it took, microseconds.
    pub took: u64,
}

impl TaskReport {
    /// A report with nothing but an outcome.
    pub fn of(outcome: Outcome) -> Self {
        TaskReport {
            outcome,
            subject: String::new(),
            changes: Vec::new(),
            kept: None,
            findings: Vec::new(),
            blocked: None,
            messages: Vec::new(),
            result: None,
            ignored: false,
            rescued: false,
            took: 0,
        }
    }
}
