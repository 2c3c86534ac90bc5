//! How often somebody may try a password.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Over how long failures are counted, microseconds.
const WINDOW: i64 = 5 * 60 * 1_000_000;
/// How many failures an account has from one address, before it has to wait.
const PAIR: usize = 5;
/// How many failures an address has, whatever the account.
const ADDRESS: usize = 30;
/// How many failures an account has, whatever the address.
const ACCOUNT: usize = 30;
/// How many failures are remembered at all; the oldest go first.
const MEMORY: usize = 10_000;

/// Failed attempts to log in.
#[derive(Debug, Default)]
pub(in crate::web) struct Limits {
    failed: Mutex<Vec<(i64, IpAddr, String)>>,
}

impl Limits {
    /// Whether another attempt is allowed. It counts as failed from now on, so that many at once are not more than one after the other.
    pub(super) fn attempt(&self, now: i64, address: IpAddr, account: &str) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|(at, ..)| now.saturating_sub(*at) < WINDOW);
        let mut counts: HashMap<(bool, bool), usize> = HashMap::new();
        for (_, from, of) in failed.iter() {
            *counts.entry((*from == address, of == account)).or_default() += 1;
        }
        let count = |key| counts.get(&key).copied().unwrap_or_default();
        let both = count((true, true));
        if both >= PAIR || both + count((true, false)) >= ADDRESS || both + count((false, true)) >= ACCOUNT {
            return false;
        }
        if failed.len() >= MEMORY {
            failed.remove(0);
        }
        failed.push((now, address, account.to_owned()));
        true
    }

    /// It was the right password.
    pub(super) fn succeeded(&self, address: IpAddr, account: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|(_, from, of)| !(*from == address && of == account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_has_to_wait_and_others_do_not() {
        let limits = Limits::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!((0..5).all(|n| limits.attempt(n, one, "eva")));
        assert!(!limits.attempt(5, one, "eva"));
        assert!(limits.attempt(5, two, "eva") && limits.attempt(5, one, "tom"));
        assert!(limits.attempt(WINDOW + 5, one, "eva"), "after five minutes");
        limits.succeeded(two, "eva");
        let many = (0..40).filter(|n| limits.attempt(WINDOW * 3, one, &format!("user{n}"))).count();
        assert_eq!(many, 30, "one address tries many accounts");
        let many = (0..40u8).filter(|n| limits.attempt(WINDOW * 6, IpAddr::from([10, 1, 1, *n]), "eva")).count();
        assert_eq!(many, 30, "many addresses try one account");
    }
}
