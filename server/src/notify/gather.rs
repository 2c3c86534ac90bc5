//! The transitions that nobody was told of yet.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use crate::store::{self, listed, values};

/// The most transitions that are read at once: what is left waits for the next time.
const MOST: i64 = 20_000;
/// A transition, with what is known of its host.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) host_id: i64,
    pub(super) host: String,
    pub(super) owners: Vec<String>,
    pub(super) at: i64,
    pub(super) run: String,
    pub(super) kind: String,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) thing: Option<String>,
    pub(super) property: Option<String>,
    pub(super) setting: Option<String>,
    pub(super) difference: Option<String>,
    pub(super) before: Option<i64>,
    pub(super) traces: Option<String>,
    pub(super) trouble: Option<String>,
}

/// Whether there are any.
pub(super) async fn any(read: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let one = sqlx::query("SELECT id FROM transitions WHERE told IS NULL LIMIT 1");
    Ok(one.fetch_optional(read).await?.is_some())
}

/// Gives up on what is older than `before`: a record that is made anew from its folders tells nobody of last month.
pub(super) async fn forget(write: &mut AnyConnection, before: i64, now: i64) -> Result<(), sqlx::Error> {
    let old = sqlx::query("UPDATE transitions SET told = $1 WHERE told IS NULL AND at < $2");
    old.bind(now).bind(before).execute(write).await.map(drop)
}

/// The transitions that were not told, those of one host in one run together: by run and host.
pub(super) async fn untold(read: &mut AnyConnection) -> Result<Vec<Vec<Row>>, sqlx::Error> {
    let all = sqlx::query(
        "SELECT t.id, t.host AS host_id, h.name, h.owners, t.at, t.run, t.kind, t.old, t.new, t.thing, t.property, t.setting, t.difference, t.before, t.traces \
         FROM transitions t LEFT JOIN hosts h ON h.id = t.host \
         WHERE t.told IS NULL ORDER BY t.run, t.host, t.at, t.id LIMIT $1",
    );
    let mut rows = all.bind(MOST).fetch_all(&mut *read).await?.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let all = usize::try_from(MOST).is_ok_and(|most| rows.len() < most);
    troubles(read, &mut rows).await?;
    let mut groups: BTreeMap<(String, i64), Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry((row.run.clone(), row.host_id)).or_default().push(row);
    }
    if !all && groups.len() > 1 {
        // Where the limit cut, something of the last host may be missing.
        groups.pop_last();
    }
    Ok(groups.into_values().collect())
}

fn row(row: &AnyRow) -> Result<Row, sqlx::Error> {
    let owners: Option<String> = row.try_get("owners")?;
    let host_id: i64 = row.try_get("host_id")?;
    let name: Option<String> = row.try_get("name")?;
    Ok(Row {
        id: row.try_get("id")?,
        host_id,
        host: name.unwrap_or_else(|| format!("host {host_id}")),
        owners: owners.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        at: row.try_get("at")?,
        run: row.try_get("run")?,
        kind: row.try_get("kind")?,
        old: row.try_get("old")?,
        new: row.try_get("new")?,
        thing: row.try_get("thing")?,
        property: row.try_get("property")?,
        setting: row.try_get("setting")?,
        difference: row.try_get("difference")?,
        before: row.try_get("before")?,
        traces: row.try_get("traces")?,
        trouble: None,
    })
}

/// Why hosts fail or cannot be reached: what the look said that saw it.
async fn troubles(read: &mut AnyConnection, rows: &mut [Row]) -> Result<(), sqlx::Error> {
    let bad = |r: &Row| r.kind == "state" && matches!(r.new.as_str(), "failing" | "unreachable");
    let runs: BTreeSet<String> = rows.iter().filter(|r| bad(r)).map(|r| r.run.clone()).collect();
    let mut said: BTreeMap<(String, i64), String> = BTreeMap::new();
    for chunk in runs.into_iter().collect::<Vec<_>>().chunks(store::rows(1)) {
        let text = format!(
            "SELECT run, host, trouble FROM looks WHERE run IN {} AND trouble IS NOT NULL",
            values(1, chunk.len())
        );
        let query = listed(text, chunk.iter().cloned());
        for row in query.fetch_all(&mut *read).await? {
            said.insert((row.try_get("run")?, row.try_get("host")?), row.try_get("trouble")?);
        }
    }
    for row in rows.iter_mut().filter(|r| bad(r)) {
        row.trouble = said.get(&(row.run.clone(), row.host_id)).cloned();
    }
    Ok(())
}

/// Writes down that it was decided whom to tell of these.
pub(super) async fn told<'a>(
    write: &mut AnyConnection,
    ids: impl Iterator<Item = &'a str>,
    now: i64,
) -> Result<(), sqlx::Error> {
    for chunk in ids.collect::<Vec<_>>().chunks(store::rows(1)) {
        let places: Vec<String> = (2..=chunk.len() + 1).map(|n| format!("${n}")).collect();
        let text = format!("UPDATE transitions SET told = $1 WHERE id IN ({})", places.join(","));
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(now);
        for id in chunk {
            query = query.bind((*id).to_owned());
        }
        query.execute(&mut *write).await?;
    }
    Ok(())
}
