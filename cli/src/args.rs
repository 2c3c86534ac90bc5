//! The command line. Flags that Ansible users have in their fingers keep their letters.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Declarative remediation over SSH: preview every change, apply it, keep it that way.
#[derive(Debug, Parser)]
#[command(name = "rectify", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every verb takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Say more: unchanged tasks and results (-v), skipped tasks and connections (-vv), every host's name (-vvv)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Colours: `auto` colours terminals only, and honours NO_COLOR
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true)]
    pub(crate) color: Colour,
}

/// When text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On terminals.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Preview what a playbook would change, without changing anything
    Check(Run),
    /// Apply a playbook
    Apply(Run),
    /// Draw the graph of a playbook's tasks and say why each edge is there
    Graph(Graph),
    /// Find everything that is wrong with playbooks and inventory, without contacting any host
    Lint(Lint),
    /// Show the inventory as it is understood
    Inventory(Inventory),
    /// Collect facts about hosts: distribution, hardware, network, mounts …
    Facts(Facts),
    /// Collect the host keys of hosts that are not known yet, show them all, and record those you approve
    Trust(Trust),
    /// List the modules, or show one's reference
    Modules(Modules),
    /// Print the JSON Schema of playbooks, for editors
    Schema,
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Which hosts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Hosts {
    /// Inventory: a file, a folder, an executable, or `host1,host2,`; can be given several times
    #[arg(short, long = "inventory", value_name = "SOURCE", env = "RECTIFY_INVENTORY")]
    pub(crate) inventory: Vec<String>,
    /// Only hosts that match this pattern too; `@FILE` reads patterns from a file
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// Variables that win over all others: `key=value …`, YAML or JSON, or `@FILE`; can be given several times
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub(crate) extra_vars: Vec<String>,
}

/// How to get onto hosts.
#[derive(Debug, Clone, Args)]
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
    /// Show the differences; this is the default
    #[arg(short = 'D', long, overrides_with = "no_diff")]
    pub(crate) diff: bool,
    /// Name what changes without showing the differences, and keep file contents off the wire
    #[arg(long)]
    pub(crate) no_diff: bool,
    /// Print the run's events as JSON, one a line, instead of the report
    #[arg(long)]
    pub(crate) json: bool,
    /// Tasks of one host that may run side by side
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) parallel: std::num::NonZeroU32,
    /// List the hosts, and do nothing
    #[arg(long)]
    pub(crate) list_hosts: bool,
    /// List the tasks, and do nothing
    #[arg(long)]
    pub(crate) list_tasks: bool,
    /// List the tags, and do nothing
    #[arg(long)]
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
    /// As what
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(crate) format: GraphFormat,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For reading, with the reason of every edge.
    Text,
    /// For Graphviz.
    Dot,
    /// For Mermaid.
    Mermaid,
    /// For programs.
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
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `inventory`.
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    /// All hosts and groups with their variables, as JSON
    #[arg(long, group = "what")]
    pub(crate) list: bool,
    /// The groups as a tree
    #[arg(long, group = "what")]
    pub(crate) graph: bool,
    /// The variables of one host
    #[arg(long, value_name = "HOST", group = "what")]
    pub(crate) host: Option<String>,
    /// With --graph: variables too
    #[arg(long)]
    pub(crate) vars: bool,
    /// YAML instead of JSON
    #[arg(short, long)]
    pub(crate) yaml: bool,
    /// With --host: where each variable comes from
    #[arg(long)]
    pub(crate) origins: bool,
    /// Variables where they are set, not merged per host
    #[arg(long)]
    pub(crate) export: bool,
    /// Read group_vars and host_vars beside the playbooks of this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) playbook_dir: Option<PathBuf>,
    /// With --graph: the group to begin with; alone: the pattern whose hosts are named, one a line
    #[arg(value_name = "PATTERN")]
    pub(crate) group: Option<String>,
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
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) filter: Vec<String>,
    /// Only these parts: `min`, `hardware`, `network`, `virtual`, or, with `!` before it, not this part
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    pub(crate) subset: Vec<String>,
    /// Print JSON: each host with its `ansible_facts`
    #[arg(long, group = "form")]
    pub(crate) json: bool,
    /// Print YAML: each host with its `ansible_facts`
    #[arg(long, group = "form")]
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
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Record all new keys without asking. Changed and revoked keys are never recorded
    #[arg(long)]
    pub(crate) yes: bool,
    /// The file to record them in
    #[arg(long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,
    /// Record host names as hashes
    #[arg(long)]
    pub(crate) hash: bool,
}

/// `modules`.
#[derive(Debug, Args)]
pub(crate) struct Modules {
    /// The module to show
    #[arg(value_name = "MODULE")]
    pub(crate) module: Option<String>,
    /// Write the reference pages of all modules into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: Option<PathBuf>,
    /// Do not write: say whether the pages in the folder are up to date
    #[arg(long, requires = "reference")]
    pub(crate) check: bool,
}
