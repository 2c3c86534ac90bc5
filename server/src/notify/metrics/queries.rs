//! What the record says of the fleet, as numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prometheus_client::registry::{Registry, Unit};
use rectify_core::text::plain;
use sqlx::{AnyConnection, Row as _};

use super::{gauge, gauges, set, timed};
use crate::store::{Store, StoreError};

/// The most settings that have series of their own; the others are counted together.
const SETTINGS: usize = 200;
/// The most schedules that have.
const SCHEDULES: i64 = 200;
/// The states of hosts, so that one without hosts is 0 and not missing.
const STATES: [&str; 7] = ["new", "fine", "pending", "drifted", "failing", "unreachable", "held"];
/// The states of rounds.
const ROUNDS: [&str; 7] = ["waiting", "looking", "deciding", "correcting", "done", "skipped", "stopped"];
/// Ages of looks for which hosts are counted, seconds.
const STALE: [(&str, i64); 3] = [("2h", 2 * 3600), ("1d", 24 * 3600), ("7d", 7 * 24 * 3600)];

/// Numbers by their names.
type Counts = BTreeMap<String, i64>;

/// The fleet in numbers.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    hosts: Counts,
    flapping: i64,
    /// By setting and cause.
    open: Vec<((String, String), i64)>,
    /// When each host was last looked at without a failure; not those that never were.
    good: Vec<i64>,
    never: i64,
    schedules: Vec<Schedule>,
    rounds: Counts,
    jobs: Counts,
    outbox: Counts,
    oldest: Option<i64>,
}

#[derive(Debug)]
struct Schedule {
    name: String,
    due: Option<i64>,
    hosts: i64,
    never: i64,
    oldest: Option<i64>,
}

impl Fleet {
    /// Asks the record.
    pub(super) async fn ask(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let error = |e| store.error(e);
        let mut read = store.pool().acquire().await.map_err(error)?;
        Self::read(&mut read, now).await.map_err(error)
    }

    async fn read(read: &mut AnyConnection, now: Timestamp) -> Result<Self, sqlx::Error> {
        let mut fleet = Fleet {
            hosts: counts(read, "SELECT state, COUNT(*) FROM hosts GROUP BY state").await?,
            rounds: counts(read, "SELECT state, COUNT(*) FROM rounds GROUP BY state").await?,
            jobs: counts(
                read,
                "SELECT j.state, COUNT(*) FROM rounds r JOIN jobs j ON j.round = r.id \
                 WHERE r.state IN ('waiting', 'looking', 'deciding', 'correcting') GROUP BY j.state",
            )
            .await?,
            flapping: one(read, "SELECT COUNT(*) FROM flapping").await?.unwrap_or_default(),
            never: one(read, "SELECT COUNT(*) FROM hosts WHERE last_good IS NULL").await?.unwrap_or_default(),
            oldest: one(read, "SELECT MIN(at) FROM outbox WHERE delivered IS NULL AND dead IS NULL").await?,
            ..Fleet::default()
        };
        for (state, query) in [
            ("pending", "SELECT COUNT(*) FROM outbox WHERE delivered IS NULL AND dead IS NULL"),
            ("dead", "SELECT COUNT(*) FROM outbox WHERE dead IS NOT NULL"),
        ] {
            fleet.outbox.insert(state.to_owned(), one(read, query).await?.unwrap_or_default());
        }
        let open = "SELECT COALESCE(setting, '') AS setting, cause, COUNT(*) AS n FROM items \
                    WHERE cause IN ('new', 'drift', 'pending', 'both') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2";
        for row in sqlx::query(open).fetch_all(&mut *read).await? {
            fleet.open.push(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?));
        }
        let good = "SELECT last_good FROM hosts WHERE last_good IS NOT NULL ORDER BY last_good DESC";
        for row in sqlx::query(good).fetch_all(&mut *read).await? {
            fleet.good.push(row.try_get(0)?);
        }
        fleet.schedules = schedules(read).await?;
        // A clock that was put back makes no look younger than now.
        fleet.good.iter_mut().for_each(|at| *at = (*at).min(now.as_microsecond()));
        Ok(fleet)
    }

    /// Makes metrics of the numbers.
    pub(super) fn register(&self, registry: &mut Registry, now: Timestamp) {
        self.about_hosts(registry, now);
        self.about_schedules(registry, now);
        let open = gauges(registry, "open_items", "Things that are not as declared, by setting and cause");
        let mut rest: BTreeMap<&str, i64> = BTreeMap::new();
        for (at, ((setting, cause), n)) in self.open.iter().enumerate() {
            let setting = if setting.is_empty() { "(none)".to_owned() } else { plain(setting, 100) };
            if at < SETTINGS {
                set(&open, [("setting", setting.as_str()), ("cause", cause)], number(*n));
            } else {
                *rest.entry(cause).or_default() += n;
            }
        }
        for (cause, n) in rest {
            set(&open, [("setting", "(others)"), ("cause", cause)], number(n));
        }
        let outbox = gauges(registry, "outbox", "Messages to people that wait, or that were given up");
        for (state, n) in &self.outbox {
            set(&outbox, [("state", state)], number(*n));
        }
        let oldest = gauge(self.oldest.map_or(0.0, |at| age(at, now)));
        let help = "How long the oldest waiting message has waited";
        registry.register_with_unit("outbox_oldest_age", help, Unit::Seconds, oldest);
    }

    fn about_hosts(&self, registry: &mut Registry, now: Timestamp) {
        let hosts = gauges(registry, "hosts", "Hosts by state");
        for state in STATES {
            set(&hosts, [("state", state)], number(self.hosts.get(state).copied().unwrap_or_default()));
        }
        let help = "Hosts that change so often that people are not told";
        registry.register("hosts_flapping", help, gauge(number(self.flapping)));
        let ages =
            timed(registry, "look_age", "The age of the last good look, by percentile of the hosts that had one");
        for percent in [50, 90, 99, 100] {
            if let Some(at) = percentile(&self.good, percent) {
                set(&ages, [("percentile", &percent.to_string())], age(at, now));
            }
        }
        let stale =
            gauges(registry, "hosts_stale", "Hosts whose last good look is older than this; `never`: they had none");
        for (name, length) in STALE {
            let before = now.as_microsecond().saturating_sub(length * 1_000_000);
            set(&stale, [("over", name)], self.good.iter().filter(|at| **at < before).map(|_| 1.0).sum());
        }
        set(&stale, [("over", "never")], number(self.never));
    }

    fn about_schedules(&self, registry: &mut Registry, now: Timestamp) {
        let due = timed(registry, "schedule_due_timestamp", "When the next round of a schedule is due");
        let hosts = gauges(registry, "schedule_hosts", "Hosts of a schedule's last round");
        let never = gauges(registry, "schedule_hosts_never_seen", "Those of them that never had a good look");
        let oldest = timed(registry, "schedule_look_age", "The age of the oldest last good look of a schedule's hosts");
        for schedule in &self.schedules {
            let name = [("schedule", schedule.name.as_str())];
            if let Some(at) = schedule.due.and_then(|at| Timestamp::from_microsecond(at).ok()) {
                set(&due, name, super::seconds(at));
            }
            set(&hosts, name, number(schedule.hosts));
            set(&never, name, number(schedule.never));
            if let Some(at) = schedule.oldest {
                set(&oldest, name, age(at, now));
            }
        }
        let rounds = gauges(registry, "rounds", "Rounds in the record, by state");
        for state in ROUNDS {
            set(&rounds, [("state", state)], number(self.rounds.get(state).copied().unwrap_or_default()));
        }
        let jobs = gauges(registry, "jobs", "Hosts of the rounds that go on, by what is to be done with them");
        set(&jobs, [("state", "waiting")], 0.0);
        for (state, n) in &self.jobs {
            set(&jobs, [("state", state)], number(*n));
        }
    }
}

