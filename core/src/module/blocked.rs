//! What enforcing would have blocked, where a module can count that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often enforcing a setting would have blocked something on a host.
///
/// By day, and not since the last look: whoever counts need not remember when that was, and two looks at the same day do not add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// How many days are covered, today included.
    pub over: u32,
    /// How often on each day on which there was anything, as `2026-11-22`.
    pub days: BTreeMap<String, u64>,
    /// What most of it came from, the most frequent first, each with its number.
    pub most: Vec<(String, u64)>,
}

impl Blocked {
    /// How often on all days together.
    pub fn total(&self) -> u64 {
        self.days.values().fold(0, |sum, n| sum.saturating_add(*n))
    }
}

impl std::fmt::Display for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let over = if self.over == 1 { "today".to_owned() } else { format!("in {} days", self.over) };
        match self.total() {
            0 => return write!(f, "enforcing would have blocked nothing {over}"),
            1 => write!(f, "enforcing would have blocked something once {over}")?,
            n => write!(f, "enforcing would have blocked something {n} times {over}")?,
        }
        let most: Vec<String> = self.most.iter().map(|(who, n)| format!("{n} × {who}")).collect();
        if most.is_empty() { Ok(()) } else { write!(f, ": {}", most.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_sentence() {
        let mut blocked = Blocked { over: 30, ..Blocked::default() };
        assert_eq!(blocked.to_string(), "enforcing would have blocked nothing in 30 days");
        blocked.days = [("2026-11-01".to_owned(), 1)].into();
        assert_eq!(blocked.to_string(), "enforcing would have blocked something once in 30 days");
        blocked.days.insert("2026-11-02".into(), u64::MAX);
        blocked.days.insert("2026-11-03".into(), 1);
        assert_eq!(blocked.total(), u64::MAX, "it does not run over");
        blocked.days = [("2026-11-22".to_owned(), 14)].into();
        blocked.over = 1;
        blocked.most = vec![("a.example".into(), 12), ("b.example".into(), 2)];
        assert_eq!(
            blocked.to_string(),
            "enforcing would have blocked something 14 times today: 12 × a.example, 2 × b.example"
        );
    }
}
