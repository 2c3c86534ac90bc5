//! What outcomes are called.

use rectify_core::event::{HostPhase, HostState, Outcome, SkipReason, Status, TaskReport};
use rectify_remote::run::NOT_BEGUN;
pub(crate) use rectify_server::told::words::{status, would};

use crate::theme::Meaning;

/// How many tasks of a host were only observed, because their setting is not enforced there.
pub(crate) fn observed(host: &HostState) -> u64 {
    host.reports.values().filter(|report| is_observed(report)).count() as u64
}

/// Whether a host would change once its settings are enforced.
pub(crate) fn changes_later(host: &HostState) -> bool {
    host.reports.values().any(|report| match &report.outcome {
        Outcome::Skipped { reason: SkipReason::Rollout { would, .. } } => {
            matches!(would, Some(Status::Changed | Status::WouldChange | Status::MayChange))
        }
        _ => false,
    })
}

fn is_observed(report: &TaskReport) -> bool {
    matches!(&report.outcome, Outcome::Skipped { reason: SkipReason::Rollout { would: Some(_), .. } })
}

/// How many tasks of a host ended how, in the order in which that is told: number, word, meaning. A failure that is
/// ignored is none.
pub(crate) fn counts(host: &HostState) -> Vec<(u64, &'static str, Meaning)> {
    let of = |s: Status| {
        let elsewhere = match s {
            Status::Failed => host.ignored,
            Status::Skipped => observed(host),
            _ => 0,
        };
        (host.counts.get(s).saturating_sub(elsewhere), status(s), meaning(s))
    };
    let more = [(observed(host), "observed", Meaning::Unsure), (host.ignored, "ignored", Meaning::Skipped)];
    COUNTED.into_iter().map(of).chain(more).collect()
}

/// The statuses in the order in which they are counted.
const COUNTED: [Status; 10] = [
    Status::Unchanged,
    Status::Changed,
    Status::WouldChange,
    Status::MayChange,
    Status::Finding,
    Status::Skipped,
    Status::RolledBack,
    Status::Rescued,
    Status::Failed,
    Status::NotConverged,
];

/// Whether a host was left alone because the run was interrupted, and did not fail.
pub(crate) fn not_begun(phase: &HostPhase) -> bool {
    matches!(phase, HostPhase::Unreachable(failure) if failure.message == NOT_BEGUN)
}

/// Whether a host could not be reached, or was lost.
pub(crate) fn unreachable(phase: &HostPhase) -> bool {
    matches!(phase, HostPhase::Unreachable(_)) && !not_begun(phase)
}

/// What an interruption does.
pub(crate) fn interrupted(kill: bool) -> &'static str {
    match kill {
        false => "interrupted: running tasks finish, nothing new begins (Ctrl-C again ends them)",
        true => "interrupted again: running tasks are ended",
    }
}

/// What a status means, for its colour.
pub(crate) fn meaning(status: Status) -> Meaning {
    match status {
        Status::Unchanged => Meaning::Ok,
        Status::Changed | Status::WouldChange => Meaning::Changed,
        Status::MayChange | Status::Rescued => Meaning::Unsure,
        Status::Finding => Meaning::Finding,
        Status::Skipped => Meaning::Skipped,
        Status::Failed | Status::NotConverged | Status::RolledBack => Meaning::Failed,
    }
}
