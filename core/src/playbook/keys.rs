//! The words of a playbook: which are known where, and what to do instead of those that are not supported.

use crate::diag::{Diagnostic, did_you_mean};
use crate::yaml::Node;

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Play,
    Import,
    Task,
    Handler,
    Block,
    Include,
    Role,
    LoopControl,
}

const ANYWHERE: &[&str] = &[
    "name",
    "become",
    "become_user",
    "become_method",
    "become_flags",
    "vars",
    "environment",
    "tags",
    "no_log",
    "ignore_errors",
    "check_mode",
    "collections",
];
const PLAY: &[&str] = &[
    "hosts",
    "tasks",
    "pre_tasks",
    "post_tasks",
    "handlers",
    "roles",
    "vars_files",
    "gather_facts",
    "gather_subset",
    "order",
    "connection",
    "remote_user",
    "strategy",
    "any_errors_fatal",
];
const GROUP: &[&str] = &["when", "id", "needs", "rollout"];
const TASK: &[&str] =
    &["args", "loop_control", "register", "notify", "changed_when", "failed_when", "until", "retries", "delay"];
/// Loops; `with_items` and its like are Ansible's older ones.
pub(crate) const LOOPS: &[&str] = &["loop", "with_items", "with_list", "with_dict", "with_flattened"];

/// Loops over files of the controller.
const FILES: &[&str] = &["with_first_found", "with_fileglob"];

impl Place {
    /// `a play`, `a task` …
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Place::Play => "a play",
            Place::Import => "`import_playbook`",
            Place::Task => "a task",
            Place::Handler => "a handler",
            Place::Block => "a block",
            Place::Include => "an import of tasks",
            Place::Role => "a role",
            Place::LoopControl => "`loop_control`",
        }
    }

    /// The keys that are known here.
    pub(crate) fn keys(self) -> Vec<&'static str> {
        let lists: &[&[&'static str]] = match self {
            Place::Play => &[PLAY, ANYWHERE],
            Place::Import => &[&["import_playbook", "name", "vars", "tags", "when"]],
            Place::Task => &[TASK, LOOPS, FILES, GROUP, ANYWHERE],
            Place::Handler => &[TASK, LOOPS, FILES, ANYWHERE, &["when", "listen"]],
            Place::Block => &[&["block", "rescue", "always", "transaction", "notify"], GROUP, ANYWHERE],
            Place::Include => &[&["args", "notify", "loop_control", "with_first_found"], LOOPS, GROUP, ANYWHERE],
            Place::Role => &[&["role", "notify"], GROUP, ANYWHERE],
            Place::LoopControl => &[&["loop_var", "index_var", "label", "pause", "extended"]],
        };
        lists.iter().flat_map(|list| list.iter().copied()).collect()
    }
}

/// Every word that a playbook may use and modules have not, by where it stands: `play`, `task`, `loop_control` …
pub fn keywords() -> Vec<(&'static str, Vec<&'static str>)> {
    let places = [
        ("play", Place::Play),
        ("import_playbook", Place::Import),
        ("task", Place::Task),
        ("handler", Place::Handler),
        ("block", Place::Block),
        ("include", Place::Include),
        ("role", Place::Role),
        ("loop_control", Place::LoopControl),
    ];
    places.into_iter().map(|(name, place)| (name, place.keys())).collect()
}

