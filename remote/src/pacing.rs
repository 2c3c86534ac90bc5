//! Not too many handshakes at once per address.
//!
//! sshd's default `MaxStartups 10:30:100` begins to drop connections at random once ten are not yet authenticated
//! (sshd_config(5)). A [`Pacer`] keeps the handshakes under way per address below that, and [`Backoff`] spaces the
//! retries of connections that were closed before the key exchange was through.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handshakes under way per address: under sshd's ten, with room for other people's.
pub const HANDSHAKES_PER_ADDRESS: usize = 8;

/// How often a connection that was closed before the key exchange is tried in all.
pub const HANDSHAKE_ATTEMPTS: u32 = 6;

/// Counts the handshakes under way per address.
#[derive(Debug, Clone)]
pub struct Pacer {
    per_address: usize,
    addresses: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

impl Default for Pacer {
    fn default() -> Self {
        Self::new(HANDSHAKES_PER_ADDRESS)
    }
}

impl Pacer {
    /// A pacer that lets `per_address` handshakes (at least one) be under way per address.
    pub fn new(per_address: usize) -> Self {
        Self { per_address: per_address.max(1), addresses: Arc::default() }
    }

    /// Waits for a turn at `address`. The turn ends when the permit is dropped: after authentication, or on failure.
    pub async fn turn(&self, address: &str) -> OwnedSemaphorePermit {
        let gate = {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let gate =
                addresses.entry(address.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.per_address)));
            Arc::clone(gate)
        };
        gate.acquire_owned().await.expect("invariant: the semaphore is never closed")
    }
}

/// Growing, scattered pauses between attempts.
#[derive(Debug)]
pub struct Backoff {
    attempt: u32,
    attempts: u32,
    base: Duration,
    scatter: RandomState,
}

impl Backoff {
    /// Pauses for `attempts` attempts in all: `base`, twice that, four times that …, each plus up to its own length.
    pub fn new(attempts: u32, base: Duration) -> Self {
        Self { attempt: 1, attempts, base, scatter: RandomState::new() }
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    /// The pause before the next attempt; `None` when there is none left.
    fn next(&mut self) -> Option<Duration> {
        if self.attempt >= self.attempts {
            return None;
        }
        let step = self.base.saturating_mul(1 << (self.attempt - 1).min(6));
        let scatter = u32::try_from(self.scatter.hash_one(self.attempt) % 1000).unwrap_or(0);
        self.attempt += 1;
        Some(step + step * scatter / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_admits_so_many_and_another_is_not_affected() {
        let pacer = Pacer::new(2);
        let first = pacer.turn("a:22").await;
        let _second = pacer.turn("a:22").await;
        let third = pacer.turn("a:22");
        tokio::pin!(third);
        assert!(tokio::time::timeout(Duration::ZERO, third.as_mut()).await.is_err(), "the third waits");
        let _other = pacer.turn("b:22").await;
        drop(first);
        let _third = third.await;
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = Backoff::new(4, Duration::from_millis(100)).collect();
        assert_eq!(pauses.len(), 3);
        for (i, pause) in pauses.iter().enumerate() {
            let step = Duration::from_millis(100 << i);
            assert!((step..step * 2).contains(pause), "{pauses:?}");
        }
        assert_eq!(Backoff::new(1, Duration::from_secs(1)).next(), None);
    }
}
