//! Encrypted values and files on their way into a plan.

use rectify_core::{arg::Arg, digest::sha256, vault::Password};
use serde_json::{Value, json};

use crate::{
    disk::password,
    support::{inline, options},
};

/// A text as an inline value, indented for a mapping's value.
fn inline_vault(text: &str) -> String {
    indented(&password().seal(text.as_bytes(), None, [7; 32]))
}

fn indented(sealed: &str) -> String {
    format!("!vault |\n{}", sealed.lines().map(|line| format!("            {line}\n")).collect::<String>())
}

fn foreign() -> String {
    let other = Password { label: "prod".into(), bytes: b"somebody else's".to_vec() };
    indented(&other.seal(b"never seen", Some("prod"), [8; 32]))
}

fn file(text: &str) -> String {
    password().seal(text.as_bytes(), None, [9; 32])
}

#[test]
fn a_value_travels_in_plain_and_the_plan_names_it_as_secret() {
    let text = format!(
        "- hosts: web1\n  vars:\n    db:\n      user: app\n      password: {}  tasks:\n    - debug: {{msg: '{{{{ db.password }}}}'}}\n",
        inline_vault("s3cret-of-the-db")
    );
    let plan = inline("vault_value", &text, &[]).compile("web1", options()).plan;
    assert_eq!(plan.plays[0].vars["db"], json!({"user": "app", "password": "s3cret-of-the-db"}));
    assert_eq!(plan.secrets.into_iter().collect::<Vec<_>>(), ["s3cret-of-the-db"]);
}

#[test]
fn what_is_not_needed_need_not_be_opened() {
    let play = |task: &str| format!("- hosts: web1\n  vars:\n    token: {}  tasks:\n    - {task}\n", foreign());
    let plan = inline("vault_spare", &play("debug: {msg: x}"), &[]).compile("web1", options()).plan;
    assert!(!plan.plays[0].vars.contains_key("token"), "{:?}", plan.plays[0].vars);
    let needed = play("debug: {msg: '{{ token }}'}\n      tags: t");
    let problems = inline("vault_needed", &needed, &[]).problems(options());
    assert!(
        problems.contains("cannot open the variable `token`: it is encrypted for the vault id `prod`"),
        "{problems}"
    );
    assert!(problems.contains("site.yml:4:13"), "{problems}");
    assert!(problems.contains("--vault-id"), "{problems}");
    let mut others = options();
    others.selection.skip_tags = vec!["t".into()];
    inline("vault_skipped", &format!("{needed}    - debug: {{msg: x}}\n"), &[]).compile("web1", others);
}

#[test]
fn whole_files_of_variables_are_read_and_all_that_they_hold_is_secret() {
    let text = "- hosts: web1\n  vars_files: [secret.yml]\n  roles: [r]\n";
    let files = [
        ("secret.yml", file("api: {key: k3y-of-the-api, port: 50443}\n")),
        ("roles/r/vars/main.yml", file("role_word: w0rd-of-the-role\n")),
        ("roles/r/tasks/main.yml", "- debug: {msg: '{{ api.key }} {{ role_word }}'}\n".into()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let plan = inline("vault_files", text, &files).compile("web1", options()).plan;
    let secrets: Vec<_> = plan.secrets.iter().map(String::as_str).collect();
    assert_eq!(secrets, ["50443", "k3y-of-the-api", "w0rd-of-the-role"]);
}

#[test]
fn an_encrypted_source_is_placed_in_plain_and_marked() {
    let text = "- hosts: web1\n  tasks:\n    - copy: {src: key.pem, dest: /k}\n";
    let sealed = file("-----BEGIN KEY-----\nabcdefgh\n");
    let plan = inline("vault_source", text, &[("key.pem", &sealed)]).compile("web1", options()).plan;
    let [entry] = plan.tasks[0].files["key.pem"].as_slice() else { panic!("one file") };
    assert!(entry.secret);
    assert_eq!(entry.sha256.as_deref(), Some(sha256(b"-----BEGIN KEY-----\nabcdefgh\n").as_str()));
}

#[test]
fn an_encrypted_template_is_checked_like_any_other() {
    let text = "- hosts: web1\n  tasks:\n    - template: {src: t.j2, dest: /t}\n";
    let sealed = file("{{ nowhere_defined }} in-the-template\n");
    let problems = inline("vault_template", text, &[("t.j2", &sealed)]).problems(options());
    assert!(problems.contains("nowhere_defined") && !problems.contains("in-the-template"), "{problems}");
}

#[test]
fn an_encrypted_argument_is_opened_where_it_stands() {
    let text = format!(
        "- hosts: web1\n  tasks:\n    - copy:\n        dest: /x\n        content: {}",
        inline_vault("c0ntent-of-x")
    );
    let plan = inline("vault_argument", &text, &[]).compile("web1", options()).plan;
    let Arg::Map(args) = &plan.tasks[0].args else { panic!("a mapping") };
    assert_eq!(args["content"], Arg::text("c0ntent-of-x"));
    assert!(plan.secrets.contains("c0ntent-of-x"));
}

#[test]
fn what_an_encrypted_template_reads_travels_with_it() {
    let text = format!(
        "- hosts: web1\n  vars:\n    dsn: {}  tasks:\n    - debug: {{msg: '{{{{ dsn }}}}'}}\n",
        inline_vault("pg://app:p4ss@db:{{ http_port }}")
    );
    let plan = inline("vault_nested", &text, &[]).compile("web1", options()).plan;
    assert_eq!(plan.inventory_vars.get("http_port"), Some(&Value::from(80)));
    assert_eq!(plan.secrets.into_iter().collect::<Vec<_>>(), ["pg://app:p4ss@db:{{ http_port }}"]);
}

#[test]
fn an_encrypted_source_is_placed_as_it_is_where_the_task_says_so() {
    let text = "- hosts: web1\n  tasks:\n    - copy: {src: key.pem, dest: /k, decrypt: no}\n";
    let sealed = file("-----BEGIN KEY-----\nabcdefgh\n");
    let plan = inline("vault_as_it_is", text, &[("key.pem", &sealed)]).compile("web1", options()).plan;
    let [entry] = plan.tasks[0].files["key.pem"].as_slice() else { panic!("one file") };
    assert!(!entry.secret);
    assert_eq!(entry.sha256.as_deref(), Some(sha256(sealed.as_bytes()).as_str()));
}
