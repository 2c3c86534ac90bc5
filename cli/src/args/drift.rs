//! `drift`.

use std::path::PathBuf;

use clap::Args;

use super::{Clock, Connection, Described, Hosts, RolloutFlags, Run, Tasks, Verbosity};

/// `drift`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Drift {
    /// Playbooks; those of rectify.toml if none is given
    #[arg(value_name = "PLAYBOOK")]
    pub(crate) playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(flatten)]
    pub(crate) tasks: Tasks,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) described: Described,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Name what drifted without showing the differences, and keep file contents off the wire
    #[arg(long, help_heading = "Output")]
    pub(crate) no_diff: bool,
    /// Print JSON: every difference of every host with its cause
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Tasks of one host that may run side by side
    #[arg(long, value_name = "N", default_value = "4", help_heading = "Tasks")]
    pub(crate) parallel: std::num::NonZeroU32,
}

impl From<&Drift> for Run {
    /// The check that it begins with.
    fn from(args: &Drift) -> Self {
        Run {
            playbooks: args.playbooks.clone(),
            hosts: args.hosts.clone(),
            tasks: args.tasks.clone(),
            connection: args.connection.clone(),
            rollouts: RolloutFlags { described: args.described.clone(), clock: Clock::default() },
            verbosity: args.verbosity,
            diff: false,
            no_diff: args.no_diff,
            json: false,
            parallel: args.parallel,
            list_hosts: false,
            list_tasks: false,
            list_tags: false,
        }
    }
}
