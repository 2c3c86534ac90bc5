//! What the index says of runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{Row as _, any::AnyRow};

use super::{Store, StoreError, listed, rows, values};

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Those in which one of these hosts was looked at, by their names.
    pub hosts: Option<BTreeSet<String>>,
    /// Those with a task of this setting.
    pub setting: Option<String>,
    /// Those that began at this time or later, microseconds since 1970.
    pub since: Option<i64>,
    /// Those whose id begins so.
    pub run: Option<String>,
}

/// A run, as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run: String,
    /// When it began, microseconds since 1970.
    pub began: i64,
    /// When it ended, or was last heard of; `None` while it runs.
    pub ended: Option<i64>,
    /// `check` or `apply`.
    pub mode: String,
    /// `operator`, `schedule` or `page`.
    pub cause: String,
    /// The account, or the schedule's name.
    pub author: String,
    /// The schedule that it belongs to.
    pub schedule: Option<String>,
    /// The machine whose folder has the events.
    pub server: String,
    /// The folder there.
    pub folder: String,
    /// The playbooks as they were named.
    pub playbooks: Vec<String>,
    /// How many hosts it was for.
    pub hosts: i64,
    /// How it ended; `None` while it runs, and where it broke off.
    pub exit_code: Option<i64>,
    /// Whether the operator interrupted it.
    pub interrupted: bool,
    /// What it came to on the hosts that were asked for.
    pub of: Option<OfHosts>,
}

/// What a run came to on some of its hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfHosts {
    /// How many of them were in which state then: see `looks`.
    pub states: BTreeMap<String, i64>,
    /// Tasks that changed something.
    pub changed: i64,
    /// Tasks that would change something, or may.
    pub would: i64,
    /// Tasks that failed.
    pub failed: i64,
    /// Findings.
    pub findings: i64,
}

impl Store {
    /// The runs, the newest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        let since = filter.since.unwrap_or(i64::MIN);
        let mut of = match &filter.hosts {
            Some(hosts) => Some(self.of_hosts(hosts, since).await.map_err(|e| self.error(e))?),
            None => None,
        };
        let text = "SELECT r.id, r.began, r.ended, r.mode, r.cause, r.author, r.schedule, r.server, r.playbooks, r.hosts, r.exit_code, r.interrupted, r.folder \
             FROM runs r WHERE r.began >= $1 AND ($2 = '' OR r.id IN (SELECT run FROM run_settings WHERE setting = $2)) \
             AND substr(r.id, 1, length($3)) = $3 ORDER BY r.began DESC, r.id DESC";
        let query = sqlx::query(text).bind(since).bind(filter.setting.clone().unwrap_or_default());
        let query = query.bind(filter.run.clone().unwrap_or_default());
        let mut runs = Vec::new();
        for row in query.fetch_all(self.pool()).await.map_err(|e| self.error(e))? {
            let mut run = run_row(&row).map_err(|e| self.error(e))?;
            if let Some(of) = &mut of {
                run.of = of.remove(&run.run);
            }
            if of.is_none() || run.of.is_some() {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    /// The hosts that the record knows, each with its groups as of its last look.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn hosts(&self) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let rows = sqlx::query("SELECT name, groups FROM hosts ORDER BY name").fetch_all(self.pool()).await;
        let rows = rows.map_err(|e| self.error(e))?;
        let host = |row: &AnyRow| -> Result<_, sqlx::Error> {
            // Somebody else may have written there.
            Ok((row.try_get(0)?, serde_json::from_str(&row.try_get::<String, _>(1)?).unwrap_or_default()))
        };
        rows.iter().map(|row| host(row).map_err(|e| self.error(e))).collect()
    }

    /// What runs since then came to on these hosts, by run.
    async fn of_hosts(&self, hosts: &BTreeSet<String>, since: i64) -> Result<HashMap<String, OfHosts>, sqlx::Error> {
        let mut all: HashMap<String, OfHosts> = HashMap::new();
        let hosts: Vec<&String> = hosts.iter().collect();
        for some in hosts.chunks(rows(1)) {
            let sums = ["changed", "would", "failed", "findings"].map(|sum| format!("CAST(SUM(l.{sum}) AS BIGINT)"));
            let text = format!(
                "SELECT l.run, l.state, COUNT(*), {} FROM looks l JOIN hosts h ON h.id = l.host \
                 WHERE h.name IN {} AND l.at >= ${} GROUP BY l.run, l.state",
                sums.join(", "),
                values(1, some.len()),
                some.len() + 1
            );
            for row in listed(text, some.iter().map(|name| name.as_str())).bind(since).fetch_all(self.pool()).await? {
                let of = all.entry(row.try_get(0)?).or_default();
                *of.states.entry(row.try_get(1)?).or_default() += row.try_get::<i64, _>(2)?;
                for (at, sum) in [(3, &mut of.changed), (4, &mut of.would), (5, &mut of.failed), (6, &mut of.findings)]
                {
                    *sum += row.try_get::<i64, _>(at)?;
                }
            }
        }
        Ok(all)
    }
}

fn run_row(row: &AnyRow) -> Result<RunRow, sqlx::Error> {
    let playbooks: String = row.try_get(8)?;
    Ok(RunRow {
        run: row.try_get(0)?,
        began: row.try_get(1)?,
        ended: row.try_get(2)?,
        mode: row.try_get(3)?,
        cause: row.try_get(4)?,
        author: row.try_get(5)?,
        schedule: row.try_get(6)?,
        server: row.try_get(7)?,
        // Somebody else may have written there.
        playbooks: serde_json::from_str(&playbooks).unwrap_or_else(|_| vec![playbooks.clone()]),
        hosts: row.try_get(9)?,
        exit_code: row.try_get(10)?,
        interrupted: row.try_get::<i64, _>(11)? != 0,
        folder: row.try_get(12)?,
        of: None,
    })
}
