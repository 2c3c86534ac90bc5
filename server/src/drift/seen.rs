//! What others ask of items.

use std::collections::{BTreeSet, HashMap};

use rectify_core::drift::{Cause, Key, Known};
use sqlx::{Row as _, any::AnyRow};

use super::rows::{self as items};
use crate::store::{Store, StoreError, listed, rows, values};

/// An item that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The host's name.
    pub host: String,
    /// Which item.
    pub key: Key,
    /// What is known of it.
    pub known: Known,
}

/// What is not as wanted on these hosts, by host and item.
///
/// # Errors
/// A database that cannot be read.
pub async fn open_items(store: &Store, hosts: &[String]) -> Result<Vec<Open>, StoreError> {
    let mut all = Vec::new();
    for some in hosts.chunks(rows(1)) {
        let text = format!(
            "SELECT h.name, {} FROM {} JOIN hosts h ON h.id = i.host WHERE i.cause <> 'fine' AND h.name IN {} ORDER BY h.name, i.thing, i.property",
            items::COLUMNS,
            items::FROM,
            values(1, some.len())
        );
        let query = listed(text, some);
        for row in query.fetch_all(store.pool()).await.map_err(|e| store.error(e))? {
            all.push(open(&row).map_err(|e| store.error(e))?);
        }
    }
    Ok(all)
}

fn open(row: &AnyRow) -> Result<Open, sqlx::Error> {
    let (key, known) = items::item(row)?;
    Ok(Open { host: row.try_get(0)?, key, known })
}

/// The contents of each host whose lines are known: for [`Options::known`](rectify_core::plan::Options::known) of its plan.
///
/// # Errors
/// A database that cannot be read.
pub async fn known_contents(store: &Store, hosts: &[String]) -> Result<HashMap<String, BTreeSet<String>>, StoreError> {
    let mut all: HashMap<String, BTreeSet<String>> = HashMap::new();
    for some in hosts.chunks(rows(1)) {
        for column in ["remembered", "seen", "wanted"] {
            // What is fine is the same in all three.
            let open = if column == "remembered" { "" } else { "AND i.cause <> 'fine'" };
            let text = format!(
                "SELECT h.name, c.hash FROM hosts h JOIN items i ON i.host = h.id JOIN contents c ON c.hash = i.{column} WHERE h.name IN {} {open}",
                values(1, some.len())
            );
            let query = listed(text, some);
            for row in query.fetch_all(store.pool()).await.map_err(|e| store.error(e))? {
                let (host, hash) = (row.try_get(0), row.try_get(1));
                all.entry(host.map_err(|e| store.error(e))?).or_default().insert(hash.map_err(|e| store.error(e))?);
            }
        }
    }
    Ok(all)
}

/// Forgets the lines of contents that no item has any more; says of how many.
///
/// # Errors
/// A database that cannot be written.
pub async fn forget_contents(store: &Store) -> Result<u64, StoreError> {
    let text = "DELETE FROM contents WHERE hash NOT IN (SELECT remembered FROM items WHERE remembered IS NOT NULL UNION \
                SELECT seen FROM items WHERE seen IS NOT NULL UNION SELECT wanted FROM items WHERE wanted IS NOT NULL)";
    let mut write = store.write().await?;
    let done = sqlx::query(text).execute(&mut *write).await.map_err(|e| store.error(e))?;
    write.commit().await.map_err(|e| store.error(e))?;
    Ok(done.rows_affected())
}

/// An item that a run found as wanted again, although no run of this program made it so. Times are microseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The host's name.
    pub host: String,
    /// Which item.
    pub key: Key,
    /// Who had moved.
    pub was: Cause,
    /// The setting that it belongs to.
    pub setting: Option<String>,
    /// When it was seen to be so.
    pub at: i64,
}

/// What a run found as wanted again, by host and item.
///
/// # Errors
/// A database that cannot be read.
pub async fn fixed_items(store: &Store, run: &str) -> Result<Vec<Fixed>, StoreError> {
    let text = "SELECT h.name, t.thing, t.property, t.old, t.setting, t.at FROM transitions t JOIN hosts h ON h.id = t.host \
                JOIN looks l ON l.host = t.host AND l.run = t.run WHERE l.run = $1 AND t.kind = 'item' AND t.new = 'fine' \
                ORDER BY h.name, t.thing, t.property";
    let rows = sqlx::query(text).bind(run).fetch_all(store.pool()).await.map_err(|e| store.error(e))?;
    let one = |row: &sqlx::any::AnyRow| {
        let text = |column: usize| row.try_get::<Option<String>, _>(column).map(Option::unwrap_or_default);
        Ok(Fixed {
            host: row.try_get(0)?,
            key: Key::new(text(1)?, text(2)?),
            was: items::cause(&text(3)?),
            setting: row.try_get(4)?,
            at: row.try_get(5)?,
        })
    };
    rows.iter().map(one).collect::<Result<_, sqlx::Error>>().map_err(|e| store.error(e))
}
