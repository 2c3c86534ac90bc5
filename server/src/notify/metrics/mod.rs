//! Metrics for Prometheus, and whether the server is well.
//!
//! Everything but the run times is asked of the record when somebody scrapes, so that two servers on one record say the same and a restart changes
//! nothing. No metric has a label per host: a fleet of two thousand would make as many series of each.

mod queries;
mod runs;
#[cfg(test)]
mod tests;
mod token;
mod web;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use tokio::sync::Mutex;

use self::{queries::Fleet, runs::Runs};
use crate::{
    schedule::Clock,
    store::{Store, StoreError},
};

pub use token::TokenFile;
pub use web::router;

/// How long the record may take to answer a scrape.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the scheduler may be silent before it is taken for dead, seconds.
const SILENCE: i64 = 60;

/// A sign of life of the scheduler: whoever runs schedules beats it at least every half minute. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicI64>);

impl Pulse {
    /// The scheduler lives.
    pub fn beat(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// When it last did; `None`: it has not begun.
    fn last(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Relaxed);
        Timestamp::from_microsecond(at).ok().filter(|_| at != 0)
    }
}

/// What metrics and health are made from.
pub struct Metrics {
    store: Store,
    clock: Arc<dyn Clock>,
    pulse: Pulse,
    runs: Mutex<Runs>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("store", &self.store).field("pulse", &self.pulse).finish_non_exhaustive()
    }
}

/// A family of values by labels.
type Gauges = Family<Vec<(&'static str, String)>, Gauge<f64, AtomicU64>>;

impl Metrics {
    /// The metrics of this record; run times are counted from now on.
    pub fn new(store: Store, clock: Arc<dyn Clock>, pulse: Pulse) -> Self {
        let runs = Mutex::new(Runs::since(clock.now()));
        Metrics { store, clock, pulse, runs }
    }

    /// All of them as text (OpenMetrics 1.0). A record that cannot be read is told by `rectify_store_up 0`, and what else is known.
    pub async fn text(&self) -> String {
        // One scrape at a time: many at once are no more than one to the record.
        let mut runs = self.runs.lock().await;
        let now = self.clock.now();
        let asked = async {
            runs.take_in(&self.store).await?;
            Fleet::ask(&self.store, now).await
        };
        let fleet = tokio::time::timeout(PATIENCE, asked).await.ok().and_then(Result::<Fleet, StoreError>::ok);
        let mut registry = Registry::with_prefix("rectify");
        let build = gauges(&mut registry, "build", "The program that answers; always 1");
        set(&build, [("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let up = f64::from(u8::from(fleet.is_some()));
        registry.register("store_up", "Whether the record could be read: 1 or 0", gauge(up));
        if let Some(beat) = self.pulse.last() {
            let help = "When the scheduler last gave a sign of life";
            registry.register_with_unit("scheduler_beat_timestamp", help, Unit::Seconds, gauge(seconds(beat)));
        }
        if let Some(fleet) = fleet {
            fleet.register(&mut registry, now);
        }
        runs.register(&mut registry);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// Why the server cannot do its work, if so: without a word about where the record is, as anybody may ask.
    async fn ill(&self) -> Option<&'static str> {
        let silent = |last: Timestamp| (self.clock.now().as_second() - last.as_second()).abs() > SILENCE;
        if self.pulse.last().is_none_or(silent) {
            return Some("the scheduler gives no sign of life");
        }
        let one = sqlx::query("SELECT state FROM hosts LIMIT 1").fetch_optional(self.store.pool());
        match tokio::time::timeout(PATIENCE, one).await {
            Ok(Ok(_)) => None,
            _ => Some("the record cannot be read"),
        }
    }
}

fn gauge(value: f64) -> Gauge<f64, AtomicU64> {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

fn gauges(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register(name, help, family.clone());
    family
}

/// As [`gauges`], in seconds: the name ends so.
fn timed(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

fn set<const N: usize>(family: &Gauges, labels: [(&'static str, &str); N], value: f64) {
    let labels = labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    family.get_or_create(&labels).set(value);
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are exact in a double until 2255")]
fn seconds(at: Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}
