//! One host.

use sqlx::any::AnyRow;

use super::{OPEN, fleet::HostRow};
use crate::web::{
    PageError,
    db::{Bind, Columns as _, Db},
};

/// How many items that are not as wanted one page shows.
pub(in crate::web) const ITEMS: usize = 200;
/// How many transitions a page of the timeline has.
pub(in crate::web) const TIMES: usize = 30;
/// How many looks are shown.
pub(in crate::web) const LOOKS: usize = 24;

/// The host of this name.
pub(in crate::web) async fn host(db: &Db, name: &str) -> Result<HostRow, PageError> {
    let sql = format!("SELECT {} FROM hosts WHERE name = $1", HostRow::COLUMNS);
    match db.one(&sql, &[name.into()]).await? {
        Some(row) => HostRow::of(&row),
        None => Err(PageError::Missing(format!("no run has seen a host called {name:?}"))),
    }
}

/// An item that is not as wanted.
#[derive(Debug, Clone)]
pub(in crate::web) struct ItemRow {
    pub(in crate::web) thing: String,
    pub(in crate::web) property: String,
    pub(in crate::web) setting: Option<String>,
    pub(in crate::web) task: String,
    pub(in crate::web) origin: String,
    pub(in crate::web) seen: Option<String>,
    pub(in crate::web) wanted: Option<String>,
    pub(in crate::web) remembered: Option<String>,
    pub(in crate::web) known: bool,
    pub(in crate::web) cause: String,
    pub(in crate::web) since: i64,
    pub(in crate::web) before: Option<i64>,
    pub(in crate::web) looks: i64,
    pub(in crate::web) difference: Option<String>,
    pub(in crate::web) traces: Option<String>,
}

impl ItemRow {
    fn of(row: &AnyRow) -> Result<Self, PageError> {
        Ok(ItemRow {
            thing: row.text("thing")?,
            property: row.text("property")?,
            setting: row.maybe_text("setting")?,
            task: row.text("task")?,
            origin: row.text("origin")?,
            seen: row.maybe_text("seen")?,
            wanted: row.maybe_text("wanted")?,
            remembered: row.maybe_text("remembered")?,
            known: row.int("known")? == 1,
            cause: row.text("cause")?,
            since: row.int("since")?,
            before: row.maybe_int("before")?,
            looks: row.int("looks")?,
            difference: row.maybe_text("difference")?,
            traces: row.maybe_text("traces")?,
        })
    }
}

/// A host's items that are not as wanted, at most [`ITEMS`] and one.
pub(in crate::web) async fn items(db: &Db, host: i64) -> Result<Vec<ItemRow>, PageError> {
    let sql = format!(
        "SELECT thing, property, setting, task, origin, seen, wanted, remembered, known, cause, since, before, looks, difference, traces \
         FROM items WHERE host = $1 AND cause IN {OPEN} ORDER BY COALESCE(setting, ''), thing, property LIMIT {}",
        ITEMS + 1
    );
    db.all(&sql, &[host.into()]).await?.iter().map(ItemRow::of).collect()
}

