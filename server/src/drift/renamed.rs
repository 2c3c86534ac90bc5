//! What is known of a host by two names, put together.

use std::collections::HashMap;

use rectify_core::drift::{Cause, Item, Judged, Known, Look, hashes, judge};
use sqlx::{AnyConnection, Row as _};

use super::rows::{self, Covered, Items};
use crate::store::StoreError;

/// Gives what is known of the items of the host `from` to the host `to`, which is the same one. What the newer looks know stays; what they found open without knowing what was left
/// is judged anew, from what the older ones know was left. Of everything else, what the older ones know is known on.
///
/// # Errors
/// A database that cannot be written.
pub(crate) async fn rename(db: &mut AnyConnection, from: i64, to: i64) -> Result<(), StoreError> {
    let mut all = rows::read(db, &[from, to]).await?;
    let mut names = [from, to].map(|host| all.remove(&host).unwrap_or_default());
    // A run of another machine may have been taken in late.
    names.sort_by_key(|items| items.values().map(|known| known.looked).max());
    let [before, now] = names;
    let look = look(&now);
    let lines = rows::lines(db, &hashes(&before, &look).into_iter().collect()).await?;
    let items: Vec<_> = both(before, now, &look, &lines).into_iter().map(|(key, known)| (to, key, known)).collect();
    rows::write(db, &items).await?;
    let query = sqlx::query("SELECT cover, at, playbooks FROM covers WHERE host = $1").bind(from);
    let mut covers: Vec<Covered> = Vec::new();
    for row in query.fetch_all(&mut *db).await? {
        covers.push((to, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    }
    rows::cover(db, &covers, &[to]).await?;
    Ok(())
}

/// What the newer looks know, as one that comes after everything that the older ones know.
fn look(now: &Items) -> Look {
    let item = |(key, known): (&_, &Known)| {
        let known = known.clone();
        let item = Item {
            key: Clone::clone(key),
            seen: known.seen,
            wanted: known.wanted,
            settled: false,
            implied: false,
            at: known.since,
            setting: known.setting,
            task: known.task,
            origin: known.origin,
            difference: known.difference,
            traces: known.traces,
        };
        (item.key.clone(), item)
    };
    Look { began: i64::MAX, items: now.iter().map(item).collect(), ..Look::default() }
}

fn both(mut before: Items, mut now: Items, look: &Look, lines: &HashMap<String, String>) -> Items {
    for Judged { key, now: judged, .. } in judge(&before, look, &|hash| lines.get(hash).cloned()) {
        match (judged, now.get_mut(&key)) {
            (Some(judged), Some(known)) if known.cause == Cause::New => {
                known.left = judged.left;
                known.cause = judged.cause;
                known.since = judged.since;
                known.before = judged.before.or(known.before);
                // The newer ones count as one there.
                known.looks = judged.looks.saturating_sub(1).saturating_add(known.looks);
                known.traces = judged.traces;
            }
            (None, _) => drop(before.remove(&key)),
            _ => {}
        }
    }
    before.extend(now);
    before
}
