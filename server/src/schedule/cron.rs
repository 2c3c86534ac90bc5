//! Due times: a cron expression in a time zone.

use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer};

/// When something is due: five fields (minute, hour, day of the month, month, day of the week) in a time zone.
///
/// A time that the spring's change of clocks leaves out is due at the end of the gap, and one that autumn's brings twice is due once;
/// what is due every so many minutes or hours keeps its pace through both.
#[derive(Debug, Clone)]
pub struct Cron {
    expression: String,
    cron: croner::Cron,
    zone: TimeZone,
}

/// Why an expression is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronProblem(String);

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.zone == other.zone
    }
}

impl Cron {
    /// Reads five fields.
    ///
    /// # Errors
    /// What is no such expression, and one that is never due.
    pub fn new(expression: &str, zone: TimeZone) -> Result<Self, CronProblem> {
        let fields = expression.split_whitespace().count();
        if !expression.trim_start().starts_with('@') && fields != 5 {
            return Err(CronProblem(format!("it has {fields} fields, not five: minute, hour, day, month, weekday")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|e| CronProblem(e.to_string()))?;
        let made = Cron { expression: expression.to_owned(), cron, zone };
        // 2000 is a leap year: whatever has a date at all comes within the years that follow.
        let start = Timestamp::from_second(946_684_800).unwrap_or(Timestamp::UNIX_EPOCH);
        if made.next(start).is_none() {
            return Err(CronProblem("there is no such day: it would never be due".into()));
        }
        Ok(made)
    }

    /// The first due time after `after`; `None` if the calendar ends before.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let found = self.cron.find_next_occurrence(&after.to_zoned(self.zone.clone()), false);
        found.ok().map(|zoned| zoned.timestamp())
    }

    /// The last due time until `until`, itself included.
    pub fn latest(&self, until: Timestamp) -> Option<Timestamp> {
        let found = self.cron.find_previous_occurrence(&until.to_zoned(self.zone.clone()), true);
        found.ok().map(|zoned| zoned.timestamp())
    }

    /// As it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl std::fmt::Display for Cron {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.expression, self.zone.iana_name().unwrap_or("UTC"))
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The due times of a week from `from`, in local time; each is checked to be its own `latest`.
    fn week(expression: &str, place: &str, from: &str) -> Vec<String> {
        let cron = Cron::new(expression, zone(place)).unwrap();
        let mut now = at(from);
        let end = now + jiff::SignedDuration::from_hours(7 * 24);
        let mut all = Vec::new();
        while let Some(next) = cron.next(now).filter(|next| *next < end) {
            assert!(next > now, "time goes on");
            assert_eq!(cron.latest(next), Some(next));
            assert_eq!(cron.latest(next + jiff::SignedDuration::from_secs(59)), Some(next));
            all.push(next.to_zoned(zone(place)).strftime("%d %H:%M %z").to_string());
            now = next;
        }
        all
    }

    #[test]
    fn a_night_without_half_past_two_has_its_round_all_the_same() {
        // Berlin leaves 02:00 to 03:00 out on 28 March 2027, New York on 14 March.
        let berlin = week("30 2 * * *", "Europe/Berlin", "2027-03-25T12:00:00Z");
        let expected = ["26 02:30 +0100", "27 02:30 +0100", "28 03:00 +0200", "29 02:30 +0200"];
        assert_eq!(berlin[..4], expected, "{berlin:?}");
        assert_eq!(berlin.len(), 7);
        let york = week("30 2 * * *", "America/New_York", "2027-03-12T12:00:00Z");
        assert_eq!(york[..3], ["13 02:30 -0500", "14 03:00 -0400", "15 02:30 -0400"], "{york:?}");
        assert_eq!(york.len(), 7);
    }

    #[test]
    fn a_night_with_two_half_past_twos_has_one_round() {
        // Berlin has 02:00 to 03:00 twice on 31 October 2027, New York 01:00 to 02:00 on 7 November.
        let berlin = week("30 2 * * *", "Europe/Berlin", "2027-10-29T12:00:00Z");
        assert_eq!(berlin[..3], ["30 02:30 +0200", "31 02:30 +0200", "01 02:30 +0100"], "{berlin:?}");
        assert_eq!(berlin.len(), 7);
        let york = week("30 1 * * *", "America/New_York", "2027-11-05T12:00:00Z");
        assert_eq!(york[..3], ["06 01:30 -0400", "07 01:30 -0400", "08 01:30 -0500"], "{york:?}");
        assert_eq!(york.len(), 7);
    }

    #[test]
    fn what_is_due_every_half_hour_keeps_its_pace_through_both_changes() {
        for (place, from) in [
            ("Europe/Berlin", "2027-03-25T12:00:00Z"),
            ("Europe/Berlin", "2027-10-29T12:00:00Z"),
            ("America/New_York", "2027-03-12T12:00:00Z"),
            ("America/New_York", "2027-11-05T12:00:00Z"),
        ] {
            let cron = Cron::new("*/30 * * * *", zone(place)).unwrap();
            let mut now = at(from);
            for _ in 0..7 * 48 {
                let next = cron.next(now).unwrap();
                assert_eq!(next.duration_since(now).as_mins(), 30, "{place} after {now}");
                now = next;
            }
        }
    }

    #[test]
    fn weekdays_and_days_of_the_month_are_cron_s() {
        assert_eq!(week("0 4 * * MON,THU", "UTC", "2027-03-01T00:00:00Z"), ["01 04:00 +0000", "04 04:00 +0000"]);
        assert_eq!(week("0 4 3 * MON", "UTC", "2027-03-01T00:00:00Z").len(), 2, "either of the two, as in cron");
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_is_wrong() {
        for (wrong, said) in [
            ("30 2 * *", "it has 4 fields, not five"),
            ("0 30 2 * * *", "it has 6 fields, not five"),
            ("61 2 * * *", ""),
            ("0 2 31 2 *", "it would never be due"),
            ("a b c d e", ""),
            ("", "it has 0 fields"),
        ] {
            let problem = Cron::new(wrong, TimeZone::UTC).unwrap_err().to_string();
            assert!(problem.contains(said) && !problem.is_empty(), "{wrong}: {problem}");
        }
        assert!(Cron::new("0 2 29 2 *", TimeZone::UTC).is_ok(), "a leap day comes");
    }
}
