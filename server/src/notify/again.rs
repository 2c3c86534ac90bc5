//! What was not delivered, and having it tried anew after it was given up.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    channels::shown,
    store::{By, Store, StoreError, done},
};

/// The most messages that are listed.
const MOST: i64 = 1_000;

/// A message that was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Its id.
    pub id: String,
    /// When it was written, microseconds since 1970.
    pub at: i64,
    /// For whom: the owners' names, or `operators`.
    pub recipient: String,
    /// Where to, without what may be a secret in it.
    pub channel: String,
    /// Its subject.
    pub subject: String,
    /// How often it was tried.
    pub tries: i64,
    /// When it is tried next, microseconds since 1970; `None`: it was given up.
    pub next: Option<i64>,
    /// Why the last attempt failed.
    pub trouble: Option<String>,
}

impl Undelivered {
    fn of(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let (dead, next): (Option<i64>, i64) = (row.try_get("dead")?, row.try_get("next_try")?);
        Ok(Undelivered {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            recipient: row.try_get("recipient")?,
            channel: shown(&row.try_get::<String, _>("channel")?),
            subject: row.try_get("subject")?,
            tries: row.try_get("tries")?,
            next: dead.is_none().then_some(next),
            trouble: row.try_get("trouble")?,
        })
    }
}

/// What was not delivered, the oldest first; at most 1,000.
///
/// # Errors
/// A database that cannot be read.
pub async fn undelivered(store: &Store) -> Result<Vec<Undelivered>, StoreError> {
    let all = sqlx::query(
        "SELECT id, at, recipient, channel, subject, tries, next_try, dead, trouble FROM outbox \
         WHERE delivered IS NULL ORDER BY at, id LIMIT $1",
    );
    let rows = all.bind(MOST).fetch_all(store.pool()).await.map_err(|e| store.error(e))?;
    rows.iter().map(Undelivered::of).collect::<Result<_, _>>().map_err(|e| store.error(e))
}

/// Has a message tried anew that was given up, or all of them, with all the attempts of a new one; says how many there were, and writes into the log of
/// actions who wanted it: both or neither.
///
/// # Errors
/// A database that cannot be written: then nothing was done.
pub async fn retry(store: &Store, id: Option<&str>, by: By<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let error = |e| store.error(e);
    let at = now.as_microsecond();
    let mut write = store.write().await?;
    let again = sqlx::query(
        "UPDATE outbox SET dead = NULL, revived = $1, next_try = $1, forgiven = tries \
         WHERE dead IS NOT NULL AND ($2 = 1 OR id = $3) RETURNING recipient",
    );
    let again = again.bind(at).bind(i64::from(id.is_none())).bind(id.unwrap_or_default());
    let rows = again.fetch_all(&mut *write).await.map_err(error)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut to: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(error)?;
    to.sort_unstable();
    to.dedup();
    let detail = json!({ "messages": rows.len(), "to": to });
    done(&mut write, by, now, ("retry", id.unwrap_or("all")), &detail).await.map_err(error)?;
    write.commit().await.map_err(error)?;
    Ok(rows.len())
}
