//! `[notify]` in `rectify.toml`: who is told, and how often.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Time, tz::TimeZone};
use rectify_core::rollout::Contact;
use serde::{Deserialize, Deserializer};

use super::happening::Kind;
use crate::channels::{ChannelError, Channels, STDOUT};

/// `[notify]` in `rectify.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifySettings {
    /// Where operators are told of every transition of every host, and of what their schedules do: `mailto:ADDRESS`, the `https:` address of a
    /// web hook, or `stdout:`, the output of the server, which systemd keeps in its journal.
    #[serde(default)]
    pub operators: Vec<Address>,
    /// How long transitions are gathered for one message: `1h` (messages on each full hour, UTC; any length from a minute to a week),
    /// `daily 07:00` (in the zone of this machine), or `daily 07:00 Europe/Berlin`. Unless set, people are told at once, at most once a minute.
    pub digest: Option<Digest>,
    /// What is told, where it is not everything.
    #[serde(default)]
    pub only: Only,
}

/// `[notify.only]`: the transitions that are told of, any of `drifted`, `corrected`, `fine`, `failing`, `unreachable`, `flapping`, `quiet`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// To owners: all unless set.
    pub owners: Option<BTreeSet<Kind>>,
    /// To operators: all unless set.
    pub operators: Option<BTreeSet<Kind>>,
}

impl NotifySettings {
    /// Whether operators can be reached by the ways that are set up.
    ///
    /// # Errors
    /// A mail address, but no mail server.
    pub fn check(&self, channels: &Channels) -> Result<(), ChannelError> {
        let mail = self.operators.iter().find(|a| a.0.starts_with("mailto:"));
        match (mail, &channels.mail) {
            (Some(address), None) => Err(ChannelError::Settings(format!(
                "[notify] operators names {address}, but no mail server is set up: add [mail] to rectify.toml"
            ))),
            _ => Ok(()),
        }
    }
}

/// Where somebody is told: a URI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// The URI.
    pub fn uri(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == STDOUT {
            return Ok(Address(STDOUT.to_owned()));
        }
        let wrong = || {
            format!(
                "{text:?} is no address: write mailto:NAME@DOMAIN, a web hook that begins with https://, or {STDOUT}"
            )
        };
        Contact::parse(text).map(|contact| Address(contact.uri())).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// When what was gathered is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// Whenever this long has passed, counted from 1970 in UTC.
    Every(SignedDuration),
    /// Each day at this time of the clock there.
    Daily(Time, TimeZone),
}

impl Digest {
    /// The last moment, not after `now`, at which something was due to be told.
    pub fn latest(&self, now: Timestamp) -> Timestamp {
        match self {
            Digest::Every(length) => {
                let length = length.as_secs().max(1);
                let seconds = now.as_second().div_euclid(length) * length;
                Timestamp::from_second(seconds).unwrap_or(now)
            }
            Digest::Daily(time, zone) => {
                let today = now.to_zoned(zone.clone()).date();
                // A time that the clock skips is the one after the gap.
                let at = |day: jiff::civil::Date| day.to_datetime(*time).to_zoned(zone.clone()).ok();
                let days = [Some(today), today.checked_sub(1.day()).ok()];
                let past = days.into_iter().flatten().filter_map(at).map(|at| at.timestamp());
                past.filter(|at| *at <= now).max().unwrap_or(now)
            }
        }
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "write a length such as 1h, or daily 07:00, or daily 07:00 Europe/Berlin";
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["daily", time, ..] if words.len() <= 3 => {
                let at: Time = time.parse().map_err(|_| format!("{time:?} is no time of the day: {WANTED}"))?;
                let zone = match words.get(2) {
                    None => TimeZone::system(),
                    Some(name) => TimeZone::get(name).map_err(|_| format!("{name:?} is no time zone: {WANTED}"))?,
                };
                Ok(Digest::Daily(at, zone))
            }
            [length] => {
                let length: SignedDuration = length.parse().map_err(|_| format!("{text:?} is no length: {WANTED}"))?;
                let (least, most) = (SignedDuration::from_mins(1), SignedDuration::from_hours(24 * 7));
                if length < least || length > most {
                    return Err(format!("{text:?} is not between a minute and a week"));
                }
                Ok(Digest::Every(length))
            }
            _ => Err(format!("{text:?} cannot be understood: {WANTED}")),
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_digest_is_due_on_the_full_hour_or_at_the_time_of_its_zone() {
        let hourly: Digest = "1h".parse().unwrap();
        assert_eq!(hourly.latest(at("2027-03-28T07:59:59Z")), at("2027-03-28T07:00:00Z"));
        assert_eq!(hourly.latest(at("2027-03-28T08:00:00Z")), at("2027-03-28T08:00:00Z"));
        let daily: Digest = "daily 07:00 Europe/Berlin".parse().unwrap();
        assert_eq!(daily.latest(at("2027-03-27T06:30:00Z")), at("2027-03-27T06:00:00Z"), "winter");
        assert_eq!(daily.latest(at("2027-03-28T04:59:00Z")), at("2027-03-27T06:00:00Z"), "the night of the change");
        assert_eq!(daily.latest(at("2027-03-28T05:00:00Z")), at("2027-03-28T05:00:00Z"), "summer");
        let skipped: Digest = "daily 02:30 Europe/Berlin".parse().unwrap();
        assert_eq!(skipped.latest(at("2027-03-28T12:00:00Z")), at("2027-03-28T01:30:00Z"), "03:30 in summer time");
    }

    #[test]
    fn what_is_no_digest_and_no_address_is_refused_with_what_to_write() {
        for wrong in
            ["hourly", "daily", "daily 25:00", "daily 07:00 Mars/Base", "daily 07:00 UTC now", "1s", "400h", ""]
        {
            let told = wrong.parse::<Digest>().unwrap_err();
            assert!(told.contains("daily 07:00") || told.contains("between a minute and a week"), "{wrong}: {told}");
        }
        for wrong in ["ops", "ftp://x", "http://example.org/hook", "mailto:nobody", "stderr:"] {
            let told = wrong.parse::<Address>().unwrap_err();
            assert!(told.contains("stdout:") && told.contains(wrong), "{told}");
        }
        for (right, uri) in
            [("ops@example.org", "mailto:ops@example.org"), ("https://x.example/y", "https://x.example/y")]
        {
            assert_eq!(right.parse::<Address>().unwrap().uri(), uri);
        }
    }
}
