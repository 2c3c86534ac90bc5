//! The command line. Flags that Ansible users have in their fingers keep their letters.

mod drift;
mod holds;
mod notices;
mod record;
mod rollouts;
mod serve;

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use drift::Drift;
pub(crate) use holds::{Holds, HoldsVerb, Lasts};
pub(crate) use notices::{Notices, NoticesVerb};
pub(crate) use record::{DiffRuns, ExportFormat, ExportRun, Replay, Runs, RunsVerb, ShowRun, Speed, When};
pub(crate) use rollouts::{Announce, Clock, Described, Log, Rollout, RolloutFlags, RolloutVerb, Scope, again};
pub(crate) use serve::{Serve, ServeVerb};

use crate::vault::Vaults;

/// Declarative remediation over SSH: preview every change, apply it, keep it that way.
#[derive(Debug, Parser)]
#[command(name = "rectify", bin_name = "rectify", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Begin with `rectify check` in a folder with a rectify.toml, or:\n\n  \
    rectify trust -i inventory/                      record the host keys of a new fleet\n  \
    rectify facts -i inventory/ --filter distribution*\n  \
    rectify check site.yml -i inventory/             what would change, and why\n  \
    rectify apply site.yml -i inventory/ -l web1     on one host first\n\n\
Exit codes: 0 as declared, 1 internal error, 2 a check found something to change, 3 a task failed,\n\
4 a host was unreachable, 5 the input is wrong.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Connection {
    /// As for a run that says nothing else about how hosts are reached.
    pub(crate) fn unasked(forks: NonZeroUsize) -> Self {
        Connection {
            user: None,
            private_key: None,
            ask_pass: false,
            r#become: false,
            become_user: None,
            become_method: None,
            ask_become_pass: false,
            forks,
            connection: None,
            timeout: None,
            ssh_config: None,
            helper_dir: Vec::new(),
        }
    }
}

impl From<&Trust> for Connection {
    fn from(args: &Trust) -> Self {
        Connection { timeout: args.timeout, ssh_config: args.ssh_config.clone(), ..Connection::unasked(args.forks) }
    }
}

/// How much is said of a run.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Verbosity {
    /// Say more: unchanged tasks and results (-v), skipped tasks and connections (-vv), every host's name (-vvv)
    #[arg(short, long, action = clap::ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,
}

/// What every verb takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Colours; `auto` colours terminals only, and honours NO_COLOR
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, global = true, display_order = 901)]
    pub(crate) color: Colour,
}

