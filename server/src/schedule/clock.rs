//! The time, as somebody else tells it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// How long a sleep lasts at most: a clock that was set anew is noticed after so long.
const DOZE: Duration = Duration::from_secs(10);

/// What says how late it is. Everything about schedules asks it, and nothing else.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Returns at `until`, or before: whoever waits looks at the clock again. It returns at once if that time has come.
    async fn doze(&self, until: Timestamp);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn doze(&self, until: Timestamp) {
        let left = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
        if !left.is_zero() {
            tokio::time::sleep(left.min(DOZE)).await;
        }
    }
}
