//! The command line of rollouts: settings, the day that counts, announcements.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Connection, Hosts, Sources, quoted};
use crate::vault::Vaults;

/// Where settings are described.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rollouts")]
pub(crate) struct Described {
    /// The file that describes the settings; `rollouts.yml` beside the playbook if there is one
    #[arg(long, value_name = "FILE")]
    pub(crate) rollouts: Option<PathBuf>,
}

/// What is supposed instead of what is so.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rollouts")]
pub(crate) struct Clock {
    /// Suppose it is the end of this day, that every step of a setting was taken on its date, and that everybody was told
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<jiff::civil::Date>,
    /// Suppose that a setting has reached this stage, such as `frames=opt-out`; can be given several times
    #[arg(long, value_name = "SETTING=STAGE")]
    pub(crate) stage: Vec<String>,
}

/// The settings, and when.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RolloutFlags {
    #[command(flatten)]
    pub(crate) described: Described,
    #[command(flatten)]
    pub(crate) clock: Clock,
}

/// Which playbooks, where they are no positional.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Playbooks {
    /// Playbooks; those of rectify.toml if none is given
    #[arg(short, long = "playbook", value_name = "PLAYBOOK")]
    pub(crate) playbooks: Vec<PathBuf>,
}

/// What settings are looked at in.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    pub(crate) playbooks: Playbooks,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(flatten)]
    pub(crate) rollouts: RolloutFlags,
}

impl Scope {
    /// The words that choose the same again.
    pub(crate) fn again(&self) -> String {
        again(&self.playbooks.playbooks, &self.rollouts.described, &self.hosts)
    }
}

/// The words that choose playbooks, settings and inventory for a verb of `rollout`; nothing where the project chooses.
pub(crate) fn again(playbooks: &[PathBuf], described: &Described, hosts: &Hosts) -> String {
    let word = |flag: &str, path: &PathBuf| format!(" {flag} {}", quoted(&path.display().to_string()));
    let playbooks = playbooks.iter().map(|path| word("-p", path));
    let rollouts = described.rollouts.iter().map(|path| word("--rollouts", path));
    playbooks.chain(rollouts).chain([hosts.sources.chosen()]).collect()
}

/// The same for what is done to a whole fleet, now.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Fleet {
    #[command(flatten)]
    pub(crate) playbooks: Playbooks,
    #[command(flatten)]
    pub(crate) described: Described,
    #[command(flatten)]
    pub(crate) sources: Sources,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

impl From<&Fleet> for Scope {
    /// All its hosts, today.
    fn from(fleet: &Fleet) -> Self {
        let hosts = Hosts { sources: fleet.sources.clone(), vaults: fleet.vaults.clone(), ..Hosts::default() };
        let rollouts = RolloutFlags { described: fleet.described.clone(), clock: Clock::default() };
        Scope { playbooks: fleet.playbooks.clone(), hosts, rollouts }
    }
}

/// The record of what happened with settings.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) playbooks: Playbooks,
    #[command(flatten)]
    pub(crate) described: Described,
}

/// `rollout`.
#[derive(Debug, Args)]
pub(crate) struct Rollout {
    #[command(subcommand)]
    pub(crate) verb: RolloutVerb,
}

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutVerb {
    /// Show settings, their steps, how many hosts stand where, and what the next step lacks
    Status {
        /// Only this setting, with all its hosts
        setting: Option<String>,
        #[command(flatten)]
        scope: Scope,
        /// As JSON
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Say why a host does what it does with a setting, with file and line of everything that had a say
    Why {
        /// The host
        host: String,
        /// The setting
        setting: String,
        #[command(flatten)]
        scope: Scope,
    },
    /// Take the next step of a setting, if nothing is missing for it
    Advance {
        /// The setting
        setting: String,
        /// The step to take; an error if it is not the next one
        #[arg(long, value_name = "STAGE")]
        to: Option<rectify_core::rollout::StepName>,
        /// Take it although something is missing, for this reason; it is recorded and announced
        #[arg(long, value_name = "REASON")]
        force: Option<String>,
        #[command(flatten)]
        fleet: Fleet,
    },
    /// Object to a setting: it does not advance until somebody answers
    Object {
        /// The setting
        setting: String,
        /// Who objects: a name in `contacts`
        #[arg(long, value_name = "OWNER")]
        r#as: String,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        fleet: Fleet,
    },
    /// Show the lines that document what hosts skip by themselves, as the last checks saw it, for the inventory
    Import {
        /// Write them too, into `host_vars/HOST/rollout_skips.yml` beside the inventory, where nothing of the host is in the way
        #[arg(long)]
        write: bool,
        #[command(flatten)]
        fleet: Fleet,
    },
    /// Answer an objection
    Answer {
        /// Its id, as `rollout status` shows it; the beginning is enough
        objection: String,
        /// The answer
        answer: String,
        #[command(flatten)]
        log: Log,
    },
    /// Record that somebody looked again at a setting that was enforced in an emergency
    Review {
        /// The setting
        setting: String,
        /// What was found
        note: String,
        #[command(flatten)]
        log: Log,
    },
}

/// `announce`.
#[derive(Debug, Args)]
pub(crate) struct Announce {
    /// Settings; all whose next step is dated if none is given
    #[arg(value_name = "SETTING")]
    pub(crate) settings: Vec<String>,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Only steps that are dated until this day
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<jiff::civil::Date>,
    /// Write the messages to stdout, and send nothing
    #[arg(long)]
    pub(crate) preview: bool,
    /// Send what is due today instead: reminders, notices of the day, summaries, and what could not be delivered before
    #[arg(long, conflicts_with_all = ["settings", "until"])]
    pub(crate) due: bool,
    /// Write the pages, the feed and the calendar for everybody into this folder too
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    /// Write what those who log in to a host are told into this folder too, one HOST.txt for each, for playbooks/motd.yml
    #[arg(long, value_name = "DIR", conflicts_with = "preview")]
    pub(crate) motd: Option<PathBuf>,
}
