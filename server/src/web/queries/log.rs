//! What was told, and what people did.

use sqlx::any::AnyRow;

use super::PAGE;
use crate::web::{
    PageError,
    db::{Columns as _, Db},
};

/// What is to be told to somebody.
#[derive(Debug, Clone)]
pub(in crate::web) struct NoticeRow {
    pub(in crate::web) id: String,
    pub(in crate::web) at: i64,
    pub(in crate::web) recipient: String,
    /// Without what may be a secret in it.
    pub(in crate::web) channel: String,
    pub(in crate::web) subject: String,
    pub(in crate::web) tries: i64,
    pub(in crate::web) next_try: i64,
    pub(in crate::web) delivered: Option<i64>,
    /// delivered, given up, failing, waiting
    pub(in crate::web) state: String,
    pub(in crate::web) trouble: Option<String>,
}

/// What stands for a notice's state in SQL.
const STATE: &str = "CASE WHEN delivered IS NOT NULL THEN 'delivered' WHEN dead IS NOT NULL THEN 'given up' WHEN tries > forgiven THEN 'failing' ELSE 'waiting' END";

/// How many notices are delivered, waiting, failing and given up.
pub(in crate::web) async fn notice_counts(db: &Db) -> Result<Vec<(String, i64)>, PageError> {
    let sql = format!("SELECT {STATE} AS state, COUNT(*) AS n FROM outbox GROUP BY 1");
    db.all(&sql, &[]).await?.iter().map(|row| Ok((row.text("state")?, row.int("n")?))).collect()
}

/// Notices before this moment and id, the newest first; of one state, or of all; at most [`PAGE`] and one.
pub(in crate::web) async fn notices(
    db: &Db,
    state: &str,
    before: Option<&(i64, String)>,
) -> Result<Vec<NoticeRow>, PageError> {
    let sql = format!(
        "SELECT id, at, recipient, channel, subject, tries, next_try, delivered, trouble, {STATE} AS state FROM outbox \
         WHERE at <= $1 AND (at, id) < ($1, $2) AND ($3 = '' OR {STATE} = $3) ORDER BY at DESC, id DESC LIMIT {}",
        PAGE + 1
    );
    let (at, id) = before.cloned().unwrap_or((i64::MAX, String::new()));
    let of = |row: &AnyRow| {
        Ok(NoticeRow {
            id: row.text("id")?,
            at: row.int("at")?,
            recipient: row.text("recipient")?,
            channel: crate::channels::shown(&row.text("channel")?),
            subject: row.text("subject")?,
            tries: row.int("tries")?,
            next_try: row.int("next_try")?,
            delivered: row.maybe_int("delivered")?,
            state: row.text("state")?,
            trouble: row.maybe_text("trouble")?,
        })
    };
    db.all(&sql, &[at.into(), id.into(), state.into()]).await?.iter().map(of).collect()
}

/// What somebody did, or wanted to do.
#[derive(Debug, Clone)]
pub(in crate::web) struct ActionRow {
    pub(in crate::web) id: String,
    pub(in crate::web) at: i64,
    pub(in crate::web) author: String,
    pub(in crate::web) address: String,
    pub(in crate::web) action: String,
    pub(in crate::web) object: String,
    pub(in crate::web) detail: String,
    pub(in crate::web) outcome: String,
}

/// Actions before this moment and id, the newest first; at most [`PAGE`] and one.
pub(in crate::web) async fn actions(db: &Db, before: Option<&(i64, String)>) -> Result<Vec<ActionRow>, PageError> {
    let sql = format!(
        "SELECT id, at, author, address, action, object, detail, outcome FROM actions \
         WHERE at <= $1 AND (at, id) < ($1, $2) ORDER BY at DESC, id DESC LIMIT {}",
        PAGE + 1
    );
    let (at, id) = before.cloned().unwrap_or((i64::MAX, String::new()));
    let of = |row: &AnyRow| {
        Ok(ActionRow {
            id: row.text("id")?,
            at: row.int("at")?,
            author: row.text("author")?,
            address: row.text("address")?,
            action: row.text("action")?,
            object: row.text("object")?,
            detail: row.text("detail")?,
            outcome: row.text("outcome")?,
        })
    };
    db.all(&sql, &[at.into(), id.into()]).await?.iter().map(of).collect()
}