/// When text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Preview what a playbook would change, without changing anything
    #[command(after_help = "Examples:\n  \
        rectify check                                  the playbooks and the inventory of rectify.toml\n  \
        rectify check site.yml -i inventory/           another one\n  \
        rectify check site.yml -l 'web*:!web3' -t tls  some hosts, some tasks\n  \
        rectify check --json | jq 'select(.event == \"unreachable\").host'\n\n\
        It ends with 0 if everything is as declared, and with 2 if something would or may change.")]
    Check(Run),
    /// Apply a playbook
    #[command(after_help = "Examples:\n  \
        rectify apply site.yml -l web1     on one host first\n  \
        rectify apply site.yml -f 10       ten hosts at a time\n  \
        rectify apply site.yml -b -K       as root by sudo, with a password that is asked for once\n\n\
        Ctrl-C lets running tasks finish and begins nothing new; a second one ends them.")]
    Apply(Run),
    /// Look now, and say who moved: the host (drift) or the policy (pending)
    #[command(after_help = "Examples:\n  \
        rectify drift                                  the playbooks and the inventory of rectify.toml\n  \
        rectify drift site.yml -l 'web*'               some hosts\n  \
        rectify drift --json | jq '.open[] | select(.cause == \"drift\").host'\n\n\
        It compares with what the last check or apply left, so the first look at a host finds only what is new. Exit codes are those of check.")]
    Drift(Drift),
    /// Draw the graph of a playbook's tasks and say why each edge is there
    #[command(after_help = "Examples:\n  \
        rectify graph site.yml\n  \
        rectify graph site.yml --format dot | dot -Tsvg >site.svg")]
    Graph(Graph),
    /// Find what is wrong with playbooks and inventory, without contacting any host
    Lint(Lint),
    /// Show the inventory as it is understood
    #[command(after_help = "Examples:\n  \
        rectify inventory --graph                    groups and hosts as a tree\n  \
        rectify inventory 'web*:&production'         the hosts of a pattern, one a line\n  \
        rectify inventory --host web1 --origins      which file each variable comes from")]
    Inventory(Inventory),
    /// Collect facts about hosts: distribution, hardware, network, mounts …
    #[command(after_help = "Examples:\n  \
        rectify facts web1                                 everything about one host\n  \
        rectify facts --filter distribution*,kernel        which host has what\n  \
        rectify facts --filter mounts --json | jq .        for programs")]
    Facts(Facts),
    /// Show the host keys of hosts that are not known yet, and record those you approve
    #[command(after_help = "Examples:\n  \
        rectify trust                  every host of the inventory\n  \
        rectify trust 'new*' --yes     after you compared them otherwise\n\n\
        A host shows its own fingerprints by: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")]
    Trust(Trust),
    /// Encrypt, decrypt, view and edit files in Ansible Vault's format
    #[command(after_help = "Examples:\n  \
        rectify vault encrypt group_vars/all/vault.yml\n  \
        rectify vault edit --vault-id prod@~/.vault-prod group_vars/all/vault.yml\n  \
        rectify vault encrypt-string -n db_password --prompt")]
    Vault(crate::verbs::vault::Vault),
    /// List the modules, or show one's reference
    Modules(Modules),
    /// Show where settings and hosts stand on the way from opt-in to mandatory, and take the next step
    Rollout(Rollout),
    /// Tell the owners of hosts what will change on them, from a real check
    Announce(Announce),
    /// List the runs that are recorded, the newest first
    #[command(after_help = "Examples:\n  \
        rectify runs --since 7d                    this week's runs\n  \
        rectify runs -l 'web*'                     what they came to on some hosts\n  \
        rectify runs prune --keep 90d --dry-run    what would be forgotten\n  \
        rectify runs rename web7 web8              a host has another name now\n  \
        rectify runs forget web7                   a host is gone")]
    Runs(Runs),
    /// Show the report of a recorded run
    #[command(after_help = "Examples:\n  \
        rectify show latest\n  \
        rectify show latest --host web1")]
    Show(ShowRun),
    /// Show a recorded run as it was shown when it ran; also one that broke off
    #[command(after_help = "Examples:\n  \
        rectify replay latest                all of it at once\n  \
        rectify replay latest --speed 1      as fast as it ran\n  \
        rectify replay latest --speed 10     ten times as fast")]
    Replay(Replay),
    /// Compare two recorded runs: what is new, gone or different, per host and thing
    #[command(after_help = "It ends with 0 if nothing differs, and with 2 if something does.")]
    Diff(DiffRuns),
    /// Write a recorded run for other programs
    #[command(after_help = "Examples:\n  \
        rectify export latest --format junit >results.xml     for continuous integration\n  \
        rectify export latest --format sarif >results.sarif   findings and failures at their lines")]
    Export(ExportRun),
    /// List the hosts on which nothing may be changed for now, put hosts on hold, and end holds
    #[command(after_help = "Examples:\n  \
        rectify holds                                                  who holds what, until when and why\n  \
        rectify holds add web1 --for 4h --reason 'the database moves'  nothing is changed there for four hours\n  \
        rectify holds release web1                                     it is over before that")]
    Holds(Holds),
    /// List the messages to people that were not delivered, and have those tried anew that were given up
    #[command(after_help = "Examples:\n  \
        rectify notices                what waits, and what was given up\n  \
        rectify notices retry --all    when the mail server works again")]
    Notices(Notices),
    /// Run the schedules of rectify.toml, tell people of what moved, and show the page, until told to end
    #[command(after_help = "Examples:\n  \
        rectify serve              until SIGTERM; SIGHUP reads the schedules anew\n  \
        rectify serve --once       what is due now, for cron and timers\n\n\
        A schedule in rectify.toml:\n\n  \
        [[schedules]]\n  \
        name = \"nightly\"\n  \
        cron = \"30 2 * * *\"\n  \
        timezone = \"Europe/Berlin\"\n  \
        mode = \"report\"")]
    Serve(Serve),
    /// Print the JSON Schema of playbooks, for editors
    Schema,
    /// Write the manual pages into a folder
    #[command(after_help = "Example:\n  rectify man /usr/local/share/man/man1")]
    Man {
        /// The folder; it is made if it is not there
        folder: PathBuf,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Examples:\n  \
        rectify completion bash >/etc/bash_completion.d/rectify\n  \
        source <(rectify completion bash)")]
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Which inventory.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hosts")]
pub(crate) struct Sources {
    /// Inventory: a file, a folder, an executable, or `host1,host2,`; can be given several times
    #[arg(short, long, value_name = "SOURCE", env = "RECTIFY_INVENTORY", hide_env_values = true)]
    pub(crate) inventory: Vec<String>,
}

/// Which hosts.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Hosts")]
pub(crate) struct Hosts {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Only hosts that match this pattern too; `@FILE` reads patterns from a file
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// Variables that win over all others: `key=value …`, YAML or JSON, or `@FILE`; can be given several times
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub(crate) extra_vars: Vec<String>,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

impl Sources {
    /// The words that choose the inventory, for another command: ` -i hosts.ini`; nothing where the project chooses.
    pub(crate) fn chosen(&self) -> String {
        self.inventory.iter().map(|source| format!(" -i {}", quoted(source))).collect()
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |word| word.into_owned())
}

/// How to get onto hosts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Log in as this user
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Log in with this private key
    #[arg(long, visible_alias = "key-file", value_name = "FILE")]
    pub(crate) private_key: Option<PathBuf>,
    /// Ask for the login password, once
    #[arg(short = 'k', long)]
    pub(crate) ask_pass: bool,
    /// Run as another user (root, unless --become-user says otherwise)
    #[arg(short, long)]
    pub(crate) r#become: bool,
    /// The user to become
    #[arg(long, value_name = "USER")]
    pub(crate) become_user: Option<String>,
    /// How to become it
    #[arg(long, value_name = "METHOD", value_parser = ["sudo", "doas", "su"])]
    pub(crate) become_method: Option<String>,
    /// Ask for the password of becoming another user, once
    #[arg(short = 'K', long)]
    pub(crate) ask_become_pass: bool,
    /// Hosts at a time
    #[arg(short, long, value_name = "N", default_value = "50")]
    pub(crate) forks: NonZeroUsize,
    /// Connect by `ssh`, or run on this machine with `local`
    #[arg(short, long, value_name = "KIND", value_parser = ["ssh", "local"])]
    pub(crate) connection: Option<String>,
    /// Seconds to wait for a connection
    #[arg(short = 'T', long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// SSH configuration instead of ~/.ssh/config (`none`: read no configuration)
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Folder on the hosts to keep the helper in, instead of the usual ones
    #[arg(long, value_name = "DIR")]
    pub(crate) helper_dir: Vec<String>,
}

/// Which tasks.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tasks")]
pub(crate) struct Tasks {
    /// Only tasks with one of these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// No tasks with one of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub(crate) skip_tags: Vec<String>,
    /// Begin with the task of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) start_at_task: Option<String>,
}

/// `check` and `apply`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
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
    pub(crate) rollouts: RolloutFlags,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Show the differences; this is the default
    #[arg(short = 'D', long, overrides_with = "no_diff", help_heading = "Output")]
    pub(crate) diff: bool,
    /// Name what changes without showing the differences, and keep file contents off the wire
    #[arg(long, help_heading = "Output")]
    pub(crate) no_diff: bool,
    /// Print the run's events as JSON, one a line, instead of the report
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Tasks of one host that may run side by side
    #[arg(long, value_name = "N", default_value = "4", help_heading = "Tasks")]
    pub(crate) parallel: std::num::NonZeroU32,
    /// List the hosts, and do nothing
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) list_hosts: bool,
    /// List the tasks, and do nothing
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) list_tasks: bool,
    /// List the tags, and do nothing
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) list_tags: bool,
}

