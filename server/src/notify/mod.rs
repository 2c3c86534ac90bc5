//! What people are told of: transitions, each once.
//!
//! ```text
//! transitions ─► gather ─► happening ─► flapping ─► audience ─► notice ─► outbox ─► deliver ─► mail · web hook · stdout
//!                └──────────────────── one transaction ─────────────────┘
//! ```
//!
//! [`tick`] decides who is told of what, and [`deliver`] takes it there; neither reads a clock. A [`Teller`] does both as long as a server runs.

mod again;
mod audience;
mod deliver;
mod flapping;
mod gather;
mod happening;
pub mod metrics;
mod notice;
mod outbox;
mod settings;
mod teller;
#[cfg(test)]
mod tests;
mod who;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rectify_core::{rollout::Person, text::plain};
use sqlx::{AnyConnection, Row as _};

use self::{
    audience::{Audience, OPERATORS},
    notice::{Notice, To},
};
use crate::{
    channels::ChannelError,
    store::{Store, StoreError},
    templates::Templates,
    told::text::count,
};

pub use again::{Undelivered, retry, undelivered};
pub use deliver::{Delivered, deliver};
pub use happening::Kind;
pub use settings::{Address, Digest, NotifySettings, Only};
pub use teller::{Office, Say, Teller};

/// How often people are told at most, where nothing is gathered for a digest.
pub const PACE: SignedDuration = SignedDuration::from_mins(1);
/// What is older is told to nobody: the record was made anew, or nothing ran here for long.
const STALE: SignedDuration = SignedDuration::from_hours(48);

/// All that has a say in who is told what.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// `[notify]`.
    pub settings: &'a NotifySettings,
    /// How to reach owners: the inventory's `contacts`.
    pub people: &'a BTreeMap<String, Person>,
    /// How messages look.
    pub templates: &'a Templates,
    /// The right side of Message-IDs.
    pub domain: &'a str,
    /// How long nobody is told after somebody was, where nothing is gathered for a digest.
    pub pace: SignedDuration,
}

/// What came of a [`tick`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Transitions that were decided on.
    pub transitions: usize,
    /// Messages that were put into the outbox.
    pub messages: usize,
}

/// Why nobody was told. What was to be told is told the next time.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// Puts into the outbox what is to be told of the transitions that nobody was told of, if it is time for it, and marks them as told: both or neither.
///
/// # Errors
/// A database that cannot be read or written, or a built-in template that cannot be rendered: then nothing was done.
pub async fn tick(store: &Store, desk: &Desk<'_>, now: Timestamp) -> Result<Told, NotifyError> {
    let at = now.as_microsecond();
    let sql = |e| NotifyError::Store(store.error(e));
    let mut read = store.pool().acquire().await.map_err(sql)?;
    let stopped = stopped(&mut read, desk, now).await.map_err(sql)?;
    let idle = desk.settings.digest.is_none() && !gather::any(&mut read).await.map_err(sql)?;
    let due = !idle && is_due(desk, last(&mut read).await.map_err(sql)?, now);
    drop(read);
    if !due && stopped.is_empty() {
        return Ok(Told::default());
    }
    let mut write = store.write().await?;
    let mut told = Told::default();
    for (id, schedule, why) in &stopped {
        let subject = format!("Schedule {} stopped", plain(schedule, 100));
        told.messages += put_alarm(&mut write, store, desk, id, &Notice::said(&subject, why), at).await?;
    }
    // Whoever comes second waits here, and then finds that it was done.
    let first =
        sqlx::query("INSERT INTO marks (what, at) VALUES ('told', $1) ON CONFLICT (what) DO UPDATE SET at = marks.at");
    first.bind(if desk.settings.digest.is_some() { at } else { 0 }).execute(&mut *write).await.map_err(sql)?;
    if due && is_due(desk, last(&mut write).await.map_err(sql)?, now) {
        let done = decide(&mut write, store, desk, now).await?;
        told.transitions += done.transitions;
        told.messages += done.messages;
        let mark = sqlx::query("UPDATE marks SET at = $1 WHERE what = 'told'").bind(at);
        mark.execute(&mut *write).await.map_err(sql)?;
        outbox::prune(&mut write, now).await.map_err(sql)?;
    }
    write.commit().await.map_err(sql)?;
    Ok(told)
}

/// Tells operators of something that has no host: a configuration that could not be read again, a schedule that cannot run. `key` is the same for what
/// is to be told once.
///
/// # Errors
/// A database that cannot be written, or a built-in template that cannot be rendered.
pub async fn alarm(
    store: &Store,
    desk: &Desk<'_>,
    key: &str,
    subject: &str,
    text: &str,
    now: Timestamp,
) -> Result<(), NotifyError> {
    let mut write = store.write().await?;
    put_alarm(&mut write, store, desk, key, &Notice::said(subject, text), now.as_microsecond()).await?;
    write.commit().await.map_err(|e| store.error(e))?;
    Ok(())
}

