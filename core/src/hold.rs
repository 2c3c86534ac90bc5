//! A hold: the operators of a host ask that nothing is changed there for some hours.
//!
//! It is a file on the host, so that whoever is called out of bed needs no access to the inventory. It stops corrections and not looks:
//! an apply on that host shows what a check would. At most a day, so that no host is forgotten.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::text::plain;

/// Where it stands on a host.
pub const HOLD: &str = "/etc/rectify/hold";
/// The longest that a hold file may be, bytes.
pub const HOLD_LIMIT: u64 = 4096;
/// The longest that a hold lasts from when its file was written.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// How far a host's file may be ahead of its clock.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// The longest reason, in characters.
const WORDS: usize = 500;

/// A hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The account that the file belongs to.
    pub by: String,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "held by {} until {}: {}", self.by, self.until, self.reason)
    }
}

/// What a hold file comes to: the hold, if it is in force, and what somebody should know of the file, if it is not as it should be.
///
/// `text` is `reason: WHY` and `until: WHEN` (RFC 3339), each once, in any order; empty lines and lines that begin with `#` do not count.
/// `written` is when the file was last written, in seconds since 1970, and `now` is now. One that asks for more than a day from then holds for that day.
pub fn read_hold(text: &str, by: &str, written: i64, now: i64) -> (Option<Hold>, Option<String>) {
    let (written, now) = (time(written), time(now));
    match parse(text) {
        Err(problem) => (None, Some(format!("it does not count: {problem}"))),
        Ok(_) if written > now.checked_add(AHEAD).unwrap_or(Timestamp::MAX) => {
            (None, Some(format!("it does not count: it was written at {written}, and now it is {now}")))
        }
        Ok((_, until)) if until <= now => (None, Some(format!("it expired at {until}: remove it"))),
        Ok((reason, until)) => {
            let last = written.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
            let hold = Hold { by: by.to_owned(), until: until.min(last), reason };
            match until > last {
                false => (Some(hold), None),
                true if last <= now => {
                    (None, Some(format!("it expired at {last}, a day after it was written: remove it")))
                }
                true => (Some(hold), Some(format!("it asks for more than a day: it holds until {last}"))),
            }
        }
    }
}

/// A time from seconds since 1970; one that no calendar has is the last one.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn parse(text: &str) -> Result<(String, Timestamp), String> {
    let (mut reason, mut until) = (None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let short: String = line.chars().take(60).collect();
        let (key, value) = line.split_once(':').ok_or_else(|| format!("{short:?} is no `key: value`"))?;
        let (place, value) = match key.trim() {
            "reason" => (&mut reason, value.trim()),
            "until" => (&mut until, value.trim()),
            _ => return Err(format!("{short:?}: it has `reason` and `until`")),
        };
        if place.replace(value.trim_matches(['"', '\'']).trim()).is_some() {
            return Err(format!("`{}` stands there twice", key.trim()));
        }
    }
    let reason = reason.filter(|r| !r.is_empty()).ok_or("it has no `reason`")?;
    let until = until.ok_or("it has no `until`")?;
    let until = until.parse().map_err(|_| {
        let short: String = until.chars().take(60).collect();
        format!("`until: {short}` is no time such as 2026-11-22T18:00:00Z")
    })?;
    Ok((plain(reason, WORDS), until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(text: &str, written: &str, now: &str) -> (Option<Hold>, Option<String>) {
        read_hold(text, "root", at(written).as_second(), at(now).as_second())
    }

    const WRITTEN: &str = "2026-11-22T03:00:00Z";

    #[test]
    fn a_hold_says_why_and_until_when() {
        for text in [
            "reason: the database moves\nuntil: 2026-11-22T06:00:00Z\n",
            "# at three in the morning\n\n until:  '2026-11-22T07:00:00+01:00'\nreason: \"the database moves\"",
        ] {
            let (hold, remark) = read(text, WRITTEN, "2026-11-22T05:59:59Z");
            assert_eq!(hold.unwrap().to_string(), "held by root until 2026-11-22T06:00:00Z: the database moves");
            assert_eq!(remark, None);
        }
    }

    #[test]
    fn one_that_is_over_counts_as_none_and_is_told() {
        let text = "reason: x\nuntil: 2026-11-22T06:00:00Z";
        let (hold, remark) = read(text, WRITTEN, "2026-11-22T06:00:00Z");
        assert_eq!((hold, remark.as_deref()), (None, Some("it expired at 2026-11-22T06:00:00Z: remove it")));
    }

    #[test]
    fn none_lasts_longer_than_a_day_from_when_it_was_written() {
        let text = "reason: x\nuntil: 2027-01-01T00:00:00Z";
        let (hold, remark) = read(text, WRITTEN, "2026-11-23T02:59:00Z");
        assert_eq!(hold.unwrap().until, at("2026-11-23T03:00:00Z"));
        assert_eq!(remark.unwrap(), "it asks for more than a day: it holds until 2026-11-23T03:00:00Z");
        let (hold, remark) = read(text, WRITTEN, "2026-11-23T03:00:00Z");
        assert!(hold.is_none() && remark.unwrap().contains("a day after it was written"));
        // Whoever dates the file ahead would hold for as long as they like.
        let (hold, remark) = read(text, "2026-12-24T00:00:00Z", "2026-11-22T03:00:00Z");
        assert!(hold.is_none() && remark.unwrap().contains("it was written at 2026-12-24"));
        let (hold, _) = read("reason: x\nuntil: 2026-11-22T06:00:00Z", "2026-11-22T03:04:00Z", "2026-11-22T03:00:00Z");
        assert!(hold.is_some(), "clocks are never quite right");
    }

    #[test]
    fn one_that_is_not_as_it_should_be_counts_as_none_and_says_what_is_wrong() {
        for (text, problem) in [
            ("", "it has no `reason`"),
            ("reason: x", "it has no `until`"),
            ("reason:\nuntil: 2026-11-22T06:00:00Z", "it has no `reason`"),
            ("reason: x\nuntil: tomorrow", "`until: tomorrow` is no time such as"),
            ("reason: x\nuntil: 2026-11-22T06:00:00", "is no time such as"),
            ("reason: x\nreason: y\nuntil: 2026-11-22T06:00:00Z", "`reason` stands there twice"),
            ("reason: x\nuntil: 2026-11-22T06:00:00Z\nowner: me", "\"owner: me\": it has `reason` and `until`"),
            ("please hold", "\"please hold\" is no `key: value`"),
        ] {
            let (hold, remark) = read(text, WRITTEN, WRITTEN);
            assert!(hold.is_none(), "{text}");
            assert!(remark.as_ref().is_some_and(|r| r.contains(problem)), "{text}: {remark:?}");
        }
    }

    #[test]
    fn a_reason_is_text_and_not_too_long() {
        let text = format!("reason: \u{1b}[2J{}\nuntil: 2026-11-22T06:00:00Z", "x".repeat(4000));
        let reason = read(&text, WRITTEN, WRITTEN).0.unwrap().reason;
        assert!(!reason.contains('\u{1b}') && reason.chars().count() == WORDS);
    }
}
