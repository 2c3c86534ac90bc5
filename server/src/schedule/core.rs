//! What all parts of a running server share.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Clock, Fleet, Schedule, lease::Leases};
use crate::{notify::metrics::Pulse, store::Store};

/// Takes a line about what the server does.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What all parts of a running server share.
pub(super) struct Core {
    pub(super) store: Store,
    pub(super) fleet: Arc<dyn Fleet>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) leases: Leases,
    pub(super) say: Say,
    /// True: nothing new begins.
    pub(super) halt: watch::Receiver<bool>,
    pub(super) pulse: Pulse,
    /// Whether hosts have their turns at once instead of within their window.
    pub(super) at_once: bool,
    pub(super) schedules: RwLock<Arc<Vec<Schedule>>>,
    #[cfg(test)]
    pub(super) steps: Option<super::testing::Steps>,
}

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn say(&self, line: impl AsRef<str>) {
        (self.say)(line.as_ref());
    }

    pub(super) fn ends(&self) -> bool {
        *self.halt.borrow()
    }

    pub(super) fn schedules(&self) -> Arc<Vec<Schedule>> {
        self.schedules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn schedule(&self, name: &str) -> Option<Schedule> {
        self.schedules().iter().find(|s| s.name == name).cloned()
    }

    /// Waits until `until` has come, or the clock was perhaps set, or the server is about to end.
    pub(super) async fn doze(&self, until: Timestamp) {
        let mut halt = self.halt.clone();
        tokio::select! {
            () = self.clock.doze(until) => {}
            _ = halt.wait_for(|halt| *halt) => {}
        }
    }

    /// A place between two steps, where a test may end the server.
    #[cfg(test)]
    pub(super) async fn step(&self, name: &'static str) {
        if let Some(steps) = &self.steps {
            steps.reach(name).await;
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_async, reason = "in tests it waits")]
    pub(super) async fn step(&self, _name: &'static str) {}
}
