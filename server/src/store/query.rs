//! What the index says of runs.

use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use super::{Store, StoreError};

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Those in which this host was looked at.
    pub host: Option<String>,
    /// Those with a task of this setting.
    pub setting: Option<String>,
    /// Those that began at this time or later, microseconds since 1970.
    pub since: Option<i64>,
    /// The newest so many only.
    pub limit: Option<u32>,
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
    /// The playbooks as they were named.
    pub playbooks: Vec<String>,
    /// How many hosts it was for.
    pub hosts: i64,
    /// How it ended; `None` while it runs, and where it broke off.
    pub exit_code: Option<i64>,
    /// Whether the operator interrupted it.
    pub interrupted: bool,
    /// What it came to on the host that was asked for.
    pub of: Option<OfHost>,
}

/// What a run came to on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfHost {
    /// The host's state then: see `looks`.
    pub state: String,
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
        // $1 host, $2 setting, $3 since, $4 how many: always there, so that each has its number.
        let (of, host) = match filter.host {
            Some(_) => (
                ", l.state, l.changed, l.would, l.failed, l.findings",
                "JOIN looks l ON l.run = r.id JOIN hosts h ON h.id = l.host WHERE h.name = $1",
            ),
            None => ("", "WHERE $1 = ''"),
        };
        let setting = match filter.setting {
            Some(_) => "r.id IN (SELECT run FROM run_settings WHERE setting = $2)",
            None => "$2 = ''",
        };
        let text = format!(
            "SELECT r.id, r.began, r.ended, r.mode, r.cause, r.author, r.schedule, r.server, r.playbooks, r.hosts, r.exit_code, r.interrupted{of} \
             FROM runs r {host} AND {setting} AND r.began >= $3 ORDER BY r.began DESC, r.id DESC LIMIT $4"
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(filter.host.clone().unwrap_or_default())
            .bind(filter.setting.clone().unwrap_or_default())
            .bind(filter.since.unwrap_or(i64::MIN))
            .bind(filter.limit.map_or(i64::MAX, i64::from));
        let rows = query.fetch_all(self.pool()).await.map_err(|e| self.error(e))?;
        rows.iter().map(|row| run_row(row, filter.host.is_some()).map_err(|e| self.error(e))).collect()
    }
}

fn run_row(row: &AnyRow, one: bool) -> Result<RunRow, sqlx::Error> {
    let playbooks: String = row.try_get(8)?;
    let of = || -> Result<OfHost, sqlx::Error> {
        let [changed, would, failed, findings] = [13, 14, 15, 16].map(|column| row.try_get::<i64, _>(column));
        Ok(OfHost { state: row.try_get(12)?, changed: changed?, would: would?, failed: failed?, findings: findings? })
    };
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
        of: if one { Some(of()?) } else { None },
    })
}
