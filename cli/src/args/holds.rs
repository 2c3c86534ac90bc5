//! The command line of holds.

use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::{Span, Timestamp, Zoned};

/// `holds`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Holds {
    #[command(subcommand)]
    pub(crate) verb: Option<HoldsVerb>,
    /// As JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum HoldsVerb {
    /// Put hosts on hold: until it is over, nothing is changed there by a schedule or by an apply that uses this record
    Add {
        /// Which hosts of the record: a pattern as after `--limit`
        #[arg(value_name = "PATTERN")]
        hosts: String,
        /// How long: `4h`, `2d`, at most 30 days
        #[arg(long = "for", value_name = "TIME")]
        lasts: Lasts,
        /// Why, for whoever meets it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End holds
    Release {
        /// Their hosts
        #[arg(value_name = "HOST", required = true)]
        hosts: Vec<String>,
    },
}

/// How long something lasts from now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasts(Span);

impl FromStr for Lasts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Span>() {
            Ok(span) if span.is_positive() => Ok(Lasts(span)),
            _ => Err("not how long something lasts, such as 4h or 2d".into()),
        }
    }
}

impl Lasts {
    /// When it is over; days are those of the zone of `now`.
    pub(crate) fn from(self, now: &Zoned) -> Timestamp {
        now.checked_add(self.0).map_or(Timestamp::MAX, |end| end.timestamp())
    }
}