/// Ansible's words that are not supported, and what to do instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("action", "write the module as the key: `MODULE: arguments`"),
    ("local_action", "make it a play of its own with `hosts: localhost` and `connection: local`"),
    ("delegate_to", "make it a play of its own for the host that is to do it"),
    ("delegate_facts", "make it a play of its own for the host that is to do it"),
    ("run_once", "make it a play of its own whose `hosts` names one host, such as `webservers[0]`"),
    ("async", "leave it out: hosts never wait for each other, and a task may take as long as it needs"),
    ("poll", "leave it out: hosts never wait for each other, and a task may take as long as it needs"),
    ("throttle", "limit the number of hosts with `-f`"),
    ("timeout", "use the module's own time limit, or `command: timeout 30 …`"),
    ("debugger", "run with `-vvv`"),
    ("diff", "turn differences off for the whole run with `--no-diff`"),
    ("module_defaults", "write the arguments in the tasks, or share them with a YAML anchor and `<<: *anchor`"),
    ("ignore_unreachable", "other hosts go on without the unreachable one in any case; exclude it with `--limit`"),
    ("become_exe", "set `ansible_become_exe` in the inventory"),
    ("port", "set `ansible_port` in the inventory"),
    ("serial", "run the hosts in groups with `--limit`, or fewer at a time with `-f`"),
    ("max_fail_percentage", "run the hosts in groups with `--limit`"),
    ("run_tags", "select tasks with `--tags`"),
    ("vars_prompt", "pass the values with `-e NAME=VALUE` or `-e @FILE`, or keep them in a vault-encrypted vars file"),
    ("force_handlers", "leave it out: a handler that is owed stays written down on the host until it ran"),
    ("fact_path", "leave it out: facts come from `/etc/ansible/facts.d`"),
    ("gather_timeout", "leave it out: facts are read without waiting for programs"),
    ("accelerate", "leave it out"),
    ("first_available_file", "write the file's name"),
    ("confirm", "confirmed changes are not supported yet; keep a second way in open and run on one host first"),
    ("include", "`include` is gone from Ansible too: use `import_tasks` for tasks, `import_playbook` for playbooks"),
    ("add_host", "hosts come from the inventory only; an executable inventory can make them up"),
    ("group_by", "groups come from the inventory only; use `when` with the fact"),
];

/// Loops of Ansible's lookups that are not supported, and what to do instead.
const LOOKUP_LOOPS: &[(&str, &str)] = &[
    ("with_nested", "use `loop: \"{{ a | product(b) | list }}\"`"),
    ("with_cartesian", "use `loop: \"{{ a | product(b) | list }}\"`"),
    ("with_together", "use `loop: \"{{ a | zip(b) | list }}\"`"),
    ("with_subelements", "use `loop: \"{{ a | subelements('key') }}\"`"),
    ("with_sequence", "use `loop: \"{{ range(1, 11) | list }}\"`"),
    ("with_random_choice", "use `{{ list | random }}` in the argument"),
    ("with_indexed_items", "use `loop` with `loop_control: {index_var: NAME}`"),
    ("with_filetree", "copy the folder with one `copy` task"),
    ("with_lines", "use a `command` task with `register`, and loop over its `stdout_lines`"),
    ("with_inventory_hostnames", "use `loop: \"{{ groups['GROUP'] }}\"`"),
];

/// What to do instead of a word that Ansible has and this does not.
pub(crate) fn alternative(word: &str) -> Option<&'static str> {
    let short = short(word);
    UNSUPPORTED.iter().chain(LOOKUP_LOOPS).find(|(known, _)| *known == short).map(|(_, instead)| *instead)
}

/// The word without Ansible's own collections.
pub(crate) fn short(word: &str) -> &str {
    word.strip_prefix("ansible.builtin.").or_else(|| word.strip_prefix("ansible.legacy.")).unwrap_or(word)
}

/// The problem of a key that is not known at this place. `more` are further words that could have been meant.
pub(crate) fn unknown(key: &Node, word: &str, place: Place, more: &[&str]) -> Diagnostic {
    if let Some(instead) = alternative(word) {
        let message = format!("`{word}` is not supported");
        return Diagnostic::error("unsupported", message).at(key.span, "").help(instead);
    }
    let everywhere = [Place::Play, Place::Task, Place::Handler, Place::Block, Place::Role];
    if let Some(other) = everywhere.into_iter().find(|p| *p != place && p.keys().contains(&word)) {
        let message = format!("`{word}` does not belong in {}", place.noun());
        let help = format!("`{word}` is a key of {}", other.noun());
        return Diagnostic::error("misplaced-key", message).at(key.span, "").help(help);
    }
    let known = place.keys();
    let problem = Diagnostic::error("unknown-key", format!("unknown key `{word}` in {}", place.noun()));
    match did_you_mean(word, known.iter().copied().chain(more.iter().copied())) {
        Some(meant) => problem.at(key.span, "").suggest(key.span, meant, format!("did you mean `{meant}`?")),
        None => problem.at(key.span, "not a key that is known here"),
    }
}
