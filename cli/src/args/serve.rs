//! The command line of the server.

use clap::Args;

use super::Hosts;
use crate::vault::Vaults;

/// `serve`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Serve {
    /// Run the rounds that are due now, and end: for cron and timers
    #[arg(long)]
    pub(crate) once: bool,
    /// Inventory: a file, a folder, an executable, or `host1,host2,`; can be given several times
    #[arg(
        short,
        long = "inventory",
        value_name = "SOURCE",
        env = "RECTIFY_INVENTORY",
        hide_env_values = true,
        help_heading = "Hosts"
    )]
    pub(crate) inventory: Vec<String>,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

impl Serve {
    /// The hosts of a schedule with this limit.
    pub(crate) fn hosts(&self, limit: Option<&str>) -> Hosts {
        Hosts {
            inventory: self.inventory.clone(),
            limit: limit.map(str::to_owned),
            vaults: self.vaults.clone(),
            ..Hosts::default()
        }
    }
}
