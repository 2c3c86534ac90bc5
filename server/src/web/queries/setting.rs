//! One setting over the fleet.

use sqlx::any::AnyRow;

use super::{OPEN, PAGE};
use crate::web::{
    PageError,
    db::{Columns as _, Db, Edge, Slice},
};

/// How many different drifts of a setting one page shows.
pub(in crate::web) const DRIFTS: usize = 20;
/// How many skips one page shows.
pub(in crate::web) const SKIPS: usize = 100;

/// A host and where it stands with the setting.
#[derive(Debug, Clone)]
pub(in crate::web) struct Stood {
    pub(in crate::web) name: String,
    pub(in crate::web) state: String,
    pub(in crate::web) stage: String,
    pub(in crate::web) mode: String,
    pub(in crate::web) why: String,
    pub(in crate::web) skip: Option<String>,
    pub(in crate::web) at: i64,
}

impl Stood {
    const FROM: &str =
        "SELECT h.name, h.state, s.stage, s.mode, s.why, s.skip, s.at FROM stances s JOIN hosts h ON h.id = s.host";

    fn of(row: &AnyRow) -> Result<Self, PageError> {
        Ok(Stood {
            name: row.text("name")?,
            state: row.text("state")?,
            stage: row.text("stage")?,
            mode: row.text("mode")?,
            why: row.text("why")?,
            skip: row.maybe_text("skip")?,
            at: row.int("at")?,
        })
    }
}

/// How many hosts stand where: stage, mode, number.
pub(in crate::web) async fn counts(db: &Db, id: &str) -> Result<Vec<(String, String, i64)>, PageError> {
    let sql = "SELECT stage, mode, COUNT(*) AS n FROM stances WHERE setting = $1 GROUP BY stage, mode ORDER BY 3 DESC";
    let rows = db.all(sql, &[id.into()]).await?;
    rows.iter().map(|row| Ok((row.text("stage")?, row.text("mode")?, row.int("n")?))).collect()
}

/// A page of hosts by name; of one mode, or of all.
pub(in crate::web) async fn hosts(
    db: &Db,
    id: &str,
    mode: &str,
    edge: Option<&Edge>,
) -> Result<Slice<Stood>, PageError> {
    let (condition, order, name) = match edge {
        Some(Edge::Before(name)) => ("h.name < $3", "DESC", name.as_str()),
        Some(Edge::After(name)) => ("h.name > $3", "ASC", name.as_str()),
        None => ("h.name > $3", "ASC", ""),
    };
    let sql = format!(
        "{} WHERE s.setting = $1 AND ($2 = '' OR s.mode = $2) AND {condition} ORDER BY h.name {order} LIMIT {}",
        Stood::FROM,
        PAGE + 1
    );
    let rows = db.all(&sql, &[id.into(), mode.into(), name.into()]).await?;
    let rows: Result<Vec<Stood>, PageError> = rows.iter().map(Stood::of).collect();
    Ok(Slice::cut(rows?, PAGE, edge))
}

/// Who skips the setting, by name; at most [`SKIPS`] and one.
pub(in crate::web) async fn skips(db: &Db, id: &str) -> Result<Vec<Stood>, PageError> {
    let sql =
        format!("{} WHERE s.setting = $1 AND s.skip IS NOT NULL ORDER BY h.name LIMIT {}", Stood::FROM, SKIPS + 1);
    db.all(&sql, &[id.into()]).await?.iter().map(Stood::of).collect()
}

/// What is not as wanted in the same way on some hosts.
#[derive(Debug, Clone)]
pub(in crate::web) struct Alike {
    pub(in crate::web) thing: String,
    pub(in crate::web) property: String,
    pub(in crate::web) cause: String,
    pub(in crate::web) difference: Option<String>,
    pub(in crate::web) since: i64,
    pub(in crate::web) hosts: Vec<String>,
}

/// What of a setting is not as wanted, what most hosts share first; at most [`DRIFTS`] and one.
pub(in crate::web) async fn drifts(db: &Db, id: &str) -> Result<Vec<Alike>, PageError> {
    // No host has a line end in its name: it keeps them apart.
    let sql = format!(
        "SELECT i.thing, i.property, i.cause, i.difference, MIN(i.since) AS since, COUNT(*) AS n, STRING_AGG(h.name, $2) AS names \
         FROM items i JOIN hosts h ON h.id = i.host WHERE i.setting = $1 AND i.cause IN {OPEN} \
         GROUP BY i.thing, i.property, i.cause, i.difference ORDER BY 6 DESC, 1, 2 LIMIT {}",
        DRIFTS + 1
    );
    let of = |row: &AnyRow| {
        let mut hosts: Vec<String> = row.text("names")?.lines().map(str::to_owned).collect();
        hosts.sort();
        Ok(Alike {
            thing: row.text("thing")?,
            property: row.text("property")?,
            cause: row.text("cause")?,
            difference: row.maybe_text("difference")?,
            since: row.int("since")?,
            hosts,
        })
    };
    db.all(&sql, &[id.into(), "\n".into()]).await?.iter().map(of).collect()
}
