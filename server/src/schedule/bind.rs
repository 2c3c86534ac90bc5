//! What keeps a schedule from correcting at a moment: maintenance hours and freezes. They bind corrections, never looks.

use jiff::Timestamp;

use super::Schedule;

/// Why nothing is corrected now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound(pub String);

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Schedule {
    /// What keeps this schedule from correcting at `now`, if anything does.
    pub fn bound(&self, now: Timestamp) -> Option<Bound> {
        let today = now.to_zoned(self.cron.zone().clone()).date();
        if let Some(freeze) = self.freezes.iter().find(|f| f.from <= today && today <= f.to) {
            return Some(Bound(format!("frozen until the end of {}: {}", freeze.to, freeze.reason)));
        }
        if self.maintenance.is_empty() || self.maintenance.iter().any(|hours| hours.contains(now)) {
            return None;
        }
        let hours: Vec<String> = self.maintenance.iter().map(ToString::to_string).collect();
        Some(Bound(format!("outside the maintenance hours ({})", hours.join("; "))))
    }

    /// How many of `hosts` hosts may be corrected in one round.
    pub fn most(&self, hosts: usize) -> usize {
        let share = (hosts as f64 * self.budget / 100.0).floor() as usize;
        if self.budget > 0.0 { share.max(1) } else { 0 }
    }
}
