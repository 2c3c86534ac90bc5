//! The time, as somebody else tells it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row as _;

use crate::store::{Kind, Store, StoreError};

/// How long a sleep lasts at most: a clock that was set anew is noticed after so long.
const DOZE: Duration = Duration::from_secs(10);

/// What says how late it is. Everything about schedules asks it, and nothing else.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Returns at `until`, or before: whoever waits looks at the clock again. It returns at once if that time has come.
    async fn doze(&self, until: Timestamp);

    /// Now, as all servers on this record have it: what leases are counted by.
    ///
    /// # Errors
    /// A database that cannot be asked.
    async fn agreed(&self, _store: &Store) -> Result<Timestamp, StoreError> {
        Ok(self.now())
    }
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

    async fn agreed(&self, store: &Store) -> Result<Timestamp, StoreError> {
        Ok(of_database(store).await?.unwrap_or_else(Timestamp::now))
    }
}

/// The clock of a database that servers on several machines share; `None` where it has none but this machine's.
pub(super) async fn of_database(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    if store.kind() == Kind::Sqlite {
        return Ok(None);
    }
    // Not now(), which stands still within a transaction.
    let query = sqlx::query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)");
    let row = query.fetch_one(store.pool()).await.map_err(|e| store.error(e))?;
    let micros: i64 = row.try_get(0).map_err(|e| store.error(e))?;
    Ok(Timestamp::from_microsecond(micros).ok())
}
