//! Rounds and what they do with hosts, as rows.

use std::{collections::BTreeSet, str::FromStr};

use jiff::Timestamp;
use sqlx::{Any, AnyConnection, Executor, Row as _, any::AnyRow};

use super::Allowed;
use crate::store::{StoreError, values};

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not begun.
    Waiting,
    /// Its hosts are looked at.
    Looking,
    /// All were looked at.
    Deciding,
    /// What may be corrected is.
    Correcting,
    /// Over.
    Done,
    /// Over before it began.
    Skipped,
    /// Over before its end.
    Stopped,
}

impl State {
    const ALL: [(State, &'static str); 7] = [
        (State::Waiting, "waiting"),
        (State::Looking, "looking"),
        (State::Deciding, "deciding"),
        (State::Correcting, "correcting"),
        (State::Done, "done"),
        (State::Skipped, "skipped"),
        (State::Stopped, "stopped"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }
}

impl FromStr for State {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.iter().find(|(_, word)| *word == text).map(|(state, _)| *state);
        found.ok_or_else(|| StoreError::from(sqlx::Error::Decode(format!("no round is {text:?}").into())))
    }
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) id: String,
    pub(super) schedule: String,
    pub(super) due: Timestamp,
    pub(super) state: State,
    pub(super) author: Option<String>,
}

impl Round {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Round {
            id: row.try_get(0)?,
            schedule: row.try_get(1)?,
            due: time(row.try_get(2)?),
            state: row.try_get::<String, _>(3)?.parse()?,
            author: row.try_get(4)?,
        })
    }
}

/// The id of the round of a due time.
pub(super) fn round_id(schedule: &str, due: Timestamp) -> String {
    format!("{schedule}@{due}")
}

/// A time from a row; one that no calendar has is the last one.
pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

const COLUMNS: &str = "SELECT id, schedule, due, state, author FROM rounds";

/// The rounds that are not over.
pub(super) async fn unfinished<'e>(db: impl Executor<'e, Database = Any>) -> Result<Vec<Round>, StoreError> {
    let query = format!("{COLUMNS} WHERE state IN ('waiting', 'looking', 'deciding', 'correcting') ORDER BY due, id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(db).await?;
    rows.iter().map(Round::read).collect()
}

/// A round.
pub(super) async fn round<'e>(db: impl Executor<'e, Database = Any>, id: &str) -> Result<Option<Round>, StoreError> {
    let query = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"))).bind(id);
    query.fetch_optional(db).await?.as_ref().map(Round::read).transpose()
}

/// Writes a round down; whether it is new.
pub(super) async fn insert(
    db: &mut AnyConnection,
    round: &Round,
    why: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = (round.state == State::Skipped).then_some(now.as_microsecond());
    let began = (round.state != State::Waiting).then_some(now.as_microsecond());
    let query = sqlx::query(
        "INSERT INTO rounds (id, schedule, due, state, why, began, ended, author) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (id) DO NOTHING",
    );
    let query = query.bind(&round.id).bind(&round.schedule).bind(round.due.as_microsecond()).bind(round.state.word());
    let done = query.bind(why).bind(began).bind(ended).bind(round.author.as_deref()).execute(db).await?;
    Ok(done.rows_affected() == 1)
}

/// Moves a round on.
pub(super) async fn advance(
    db: &mut AnyConnection,
    id: &str,
    to: State,
    why: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let over = matches!(to, State::Done | State::Skipped | State::Stopped);
    let query = sqlx::query(
        "UPDATE rounds SET state = $1, why = COALESCE($2, why), began = COALESCE(began, $3), ended = $4, \
         hosts = (SELECT COUNT(*) FROM jobs WHERE round = $5), \
         drifted = (SELECT COUNT(*) FROM jobs WHERE round = $6 AND drifted = 1), \
         corrected = (SELECT COUNT(*) FROM jobs WHERE round = $7 AND state = 'corrected') WHERE id = $8",
    );
    let query = query.bind(to.word()).bind(why).bind(now.as_microsecond()).bind(over.then_some(now.as_microsecond()));
    query.bind(id).bind(id).bind(id).bind(id).execute(db).await?;
    Ok(())
}

/// What a round does with a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) host: String,
    pub(super) at: Timestamp,
    pub(super) open: BTreeSet<Option<String>>,
    pub(super) allowed: Allowed,
}

/// The jobs of a round that are in this state, by host.
pub(super) async fn jobs<'e>(
    db: impl Executor<'e, Database = Any>,
    round: &str,
    state: &str,
) -> Result<Vec<Job>, StoreError> {
    let query = sqlx::query("SELECT host, at, open, allowed FROM jobs WHERE round = $1 AND state = $2 ORDER BY host");
    let rows = query.bind(round).bind(state).fetch_all(db).await?;
    let job = |row: &AnyRow| {
        let json = |e: serde_json::Error| StoreError::from(sqlx::Error::Decode(Box::new(e)));
        Ok(Job {
            host: row.try_get(0)?,
            at: time(row.try_get(1)?),
            open: serde_json::from_str(row.try_get(2)?).map_err(json)?,
            allowed: serde_json::from_str(row.try_get(3)?).map_err(json)?,
        })
    };
    rows.iter().map(job).collect()
}

/// Writes down which hosts a round has, and when their turns come.
pub(super) async fn add_jobs(
    db: &mut AnyConnection,
    round: &str,
    hosts: &[(String, Timestamp)],
) -> Result<(), StoreError> {
    for part in hosts.chunks(crate::store::rows(4)) {
        let text = format!(
            "INSERT INTO jobs (round, host, at, state) VALUES {} ON CONFLICT (round, host) DO NOTHING",
            values(part.len(), 4)
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for (host, at) in part {
            query = query.bind(round).bind(host).bind(at.as_microsecond()).bind("waiting");
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// How a job stands now.
#[derive(Debug, Clone, Default)]
pub(super) struct Mark<'a> {
    pub(super) state: &'static str,
    pub(super) run: Option<&'a str>,
    pub(super) open: Option<&'a BTreeSet<Option<String>>>,
    pub(super) allowed: Option<&'a Allowed>,
}

/// Moves a job on. What is not given stays; a host that was ever open in this round counts as drifted.
pub(super) async fn mark(db: &mut AnyConnection, round: &str, host: &str, mark: Mark<'_>) -> Result<(), StoreError> {
    let json = |value: serde_json::Result<String>| value.unwrap_or_else(|_| "[]".into());
    let open = mark.open.map(|open| json(serde_json::to_string(open)));
    let allowed = mark.allowed.map(|allowed| json(serde_json::to_string(allowed)));
    // What is to be corrected is open, also where nobody looked in this round.
    let drifted = i64::from(mark.open.is_some_and(|open| !open.is_empty()) || mark.allowed.is_some());
    let query = sqlx::query(
        "UPDATE jobs SET state = $1, run = COALESCE($2, run), open = COALESCE($3, open), allowed = COALESCE($4, allowed), \
         drifted = CASE WHEN drifted > $5 THEN drifted ELSE $6 END WHERE round = $7 AND host = $8",
    );
    let query = query.bind(mark.state).bind(mark.run).bind(open).bind(allowed).bind(drifted).bind(drifted);
    query.bind(round).bind(host).execute(db).await?;
    Ok(())
}
