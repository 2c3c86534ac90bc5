//! The inventories in the repository load, and say what their comments say.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use rectify_core::diag::{Diagnostics, SourceMap, render};
use rectify_core::inventory::{Inventory, Options, load};
use serde_json::{Value, json};

mod disk;

#[expect(unreachable_pub, reason = "the command line's own file")]
#[path = "../../cli/src/verbs/inventory.rs"]
mod verb;
use verb::{Query, What};

fn read(source: &str) -> Inventory {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let options =
        Options { sources: vec![source.to_owned()], cwd: root.to_owned(), playbook_dirs: vec![PathBuf::new()] };
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let inventory = load(&disk::Rooted::new(root), &options, &mut map, &mut found);
    assert!(found.is_empty(), "{}", render(&map, &found, false));
    inventory
}

#[test]
fn the_default_is_this_machine_alone() {
    let inventory = read("inventory/default");
    assert_eq!(inventory.select("all", None).unwrap().hosts, ["localhost"]);
    assert_eq!(
        Value::Object(inventory.vars("localhost").unwrap()),
        json!({"ansible_connection": "local", "ansible_become": false, "skip_remove_tools": true})
    );
}

#[test]
fn the_example_has_owners_a_jump_host_and_groups() {
    let inventory = read("inventory/example");
    let value = |host: &str, name: &str| (*inventory.var(host, name).unwrap().value).clone();
    assert_eq!(inventory.select("dmz:!canaries", None).unwrap().hosts.len(), 4);
    assert_eq!(inventory.select("production", None).unwrap().hosts.len(), inventory.host_count());
    assert_eq!(value("db1.example.org", "ansible_ssh_common_args"), "-o ProxyJump=jump.example.org");
    assert!(inventory.var("jump.example.org", "ansible_ssh_common_args").is_none());
    assert_eq!(value("legacy.example.org", "ansible_user"), "admin");
    for (host, owner) in [("web1", "web"), ("db2", "data"), ("jump", "platform"), ("legacy", "legacy-app")] {
        assert_eq!(value(&format!("{host}.example.org"), "owner"), owner);
    }
    let mut found = Diagnostics::new();
    let people = rectify_core::rollout::contacts(&inventory, inventory.hosts_in("all"), &mut found);
    assert!(found.is_empty());
    let owners = inventory.hosts_in("all").into_iter().flat_map(|host| rectify_core::rollout::owners(&inventory, host));
    assert!(owners.into_iter().all(|(owner, _)| !people[&owner].contacts.is_empty()));
}

fn ask(what: What, change: impl FnOnce(&mut Query)) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut query = Query { sources: vec!["inventory/example".into()], cwd: root.to_owned(), what, ..Query::default() };
    change(&mut query);
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let out = verb::run(&query, &disk::Rooted::new(root), &mut map, &mut found);
    out.ok_or_else(|| render(&map, &found, false))
}

#[test]
fn the_verb_shows_a_host_its_origins_groups_and_choices() {
    let host = |origins| What::Host { pattern: "legacy.example.org".into(), origins };
    let json: Value = serde_json::from_str(&ask(host(false), |_| {}).unwrap()).unwrap();
    assert_eq!(json["ansible_port"], 2222);
    let origins = ask(host(true), |_| {}).unwrap();
    let user: Vec<&str> = origins.lines().filter(|l| l.contains("ansible_user")).collect();
    assert_eq!(
        user,
        [
            "ansible_user = \"admin\"    inventory/example/host_vars/legacy.example.org.yml:3:1",
            "  replaces ansible_user = \"deploy\"    inventory/example/group_vars/all/connection.yml:2:1",
        ]
    );
    let graph = ask(What::Graph { group: "dmz".into(), vars: false }, |_| {}).unwrap();
    assert!(graph.starts_with("@dmz:\n  |--@webservers:\n  |  |--web1.example.org\n"), "{graph}");
    assert_eq!(ask(What::Hosts("web*:!web*[2-4]*".into()), |_| {}).unwrap(), "web1.example.org\nlegacy.example.org\n");
    let limited: Value =
        serde_json::from_str(&ask(What::List, |q| q.limit = Some("databases".into())).unwrap()).unwrap();
    assert_eq!(limited["_meta"]["hostvars"].as_object().unwrap().len(), 2);
    assert!(ask(What::List, |q| q.yaml = true).unwrap().starts_with("all:\n  children:\n"));
}

#[test]
fn the_verb_says_what_it_cannot_show() {
    let host = What::Host { pattern: "webservers".into(), origins: false };
    assert!(ask(host, |_| {}).unwrap_err().contains("`webservers` means 5"));
    let graph = What::Graph { group: "nope".into(), vars: false };
    assert!(ask(graph, |_| {}).unwrap_err().contains("there is no group `nope`"));
    assert!(ask(What::List, |q| q.limit = Some("@/nonexistent".into())).unwrap_err().contains("/nonexistent"));
    assert!(ask(What::List, |q| q.sources = vec!["nowhere".into()]).unwrap_err().contains("no inventory `nowhere`"));
}
