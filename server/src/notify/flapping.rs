//! Hosts that change so often that people stop listening.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _};

use super::{
    gather::Row,
    happening::{Happening, Kind},
};

/// What the record calls a host that began to flap; every other word is that it ended.
const BEGAN: &str = "flapping";

/// The hosts of which nothing is told.
pub(super) async fn silent(read: &mut AnyConnection) -> Result<BTreeMap<i64, i64>, sqlx::Error> {
    let all = sqlx::query("SELECT host, since FROM flapping").fetch_all(read).await?;
    all.iter().map(|row| Ok((row.try_get("host")?, row.try_get("since")?))).collect()
}

/// Leaves out what is not told because its host flaps, and adds that it began to, or ended. Each host of `silent` flapped before.
///
/// `all` are the transitions of the hosts, with what they come to. Comes back: what is told, and the hosts that flap from now on (with since when) or
/// no longer do (`None`).
pub(super) fn sift(
    all: Vec<(&[Row], Vec<Happening>)>,
    silent: &BTreeMap<i64, i64>,
) -> (Vec<Happening>, BTreeMap<i64, Option<i64>>) {
    // The last word on each host, and when it was said.
    let mut words: BTreeMap<i64, &Row> = BTreeMap::new();
    for row in all.iter().flat_map(|(rows, _)| rows.iter()).filter(|r| r.kind == "flapping") {
        let last = words.entry(row.host_id).or_insert(row);
        if (row.at, &row.id) >= (last.at, &last.id) {
            *last = row;
        }
    }
    let mut told = Vec::new();
    for (rows, happenings) in all {
        let Some(first) = rows.first() else { continue };
        match words.get(&first.host_id) {
            // What led to it is not told each by itself.
            Some(word) if word.new == BEGAN => {}
            Some(word) => told.extend(happenings.into_iter().filter(|h| h.at > word.at)),
            None if silent.contains_key(&first.host_id) => {}
            None => told.extend(happenings),
        }
    }
    let mut now = BTreeMap::new();
    for (host, word) in words {
        let begins = word.new == BEGAN;
        now.insert(host, begins.then_some(word.at));
        // One that is said to flap already is not said to begin; one that began and ended since has nothing to be said of.
        if begins != silent.contains_key(&host) {
            told.push(Happening::about(if begins { Kind::Flapping } else { Kind::Quiet }, word));
        }
    }
    (told, now)
}

/// Writes down which hosts flap.
pub(super) async fn keep(write: &mut AnyConnection, now: &BTreeMap<i64, Option<i64>>) -> Result<(), sqlx::Error> {
    for (host, since) in now {
        match since {
            Some(since) => {
                let add =
                    sqlx::query("INSERT INTO flapping (host, since) VALUES ($1, $2) ON CONFLICT (host) DO NOTHING");
                add.bind(*host).bind(*since).execute(&mut *write).await?;
            }
            None => {
                sqlx::query("DELETE FROM flapping WHERE host = $1").bind(*host).execute(&mut *write).await?;
            }
        }
    }
    Ok(())
}
