//! Who works on what: leases with a number that rises with every claim.
//!
//! They are counted by the time that all servers on the record agree on, so that none whose clock is wrong takes what another works on.
//!
//! A lease is renewed while its work lasts and expires by itself when its holder is gone. A holder who was away for too long finds another number than
//! his own, and writes nothing any more.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use sqlx::{Any, AnyConnection, Row as _, Transaction};
use tokio::sync::watch;

use super::Clock;
use crate::store::{Store, StoreError};

/// How long a lease lasts that nobody renews.
pub(super) const LENGTH: SignedDuration = SignedDuration::from_secs(60);

/// The leases of one server.
#[derive(Clone)]
pub(super) struct Leases {
    store: Store,
    clock: Arc<dyn Clock>,
    holder: String,
    held: Arc<Mutex<HashSet<String>>>,
    freed: Arc<watch::Sender<u64>>,
}

/// Something that is worked on here and nowhere else. To be given back by [`Leases::release`]; one that is dropped otherwise can be claimed here again, and
/// elsewhere once it has expired.
#[derive(Debug)]
pub(super) struct Lease {
    what: String,
    holder: String,
    fence: i64,
    held: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.what);
    }
}

/// Why a step of a round is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broke {
    /// Another server has the round by now.
    #[error("another server has taken it over")]
    Lost,
    /// The server is about to end; the round goes on when one runs again.
    #[error("the server ends; it goes on when one runs again")]
    Ends,
    /// The record cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for Broke {
    fn from(error: sqlx::Error) -> Self {
        Broke::Store(error.into())
    }
}

impl Leases {
    /// For a holder whose name no other server ever has.
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>, holder: String) -> Self {
        Leases { store, clock, holder, held: Arc::default(), freed: Arc::default() }
    }

    /// Takes what nobody works on, of all these; what is worked on is left out.
    pub(super) async fn claim(&self, what: impl IntoIterator<Item = String>) -> Result<Vec<Lease>, StoreError> {
        // Always in this order, or two servers would wait for each other's rows.
        let mut wanted: Vec<String> = what.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let free: Vec<Lease> = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.retain(|what| held.insert(what.clone()));
            wanted.into_iter().map(|what| self.lease(what)).collect()
        };
        if free.is_empty() {
            return Ok(free);
        }
        let now = self.clock.agreed(&self.store).await?;
        let mut write = self.store.write().await?;
        let mut claimed = Vec::new();
        for mut lease in free {
            let row = sqlx::query(
                "INSERT INTO leases (what, holder, fence, until) VALUES ($1, $2, 1, $3) \
                 ON CONFLICT (what) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, until = excluded.until \
                 WHERE leases.until <= $4 RETURNING fence",
            );
            let row = row.bind(&lease.what).bind(&lease.holder).bind(ends(now)).bind(now.as_microsecond());
            if let Some(row) = row.fetch_optional(&mut *write).await? {
                lease.fence = row.try_get(0)?;
                claimed.push(lease);
            }
        }
        write.commit().await.map_err(|e| self.store.error(e))?;
        Ok(claimed)
    }

    fn lease(&self, what: String) -> Lease {
        Lease { what, holder: self.holder.clone(), fence: 0, held: self.held.clone() }
    }

    /// Keeps everything that is worked on here for some more time.
    pub(super) async fn renew(&self) -> Result<(), StoreError> {
        let held: Vec<String> = self.held.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        if held.is_empty() {
            return Ok(());
        }
        let ends = ends(self.clock.agreed(&self.store).await?);
        let mut write = self.store.write().await?;
        let mut held = held;
        held.sort_unstable();
        for what in held {
            let renewed = sqlx::query("UPDATE leases SET until = $1 WHERE what = $2 AND holder = $3 AND until > 0");
            let renewed = renewed.bind(ends).bind(what).bind(&self.holder);
            renewed.execute(&mut *write).await?;
        }
        write.commit().await.map_err(|e| self.store.error(e))
    }

    /// Gives back what is not worked on any more. The numbers stay: the next holder has a higher one.
    pub(super) async fn release(&self, leases: Vec<Lease>) -> Result<(), StoreError> {
        let mut write = self.store.write().await?;
        for lease in &leases {
            let gone = sqlx::query("UPDATE leases SET until = 0 WHERE what = $1 AND holder = $2 AND fence = $3");
            gone.bind(&lease.what).bind(&lease.holder).bind(lease.fence).execute(&mut *write).await?;
        }
        write.commit().await.map_err(|e| self.store.error(e))?;
        drop(leases);
        self.freed.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Changes whenever something that was worked on here is free again.
    pub(super) fn freed(&self) -> watch::Receiver<u64> {
        self.freed.subscribe()
    }

    /// Removes the row of what nobody will ever work on again.
    pub(super) async fn forget(&self, write: &mut AnyConnection, lease: &Lease) -> Result<(), Broke> {
        sqlx::query("DELETE FROM leases WHERE what = $1").bind(&lease.what).execute(write).await?;
        Ok(())
    }

    /// Ends all leases: for the only server on a record, which begins and knows that whoever held them is gone.
    pub(super) async fn clear(&self) -> Result<(), StoreError> {
        let mut write = self.store.write().await?;
        sqlx::query("UPDATE leases SET until = 0").execute(&mut *write).await?;
        write.commit().await.map_err(|e| self.store.error(e))
    }

    /// Begins a transaction in which `lease` is the present one, and keeps it for some more time.
    ///
    /// # Errors
    /// [`Broke::Lost`] if it is not; nothing is to be written then.
    pub(super) async fn under(&self, lease: &Lease) -> Result<Transaction<'static, Any>, Broke> {
        let ends = ends(self.clock.agreed(&self.store).await?);
        let mut write = self.store.write().await?;
        let mine = sqlx::query("UPDATE leases SET until = $1 WHERE what = $2 AND holder = $3 AND fence = $4");
        let mine = mine.bind(ends).bind(&lease.what).bind(&lease.holder).bind(lease.fence);
        if mine.execute(&mut *write).await?.rows_affected() == 1 { Ok(write) } else { Err(Broke::Lost) }
    }
}

