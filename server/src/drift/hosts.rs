//! Hosts' states, and what happened to them.

use std::collections::HashMap;

use rectify_core::drift::{Flap, Key, Look, State, flapping};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::store::{listed, rows, values};

/// A day, in microseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What is known of a host as a whole.
#[derive(Debug)]
pub(super) struct Host {
    state: String,
    /// Whether this look is older than the newest.
    late: bool,
    /// When its state changed, of late.
    changes: Vec<i64>,
    flaps: bool,
}

/// What is known of it now.
#[derive(Debug)]
pub(super) struct Now {
    host: i64,
    run: String,
    state: State,
    /// Since when; `None`: it is what it was, or a later look knows better.
    since: Option<i64>,
}

/// Something that happened to a host.
#[derive(Debug, Default)]
pub(super) struct Transition {
    pub(super) id: String,
    pub(super) host: i64,
    pub(super) at: i64,
    pub(super) run: String,
    pub(super) kind: &'static str,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) thing: Option<String>,
    pub(super) property: Option<String>,
    pub(super) setting: Option<String>,
    pub(super) cause: Option<&'static str>,
    pub(super) difference: Option<String>,
    /// Of drift: the last look that did not see it yet.
    pub(super) before: Option<i64>,
    /// When and by whom, as JSON.
    pub(super) traces: Option<String>,
}

/// What was learned of a drift after its transition was written: when and by whom, as JSON.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) host: i64,
    pub(super) key: Key,
    /// When it was first seen: its transitions are not before.
    pub(super) since: i64,
    pub(super) difference: String,
    pub(super) traces: String,
}

/// What is known of the hosts of these looks.
pub(super) async fn read(db: &mut AnyConnection, looks: &[(i64, Look)]) -> Result<HashMap<i64, Host>, sqlx::Error> {
    let ended: HashMap<i64, i64> = looks.iter().map(|(id, look)| (*id, look.ended)).collect();
    let first = ended.values().min().copied().unwrap_or_default();
    let ids: Vec<i64> = ended.keys().copied().collect();
    let mut all = HashMap::new();
    for some in ids.chunks(rows(1)) {
        let within = values(1, some.len());
        let text = format!("SELECT id, state, last_look FROM hosts WHERE id IN {within}");
        let query = listed(text, some);
        for row in query.fetch_all(&mut *db).await? {
            let (id, last): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(2)?);
            let late = last.is_some_and(|last| ended.get(&id).is_some_and(|ended| last > *ended));
            all.insert(id, Host { state: row.try_get(1)?, late, changes: Vec::new(), flaps: false });
        }
        let text = format!(
            "SELECT host, kind, at, new FROM transitions WHERE host IN {within} AND \
             (kind = 'flapping' OR (kind = 'state' AND old <> 'new' AND at > ${})) ORDER BY at",
            some.len() + 1
        );
        let query = listed(text, some);
        for row in query.bind(first.saturating_sub(DAY)).fetch_all(&mut *db).await? {
            let Some(host) = all.get_mut(&row.try_get::<i64, _>(0)?) else { continue };
            match row.try_get::<String, _>(1)?.as_str() {
                "flapping" => host.flaps = row.try_get::<String, _>(3)? == "flapping",
                _ => host.changes.push(row.try_get(2)?),
            }
        }
    }
    Ok(all)
}

/// What becomes of a host whose state is this after a look; what happened to it goes behind the transitions of its items.
pub(super) fn judge(id: i64, host: &Host, look: &Look, state: State, transitions: &mut Vec<Transition>) -> Now {
    let moved = !host.late && host.state != state.word();
    let mut tell = |kind, old: &str, new: &str| {
        let (old, new) = (old.to_owned(), new.to_owned());
        transitions.push(Transition { at: look.ended, run: look.run.clone(), kind, old, new, ..Transition::default() });
    };
    if moved {
        tell("state", &host.state, state.word());
    }
    if !host.late {
        let mut changes = host.changes.clone();
        changes.extend((moved && host.state != "new").then_some(look.ended));
        match flapping(&changes, host.flaps, look.ended) {
            Some(Flap::Begins) => tell("flapping", "quiet", "flapping"),
            Some(Flap::Ends) => tell("flapping", "flapping", "quiet"),
            None => {}
        }
    }
    Now { host: id, run: look.run.clone(), state, since: moved.then_some(look.ended) }
}

/// Writes the states of hosts that changed, and how each look found its host.
pub(super) async fn put(db: &mut AnyConnection, all: &[Now]) -> Result<(), sqlx::Error> {
    let mut by_state: HashMap<(State, &str), Vec<&Now>> = HashMap::new();
    for now in all {
        by_state.entry((now.state, &now.run)).or_default().push(now);
        if let Some(since) = now.since {
            let query = sqlx::query("UPDATE hosts SET state = $1, since = $2 WHERE id = $3");
            query.bind(now.state.word()).bind(since).bind(now.host).execute(&mut *db).await?;
        }
    }
    for ((state, run), hosts) in by_state {
        for some in hosts.chunks(rows(1)) {
            let text = format!(
                "UPDATE looks SET state = ${} WHERE host IN {} AND run = ${}",
                some.len() + 1,
                values(1, some.len()),
                some.len() + 2
            );
            let query = listed(text, some.iter().map(|now| now.host));
            query.bind(state.word()).bind(run).execute(&mut *db).await?;
        }
    }
    Ok(())
}

/// Writes what happened.
pub(super) async fn put_transitions(db: &mut AnyConnection, all: &[Transition]) -> Result<(), sqlx::Error> {
    for some in all.chunks(rows(14)) {
        let text = format!(
            "INSERT INTO transitions (id, host, at, run, kind, old, new, thing, property, setting, cause, difference, before, traces) VALUES {} \
             ON CONFLICT (id) DO NOTHING",
            values(some.len(), 14)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for told in some {
            query = query.bind(&told.id).bind(told.host).bind(told.at).bind(&told.run).bind(told.kind).bind(&told.old);
            query = query.bind(&told.new).bind(&told.thing).bind(&told.property).bind(&told.setting).bind(told.cause);
            query = query.bind(&told.difference).bind(told.before).bind(&told.traces);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Writes what was learned of drifts into the transitions that told of them: the last of the same difference, since a host that moved further did
/// something else. Whom to tell of them is not decided anew.
pub(super) async fn learn(db: &mut AnyConnection, all: &[Learned]) -> Result<(), sqlx::Error> {
    for Learned { host, key, since, difference, traces } in all {
        let query = sqlx::query(
            "UPDATE transitions SET traces = $1 WHERE id = (SELECT id FROM transitions WHERE host = $2 AND at >= $3 AND kind = 'item' AND thing = $4 \
             AND property = $5 AND difference = $6 ORDER BY at DESC LIMIT 1)",
        );
        let query = query.bind(traces).bind(host).bind(since).bind(&key.thing).bind(&key.property).bind(difference);
        query.execute(&mut *db).await?;
    }
    Ok(())
}
