//! Hosts that have another name now.
//!
//! ```text
//! rename_host ─► asks whether it may be ─► rows go to the new name ─► hosts.jsonl ─► commit
//! catch_up ────► what hosts.jsonl says and the index does not know ─┘
//! ```

use std::collections::HashMap;

use jiff::{Timestamp, Unit};
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    By, RunFolder, Store, StoreError, done, forget, listed,
    names::{Names, Note},
    rows, values,
};
use crate::{
    drift,
    schedule::{Clock as _, SystemClock},
};

/// The longest name of a host, bytes.
const LONGEST: usize = 255;

/// Why a host is not renamed. But for what the database says, nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RenameError {
    /// It is not in the record.
    #[error("no host {0} is recorded")]
    Unknown(String),
    /// Both names are one.
    #[error("{0} is its name already")]
    Same(String),
    /// No host can be called so.
    #[error("{0:?} is no name of a host: 1 to {LONGEST} bytes without blanks and control characters")]
    Name(String),
    /// Both were reached at one time.
    #[error(
        "{old} was still looked at on {last}, and {new} since {first}: they were two hosts side by side. If {old} is gone: `rectify runs forget {old}`. If both are one host all \
         the same: `rectify runs forget {new}` drops what is known by the new name, then rename it again"
    )]
    Apart {
        /// The name that it is to lose.
        old: String,
        /// The name that it is to have.
        new: String,
        /// When the one was last reached.
        last: Timestamp,
        /// When the other was first reached, or its run began.
        first: Timestamp,
    },
    /// Somebody works on it.
    #[error("{what} goes on with {host}: rename it when that is over")]
    Busy {
        /// The run or the round.
        what: String,
        /// The name by which it has the host.
        host: String,
    },
    /// The record.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for RenameError {
    fn from(error: sqlx::Error) -> Self {
        RenameError::Store(error.into())
    }
}

/// The names of a host, before and after.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    old: &'a str,
    new: &'a str,
}

impl Store {
    /// Gives a host of the record, with everything that is known of it, another name, and writes that into the log of actions. What is known by the new name already goes
    /// with it; says whether anything was. Runs with the old name that are taken in later, and an index that is made again, know it by the new one.
    ///
    /// # Errors
    /// See [`RenameError`].
    pub async fn rename_host(&self, old: &str, new: &str, by: By<'_>, now: Timestamp) -> Result<bool, RenameError> {
        let pair = Pair { old, new };
        if old == new {
            return Err(RenameError::Same(old.to_owned()));
        }
        if new.is_empty() || new.len() > LONGEST || new.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(RenameError::Name(new.to_owned()));
        }
        let agreed = SystemClock.agreed(self).await?;
        let mut write = self.alone().await?;
        let Some(from) = id(&mut write, old).await? else { return Err(RenameError::Unknown(old.to_owned())) };
        self.is_in_a_run(pair).await?;
        is_in_a_round(&mut write, pair, agreed).await?;
        let to = id(&mut write, new).await?;
        let since = match to {
            Some(to) => first(&mut write, to).await?,
            None => None,
        };
        if let (Some(first), Some(last)) = (since, last(&mut write, from).await?)
            && first <= last
        {
            let (last, first) = (shown(last), shown(first));
            return Err(RenameError::Apart { old: old.to_owned(), new: new.to_owned(), last, first });
        }
        put(&mut write, pair, from, to, since).await?;
        done(&mut write, by, now, ("rename", new), &json!({ "from": old })).await?;
        let note = Note { at: now.as_microsecond(), host: old.to_owned(), now: Some(new.to_owned()), since };
        // Before the commit: what is said there and not in the index is done by the next who catches up.
        Names::add(self.folder(), &note)?;
        write.commit().await.map_err(|e| self.error(e))?;
        Ok(to.is_some())
    }

    /// Does what was said of hosts' names and the index does not know, as another machine took a run in late: see [`Names`].
    pub(super) async fn keep_names(&self) -> Result<(), StoreError> {
        let names = Names::read(self.folder())?;
        let lost = names.lost();
        let looked = self.last_looks(&lost).await?;
        for note in lost.into_iter().filter(|note| looked.get(&note.host).is_some_and(|last| *last < note.at)) {
            let mut write = self.alone().await?;
            if let Some(from) = id(&mut write, &note.host).await? {
                match &note.now {
                    None => forget::rows(&mut write, from).await?,
                    Some(new) => {
                        let to = id(&mut write, new).await?;
                        let pair = Pair { old: &note.host, new };
                        put(&mut write, pair, from, to, note.since).await?;
                    }
                }
            }
            write.commit().await.map_err(|e| self.error(e))?;
        }
        Ok(())
    }

    /// When hosts that have another name by now were last looked at by their old ones.
    async fn last_looks(&self, lost: &[&Note]) -> Result<HashMap<String, i64>, StoreError> {
        let mut looked = HashMap::new();
        for some in lost.chunks(rows(1)) {
            let text = format!(
                "SELECT name, last_look FROM hosts WHERE last_look IS NOT NULL AND name IN {}",
                values(1, some.len())
            );
            let query = listed(text, some.iter().map(|note| &note.host));
            for row in query.fetch_all(self.pool()).await.map_err(|e| self.error(e))? {
                looked.insert(row.try_get(0)?, row.try_get(1)?);
            }
        }
        Ok(looked)
    }

    /// Refuses where a run of this machine goes on with the host.
    async fn is_in_a_run(&self, pair: Pair<'_>) -> Result<(), RenameError> {
        let folders = RunFolder::all(self.folder())?;
        let known = self.known(&folders).await?;
        for folder in folders.iter().filter(|folder| !known.contains(folder.run()) && folder.is_running()) {
            let Ok(head) = folder.head() else { continue };
            if let Some(host) = head.hosts.iter().find(|host| [pair.old, pair.new].contains(&host.name.as_str())) {
                return Err(RenameError::Busy { what: format!("run {}", head.run), host: host.name.clone() });
            }
        }
        Ok(())
    }
}

