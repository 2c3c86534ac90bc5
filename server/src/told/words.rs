//! What outcomes are called.

use rectify_core::{
    event::{SkipReason, Status},
    plan::TaskId,
};

/// A status in words, for a sentence that ends with hosts: `would change`.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Unchanged => "unchanged",
        Status::Changed => "changed",
        Status::WouldChange => "would change",
        Status::MayChange => "may change",
        Status::Finding => "finding",
        Status::Skipped => "skipped",
        Status::Failed => "failed",
        Status::NotConverged => "not converged",
        Status::RolledBack => "rolled back",
        Status::Rescued => "rescued",
    }
}

/// What a task of an observed setting would have come to, in words.
pub fn would(status: Status) -> &'static str {
    match status {
        Status::Changed | Status::WouldChange => "would change",
        Status::MayChange => "may change",
        Status::Failed | Status::NotConverged | Status::RolledBack => "would fail",
        Status::Rescued => "would be rescued",
        Status::Unchanged | Status::Finding | Status::Skipped => self::status(status),
    }
}

/// Why a task did not run.
pub fn reason(reason: &SkipReason, tasks: &dyn Fn(&[TaskId]) -> String) -> String {
    match reason {
        SkipReason::Condition { when } => format!("`{when}` does not hold"),
        SkipReason::NotNotified => "not notified".into(),
        SkipReason::EmptyLoop => "the loop has no items".into(),
        SkipReason::AllItems => "every item was skipped".into(),
        SkipReason::Guard { found } => found.clone(),
        SkipReason::NotRehearsed => "not run in a check, and declared to change nothing".into(),
        SkipReason::Unknown { because } => {
            format!(
                "it changes nothing, and what it reads is not known in a check because of {}",
                tasks(because.as_slice())
            )
        }
        SkipReason::Dependency { task } => format!("it comes after {}, which failed", tasks(&[*task])),
        SkipReason::NothingFailed => "nothing in its block failed".into(),
        SkipReason::Ended => "the play was ended".into(),
        SkipReason::Interrupted => "interrupted".into(),
        SkipReason::Rollout { why, .. } => why.clone(),
    }
}
