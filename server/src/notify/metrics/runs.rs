//! How long runs take, as a histogram that grows as they end.

use jiff::Timestamp;
use prometheus_client::{
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use sqlx::Row as _;

use crate::store::{Store, StoreError};

/// The most runs that a scrape takes in: the others come with the next.
const MOST: i64 = 10_000;

/// The run times since this program began. A counter that was made from the record would fall whenever old runs are removed.
#[derive(Debug)]
pub(super) struct Runs {
    /// The last run that was counted: when it ended, and its id.
    last: (i64, String),
    times: Family<Vec<(&'static str, String)>, Histogram>,
}

impl Runs {
    /// Counts the runs that end after this.
    pub(super) fn since(now: Timestamp) -> Self {
        let new: fn() -> Histogram = || Histogram::new([1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0]);
        let times = Family::new_with_constructor(new);
        let runs = Runs { last: (now.as_microsecond(), String::new()), times };
        for mode in ["check", "apply"] {
            let _ = runs.of(mode);
        }
        runs
    }

    fn of(&self, mode: &str) -> impl std::ops::Deref<Target = Histogram> {
        self.times.get_or_create(&vec![("mode", mode.to_owned())])
    }

    /// Takes in what ended since the last time.
    pub(super) async fn take_in(&mut self, store: &Store) -> Result<(), StoreError> {
        let ended = sqlx::query(
            "SELECT id, mode, began, ended FROM runs WHERE ended > $1 OR (ended = $1 AND id > $2) ORDER BY ended, id LIMIT $3",
        );
        let ended = ended.bind(self.last.0).bind(self.last.1.clone()).bind(MOST);
        for row in ended.fetch_all(store.pool()).await.map_err(|e| store.error(e))? {
            let times = || -> Result<(String, String, i64, i64), sqlx::Error> {
                Ok((row.try_get("id")?, row.try_get("mode")?, row.try_get("began")?, row.try_get("ended")?))
            };
            let (id, mode, began, at) = times().map_err(|e| store.error(e))?;
            let mode = if mode == "apply" { "apply" } else { "check" };
            #[expect(clippy::cast_precision_loss, reason = "no run takes 285 years")]
            self.of(mode).observe(at.saturating_sub(began).max(0) as f64 / 1e6);
            self.last = (at, id);
        }
        Ok(())
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "run_duration",
            "How long runs took that ended since this server began",
            Unit::Seconds,
            self.times.clone(),
        );
    }
}
