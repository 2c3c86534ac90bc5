//! What the record says of a round, in words for people.

use sqlx::Row as _;

use crate::store::{Store, StoreError};

/// How many hosts are named in one line.
const NAMES: usize = 20;

/// The hosts that are otherwise since this run, a line for each kind of change.
pub(super) async fn of_run(store: &Store, run: &str) -> Result<Vec<String>, StoreError> {
    let query = sqlx::query(
        "SELECT hosts.name, transitions.old, transitions.new FROM transitions JOIN hosts ON hosts.id = transitions.host \
         WHERE transitions.run = $1 AND transitions.kind = 'state' ORDER BY transitions.old, transitions.new, hosts.name",
    );
    let rows = query.bind(run).fetch_all(store.pool()).await.map_err(|e| store.error(e))?;
    let mut kinds: Vec<((String, String), Vec<String>)> = Vec::new();
    for row in rows {
        let kind: (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let host: String = row.try_get(0)?;
        match kinds.last_mut() {
            Some((last, hosts)) if *last == kind => hosts.push(host),
            _ => kinds.push((kind, vec![host])),
        }
    }
    Ok(kinds.iter().map(|((old, new), hosts)| format!("{} now {new} (before: {old})", are(hosts))).collect())
}

/// `a is`, `a, b are`, and not more names than a line takes.
pub(super) fn are(hosts: &[impl AsRef<str>]) -> String {
    let named: Vec<&str> = hosts.iter().map(AsRef::as_ref).take(NAMES).collect();
    let more = match hosts.len().saturating_sub(NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more} {}", named.join(", "), if hosts.len() == 1 { "is" } else { "are" })
}

/// How a round went, by hosts.
pub(super) async fn sum(store: &Store, round: &str) -> Result<String, StoreError> {
    let query = sqlx::query(
        "SELECT state, COUNT(*), CAST(SUM(drifted) AS BIGINT) FROM jobs WHERE round = $1 GROUP BY state ORDER BY state",
    );
    let rows = query.bind(round).fetch_all(store.pool()).await.map_err(|e| store.error(e))?;
    let (mut all, mut drifted, mut parts) = (0, 0, Vec::new());
    for row in &rows {
        let (state, hosts): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        all += hosts;
        drifted += row.try_get::<i64, _>(2)?;
        match state.as_str() {
            "corrected" | "held" | "unreachable" | "gone" => parts.push(format!("{hosts} {state}")),
            "failed" => parts.push(format!("{hosts} failing")),
            "waiting" | "to_correct" => parts.push(format!("{hosts} left")),
            _ => {}
        }
    }
    parts.insert(0, format!("{drifted} not as declared"));
    let hosts = if all == 1 { "host" } else { "hosts" };
    Ok(format!("{all} {hosts}, {}", parts.join(", ")))
}
