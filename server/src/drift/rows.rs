//! Items as rows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rectify_core::{
    drift::{Cause, Key, Known},
    event::Diff,
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use crate::store::{listed, rows, values};

/// Everything that is known of a host's items.
pub(super) type Items = BTreeMap<Key, Known>;

/// The columns of [`item`], behind one that says which host; and where they come from.
pub(super) const COLUMNS: &str = "i.thing, i.property, i.setting, i.task, i.origin, i.seen, i.wanted, i.remembered, i.known, i.cause, i.since, i.before, \
                                  i.looks, i.difference, i.traces, i.run, i.cover, c.at";
pub(super) const FROM: &str = "items i LEFT JOIN covers c ON c.host = i.host AND c.cover = i.cover";

/// What is known of these hosts.
pub(super) async fn read(db: &mut AnyConnection, hosts: &[i64]) -> Result<HashMap<i64, Items>, sqlx::Error> {
    let mut all: HashMap<i64, Items> = HashMap::new();
    for some in hosts.chunks(rows(1)) {
        let text = format!("SELECT i.host, {COLUMNS} FROM {FROM} WHERE i.host IN {}", values(1, some.len()));
        let query = listed(text, some);
        for row in query.fetch_all(&mut *db).await? {
            let (key, known) = item(&row)?;
            all.entry(row.try_get(0)?).or_default().insert(key, known);
        }
    }
    Ok(all)
}

fn text_of(row: &AnyRow, column: usize) -> Result<String, sqlx::Error> {
    row.try_get(column)
}

/// One item and what is known of it.
pub(super) fn item(row: &AnyRow) -> Result<(Key, Known), sqlx::Error> {
    let key = Key::new(text_of(row, 1)?, text_of(row, 2)?);
    let since: i64 = row.try_get(11)?;
    let known: i64 = row.try_get(9)?;
    let known = Known {
        setting: row.try_get(3)?,
        task: row.try_get(4)?,
        origin: row.try_get(5)?,
        seen: row.try_get(6)?,
        wanted: row.try_get(7)?,
        left: if known == 0 { None } else { Some(row.try_get(8)?) },
        cause: cause(&text_of(row, 10)?),
        since,
        before: row.try_get(12)?,
        looks: u32::try_from(row.try_get::<i64, _>(13)?).unwrap_or(u32::MAX),
        difference: json(row.try_get(14)?),
        traces: json(row.try_get(15)?).unwrap_or_default(),
        run: row.try_get(16)?,
        cover: row.try_get(17)?,
        looked: row.try_get::<Option<i64>, _>(18)?.unwrap_or(since),
    };
    Ok((key, known))
}

/// A word that a newer program wrote says nothing of who moved.
pub(super) fn cause(word: &str) -> Cause {
    word.parse().unwrap_or(Cause::New)
}

/// What cannot be read back is not known.
pub(super) fn json<T: DeserializeOwned>(text: Option<String>) -> Option<T> {
    serde_json::from_str(&text?).ok()
}

pub(super) fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("invariant: a difference has texts for keys")
}