/// Refuses where a server works on the host, or a round that is not over has it by its old name: it would be looked at, and corrected, by that.
async fn is_in_a_round(write: &mut AnyConnection, pair: Pair<'_>, now: Timestamp) -> Result<(), RenameError> {
    let busy = |what, host: &str| Err(RenameError::Busy { what, host: host.to_owned() });
    for host in [pair.old, pair.new] {
        let query =
            sqlx::query("SELECT holder FROM leases WHERE what = $1 AND until > $2").bind(format!("host:{host}"));
        if query.bind(now.as_microsecond()).fetch_optional(&mut *write).await?.is_some() {
            return busy("a schedule".to_owned(), host);
        }
    }
    let text = "SELECT r.schedule FROM jobs j JOIN rounds r ON r.id = j.round WHERE j.host = $1 AND j.state <> 'gone' \
                AND r.state IN ('waiting', 'looking', 'deciding', 'correcting')";
    match sqlx::query(text).bind(pair.old).fetch_optional(write).await? {
        Some(row) => busy(format!("a round of schedule {}", row.try_get::<String, _>(0)?), pair.old),
        None => Ok(()),
    }
}

/// The number of a host.
pub(super) async fn id(write: &mut AnyConnection, name: &str) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query("SELECT id FROM hosts WHERE name = $1").bind(name).fetch_optional(write).await?;
    row.map(|row| row.try_get(0)).transpose()
}

fn shown(micros: i64) -> Timestamp {
    let at = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
    at.round(Unit::Second).unwrap_or(at)
}

async fn number(write: &mut AnyConnection, text: &'static str, host: i64) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query(text).bind(host).fetch_one(write).await?.try_get(0)
}

/// When the first run began that reached a host. Its looks may have been pruned: its items are older then.
async fn first(write: &mut AnyConnection, host: i64) -> Result<Option<i64>, sqlx::Error> {
    let text = "SELECT CAST(MIN(x.at) AS BIGINT) FROM (SELECT COALESCE(r.began, l.at - l.took) AS at FROM looks l LEFT JOIN runs r ON r.id = l.run \
                WHERE l.host = $1 AND l.state <> 'unreachable' UNION ALL SELECT since AS at FROM items WHERE host = $1) x";
    number(write, text, host).await
}

/// When a host was last reached.
async fn last(write: &mut AnyConnection, host: i64) -> Result<Option<i64>, sqlx::Error> {
    let text = "SELECT CAST(MAX(at) AS BIGINT) FROM looks WHERE host = $1 AND state <> 'unreachable'";
    number(write, text, host).await
}

async fn change(write: &mut AnyConnection, text: String, from: i64, to: i64) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(text)).bind(from).bind(to).execute(write).await.map(drop)
}

/// Gives the host `from`, and what is known of it, its new name, which the host `to` may have by now. `since`: when that was first reached.
async fn put(
    write: &mut AnyConnection,
    pair: Pair<'_>,
    from: i64,
    to: Option<i64>,
    since: Option<i64>,
) -> Result<(), StoreError> {
    match to {
        None => {
            let query = sqlx::query("UPDATE hosts SET name = $1 WHERE id = $2").bind(pair.new).bind(from);
            query.execute(&mut *write).await?;
        }
        Some(to) => merge(write, from, to, since).await?,
    }
    // Of two holds, the longer one.
    let longer = "DELETE FROM holds WHERE host = $1 AND EXISTS (SELECT 1 FROM holds o WHERE o.host = $2 AND o.until >= holds.until)";
    sqlx::query(longer).bind(pair.old).bind(pair.new).execute(&mut *write).await?;
    let shorter = "DELETE FROM holds WHERE host = $2 AND EXISTS (SELECT 1 FROM holds o WHERE o.host = $1)";
    sqlx::query(shorter).bind(pair.old).bind(pair.new).execute(&mut *write).await?;
    sqlx::query("UPDATE holds SET host = $2 WHERE host = $1")
        .bind(pair.old)
        .bind(pair.new)
        .execute(&mut *write)
        .await?;
    let jobs = "UPDATE jobs SET host = $2 WHERE host = $1 AND round NOT IN (SELECT round FROM jobs WHERE host = $2)";
    sqlx::query(jobs).bind(pair.old).bind(pair.new).execute(write).await?;
    Ok(())
}