/// `graph`.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Playbooks; those of rectify.toml if none is given
    #[arg(value_name = "PLAYBOOK")]
    pub(crate) playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(flatten)]
    pub(crate) tasks: Tasks,
    /// Text with the reason of every edge, or a graph for Graphviz, Mermaid or programs
    #[arg(long, value_enum, default_value_t = GraphFormat::Text, help_heading = "Output")]
    pub(crate) format: GraphFormat,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    Text,
    Dot,
    Mermaid,
    Json,
}

/// `lint`.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Playbooks; those of rectify.toml if none is given
    #[arg(value_name = "PLAYBOOK")]
    pub(crate) playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(flatten)]
    pub(crate) described: Described,
    /// Print the findings as JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// `inventory`.
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    /// With --graph: the group to begin with; alone: the pattern whose hosts are named, one a line
    #[arg(value_name = "PATTERN")]
    pub(crate) group: Option<String>,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    /// All hosts and groups with their variables, as JSON; this is the default
    #[arg(long, group = "what", conflicts_with = "group", help_heading = "Output")]
    pub(crate) list: bool,
    /// The groups as a tree
    #[arg(long, group = "what", conflicts_with_all = ["limit", "yaml"], help_heading = "Output")]
    pub(crate) graph: bool,
    /// The variables of one host
    #[arg(long, value_name = "HOST", group = "what", conflicts_with_all = ["group", "limit"], help_heading = "Output")]
    pub(crate) host: Option<String>,
    /// With --graph: variables too
    #[arg(long, requires = "graph", help_heading = "Output")]
    pub(crate) vars: bool,
    /// YAML instead of JSON
    #[arg(short, long, help_heading = "Output")]
    pub(crate) yaml: bool,
    /// With --host: where each variable comes from
    #[arg(long, requires = "host", conflicts_with_all = ["yaml", "export"], help_heading = "Output")]
    pub(crate) origins: bool,
    /// Variables where they are set, not merged per host
    #[arg(long, help_heading = "Output")]
    pub(crate) export: bool,
    /// Read group_vars and host_vars beside the playbooks of this folder
    #[arg(long, value_name = "DIR", help_heading = "Hosts")]
    pub(crate) playbook_dir: Option<PathBuf>,
}

