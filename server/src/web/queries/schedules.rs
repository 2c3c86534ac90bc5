//! Schedules and their rounds.

use sqlx::any::AnyRow;

use super::PAGE;
use crate::web::{
    PageError,
    db::{Columns as _, Db},
};

/// A round.
#[derive(Debug, Clone)]
pub(in crate::web) struct RoundRow {
    pub(in crate::web) id: String,
    pub(in crate::web) due: i64,
    pub(in crate::web) state: String,
    pub(in crate::web) why: Option<String>,
    pub(in crate::web) began: Option<i64>,
    pub(in crate::web) ended: Option<i64>,
    pub(in crate::web) hosts: i64,
    pub(in crate::web) drifted: i64,
    pub(in crate::web) corrected: i64,
    pub(in crate::web) author: Option<String>,
}

const ROUND: &str =
    "r.id, r.due AS round_due, r.state, r.why, r.began, r.ended, r.hosts, r.drifted, r.corrected, r.author";

impl RoundRow {
    fn of(row: &AnyRow) -> Result<Self, PageError> {
        Ok(RoundRow {
            id: row.text("id")?,
            due: row.int("round_due")?,
            state: row.text("state")?,
            why: row.maybe_text("why")?,
            began: row.maybe_int("began")?,
            ended: row.maybe_int("ended")?,
            hosts: row.int("hosts")?,
            drifted: row.int("drifted")?,
            corrected: row.int("corrected")?,
            author: row.maybe_text("author")?,
        })
    }
}

/// A schedule.
#[derive(Debug, Clone)]
pub(in crate::web) struct ScheduleRow {
    pub(in crate::web) name: String,
    /// JSON, as the server that runs it wrote it down.
    pub(in crate::web) definition: String,
    pub(in crate::web) due: Option<i64>,
    pub(in crate::web) last: Option<RoundRow>,
}

fn schedule(row: &AnyRow) -> Result<ScheduleRow, PageError> {
    let last = row.maybe_text("id")?.map(|_| RoundRow::of(row)).transpose()?;
    let (name, definition) = (row.text("name")?, row.text("definition")?);
    Ok(ScheduleRow { name, definition, due: row.maybe_int("due")?, last })
}

const SCHEDULE: &str = "SELECT s.id AS name, s.definition, s.due";

/// All schedules by name, each with its last round.
pub(in crate::web) async fn schedules(db: &Db) -> Result<Vec<ScheduleRow>, PageError> {
    let sql = format!("{SCHEDULE}, {ROUND} FROM schedules s LEFT JOIN rounds r ON r.id = s.last_round ORDER BY s.id");
    db.all(&sql, &[]).await?.iter().map(schedule).collect()
}

/// The names of all schedules.
pub(in crate::web) async fn names(db: &Db) -> Result<Vec<String>, PageError> {
    db.all("SELECT id FROM schedules ORDER BY id", &[]).await?.iter().map(|row| row.text("id")).collect()
}

/// The schedule of this name.
pub(in crate::web) async fn one(db: &Db, name: &str) -> Result<ScheduleRow, PageError> {
    let sql = format!("{SCHEDULE}, {ROUND} FROM schedules s LEFT JOIN rounds r ON r.id = s.last_round WHERE s.id = $1");
    match db.one(&sql, &[name.into()]).await? {
        Some(row) => schedule(&row),
        None => Err(PageError::Missing(format!("there is no schedule {name:?}"))),
    }
}

/// Rounds of a schedule that were due before this moment, the newest first; at most [`PAGE`] and one.
pub(in crate::web) async fn rounds(db: &Db, name: &str, before: Option<i64>) -> Result<Vec<RoundRow>, PageError> {
    let sql = format!(
        "SELECT {ROUND} FROM rounds r WHERE r.schedule = $1 AND r.due < $2 ORDER BY r.due DESC LIMIT {}",
        PAGE + 1
    );
    db.all(&sql, &[name.into(), before.unwrap_or(i64::MAX).into()]).await?.iter().map(RoundRow::of).collect()
}