/// Writes what is known of items.
pub(super) async fn write(db: &mut AnyConnection, items: &[(i64, Key, Known)]) -> Result<(), sqlx::Error> {
    const WRITTEN: [&str; 18] = [
        "host",
        "thing",
        "property",
        "setting",
        "task",
        "origin",
        "seen",
        "wanted",
        "remembered",
        "known",
        "cause",
        "since",
        "before",
        "looks",
        "difference",
        "traces",
        "run",
        "cover",
    ];
    let sets: Vec<String> = WRITTEN[3..].iter().map(|c| format!("{c} = excluded.{c}")).collect();
    for some in items.chunks(rows(WRITTEN.len())) {
        let text_of_it = format!(
            "INSERT INTO items ({}) VALUES {} ON CONFLICT (host, thing, property) DO UPDATE SET {}",
            WRITTEN.join(", "),
            values(some.len(), WRITTEN.len()),
            sets.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(text_of_it));
        for (host, key, known) in some {
            let traces = (!known.traces.is_empty()).then(|| text(&known.traces));
            query = query.bind(host).bind(&key.thing).bind(&key.property).bind(&known.setting).bind(&known.task);
            query = query.bind(&known.origin).bind(&known.seen).bind(&known.wanted);
            query = query.bind(known.left.clone().flatten()).bind(i64::from(known.left.is_some()));
            query = query.bind(known.cause.word()).bind(known.since).bind(known.before).bind(i64::from(known.looks));
            query = query
                .bind(known.difference.as_ref().map(text::<Diff>))
                .bind(traces)
                .bind(&known.run)
                .bind(&known.cover);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Forgets items.
pub(super) async fn remove(db: &mut AnyConnection, items: &[(i64, Key)]) -> Result<(), sqlx::Error> {
    for (host, key) in items {
        let query = sqlx::query("DELETE FROM items WHERE host = $1 AND thing = $2 AND property = $3");
        query.bind(host).bind(&key.thing).bind(&key.property).execute(&mut *db).await?;
    }
    Ok(())
}

/// The sets of things that runs of all tasks of these playbooks looked at, by host.
pub(super) async fn covers(
    db: &mut AnyConnection,
    hosts: &[i64],
    playbooks: &str,
) -> Result<HashMap<i64, BTreeSet<String>>, sqlx::Error> {
    let mut all: HashMap<i64, BTreeSet<String>> = HashMap::new();
    for some in hosts.chunks(rows(1)) {
        let text = format!(
            "SELECT host, cover FROM covers WHERE host IN {} AND playbooks = ${}",
            values(1, some.len()),
            some.len() + 1
        );
        let query = listed(text, some);
        for row in query.bind(playbooks).fetch_all(&mut *db).await? {
            all.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
        }
    }
    Ok(all)
}

/// A look at a set of things: of which host, which set, when it began, and, if it was one at all that some playbooks manage, these.
pub(super) type Covered = (i64, String, i64, String);

/// Writes when looks at sets of things began, and forgets the sets of these hosts that no item is in any more.
pub(super) async fn cover(db: &mut AnyConnection, covers: &[Covered], moved: &[i64]) -> Result<(), sqlx::Error> {
    for some in covers.chunks(rows(4)) {
        let text = format!(
            "INSERT INTO covers (host, cover, at, playbooks) VALUES {} ON CONFLICT (host, cover) DO UPDATE SET \
             at = CASE WHEN excluded.at > covers.at THEN excluded.at ELSE covers.at END, \
             playbooks = CASE WHEN excluded.playbooks <> '' THEN excluded.playbooks ELSE covers.playbooks END",
            values(some.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (host, cover, at, playbooks) in some {
            query = query.bind(host).bind(cover).bind(at).bind(playbooks);
        }
        query.execute(&mut *db).await?;
    }
    for some in moved.chunks(rows(1)) {
        let text = format!(
            "DELETE FROM covers WHERE host IN {} AND NOT EXISTS \
             (SELECT 1 FROM items WHERE items.host = covers.host AND items.cover = covers.cover)",
            values(1, some.len())
        );
        let query = listed(text, some);
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// The lines of these contents, as far as they are known.
pub(super) async fn lines(
    db: &mut AnyConnection,
    hashes: &HashSet<String>,
) -> Result<HashMap<String, String>, sqlx::Error> {
    let mut all = HashMap::new();
    let hashes: Vec<&String> = hashes.iter().collect();
    for some in hashes.chunks(rows(1)) {
        let text = format!("SELECT hash, lines FROM contents WHERE hash IN {}", values(1, some.len()));
        let query = listed(text, some.iter().copied());
        for row in query.fetch_all(&mut *db).await? {
            all.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    Ok(all)
}

/// Writes the lines of contents, each once for the whole fleet.
pub(super) async fn put_lines(
    db: &mut AnyConnection,
    lines: &BTreeMap<String, (String, i64)>,
) -> Result<(), sqlx::Error> {
    let all: Vec<_> = lines.iter().collect();
    for some in all.chunks(rows(3)) {
        let text = format!(
            "INSERT INTO contents (hash, lines, used) VALUES {} ON CONFLICT (hash) DO NOTHING",
            values(some.len(), 3)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (hash, (lines, at)) in some {
            query = query.bind(*hash).bind(lines).bind(at);
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}