async fn put_alarm(
    write: &mut AnyConnection,
    store: &Store,
    desk: &Desk<'_>,
    key: &str,
    notice: &Notice,
    at: i64,
) -> Result<usize, NotifyError> {
    let mut put = 0;
    for address in &desk.settings.operators {
        let id = outbox::id(address.uri(), std::iter::once(key));
        let to = To { name: OPERATORS, address: address.uri(), operators: true, domain: desk.domain };
        let message = notice.message(desk.templates, &id, &to)?;
        let new = outbox::put(write, &id, address.uri(), OPERATORS, &message, at).await;
        put += usize::from(new.map_err(|e| store.error(e))?);
    }
    Ok(put)
}

/// The rounds that were stopped lately and of which operators were not told: a key, the schedule, and why.
async fn stopped(
    read: &mut AnyConnection,
    desk: &Desk<'_>,
    now: Timestamp,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    let Some(first) = desk.settings.operators.first() else { return Ok(Vec::new()) };
    let all = sqlx::query(
        "SELECT id, schedule, why FROM rounds WHERE state = 'stopped' AND COALESCE(ended, began, due) >= $1 ORDER BY id LIMIT 100",
    );
    let rows = all.bind((now - STALE).as_microsecond()).fetch_all(&mut *read).await?;
    let mut new = Vec::new();
    for row in rows {
        let (id, why): (String, Option<String>) = (row.try_get("id")?, row.try_get("why")?);
        let key = format!("round/{id}");
        if !outbox::has(read, &outbox::id(first.uri(), std::iter::once(key.as_str()))).await? {
            new.push((
                key,
                row.try_get("schedule")?,
                format!("{id}: {}", why.unwrap_or_else(|| "no reason given".into())),
            ));
        }
    }
    Ok(new)
}

/// When people were last told; `None`: never.
async fn last(read: &mut AnyConnection) -> Result<Option<Timestamp>, sqlx::Error> {
    let row = sqlx::query("SELECT at FROM marks WHERE what = 'told'").fetch_optional(read).await?;
    let at = row.map(|row| row.try_get::<i64, _>("at")).transpose()?;
    Ok(at.and_then(|at| Timestamp::from_microsecond(at).ok()))
}

/// Whether it is time to tell people. A clock that was put back does not silence the server until it has caught up.
fn is_due(desk: &Desk<'_>, last: Option<Timestamp>, now: Timestamp) -> bool {
    match (&desk.settings.digest, last) {
        (_, Some(last)) if last > now => true,
        (None, Some(last)) => now.duration_since(last) >= desk.pace,
        (Some(digest), Some(last)) => digest.latest(now) > last,
        // The first time there is: it is noted, and a digest waits for its time.
        (_, None) => true,
    }
}

/// Decides who is told of what was not told.
async fn decide(
    write: &mut AnyConnection,
    store: &Store,
    desk: &Desk<'_>,
    now: Timestamp,
) -> Result<Told, NotifyError> {
    let (at, sql) = (now.as_microsecond(), |e| NotifyError::Store(store.error(e)));
    gather::forget(write, (now - STALE).as_microsecond(), at).await.map_err(sql)?;
    let groups = gather::untold(write).await.map_err(sql)?;
    let silent = flapping::silent(write).await.map_err(sql)?;
    let all = groups.iter().map(|rows| (rows.as_slice(), happening::of(rows))).collect();
    let (happenings, flaps) = flapping::sift(all, &silent);
    flapping::keep(write, &flaps).await.map_err(sql)?;
    let (audiences, unknown) = audience::audiences(desk.settings, desk.people, &happenings);
    let remarks: Vec<String> = unknown.iter().map(|(owner, n)| remark(owner, *n)).collect();
    let mut messages = 0;
    for (address, audience) in &audiences {
        let put = put_notice(write, store, desk, (address, audience), &remarks, at).await?;
        messages += usize::from(put);
    }
    let ids = groups.iter().flatten().map(|row| row.id.as_str());
    gather::told(write, ids, at).await.map_err(sql)?;
    Ok(Told { transitions: groups.iter().map(Vec::len).sum(), messages })
}

async fn put_notice(
    write: &mut AnyConnection,
    store: &Store,
    desk: &Desk<'_>,
    (address, audience): (&str, &Audience<'_>),
    remarks: &[String],
    at: i64,
) -> Result<bool, NotifyError> {
    let id = outbox::id(address, audience.happenings.iter().flat_map(|h| h.ids.iter().map(String::as_str)));
    let name = audience.name();
    let remarks = if audience.operators { remarks.to_vec() } else { Vec::new() };
    let to = To { name: &name, address, operators: audience.operators, domain: desk.domain };
    let message = Notice::of(&audience.happenings, remarks).message(desk.templates, &id, &to)?;
    let put = outbox::put(write, &id, address, &name, &message, at).await;
    Ok(put.map_err(|e| store.error(e))?)
}

fn remark(owner: &str, n: usize) -> String {
    let owner = plain(owner, 100);
    format!("{owner} was not told of {}: the inventory's `contacts` has no address of theirs.", count(n, "transition"))
}
