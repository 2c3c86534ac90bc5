//! The command line of the record: runs, what they did, and what is kept of them.

use std::{str::FromStr, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use jiff::{Span, Timestamp, Zoned, civil::Date};

use super::Verbosity;

/// `runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) verb: Option<RunsVerb>,
    /// Only runs in which a host of this pattern was looked at, and what they came to there; `@FILE` reads patterns from a file
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// Only runs with a task of this setting
    #[arg(long, value_name = "ID")]
    pub(crate) setting: Option<String>,
    /// Only runs that began since: `7d`, `12h`, or a date such as 2027-01-31
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<When>,
    /// As JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// What to do with the record.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsVerb {
    /// Forget old runs, but for the newest look at each host
    Prune {
        /// Keep runs that ended since: `90d`, `12w`, or a date
        #[arg(long, value_name = "WHEN")]
        keep: When,
        /// Say what would be forgotten, and forget nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Give a host another name in the record, with all its history, as it has one in the inventory
    #[command(after_help = "Examples:\n  \
        rectify runs rename web7 web7.example.org    its drift is known on by the new name\n  \
        rectify runs forget web7                     for a host that is gone")]
    Rename {
        /// Its name in the record
        #[arg(value_name = "OLD")]
        old: String,
        /// Its name in the inventory now; what it knows by that already is kept
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Forget hosts that are gone; the runs that they were in stay
    Forget {
        /// Their names
        #[arg(value_name = "HOST", required = true)]
        hosts: Vec<String>,
    },
}

/// `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowRun {
    /// The run: its id, the beginning of it, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// `replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The run: its id, the beginning of it, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// How many times as fast as it ran: 1 is as it was, 10 ten times as fast; all at once if not given
    #[arg(long, value_name = "N")]
    pub(crate) speed: Option<Speed>,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Print the run's events as JSON, one a line, instead of the report
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffRuns {
    /// The earlier run: its id, the beginning of it, or `latest`
    #[arg(value_name = "RUN1")]
    pub(crate) one: String,
    /// The later run
    #[arg(value_name = "RUN2")]
    pub(crate) two: String,
}

/// `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportRun {
    /// The run: its id, the beginning of it, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Everything as JSON, test results for CI, findings and failures for code hosts, or a table
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
}

/// A format that a run is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Json,
    Junit,
    Sarif,
    Csv,
}

/// How many times as fast as it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed(f64);

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed(times)),
            _ => Err("not a number above 0, such as 1 or 10".into()),
        }
    }
}

impl Speed {
    /// How long that lasts which lasted so many microseconds then.
    pub(crate) fn lasts(self, micros: i64) -> Duration {
        let seconds = Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64() / self.0;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// How many microseconds of then have passed after so long.
    pub(crate) fn reaches(self, passed: Duration) -> i64 {
        let then = Duration::try_from_secs_f64(passed.as_secs_f64() * self.0).unwrap_or(Duration::MAX);
        i64::try_from(then.as_micros()).unwrap_or(i64::MAX)
    }
}

/// A moment in the past: so long ago, or the beginning of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(Said);

#[derive(Debug, Clone, Copy)]
enum Said {
    Ago(Span),
    Day(Date),
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Said::Ago(a), Said::Ago(b)) => a.fieldwise() == b.fieldwise(),
            (Said::Day(a), Said::Day(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Said {}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(day) = text.parse::<Date>() {
            return Ok(When(Said::Day(day)));
        }
        match text.parse::<Span>() {
            Ok(span) if span.is_positive() => Ok(When(Said::Ago(span))),
            _ => Err("neither a time that has passed, such as 7d or 12h, nor a date such as 2027-01-31".into()),
        }
    }
}

impl When {
    /// The moment, seen from `now`; days are those of its time zone.
    pub(crate) fn before(self, now: &Zoned) -> Result<Timestamp, String> {
        let moment = match self.0 {
            Said::Ago(span) => now.checked_sub(span),
            Said::Day(day) => day.to_zoned(now.time_zone().clone()),
        };
        moment.map(|moment| moment.timestamp()).map_err(|e| format!("that is too long ago: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_above_nothing() {
        let lasts = |text: &str| text.parse::<Speed>().unwrap().lasts(3_000_000).as_millis();
        assert_eq!((lasts("1"), lasts("10"), lasts("0.5")), (3000, 300, 6000));
        for wrong in ["", "0", "-1", "nan", "inf", "1x", "1e999"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_so_long_ago_or_a_day() {
        let now: Zoned = "2027-03-15T12:00[America/New_York]".parse().unwrap();
        let at = |text: &str| text.parse::<When>().unwrap().before(&now).unwrap().to_string();
        assert_eq!(at("12h"), "2027-03-15T04:00:00Z");
        // A day is a day, also where the clock was changed within it.
        assert_eq!(at("2d"), "2027-03-13T17:00:00Z");
        assert_eq!(at("1w"), "2027-03-08T17:00:00Z");
        assert_eq!(at("2027-03-01"), "2027-03-01T05:00:00Z");
        for wrong in ["", "x", "-7d", "0d", "7", "2027-02-30"] {
            assert!(wrong.parse::<When>().is_err(), "{wrong}");
        }
        assert!("19000y".parse::<When>().unwrap().before(&now).is_err());
    }
}
