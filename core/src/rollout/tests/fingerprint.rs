use serde_json::{Value, json};

use crate::{plan::Plan, rollout::fingerprint};

/// A plan of one setting's tasks: when each runs, and the text that it places.
fn plan(tasks: &[(&str, &str)]) -> Plan {
    let origin = json!({"file": "p.yml", "line": 1, "column": 1});
    let task = |(id, (on, text)): (usize, &(&str, &str))| -> Value {
        json!({
            "id": id, "name": "x", "role": null, "origin": origin, "module": "copy", "scope": null, "when": [], "loop": null,
            "args": {"Map": {"content": {"Scalar": {"text": text, "value": text}}}},
            "register": null, "notify": [], "handler": null, "become_user": null, "changed_when": null, "failed_when": null,
            "ignore_errors": null, "retry": null, "no_log": false, "environment": {}, "check_mode": null, "files": {},
            "needs": [], "tags": [], "rollout": {"setting": "frames", "on": on, "mode": "observe", "why": ""},
        })
    };
    let all: Vec<Value> = tasks.iter().enumerate().map(task).collect();
    let play = json!({
        "name": "p", "origin": origin, "first": 0, "count": all.len(), "defaults": {}, "vars": {}, "gather_facts": false,
    });
    serde_json::from_value(json!({
        "run": "r", "host": "h", "mode": "check", "inventory_vars": {}, "extra_vars": {}, "scopes": [], "blobs": {},
        "plays": [play], "tasks": all, "options": {"parallel": 1, "diff": true, "diff_limit": 1, "verbose": 0},
    }))
    .unwrap()
}

fn print(tasks: &[(&str, &str)]) -> Option<String> {
    fingerprint(&plan(tasks), "frames", None)
}

#[test]
fn what_is_enforced_is_what_was_announced_and_how_it_is_measured_is_not() {
    let announced = print(&[("enforce", "a")]);
    assert!(announced.is_some());
    assert_ne!(announced, print(&[("enforce", "b")]));
    assert_eq!(announced, print(&[("observe", "x"), ("enforce", "a")]));
    assert_ne!(announced, print(&[("enforce", "a"), ("retired", "x")]));
    assert!(print(&[("observe", "x")]).is_some(), "the setting has tasks here");
    assert_eq!(print(&[]), None);
}