/// `facts`.
#[derive(Debug, Args)]
pub(crate) struct Facts {
    /// The hosts
    #[arg(value_name = "PATTERN", default_value = "all")]
    pub(crate) pattern: String,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Only facts whose name matches, with or without `ansible_`: `distribution*`, `default_ipv4`; can be given several times
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Output")]
    pub(crate) filter: Vec<String>,
    /// Only these parts: `min`, `hardware`, `network`, `virtual`, or, with `!` before it, not this part
    #[arg(long, value_name = "PARTS", value_delimiter = ',', help_heading = "Output")]
    pub(crate) subset: Vec<String>,
    /// Print JSON: each host with its `ansible_facts`
    #[arg(long, group = "form", help_heading = "Output")]
    pub(crate) json: bool,
    /// Print YAML: each host with its `ansible_facts`
    #[arg(long, group = "form", help_heading = "Output")]
    pub(crate) yaml: bool,
}

/// `trust`.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// The hosts
    #[arg(value_name = "PATTERN", default_value = "all")]
    pub(crate) pattern: String,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    /// Hosts at a time
    #[arg(short, long, value_name = "N", default_value = "50", help_heading = "Connection")]
    pub(crate) forks: NonZeroUsize,
    /// Seconds to wait for a connection
    #[arg(short = 'T', long, value_name = "SECONDS", help_heading = "Connection")]
    pub(crate) timeout: Option<u64>,
    /// SSH configuration instead of ~/.ssh/config (`none`: read no configuration)
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Record all new keys without asking. Changed and revoked keys are never recorded
    #[arg(long, help_heading = "Recording")]
    pub(crate) yes: bool,
    /// The file to record them in [default: the first UserKnownHostsFile of the SSH configuration]
    #[arg(long, value_name = "FILE", help_heading = "Recording")]
    pub(crate) known_hosts: Option<PathBuf>,
    /// Record host names as hashes
    #[arg(long, help_heading = "Recording")]
    pub(crate) hash: bool,
}

/// `modules`.
#[derive(Debug, Args)]
pub(crate) struct Modules {
    /// The module to show
    #[arg(value_name = "MODULE")]
    pub(crate) module: Option<String>,
    /// Write the reference pages of all modules into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "module")]
    pub(crate) reference: Option<PathBuf>,
    /// Do not write: say whether the pages in the folder are up to date
    #[arg(long, requires = "reference")]
    pub(crate) check: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_says_how_it_is_used() {
        let all = Cli::command();
        all.clone().debug_assert();
        for verb in all.get_subcommands() {
            let name = verb.get_name().to_owned();
            assert!(verb.get_about().is_some(), "{name}");
            for arg in verb.get_arguments() {
                assert!(arg.get_help().is_some(), "{name}: {}", arg.get_id());
                // Either would spread the help of the whole verb over three times the lines.
                let spread = arg.get_possible_values().iter().any(|value| value.get_help().is_some());
                assert!(arg.get_long_help().is_none() && !spread, "{name}: {}", arg.get_id());
            }
        }
    }

    #[test]
    fn trust_reaches_hosts_as_a_run_does() {
        let Verb::Trust(trust) = Cli::parse_from(["rectify", "trust", "-T", "3", "--ssh-config", "f"]).verb else {
            panic!("another verb")
        };
        let connection = Connection::from(&trust);
        assert_eq!((connection.timeout, connection.ssh_config), (Some(3), Some("f".into())));
    }
}
