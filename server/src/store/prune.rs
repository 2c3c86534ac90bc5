//! Forgets old runs.

use std::collections::HashSet;

use sqlx::{AnyConnection, Row as _};

use super::{Head, RunFolder, Store, StoreError, listed, values};
use crate::drift;

/// Runs in one transaction: others get a turn in between.
const AT_ONCE: usize = 100;

/// What was forgotten, or would be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The runs, the oldest first.
    pub runs: Vec<String>,
    /// How much room their folders took, bytes.
    pub bytes: u64,
    /// Runs that are as old, and stay, as a host was not looked at since.
    pub kept: Vec<String>,
}

impl Store {
    /// Forgets the runs of this machine that ended before `before` (microseconds since 1970): folders and rows. A run that goes on stays, and one that
    /// has the newest look at a host. With `dry`, only says which.
    ///
    /// # Errors
    /// A folder that cannot be removed, or a database that cannot be written; what was forgotten until then stays forgotten.
    pub async fn prune(&self, before: i64, dry: bool) -> Result<Pruned, StoreError> {
        let newest = self.newest().await?;
        let mut pruned = Pruned::default();
        let mut old = Vec::new();
        for run in self.old(before).await? {
            match RunFolder::of(self.folder(), &run) {
                Some(folder) if folder.is_running() => {}
                _ if newest.contains(&run) => pruned.kept.push(run),
                folder => {
                    pruned.bytes += folder.as_ref().map_or(0, RunFolder::size);
                    old.push((run, folder));
                }
            }
        }
        for some in old.chunks(AT_ONCE) {
            if !dry {
                // The folders first: rows without a folder are forgotten the next time, a folder without its row would be taken in again.
                for folder in some.iter().filter_map(|(_, folder)| folder.as_ref()) {
                    folder.remove()?;
                }
                let runs: Vec<&str> = some.iter().map(|(run, _)| run.as_str()).collect();
                let mut write = self.write().await?;
                forget(&mut write, &runs).await.map_err(|e| self.error(e))?;
                write.commit().await.map_err(|e| self.error(e))?;
            }
            pruned.runs.extend(some.iter().map(|(run, _)| run.clone()));
        }
        if !dry && !pruned.runs.is_empty() {
            drift::forget_contents(self).await?;
        }
        Ok(pruned)
    }

    /// The runs that have the newest look at a host.
    async fn newest(&self) -> Result<HashSet<String>, StoreError> {
        let text = "SELECT DISTINCT l.run FROM looks l \
                    JOIN (SELECT host, MAX(at) AS at FROM looks GROUP BY host) n ON n.host = l.host AND n.at = l.at";
        let rows = sqlx::query(text).fetch_all(self.pool()).await.map_err(|e| self.error(e))?;
        rows.iter().map(|row| row.try_get(0).map_err(|e| self.error(e))).collect()
    }

    /// The runs of this machine that ended before.
    async fn old(&self, before: i64) -> Result<Vec<String>, StoreError> {
        let text = "SELECT id FROM runs WHERE ended IS NOT NULL AND ended < $1 AND server = $2 ORDER BY began, id";
        let query = sqlx::query(text).bind(before).bind(Head::this_server());
        let rows = query.fetch_all(self.pool()).await.map_err(|e| self.error(e))?;
        rows.iter().map(|row| row.try_get(0).map_err(|e| self.error(e))).collect()
    }
}

async fn forget(write: &mut AnyConnection, runs: &[&str]) -> Result<(), sqlx::Error> {
    for (table, column) in [("transitions", "run"), ("looks", "run"), ("run_settings", "run"), ("runs", "id")] {
        let text = format!("DELETE FROM {table} WHERE {column} IN {}", values(1, runs.len()));
        let query = listed(text, runs.iter().copied());
        query.execute(&mut *write).await?;
    }
    Ok(())
}
