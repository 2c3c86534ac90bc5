//! Every key of `rectify.toml`, and the law that there is no other.

use crate::local::Folder;

/// The keys that have a test, here, in `vault.rs`, in `announce.rs`, in `record.rs` or in `serve.rs`.
const TESTED: [&str; 13] = [
    "announce",
    "hook",
    "inventory",
    "mail",
    "notify",
    "playbooks",
    "record",
    "roles_path",
    "rollouts",
    "schedules",
    "serve",
    "vault_ids",
    "vault_password_file",
];
/// And those of tables.
const TABLES: [(&str, &[&str]); 8] = [
    ("announce", &["reminders", "site", "templates", "url"]),
    ("hook", &["secret_file", "timeout"]),
    ("mail", &["ca_file", "from", "list_id", "password_file", "reply_to", "security", "server", "timeout", "user"]),
    ("notify", &["digest", "only", "operators"]),
    ("record", &["folder", "store"]),
    ("serve", &["listen", "metrics_token_file", "oidc", "proxy", "schedules", "url", "users"]),
    (
        "serve.oidc",
        &["client_id", "client_secret_file", "groups_claim", "issuer", "name_claim", "operators", "readers", "scopes"],
    ),
    ("serve.proxy", &["from", "groups_header", "operators", "readers", "user_header"]),
];

/// A folder with a role elsewhere and a playbook that uses it.
fn folder(config: &str) -> Folder {
    let folder = Folder::new();
    folder.write("site.yml", "- hosts: web\n  gather_facts: false\n  tasks: [{debug: {msg: in the playbook}}]\n");
    folder.write("with_role.yml", "- {hosts: a, gather_facts: false, roles: [far]}\n");
    folder.write("elsewhere/far/tasks/main.yml", "- debug: {msg: in the role}\n");
    folder.write("rectify.toml", config);
    folder
}

#[test]
fn inventory_is_used_where_none_is_named() {
    assert_eq!(folder("").run(&["inventory", "web"]).code, Some(5));
    let folder = folder("inventory = [\"hosts\"]\n");
    assert_eq!(folder.run(&["inventory", "web"]).stdout, "a\nb\n");
    let said = folder.run(&["inventory", "all", "-i", "other,"]);
    assert_eq!(said.stdout, "other\n", "-i goes before it");
}

#[test]
fn playbooks_are_used_where_none_is_named() {
    let args = ["check", "-i", "hosts", "--list-tasks"];
    assert_eq!(folder("").run(&args).code, Some(5));
    let folder = folder("playbooks = [\"site.yml\"]\n");
    assert!(folder.run(&args).stdout.contains("hosts: web"));
    assert!(!folder.run(&["check", "-i", "hosts", "--list-tasks", "missing.yml"]).stdout.contains("hosts: web"));
    for verb in ["lint", "graph"] {
        assert_eq!(folder.run(&[verb, "-i", "hosts"]).code, Some(0), "{verb}");
    }
}

#[test]
fn roles_are_looked_for_in_roles_path() {
    let args = ["lint", "with_role.yml", "-i", "hosts"];
    let said = folder("").run(&args);
    assert!(said.code == Some(5) && said.stderr.contains("there is no role"), "{}", said.all());
    assert_eq!(folder("roles_path = [\"elsewhere\"]\n").run(&args).code, Some(0));
}

#[test]
fn settings_are_described_where_rollouts_says() {
    let folder = crate::flags::folder();
    let status = || crate::flags::run(&folder, "rollout status FLEET").all();
    assert!(!status().contains("[opt-out]"), "{}", status());
    folder.write("rectify.toml", "rollouts = \"other.yml\"\n");
    assert!(status().contains("[opt-out]"), "{}", status());
}

/// The keys that a message about an unknown one names.
pub(crate) fn named(message: &str) -> Vec<&str> {
    let (_, known) = message.split_once("expected ").unwrap_or_else(|| panic!("{message}"));
    let mut keys: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn no_key_is_without_a_test_and_an_unknown_one_is_refused() {
    let said = folder("nonsense = 1\n").run(&["inventory", "-i", "hosts"]);
    assert_eq!(said.code, Some(5));
    assert_eq!(named(&said.stderr), TESTED, "a key of rectify.toml needs a test: {}", said.stderr);
    for (table, tested) in TABLES {
        let said = folder(&format!("[{table}]\nnonsense = 1\n")).run(&["inventory", "-i", "hosts"]);
        assert_eq!((said.code, named(&said.stderr).as_slice()), (Some(5), tested), "{table}: {}", said.stderr);
    }
}
