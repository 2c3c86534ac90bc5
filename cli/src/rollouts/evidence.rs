//! What a run saw of the settings, kept beside the journal.

use rectify_core::{
    rollout::{Assume, Gather, note_skips},
    text::chain,
};

use super::{Desk, Standing};

/// Keeps what a run saw. One that supposed a date or a stage saw nothing real.
///
/// # Errors
/// If the file cannot be written: the run itself went as it went.
pub(crate) fn keep(desk: &Desk, standing: &Standing, gather: &Gather) -> Result<(), String> {
    if desk.assume != Assume::default() {
        return Ok(());
    }
    let revision = |id: &str| desk.rollouts.settings.get(id).map_or(1, |s| s.revision.number);
    let mut looks = gather.looks(desk.now, revision, |host, setting| standing.print(host, setting));
    note_skips(&mut looks, gather, &desk.rollouts);
    desk.store.look(&looks).map_err(|e| format!("what was seen of the settings was not kept: {}", chain(&e)))
}
