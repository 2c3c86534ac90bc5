//! How a task went.

use serde::{Deserialize, Serialize};

use crate::{
    module::{Because, Severity},
    plan::TaskId,
};

/// The engine's verdict on a task, or on one item of its loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Everything is as declared.
    Unchanged,
    /// It was changed, and a second look agrees.
    Changed,
    /// A check: it would be changed.
    WouldChange,
    /// A check: that cannot be known, because of the effects of these earlier tasks.
    MayChange {
        /// The tasks whose effects are not known.
        because: Because,
    },
    /// As declared, but something was found; the worst of the findings.
    Finding {
        /// How much it matters.
        severity: Severity,
    },
    /// It did not run.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// It was tried and failed.
    Failed {
        /// What was tried and why it failed.
        failure: Failure,
    },
    /// It was changed, and a second look still differs.
    NotConverged {
        /// The properties that still differ.
        properties: Vec<String>,
    },
    /// It was changed, and taken back because its transaction failed.
    RolledBack {
        /// The task that failed, or the transaction's own if the validation did.
        because: TaskId,
    },
}

/// Why a task did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum SkipReason {
    /// `when:` does not hold.
    Condition {
        /// The condition that does not hold.
        when: String,
    },
    /// A handler that nothing notified.
    NotNotified,
    /// The loop has no items.
    EmptyLoop,
    /// Every item of the loop was skipped.
    AllItems,
    /// The module's own guard (`creates`, `removes`).
    Guard {
        /// What the guard found.
        found: String,
    },
    /// A check does not run it, and it is declared to change nothing.
    NotRehearsed,
    /// A check: it changes nothing, and what it reads is not known.
    Unknown {
        /// The tasks whose effects are not known.
        because: Because,
    },
    /// A task that it depends on failed, or was itself skipped for that reason.
    Dependency {
        /// The task that failed.
        task: TaskId,
    },
    /// It stands under `rescue`, and nothing in its block failed.
    NothingFailed,
    /// The play was ended (`meta: end_play`, `end_host`).
    Ended,
    /// The operator interrupted the run before it began.
    Interrupted,
    /// Its setting is not enforced here.
    Rollout {
        /// The setting.
        setting: String,
        /// Why, in the words that a person reads.
        why: String,
        /// What enforcing it would have come to; `None` where nobody looked.
        would: Option<Status>,
    },
}

/// A failure as it crosses a process or the wire: words, never an error type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was tried and why it failed, one line.
    pub message: String,
    /// The reasons behind it, outermost first.
    pub causes: Vec<String>,
    /// What to do next, if something is known.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with its message only.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), causes: Vec::new(), hint: None }
    }

    /// A failure from an error and the chain of its sources.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Failure { message: error.to_string(), causes, hint: None }
    }

    /// With what to do next.
    #[must_use]
    pub fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An outcome without its details: what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// [`Outcome::Unchanged`].
    Unchanged,
    /// [`Outcome::Changed`].
    Changed,
    /// [`Outcome::WouldChange`].
    WouldChange,
    /// [`Outcome::MayChange`].
    MayChange,
    /// [`Outcome::Finding`].
    Finding,
    /// [`Outcome::Skipped`].
    Skipped,
    /// [`Outcome::Failed`].
    Failed,
    /// [`Outcome::NotConverged`].
    NotConverged,
    /// [`Outcome::RolledBack`].
    RolledBack,
    /// A failure that made the `rescue` of its block run: the host has not failed by it.
    Rescued,
}

impl Outcome {
    /// The outcome without its details.
    pub fn status(&self) -> Status {
        match self {
            Outcome::Unchanged => Status::Unchanged,
            Outcome::Changed => Status::Changed,
            Outcome::WouldChange => Status::WouldChange,
            Outcome::MayChange { .. } => Status::MayChange,
            Outcome::Finding { .. } => Status::Finding,
            Outcome::Skipped { .. } => Status::Skipped,
            Outcome::Failed { .. } => Status::Failed,
            Outcome::NotConverged { .. } => Status::NotConverged,
            Outcome::RolledBack { .. } => Status::RolledBack,
        }
    }

    /// Whether it failed: it could not be done, or it was done and did not hold.
    pub fn is_failure(&self) -> bool {
        matches!(self, Outcome::Failed { .. } | Outcome::NotConverged { .. })
    }

    /// Whether tasks that depend on this one can go on.
    pub fn is_success(&self) -> bool {
        !self.is_failure()
            && !matches!(self, Outcome::RolledBack { .. })
            && !matches!(self, Outcome::Skipped { reason: SkipReason::Dependency { .. } | SkipReason::Interrupted })
    }
}