/// Puts what is known of two hosts together: they were one all the time.
async fn merge(write: &mut AnyConnection, from: i64, to: i64, since: Option<i64>) -> Result<(), StoreError> {
    for table in ["transitions", "looks"] {
        // By a name that nobody had any more, nobody was looked at.
        let nobody = format!("DELETE FROM {table} WHERE host = $1 AND run IN (SELECT id FROM runs WHERE began >= $2)");
        change(write, nobody, from, since.unwrap_or(i64::MAX)).await?;
        // Nor by one that nobody had yet, in a run that has both.
        let both = format!(
            "DELETE FROM {table} WHERE host = $2 AND run IN (SELECT run FROM looks l JOIN runs r ON r.id = l.run WHERE l.host = $1 AND r.began < $3)"
        );
        let query = sqlx::query(AssertSqlSafe(both)).bind(from).bind(to).bind(since.unwrap_or(i64::MAX));
        query.execute(&mut *write).await?;
    }
    drift::rename(write, from, to).await?;
    states(write, from, to, since).await?;
    // What is known by the new name is newer.
    let known = "DELETE FROM stances WHERE host = $1 AND setting IN (SELECT setting FROM stances WHERE host = $2)";
    change(write, known.to_owned(), from, to).await?;
    let known = "DELETE FROM flapping WHERE host = $1 AND EXISTS (SELECT 1 FROM flapping WHERE host = $2)";
    change(write, known.to_owned(), from, to).await?;
    for table in ["looks", "transitions", "stances", "flapping"] {
        change(write, format!("UPDATE {table} SET host = $2 WHERE host = $1"), from, to).await?;
    }
    Ok(forget::rows(write, from).await?)
}

/// Says of the host `to` how it is as both: its newest look counts, and that it began with the first by its new name is no news any more.
async fn states(write: &mut AnyConnection, from: i64, to: i64, since: Option<i64>) -> Result<(), StoreError> {
    let good = "UPDATE hosts SET last_good = (SELECT CAST(MAX(last_good) AS BIGINT) FROM hosts WHERE id IN ($1, $2)) WHERE id = $2";
    change(write, good.to_owned(), from, to).await?;
    let begins = "kind = 'state' AND old = 'new'";
    let (Some(before), newest) = (newest(write, from).await?, newest(write, to).await?) else { return Ok(()) };
    if since.is_none() && newest.is_none_or(|newest| newest.0 < before.0) {
        // Nobody was there by the new name yet.
        let columns = ["state", "since", "owners", "groups", "last_look", "last_run"];
        let sets = columns.map(|column| format!("{column} = (SELECT {column} FROM hosts WHERE id = $1)"));
        change(write, format!("UPDATE hosts SET {} WHERE id = $2", sets.join(", ")), from, to).await?;
        sqlx::query(AssertSqlSafe(format!("DELETE FROM transitions WHERE host = $1 AND {begins}")))
            .bind(to)
            .execute(write)
            .await?;
        return Ok(());
    }
    let same = "UPDATE hosts SET since = (SELECT since FROM hosts WHERE id = $1) WHERE id = $2 AND state = (SELECT state FROM hosts WHERE id = $1) \
                AND since = (SELECT MIN(at) FROM transitions WHERE host = $2 AND kind = 'state' AND old = 'new')";
    change(write, same.to_owned(), from, to).await?;
    let news = format!("UPDATE transitions SET old = $2 WHERE host = $1 AND {begins}");
    sqlx::query(AssertSqlSafe(news)).bind(to).bind(&before.1).execute(&mut *write).await?;
    let none = "DELETE FROM transitions WHERE host = $1 AND kind = 'state' AND old = new";
    sqlx::query(none).bind(to).execute(write).await?;
    Ok(())
}

/// When a host was last looked at, and how it was.
async fn newest(write: &mut AnyConnection, host: i64) -> Result<Option<(i64, String)>, sqlx::Error> {
    let query = sqlx::query("SELECT at, state FROM looks WHERE host = $1 ORDER BY at DESC LIMIT 1").bind(host);
    let row = query.fetch_optional(write).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}
