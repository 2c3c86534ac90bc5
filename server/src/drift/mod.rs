//! What is known of items and hosts, before and after a run.

use std::collections::HashMap;

use rectify_core::event::Event;
use sqlx::AnyConnection;

use crate::store::{Head, StoreError};

/// The events of a run, in order; a run that broke off ends early.
pub type Events<'a> = &'a mut (dyn Iterator<Item = Event> + Send);

/// Takes what a run said into the items, the transitions and the hosts' states. It is called within the transaction that takes the run into the index,
/// after the rows of `runs`, `hosts` and `looks` were written; `hosts` has their ids by name. A run that is taken in twice changes nothing the second
/// time: the caller sees to that, and calls this once for a run.
///
/// # Errors
/// A database that cannot be written: then nothing of the run is in the index.
pub async fn take_in(
    _write: &mut AnyConnection,
    _run: &Head,
    _hosts: &HashMap<String, i64>,
    _events: Events<'_>,
) -> Result<(), StoreError> {
    Ok(())
}