impl Lease {
    /// What is worked on.
    pub(super) fn what(&self) -> &str {
        &self.what
    }
}

fn ends(now: Timestamp) -> i64 {
    now.checked_add(LENGTH).unwrap_or(Timestamp::MAX).as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schedule::{clock::of_database, testing::FakeClock},
        store::{
            RecordSettings,
            testing::{block_on, both, postgres},
        },
    };

    /// The clock of a machine that is ahead by this.
    struct Ahead(SignedDuration);

    #[async_trait::async_trait]
    impl Clock for Ahead {
        fn now(&self) -> Timestamp {
            Timestamp::now() + self.0
        }

        async fn doze(&self, _until: Timestamp) {}

        async fn agreed(&self, store: &Store) -> Result<Timestamp, StoreError> {
            Ok(of_database(store).await?.unwrap_or_else(|| self.now()))
        }
    }

    #[test]
    fn servers_whose_clocks_disagree_take_nothing_from_each_other() {
        let settings = postgres();
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let settings = RecordSettings { folder: folder.path().join("record"), ..settings };
            let store = Store::open(&settings).await.unwrap();
            let leases = |name: &str, hours| {
                let clock = Arc::new(Ahead(SignedDuration::from_hours(hours)));
                Leases::new(store.clone(), clock, name.into())
            };
            let (late, right, early) = (leases("late", -5), leases("right", 0), leases("early", 5));
            let host = || ["host:web1".to_owned()];
            for (one, others) in [(&late, [&right, &early]), (&right, [&late, &early]), (&early, [&late, &right])] {
                let mine = one.claim(host()).await.unwrap();
                assert_eq!(mine.len(), 1, "what nobody has is free whatever the clock says");
                one.renew().await.unwrap();
                for other in others {
                    assert!(other.claim(host()).await.unwrap().is_empty());
                }
                one.under(&mine[0]).await.unwrap().commit().await.unwrap();
                let row = sqlx::query("SELECT until FROM leases").fetch_one(store.pool()).await.unwrap();
                let until = Timestamp::from_microsecond(row.get(0)).unwrap();
                let now = of_database(&store).await.unwrap().unwrap();
                assert!(now < until && until <= now + LENGTH, "{now} {until}");
                one.release(mine).await.unwrap();
            }
            store.close().await;
        });
    }

    #[test]
    fn one_holds_what_another_cannot_have_until_it_expires_or_is_given_back() {
        both(|store| async move {
            let clock = FakeClock::at("2026-11-22T02:30:00Z");
            let leases = |name: &str| Leases::new(store.clone(), clock.shared(), name.into());
            let (a, b) = (leases("a"), leases("b"));
            let names = || ["host:web1".to_owned(), "host:web2".to_owned()];
            let mine = a.claim(names()).await.unwrap();
            assert_eq!(mine.iter().map(Lease::what).collect::<Vec<_>>(), ["host:web1", "host:web2"]);
            assert!(b.claim(names()).await.unwrap().is_empty());
            assert!(a.claim(names()).await.unwrap().is_empty(), "not even its own holder has it twice");
            a.release(mine).await.unwrap();
            let theirs = b.claim(["host:web2".to_owned()]).await.unwrap();
            assert_eq!(theirs[0].fence, 2, "the number rises");
            // Renewed, it stays; not renewed, it is anybody's.
            clock.advance(SignedDuration::from_secs(59));
            b.renew().await.unwrap();
            clock.advance(SignedDuration::from_secs(59));
            assert!(a.claim(["host:web2".to_owned()]).await.unwrap().is_empty());
            clock.advance(SignedDuration::from_secs(1));
            let taken = a.claim(["host:web2".to_owned()]).await.unwrap();
            assert_eq!(taken[0].fence, 3);
            // Who held it before writes nothing, and does not renew what is another's.
            assert!(matches!(b.under(&theirs[0]).await, Err(Broke::Lost)));
            b.renew().await.unwrap();
            b.release(theirs).await.unwrap();
            a.under(&taken[0]).await.unwrap().commit().await.unwrap();
            clock.advance(SignedDuration::from_secs(30));
            assert!(b.claim(["host:web2".to_owned()]).await.unwrap().is_empty());
        });
    }

    #[test]
    fn a_clock_that_jumps_gives_nobody_in_this_server_what_is_worked_on() {
        both(|store| async move {
            let clock = FakeClock::at("2026-11-22T02:30:00Z");
            let a = Leases::new(store, clock.shared(), "a".into());
            let mine = a.claim(["host:web1".to_owned()]).await.unwrap();
            clock.advance(SignedDuration::from_hours(24));
            assert!(a.claim(["host:web1".to_owned()]).await.unwrap().is_empty());
            drop(mine);
            assert_eq!(a.claim(["host:web1".to_owned()]).await.unwrap().len(), 1, "its worker is gone");
        });
    }
}
