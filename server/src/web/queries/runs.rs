//! Runs.

use sqlx::any::AnyRow;

use super::PAGE;
use crate::web::{
    PageError,
    db::{Columns as _, Db},
};

/// A run.
#[derive(Debug, Clone)]
pub(in crate::web) struct RunRow {
    pub(in crate::web) id: String,
    pub(in crate::web) began: i64,
    pub(in crate::web) ended: Option<i64>,
    pub(in crate::web) mode: String,
    pub(in crate::web) cause: String,
    pub(in crate::web) author: String,
    pub(in crate::web) schedule: Option<String>,
    pub(in crate::web) server: String,
    pub(in crate::web) folder: String,
    pub(in crate::web) playbooks: Vec<String>,
    pub(in crate::web) version: String,
    pub(in crate::web) hosts: i64,
    pub(in crate::web) exit_code: Option<i64>,
    pub(in crate::web) interrupted: bool,
}

const COLUMNS: &str = "id, began, ended, mode, cause, author, schedule, server, folder, playbooks, version, hosts, exit_code, interrupted";

impl RunRow {
    fn of(row: &AnyRow) -> Result<Self, PageError> {
        Ok(RunRow {
            id: row.text("id")?,
            began: row.int("began")?,
            ended: row.maybe_int("ended")?,
            mode: row.text("mode")?,
            cause: row.text("cause")?,
            author: row.text("author")?,
            schedule: row.maybe_text("schedule")?,
            server: row.text("server")?,
            folder: row.text("folder")?,
            playbooks: row.list("playbooks")?,
            version: row.text("version")?,
            hosts: row.int("hosts")?,
            exit_code: row.maybe_int("exit_code")?,
            interrupted: row.int("interrupted")? != 0,
        })
    }
}

/// Which runs are asked for; empty is any.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct RunFilter {
    pub(in crate::web) cause: String,
    pub(in crate::web) mode: String,
    pub(in crate::web) schedule: String,
}

/// Runs that began before this moment and id, the newest first; at most [`PAGE`] and one.
pub(in crate::web) async fn runs(
    db: &Db,
    filter: &RunFilter,
    before: Option<&(i64, String)>,
) -> Result<Vec<RunRow>, PageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM runs WHERE began <= $1 AND (began, id) < ($1, $2) AND ($3 = '' OR cause = $3) \
         AND ($4 = '' OR mode = $4) AND ($5 = '' OR schedule = $5) ORDER BY began DESC, id DESC LIMIT {}",
        PAGE + 1
    );
    let (began, id) = before.cloned().unwrap_or((i64::MAX, String::new()));
    let RunFilter { cause, mode, schedule } = filter;
    let binds = [began.into(), id.into(), cause.as_str().into(), mode.as_str().into(), schedule.as_str().into()];
    db.all(&sql, &binds).await?.iter().map(RunRow::of).collect()
}

/// The run of this id.
pub(in crate::web) async fn run(db: &Db, id: &str) -> Result<RunRow, PageError> {
    match db.one(&format!("SELECT {COLUMNS} FROM runs WHERE id = $1"), &[id.into()]).await? {
        Some(row) => RunRow::of(&row),
        None => Err(PageError::Missing(format!("there is no run {id:?} in the record"))),
    }
}

/// How many hosts of a run are in which state.
pub(in crate::web) async fn states(db: &Db, id: &str) -> Result<Vec<(String, i64)>, PageError> {
    let rows = db.all("SELECT state, COUNT(*) AS n FROM looks WHERE run = $1 GROUP BY state", &[id.into()]).await?;
    rows.iter().map(|row| Ok((row.text("state")?, row.int("n")?))).collect()
}

/// A host of a run.
#[derive(Debug, Clone)]
pub(in crate::web) struct RunHost {
    pub(in crate::web) name: String,
    pub(in crate::web) state: String,
    pub(in crate::web) took: i64,
    pub(in crate::web) changed: i64,
    pub(in crate::web) would: i64,
    pub(in crate::web) failed: i64,
    pub(in crate::web) findings: i64,
    pub(in crate::web) trouble: Option<String>,
}

/// The hosts of a run by name, behind this name; of one state, or of all; at most [`PAGE`] and one.
pub(in crate::web) async fn hosts(db: &Db, id: &str, state: &str, after: &str) -> Result<Vec<RunHost>, PageError> {
    let sql = format!(
        "SELECT h.name, l.state, l.took, l.changed, l.would, l.failed, l.findings, l.trouble FROM looks l \
         JOIN hosts h ON h.id = l.host WHERE l.run = $1 AND ($2 = '' OR l.state = $2) AND h.name > $3 \
         ORDER BY h.name LIMIT {}",
        PAGE + 1
    );
    let of = |row: &AnyRow| {
        Ok(RunHost {
            name: row.text("name")?,
            state: row.text("state")?,
            took: row.int("took")?,
            changed: row.int("changed")?,
            would: row.int("would")?,
            failed: row.int("failed")?,
            findings: row.int("findings")?,
            trouble: row.maybe_text("trouble")?,
        })
    };
    db.all(&sql, &[id.into(), state.into(), after.into()]).await?.iter().map(of).collect()
}
