//! The command line of the server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Hosts, Sources};
use crate::vault::Vaults;

/// `serve`.
#[derive(Debug, Clone, Default, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Serve {
    #[command(subcommand)]
    pub(crate) verb: Option<ServeVerb>,
    /// Run the rounds that are due now, and end: for cron and timers
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// File with the vault password; one that may be executed is run and prints it; can be given several times
    #[arg(long, visible_alias = "vault-pass-file", value_name = "FILE", help_heading = "Hosts")]
    pub(crate) vault_password_file: Vec<PathBuf>,
    /// Vault password of a vault id, `ID@FILE`; can be given several times
    #[arg(long, value_name = "ID@FILE", help_heading = "Hosts")]
    pub(crate) vault_id: Vec<String>,
}

/// What else there is to a server.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ServeVerb {
    /// Print the hash of a password, for the file of the page's accounts
    #[command(
        after_help = "Asks for the password, or reads it from stdin where that is no terminal. A line of the file is:\n\n  \
        NAME:operator:HASH   may look and act\n  \
        NAME:reader:HASH     may look"
    )]
    HashPassword,
}

impl Serve {
    /// The hosts of a schedule with this limit. There is nobody who could be asked for a password.
    pub(crate) fn hosts(&self, limit: Option<&str>) -> Hosts {
        let vaults = Vaults {
            vault_password_file: self.vault_password_file.clone(),
            vault_id: self.vault_id.clone(),
            ask_vault_pass: false,
        };
        Hosts { sources: self.sources.clone(), limit: limit.map(str::to_owned), vaults, ..Hosts::default() }
    }
}