/// How many items of a host are known.
pub(in crate::web) async fn known(db: &Db, host: i64) -> Result<i64, PageError> {
    let row = db.one("SELECT COUNT(*) AS n FROM items WHERE host = $1", &[host.into()]).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

/// Where a host stands with a setting.
#[derive(Debug, Clone)]
pub(in crate::web) struct StanceRow {
    pub(in crate::web) setting: String,
    pub(in crate::web) stage: String,
    pub(in crate::web) mode: String,
    pub(in crate::web) why: String,
    pub(in crate::web) skip: Option<String>,
    pub(in crate::web) at: i64,
}

/// Where a host stands with all settings.
pub(in crate::web) async fn stances(db: &Db, host: i64) -> Result<Vec<StanceRow>, PageError> {
    let sql = "SELECT setting, stage, mode, why, skip, at FROM stances WHERE host = $1 ORDER BY setting";
    let of = |row: &AnyRow| {
        Ok(StanceRow {
            setting: row.text("setting")?,
            stage: row.text("stage")?,
            mode: row.text("mode")?,
            why: row.text("why")?,
            skip: row.maybe_text("skip")?,
            at: row.int("at")?,
        })
    };
    db.all(sql, &[host.into()]).await?.iter().map(of).collect()
}

/// A look at a host.
#[derive(Debug, Clone)]
pub(in crate::web) struct LookRow {
    pub(in crate::web) at: i64,
    pub(in crate::web) run: String,
    pub(in crate::web) state: String,
    pub(in crate::web) took: i64,
    pub(in crate::web) changed: i64,
    pub(in crate::web) would: i64,
    pub(in crate::web) failed: i64,
    pub(in crate::web) trouble: Option<String>,
    /// The schedule of its run.
    pub(in crate::web) schedule: Option<String>,
}

/// The latest looks at a host, the newest first.
pub(in crate::web) async fn looks(db: &Db, host: i64) -> Result<Vec<LookRow>, PageError> {
    let sql = format!(
        "SELECT l.at, l.run, l.state, l.took, l.changed, l.would, l.failed, l.trouble, r.schedule FROM looks l \
         LEFT JOIN runs r ON r.id = l.run WHERE l.host = $1 ORDER BY l.at DESC LIMIT {LOOKS}"
    );
    let of = |row: &AnyRow| {
        Ok(LookRow {
            at: row.int("at")?,
            run: row.text("run")?,
            state: row.text("state")?,
            took: row.int("took")?,
            changed: row.int("changed")?,
            would: row.int("would")?,
            failed: row.int("failed")?,
            trouble: row.maybe_text("trouble")?,
            schedule: row.maybe_text("schedule")?,
        })
    };
    db.all(&sql, &[host.into()]).await?.iter().map(of).collect()
}

/// Something that happened to a host.
#[derive(Debug, Clone)]
pub(in crate::web) struct TransitionRow {
    pub(in crate::web) id: String,
    pub(in crate::web) at: i64,
    pub(in crate::web) run: String,
    pub(in crate::web) kind: String,
    pub(in crate::web) old: String,
    pub(in crate::web) new: String,
    pub(in crate::web) thing: Option<String>,
    pub(in crate::web) property: Option<String>,
    pub(in crate::web) setting: Option<String>,
    pub(in crate::web) cause: Option<String>,
    pub(in crate::web) difference: Option<String>,
    pub(in crate::web) traces: Option<String>,
}

/// What happened to a host before this moment and id, the newest first; at most [`TIMES`] and one.
pub(in crate::web) async fn timeline(
    db: &Db,
    host: i64,
    before: Option<&(i64, String)>,
) -> Result<Vec<TransitionRow>, PageError> {
    let sql = format!(
        "SELECT id, at, run, kind, old, new, thing, property, setting, cause, difference, traces FROM transitions \
         WHERE host = $1 AND at <= $2 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT {}",
        TIMES + 1
    );
    let (at, id) = before.cloned().unwrap_or((i64::MAX, String::new()));
    let of = |row: &AnyRow| {
        Ok(TransitionRow {
            id: row.text("id")?,
            at: row.int("at")?,
            run: row.text("run")?,
            kind: row.text("kind")?,
            old: row.text("old")?,
            new: row.text("new")?,
            thing: row.maybe_text("thing")?,
            property: row.maybe_text("property")?,
            setting: row.maybe_text("setting")?,
            cause: row.maybe_text("cause")?,
            difference: row.maybe_text("difference")?,
            traces: row.maybe_text("traces")?,
        })
    };
    db.all(&sql, &[host.into(), at.into(), id.into()]).await?.iter().map(of).collect()
}

/// A hold that was put on a host here and is not over.
#[derive(Debug, Clone)]
pub(in crate::web) struct HoldRow {
    pub(in crate::web) author: String,
    pub(in crate::web) began: i64,
    pub(in crate::web) until: i64,
    pub(in crate::web) reason: String,
}

/// The hold on a host at this moment.
pub(in crate::web) async fn hold(db: &Db, host: &str, now: i64) -> Result<Option<HoldRow>, PageError> {
    let sql = "SELECT author, began, until, reason FROM holds WHERE host = $1 AND until > $2";
    let of = |row: AnyRow| {
        Ok(HoldRow {
            author: row.text("author")?,
            began: row.int("began")?,
            until: row.int("until")?,
            reason: row.text("reason")?,
        })
    };
    db.one(sql, &[Bind::from(host), now.into()]).await?.map(of).transpose()
}

/// Since when a host changes so often that nothing is told of it.
pub(in crate::web) async fn flapping(db: &Db, host: i64) -> Result<Option<i64>, PageError> {
    let row = db.one("SELECT since FROM flapping WHERE host = $1", &[host.into()]).await?;
    row.map(|row| row.int("since")).transpose()
}
