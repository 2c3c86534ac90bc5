//! A schedule, read and found right.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize, Serializer};

use super::Cron;

/// When what is looked at, and what may be corrected then. It is written as the page shows it, and never read again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// Its name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The playbooks; none: those of the project.
    pub playbooks: Vec<PathBuf>,
    /// Only hosts that match this pattern.
    pub limit: Option<String>,
    /// Only tasks with one of these tags; none: all.
    pub tags: Vec<String>,
    /// When.
    pub cron: Cron,
    /// Over how long the hosts are spread.
    #[serde(serialize_with = "seconds")]
    pub window: SignedDuration,
    /// What becomes of a round that nobody ran in time.
    pub missed: Missed,
    /// What may be corrected.
    pub policy: Policy,
    /// When something may be corrected; none: always.
    #[serde(serialize_with = "texts")]
    pub maintenance: Vec<Maintenance>,
    /// When nothing is corrected.
    #[serde(serialize_with = "texts")]
    pub freezes: Vec<Freeze>,
    /// How many of a round's hosts may be corrected, percent; a single one always may, unless it is 0.
    pub budget: f64,
    /// Hosts at a time.
    pub forks: NonZeroUsize,
}

/// What becomes of a round that nobody ran in time: the server was down, or its clock was set forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Missed {
    /// However many were missed, one is run.
    #[default]
    #[serde(rename = "run once")]
    RunOnce,
    /// The next one is waited for.
    #[serde(rename = "skip")]
    Skip,
}

/// What is done about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is told.
    #[default]
    Report,
    /// It is corrected in the round that finds it.
    Correct,
    /// It is corrected when so many looks in a row have found it.
    CorrectAfter(std::num::NonZeroU32),
}

/// Modes by setting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Policy {
    /// Of what no setting is named for.
    pub default: Mode,
    /// Of settings.
    pub settings: BTreeMap<String, Mode>,
}

impl Policy {
    /// The mode of a setting's tasks, or of tasks without one.
    pub fn of(&self, setting: Option<&str>) -> Mode {
        setting.and_then(|id| self.settings.get(id)).copied().unwrap_or(self.default)
    }

    /// Whether anything may ever be corrected.
    pub fn corrects(&self) -> bool {
        self.settings.values().chain([&self.default]).any(|mode| *mode != Mode::Report)
    }
}

/// Hours in which something may be corrected.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    /// On which days they begin.
    pub days: Vec<Weekday>,
    /// From when.
    pub from: Time,
    /// Until when, itself not included; before `from`: on the day after.
    pub to: Time,
    /// In this zone.
    pub zone: TimeZone,
}

impl Maintenance {
    /// Whether `now` lies in these hours.
    pub fn contains(&self, now: Timestamp) -> bool {
        let here = now.to_zoned(self.zone.clone());
        let (day, time) = (here.date().weekday(), here.time());
        if self.from < self.to {
            return self.days.contains(&day) && self.from <= time && time < self.to;
        }
        let begun_today = self.days.contains(&day) && self.from <= time;
        begun_today || (self.days.contains(&day.previous()) && time < self.to)
    }
}

impl std::fmt::Display for Maintenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days: Vec<&str> = self.days.iter().map(|day| short(*day)).collect();
        let days = if days.len() == 7 { "daily".to_owned() } else { days.join(", ") };
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(f, "{days} {} to {} {zone}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

/// Days on which nothing is corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for Freeze {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}: {}", self.from, self.to, self.reason)
    }
}

/// The weekdays as schedules name them.
pub(super) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn short(day: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, d)| *d == day).map_or("", |(name, _)| name)
}

fn seconds<S: Serializer>(window: &SignedDuration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(window.as_secs())
}

fn texts<T: std::fmt::Display, S: Serializer>(all: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(T::to_string))
}
