//! The variables that exist without anybody's having written them, as far as the controller knows them.

use serde_json::{Map, Value, json};

use super::{CompileOptions, Fleet};
use crate::{
    plan::Mode,
    playbook::{PlayDef, Playbook, magic::VERSION},
};

/// The same for all hosts. What is large is there only if something reads it.
pub(crate) fn shared(playbook: &Playbook, fleet: &dyn Fleet, options: &CompileOptions) -> Map<String, Value> {
    let (major, minor, revision) = VERSION;
    let full = format!("{major}.{minor}.{revision}");
    let mut out = Map::new();
    let mut set = |name: &str, value: Value| out.insert(name.to_owned(), value);
    set("ansible_check_mode", (options.mode == Mode::Check).into());
    set("ansible_diff_mode", options.options.diff.into());
    set("ansible_verbosity", options.options.verbose.into());
    set("ansible_version", json!({"full": full, "string": full, "major": major, "minor": minor, "revision": revision}));
    let tags = &options.selection.tags;
    set("ansible_run_tags", if tags.is_empty() { json!(["all"]) } else { json!(tags) });
    set("ansible_skip_tags", json!(options.selection.skip_tags));
    set("ansible_managed", "Ansible managed".into());
    let reads = |name: &str| playbook.read_names.contains(name);
    if reads("groups") || reads("hostvars") {
        set("groups", Value::Object(fleet.groups()));
    }
    if reads("hostvars") {
        let groups = fleet.groups();
        let all = groups.get("all").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let vars: Map<String, Value> = all.map(|host| (host.to_owned(), Value::Object(fleet.vars(host)))).collect();
        set("hostvars", Value::Object(vars));
    }
    out
}

/// The same for all hosts of a play.
pub(crate) fn of_play(playbook: &Playbook, play: &PlayDef, hosts: &[String]) -> Map<String, Value> {
    let mut vars = play.vars.values.clone();
    for name in ["play_hosts", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_batch"] {
        if playbook.read_names.contains(name) {
            vars.insert(name.into(), json!(hosts));
        }
    }
    vars
}
