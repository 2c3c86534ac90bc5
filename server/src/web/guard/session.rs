//! Who is logged in.

use super::token::Token;
use crate::web::{
    PageError,
    db::{Columns as _, Db},
    settings::Role,
};

/// After how long without a request a session is over, microseconds: a working day.
const IDLE: i64 = 8 * 3_600_000_000;
/// After how long it is over in any case, microseconds: a week.
const LONGEST: i64 = 7 * 24 * 3_600_000_000;
/// How exactly its last request is known, microseconds.
const EXACT: i64 = 60_000_000;
/// How long a login at a provider may take, microseconds.
const BEGUN: i64 = 10 * 60_000_000;

/// A session that is there.
pub(super) struct Session {
    pub(super) author: String,
    /// What the account might do at its login.
    pub(super) role: Role,
    /// What the login was good by: it has to be so still.
    pub(super) proof: String,
}

/// Begins a session with a new token: one that the browser had before is nobody's from then on.
pub(super) async fn begin(db: &Db, Session { author, role, proof }: Session, now: i64) -> Result<Token, PageError> {
    let old = [(now - IDLE).into(), (now - LONGEST).into(), (now - BEGUN).into()];
    db.change("DELETE FROM sessions WHERE used < $1 OR began < $2 OR (role = 'begun' AND began < $3)", &old).await?;
    let token = Token::new();
    let sql = "INSERT INTO sessions (id, author, role, began, used, proof) VALUES ($1, $2, $3, $4, $4, $5)";
    let binds = [token.stored().into(), author.into(), role.word().into(), now.into(), proof.into()];
    db.change(sql, &binds).await?;
    Ok(token)
}

/// Whose session this is.
pub(super) async fn find(db: &Db, token: &Token, now: i64) -> Result<Option<Session>, PageError> {
    let sql = "SELECT author, role, began, used, proof FROM sessions WHERE id = $1";
    let Some(row) = db.one(sql, &[token.stored().into()]).await? else { return Ok(None) };
    let (began, used) = (row.int("began")?, row.int("used")?);
    let Some(role) = Role::of(&row.text("role")?) else { return Ok(None) };
    if now.saturating_sub(used) > IDLE || now.saturating_sub(began) > LONGEST {
        return Ok(None);
    }
    if now.saturating_sub(used) > EXACT {
        db.change("UPDATE sessions SET used = $2 WHERE id = $1", &[token.stored().into(), now.into()]).await?;
    }
    Ok(Some(Session { author: row.text("author")?, role, proof: row.text("proof")? }))
}

/// Ends a session.
pub(super) async fn end(db: &Db, token: &Token) -> Result<(), PageError> {
    db.change("DELETE FROM sessions WHERE id = $1", &[token.stored().into()]).await.map(drop)
}

/// Remembers what a login at a provider has to come back with; for the browser with the returned token alone.
pub(super) async fn remember(db: &Db, what: &str, now: i64) -> Result<Token, PageError> {
    let token = Token::new();
    let sql = "INSERT INTO sessions (id, author, role, began, used, proof) VALUES ($1, '', 'begun', $2, $2, $3)";
    db.change(sql, &[token.stored().into(), now.into(), what.into()]).await?;
    Ok(token)
}

/// What was remembered for this browser: once.
pub(super) async fn recall(db: &Db, token: &Token, now: i64) -> Result<Option<String>, PageError> {
    let id = token.stored();
    let sql = "SELECT proof FROM sessions WHERE id = $1 AND role = 'begun' AND began > $2";
    let found = db.one(sql, &[id.as_str().into(), (now - BEGUN).into()]).await?;
    let mine = db.change("DELETE FROM sessions WHERE id = $1 AND role = 'begun'", &[id.into()]).await?;
    match found {
        Some(row) if mine == 1 => row.text("proof").map(Some),
        _ => Ok(None),
    }
}
