//! The command line of what people are told.

use clap::{Args, Subcommand};

/// `notices`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Notices {
    #[command(subcommand)]
    pub(crate) verb: Option<NoticesVerb>,
    /// As JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum NoticesVerb {
    /// Have messages tried anew that were given up, by the server that runs or by the next one
    Retry {
        /// Their ids, or the beginnings of them
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// All that were given up
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}
