//! The outbox: what is to be told, until it was.
//!
//! A row is put in once for an address and what it tells, within the transaction that marks that as told. Who delivers one counts `tries` up and
//! puts `next_try` off by a lease: two servers never deliver the same row at once, and where one does not come back, the other takes it up after the
//! lease. A server that dies between the receiver's answer and the note of it leaves a row that is delivered again, with the same Message-ID.

use jiff::{SignedDuration, Timestamp};
use rectify_core::digest::hex;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, Row as _};

use crate::{
    channels::Message,
    store::{Store, StoreError},
};

/// How long what was delivered or given up is kept for people to read.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The most rows that are taken up at once.
const MOST: i64 = 500;

/// A row that is due.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) id: String,
    /// From when its patience counts: when it was put in, or when somebody had it tried anew.
    pub(super) since: i64,
    pub(super) channel: String,
    /// Attempts so far, this one included once it is claimed: what tells two attempts apart.
    pub(super) tries: i64,
    /// Of these, the attempts that count no longer.
    pub(super) forgiven: i64,
}

/// The id of what these tell this address: the same whoever makes it, and whenever.
pub(super) fn id<'a>(address: &str, told: impl Iterator<Item = &'a str>) -> String {
    let mut told: Vec<&str> = told.collect();
    told.sort_unstable();
    let said = serde_json::json!([address, told]).to_string();
    hex(&Sha256::digest(said)[..16])
}

/// Puts a message in for one address, unless it is there; `recipient` is for people.
pub(super) async fn put(
    write: &mut AnyConnection,
    id: &str,
    channel: &str,
    recipient: &str,
    message: &Message,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let body = serde_json::json!(message).to_string();
    let add = sqlx::query(
        "INSERT INTO outbox (id, at, recipient, channel, subject, body, next_try) VALUES ($1, $2, $3, $4, $5, $6, $2) \
         ON CONFLICT (id) DO NOTHING",
    );
    let add = add.bind(id.to_owned()).bind(now).bind(recipient.to_owned()).bind(channel.to_owned());
    let done = add.bind(message.letter.subject.clone()).bind(body).execute(write).await?;
    Ok(done.rows_affected() == 1)
}

/// Whether this was put in before.
pub(super) async fn has(read: &mut AnyConnection, id: &str) -> Result<bool, sqlx::Error> {
    let one = sqlx::query("SELECT id FROM outbox WHERE id = $1").bind(id.to_owned());
    Ok(one.fetch_optional(read).await?.is_some())
}

/// What is due, the oldest first.
pub(super) async fn due(store: &Store, now: i64) -> Result<Vec<Due>, StoreError> {
    let all = sqlx::query(
        "SELECT id, COALESCE(revived, at) AS since, channel, tries, forgiven FROM outbox \
         WHERE delivered IS NULL AND dead IS NULL AND next_try <= $1 ORDER BY at, id LIMIT $2",
    );
    let rows = all.bind(now).bind(MOST).fetch_all(store.pool()).await.map_err(|e| store.error(e))?;
    let due = rows.iter().map(|row| {
        Ok(Due {
            id: row.try_get("id")?,
            since: row.try_get("since")?,
            channel: row.try_get("channel")?,
            tries: row.try_get("tries")?,
            forgiven: row.try_get("forgiven")?,
        })
    });
    due.collect::<Result<_, sqlx::Error>>().map_err(|e| store.error(e))
}

/// Takes a row until `lease`, and gives back its body; `None` where somebody else was quicker. From then on, `due.tries` is the number that this
/// attempt goes by.
pub(super) async fn claim(store: &Store, due: &mut Due, now: i64, lease: i64) -> Result<Option<String>, StoreError> {
    let take = sqlx::query(
        "UPDATE outbox SET tries = tries + 1, next_try = $1 \
         WHERE id = $2 AND tries = $3 AND next_try <= $4 AND delivered IS NULL AND dead IS NULL RETURNING body",
    );
    let take = take.bind(lease).bind(due.id.clone()).bind(due.tries).bind(now);
    let row = take.fetch_optional(store.pool()).await.map_err(|e| store.error(e))?;
    due.tries += 1;
    row.map(|row| row.try_get("body").map_err(|e| store.error(e))).transpose()
}

/// Writes down that a row was delivered.
pub(super) async fn delivered(store: &Store, due: &Due, now: i64) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE outbox SET delivered = $1, trouble = NULL WHERE id = $2 AND tries = $3");
    let done = done.bind(now).bind(due.id.clone()).bind(due.tries).execute(store.pool()).await;
    done.map(drop).map_err(|e| store.error(e))
}

/// Writes down that an attempt failed, and when the next one is; `None` gives the row up.
pub(super) async fn failed(
    store: &Store,
    due: &Due,
    trouble: &str,
    now: i64,
    next: Option<i64>,
) -> Result<(), StoreError> {
    let dead = next.is_none().then_some(now);
    let note = sqlx::query("UPDATE outbox SET trouble = $1, next_try = $2, dead = $3 WHERE id = $4 AND tries = $5");
    let note = note.bind(trouble.to_owned()).bind(next.unwrap_or(now)).bind(dead).bind(due.id.clone()).bind(due.tries);
    note.execute(store.pool()).await.map(drop).map_err(|e| store.error(e))
}

/// Leaves an address alone until `next`: it did not answer.
pub(super) async fn spare(store: &Store, channel: &str, next: i64) -> Result<(), StoreError> {
    let wait = sqlx::query(
        "UPDATE outbox SET next_try = $1 \
         WHERE channel = $2 AND next_try < $1 AND delivered IS NULL AND dead IS NULL",
    );
    let done = wait.bind(next).bind(channel.to_owned()).execute(store.pool()).await;
    done.map(drop).map_err(|e| store.error(e))
}

/// Removes what was delivered or given up long ago.
pub(super) async fn prune(write: &mut AnyConnection, now: Timestamp) -> Result<(), sqlx::Error> {
    let before = (now - KEPT).as_microsecond();
    let old = sqlx::query("DELETE FROM outbox WHERE at < $1 AND (delivered IS NOT NULL OR dead IS NOT NULL)");
    old.bind(before).execute(write).await.map(drop)
}
