//! When within a round's window a host has its turn.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

/// How long after the due time a host has its turn: the same for this schedule and host in every round and on every server, whole seconds below `window`.
pub fn offset(schedule: &str, host: &str, window: SignedDuration) -> SignedDuration {
    let Some(seconds) = u64::try_from(window.as_secs()).ok().filter(|seconds| *seconds > 0) else {
        return SignedDuration::ZERO;
    };
    let mut hash = Sha256::new();
    hash.update(schedule.as_bytes());
    // A name has no such byte: `a` with `bc` is not `ab` with `c`.
    hash.update([0]);
    hash.update(host.as_bytes());
    let hash = hash.finalize();
    let number = hash.iter().take(8).fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    SignedDuration::from_secs(i64::try_from(number % seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_spread_evenly_and_always_alike() {
        let hour = SignedDuration::from_hours(1);
        let mut quarters = [0; 4];
        for n in 0..2000 {
            let host = format!("web{n}.example.org");
            let at = offset("nightly", &host, hour);
            assert_eq!(at, offset("nightly", &host, hour));
            quarters[usize::try_from(at.as_mins() / 15).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|hosts| (400..600).contains(hosts)), "{quarters:?}");
        assert_ne!(offset("nightly", "web1", hour), offset("hourly", "web1", hour));
        assert_ne!(offset("a", "bc", hour), offset("ab", "c", hour));
        assert_eq!(offset("nightly", "web1", SignedDuration::ZERO), SignedDuration::ZERO);
        // Fixed for good: a server of another version must not give a host another turn.
        assert_eq!(offset("nightly", "web1", hour).as_secs(), 114);
    }
}
