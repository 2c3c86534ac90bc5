//! Holds that were put on hosts here: nothing is changed there until they are over, as if the host's own operators held it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Unit};
use rectify_core::hold::Hold;
use serde_json::json;
use sqlx::{Any, AnyConnection, Executor, Row as _, any::AnyRow};

use super::Refused;
use crate::store::{By, Store, StoreError, done};

/// The longest that a host is held from here.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The longest reason, bytes.
const REASON: usize = 500;

/// The holds that are in force at `now`, by host.
///
/// # Errors
/// A database that cannot be read.
pub async fn holds(store: &Store, now: Timestamp) -> Result<BTreeMap<String, Hold>, StoreError> {
    read(store.pool(), now).await
}

pub(super) async fn read<'e>(
    db: impl Executor<'e, Database = Any>,
    now: Timestamp,
) -> Result<BTreeMap<String, Hold>, StoreError> {
    let query = sqlx::query("SELECT host, author, until, reason FROM holds WHERE until > $1");
    let rows = query.bind(now.as_microsecond()).fetch_all(db).await?;
    let hold = |row: &AnyRow| -> Result<_, StoreError> {
        let until = Timestamp::from_microsecond(row.try_get(2)?).unwrap_or(Timestamp::MAX);
        Ok((row.try_get(0)?, Hold { by: row.try_get(1)?, until, reason: row.try_get(3)? }))
    };
    rows.iter().map(hold).collect()
}

/// Puts a hold on these hosts, instead of one that is there, and writes it into the log of actions.
///
/// # Errors
/// A hold without a reason, one that is over, one for more than 30 days, and a database that cannot be written: then nothing was done.
pub async fn hold(store: &Store, hosts: &[&str], hold: &Hold, by: By<'_>, now: Timestamp) -> Result<(), Refused> {
    let mut write = store.write().await?;
    for host in hosts {
        put(&mut write, host, hold, now).await?;
        let detail = json!({ "until": hold.until, "reason": hold.reason });
        done(&mut write, by, now, ("hold", host), &detail).await?;
    }
    Ok(write.commit().await?)
}

/// Ends the hold of a host and writes that into the log of actions; says whether there was one.
///
/// # Errors
/// A database that cannot be written: then nothing was done.
pub async fn release(store: &Store, host: &str, by: By<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let mut write = store.write().await?;
    let was = take(&mut write, host).await?;
    if was {
        done(&mut write, by, now, ("release", host), &json!({})).await?;
    }
    write.commit().await?;
    Ok(was)
}

/// Puts a hold on a host.
pub(super) async fn put(write: &mut AnyConnection, host: &str, hold: &Hold, now: Timestamp) -> Result<(), Refused> {
    if hold.reason.is_empty() || hold.reason.len() > REASON {
        return Err(Refused(format!("a hold needs a reason of at most {REASON} bytes")));
    }
    if hold.until <= now || hold.until > now.checked_add(LONGEST).unwrap_or(Timestamp::MAX) {
        return Err(Refused("a hold ends after now and within 30 days".into()));
    }
    let query = sqlx::query(
        "INSERT INTO holds (host, author, began, until, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (host) DO UPDATE SET \
         author = excluded.author, began = excluded.began, until = excluded.until, reason = excluded.reason",
    );
    // To the second: people read it.
    let until = hold.until.round(Unit::Second).unwrap_or(hold.until);
    let query = query.bind(host).bind(&hold.by).bind(now.as_microsecond()).bind(until.as_microsecond());
    Ok(query.bind(&hold.reason).execute(write).await.map(drop)?)
}

/// Takes the hold off a host; whether there was one.
pub(super) async fn take(write: &mut AnyConnection, host: &str) -> Result<bool, StoreError> {
    let query = sqlx::query("DELETE FROM holds WHERE host = $1").bind(host);
    Ok(query.execute(write).await?.rows_affected() > 0)
}