async fn schedules(read: &mut AnyConnection) -> Result<Vec<Schedule>, sqlx::Error> {
    let all = sqlx::query(
        "SELECT s.id, s.due, COUNT(h.id) AS hosts, COUNT(h.id) - COUNT(h.last_good) AS never, MIN(h.last_good) AS oldest \
         FROM schedules s LEFT JOIN jobs j ON j.round = s.last_round LEFT JOIN hosts h ON h.name = j.host \
         GROUP BY s.id, s.due ORDER BY s.id LIMIT $1",
    );
    let rows = all.bind(SCHEDULES).fetch_all(read).await?;
    let schedule = |row: &sqlx::any::AnyRow| {
        Ok(Schedule {
            name: plain(&row.try_get::<String, _>("id")?, 100),
            due: row.try_get("due")?,
            hosts: row.try_get("hosts")?,
            never: row.try_get("never")?,
            oldest: row.try_get("oldest")?,
        })
    };
    rows.iter().map(schedule).collect()
}

async fn counts(read: &mut AnyConnection, query: &'static str) -> Result<Counts, sqlx::Error> {
    let rows = sqlx::query(query).fetch_all(read).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn one(read: &mut AnyConnection, query: &'static str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query(query).fetch_one(read).await?.try_get(0)
}

/// The value that so many percent of the hosts are not older than; `good` has the youngest first.
fn percentile(good: &[i64], percent: usize) -> Option<i64> {
    let at = (good.len() * percent).div_ceil(100).checked_sub(1)?;
    good.get(at).copied()
}

/// Seconds since then, at least 0.
fn age(at: i64, now: Timestamp) -> f64 {
    number(now.as_microsecond().saturating_sub(at).max(0)) / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds are exact in a double up to 2^53")]
fn number(n: i64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_the_age_that_so_many_hosts_do_not_exceed() {
        let hundred: Vec<i64> = (0..100).rev().collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(1));
        assert_eq!(percentile(&hundred, 100), Some(0));
        assert_eq!((percentile(&[7], 50), percentile(&[], 50)), (Some(7), None));
    }
}
