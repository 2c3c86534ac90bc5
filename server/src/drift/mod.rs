//! What is known of items and hosts, before and after a run.
//!
//! ```text
//! events ─► core::drift::Fold ─► looks, some hundred hosts at a time
//!                                  │   rows of these hosts: items, covers, lines of contents, state
//!                                  ▼
//!                            core::drift::judge ─► items that changed, covers, contents, transitions, states
//! ```

mod batch;
mod hosts;
mod renamed;
mod rows;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rectify_core::{drift::Fold, event::Event};
use sqlx::AnyConnection;

pub(crate) use renamed::rename;
pub use seen::{Fixed, Open, fixed_items, forget_contents, known_contents, open_items};

use crate::store::{Head, StoreError};

/// How many hosts are judged at a time: their items are held in memory.
const HOSTS: usize = 250;

/// The events of a run, in order; a run that broke off ends early.
pub type Events<'a> = &'a mut (dyn Iterator<Item = Event> + Send);

/// Takes what a run said into the items, the transitions and the hosts' states. It is called within the transaction that takes the run into the index,
/// after the rows of `runs`, `hosts` and `looks` were written; `hosts` has their ids by name. A run that is taken in twice changes nothing the second
/// time: the caller sees to that, and calls this once for a run.
///
/// Hosts that the run did not come to the end with stay as they are known, and so does everything that the run did not look at. A run that is taken in
/// late changes nothing that was looked at since.
///
/// # Errors
/// A database that cannot be written: then nothing of the run is in the index.
pub async fn take_in(
    write: &mut AnyConnection,
    run: &Head,
    hosts: &HashMap<String, i64>,
    events: Events<'_>,
) -> Result<(), StoreError> {
    let mut fold = Fold::default();
    let mut looks = Vec::new();
    let playbooks = if run.partial { String::new() } else { rows::text(&run.playbooks) };
    for event in events {
        let Some(look) = fold.take(&event) else { continue };
        if let Some(id) = hosts.get(&look.host) {
            looks.push((*id, look));
        }
        if looks.len() >= HOSTS {
            batch::take_in(write, std::mem::take(&mut looks), &playbooks).await?;
        }
    }
    batch::take_in(write, looks, &playbooks).await
}
