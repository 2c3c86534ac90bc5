//! When and by whom: how much of it a host's traces tell.

use super::{Item, Known};
use crate::event::Trace;

/// How far behind a host's clock may be, microseconds: what it dates earlier than that before a look that did not see a change is not of that change.
const SKEW: i64 = 5 * 60 * 1_000_000;

/// What a trace tells of a change, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tells {
    /// Nothing: it says only what is not known, or is older than the change.
    Nothing,
    /// When it was made.
    When,
    /// The program that made it.
    Program,
    /// The account that did.
    Account,
}

impl Tells {
    /// What a trace tells of a change that a look at `before` (microseconds since 1970, UTC; `None`: there was none) did not see yet.
    pub fn of(trace: &Trace, before: Option<i64>) -> Self {
        match trace {
            Trace { at: Some(at), .. } if before.is_some_and(|before| *at < before.saturating_sub(SKEW)) => {
                Tells::Nothing
            }
            Trace { account: Some(_), .. } => Tells::Account,
            Trace { program: Some(_), .. } => Tells::Program,
            Trace { at: Some(_), .. } => Tells::When,
            _ => Tells::Nothing,
        }
    }

    /// The most that one of them tells; `None` where there is none.
    pub fn most(traces: &[Trace], before: Option<i64>) -> Option<Self> {
        traces.iter().map(|trace| Tells::of(trace, before)).max()
    }
}

/// What is known of when and by whom an item came to be what a look saw. What was known stays, as long as the host has not moved further, where the look
/// tells less: it did not ask, or the host's logs have gone on since.
pub fn traces<'a>(old: Option<&'a Known>, item: &'a Item) -> &'a [Trace] {
    let tells = |traces: &[Trace], old: &Known| Tells::most(traces, old.before);
    let more = |old: &&Known| old.seen == item.seen && tells(&old.traces, old) > tells(&item.traces, old);
    old.filter(more).map_or(&item.traces, |old| &old.traces)
}
