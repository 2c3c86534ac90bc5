//! Which value of a variable counts.

use rectify_core::{
    plan::{Plan, Task},
    template::{Engine, EngineOptions, Rendered, Vars},
};
use serde_json::{Map, Value, json};

use crate::support::{inline, options};

/// What a task sees, in the order in which the engine lays the plan's variables over each other.
fn seen(plan: &Plan, task: &Task, template: &str) -> Value {
    let play = plan.plays.iter().find(|p| (p.first.0..p.first.0 + p.count).contains(&task.id.0)).unwrap();
    let mut vars = Vars::new(&play.defaults).with(&plan.inventory_vars).with(&play.vars);
    let mut scopes = Vec::new();
    let mut at = task.scope;
    while let Some(id) = at {
        scopes.push(id);
        at = plan.scopes[id.0 as usize].parent;
    }
    for id in scopes.into_iter().rev() {
        vars = vars.with(&plan.scopes[id.0 as usize].vars);
    }
    vars = vars.with(&plan.extra_vars);
    match Engine::new(EngineOptions::default()).render_value(template, &vars) {
        Ok(Rendered::Value(value)) => value,
        other => panic!("{template}: {other:?}"),
    }
}

/// The value of `x` where each level beats all those before it. `http_port` is the inventory's.
#[test]
fn each_level_hides_those_below() {
    const LEVELS: [&str; 9] =
        ["role default", "inventory", "play", "vars file", "role vars", "block", "task", "role parameter", "extra"];
    for (at, level) in LEVELS.iter().enumerate() {
        let on = |name: &str| LEVELS.iter().position(|l| *l == name).unwrap() <= at;
        let var = |name: &str| if on(name) { format!("{{http_port: {name}}}") } else { "{}".into() };
        let text = format!(
            "
- hosts: {}
  vars: {}
  vars_files: [more.yml]
  roles:
    - {{role: r{}}}
",
            // Only the hosts of `web` have the variable from the inventory.
            if on("inventory") { "web1" } else { "db1" },
            var("play"),
            if on("role parameter") { ", http_port: role parameter" } else { "" },
        );
        let role = format!(
            "- vars: {}\n  block:\n    - name: probe\n      debug: {{msg: '{{{{ http_port }}}}'}}\n      vars: {}\n",
            var("block"),
            var("task")
        );
        let files = [
            ("more.yml", var("vars file")),
            ("roles/r/defaults/main.yml", var("role default")),
            ("roles/r/vars/main.yml", var("role vars")),
            ("roles/r/tasks/main.yml", role),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
        let mut with = options();
        if on("extra") {
            with.extra_vars = Map::from_iter([("http_port".to_owned(), json!("extra"))]);
        }
        let read = inline(&format!("level_{at}"), &text, &files);
        let compiled = read.compile(if on("inventory") { "web1" } else { "db1" }, with);
        let value = seen(&compiled.plan, &compiled.plan.tasks[0], "{{ http_port }}");
        let wanted = if *level == "inventory" { json!(80) } else { json!(level) };
        assert_eq!(value, wanted, "{level}");
    }
}

const TWO_ROLES: &[(&str, &str)] = &[
    ("roles/a/defaults/main.yml", "port: 1\nhttp_port: 1\n"),
    ("roles/a/tasks/main.yml", "- {name: in a, debug: {msg: '{{ port }} {{ http_port }}'}}\n"),
    ("roles/b/defaults/main.yml", "port: 2\nhttp_port: 2\n"),
    ("roles/b/tasks/main.yml", "- {name: in b, debug: {msg: '{{ port }} {{ http_port }}'}}\n"),
];

#[test]
fn a_role_sees_its_own_defaults_but_below_the_inventory() {
    let text = "- {hosts: all, roles: [a, b], tasks: [{name: after, debug: {msg: '{{ port }}'}}]}\n";
    let read = inline("own_defaults", text, TWO_ROLES);
    let values = |host: &str| {
        let plan = read.compile(host, options()).plan;
        plan.tasks.iter().map(|t| seen(&plan, t, "{{ port }}-{{ http_port }}")).collect::<Vec<_>>()
    };
    assert_eq!(values("db1"), [json!("1-1"), json!("2-2"), json!("2-2")]);
    assert_eq!(values("web2"), [json!("1-8080"), json!("2-8080"), json!("2-8080")]);
}

#[test]
fn a_play_hides_role_defaults_that_differ() {
    let text = "- {hosts: all, vars: {port: 9}, roles: [a, b]}\n";
    let plan = inline("hidden_defaults", text, TWO_ROLES).compile("db1", options()).plan;
    assert_eq!(seen(&plan, &plan.tasks[0], "{{ port }}"), json!(9));
}

#[test]
fn a_role_knows_where_it_is() {
    let text = "- {hosts: db, roles: [a]}\n";
    let plan = inline("magic", text, TWO_ROLES).compile("db1", options()).plan;
    let value =
        seen(&plan, &plan.tasks[0], "{{ role_name }} {{ role_path }} {{ inventory_hostname_short }} {{ group_names }}");
    let value = value.as_str().unwrap();
    assert!(value.starts_with("a ") && value.contains("/magic/roles/a db1 ['db']"), "{value}");
}

#[test]
fn parameters_of_roles_and_includes_are_marked_and_those_of_imports_are_not() {
    let files = [("roles/a/tasks/main.yml", "- debug: {msg: '{{ x }}'}\n"), ("one.yml", "- debug: {msg: '{{ x }}'}\n")];
    let text = "
- hosts: db
  roles: [{role: a, x: 1}]
  tasks:
    - {include_role: {name: a}, vars: {x: 2}}
    - {import_role: {name: a}, vars: {x: 3}}
    - {include_tasks: one.yml, vars: {x: 4}}
    - {import_tasks: one.yml, vars: {x: 5}}
";
    let plan = inline("params", text, &files).compile("db1", options()).plan;
    let marked: Vec<(Value, bool)> = plan
        .tasks
        .iter()
        .map(|task| {
            let scope = &plan.scopes[task.scope.unwrap().0 as usize];
            (scope.vars["x"].clone(), scope.params.contains_key("x"))
        })
        .collect();
    assert_eq!(marked, [(json!(1), true), (json!(2), true), (json!(3), false), (json!(4), true), (json!(5), false)]);
}
