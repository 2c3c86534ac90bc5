//! What is secret leaves a host in no event.

use std::sync::Mutex;

use rectify_core::event::HostEvent;
use rectify_modules::{
    REGISTRY,
    engine::{ApplyStage, Cancel, run},
    host::fake::Fake,
};
use serde_json::{Value, json};

use crate::support::{arg, plan, task};

/// Everything that leaves the host, as text: the tasks are run with this secret among their variables, checked and applied.
fn all_that_leaves(tasks: &[Value], vars: &Value, secret: &str) -> String {
    let mut plan = plan("apply", &json!([]), tasks);
    plan.inventory_vars = vars.as_object().unwrap().clone();
    plan.options.verbose = 3;
    plan.secrets.insert(secret.to_owned());
    let fake = Fake::debian();
    let seen = Mutex::new(String::new());
    let emit = |event: HostEvent| *seen.lock().unwrap() += &(serde_json::to_string(&event).unwrap() + "\n");
    run(&plan, REGISTRY, &ApplyStage::new(&fake), &Cancel::default(), &emit);
    seen.into_inner().unwrap()
}

#[test]
fn a_secret_leaves_a_host_in_no_event_and_in_no_spelling() {
    const SECRET: &str = r#"p'w"d\hunter2 ü"#;
    let plain = |id, module: &str, args: Value| {
        task(
            id,
            module,
            &args,
            &json!({ "ignore_errors": { "text": "true",
        "origin": { "file": "p.yml", "line": 1, "column": 1 } } }),
        )
    };
    let tasks = [
        plain(0, "debug", json!({ "msg": "{{ pw }} and {{ wrap | upper }} and {{ pw | b64encode }}" })),
        plain(1, "fail", json!({ "msg": "no: {{ pw }}" })),
        plain(2, "copy", json!({ "dest": "/etc/app.conf", "content": "a\npassword={{ pw }}\n" })),
        plain(3, "file", json!({ "path": "/nowhere/{{ pw }}/x", "state": "touch" })),
        plain(4, "assert", json!({ "that": ["pw == 'x'"], "fail_msg": "{{ pw | quote }} {{ {'k': pw} | to_json }}" })),
        plain(
            5,
            "debug",
            json!({ "msg": "{{ {'a': [pw]} }} {{ pw | hash('sha256') }} {{ pw[4:] }} {{ undefined_one }}" }),
        ),
        task(
            6,
            "debug",
            &json!({ "msg": "x" }),
            &json!({ "name": "with {{ pw }}", "loop": { "over": arg(&json!(["{{ pw }}"])),
            "flatten": false, "dict": false, "var": "item", "index_var": null, "label": null } }),
        ),
        plain(7, "set_fact", json!({ "made": "<{{ pw }}>" })),
        plain(8, "debug", json!({ "var": "made" })),
    ];
    let left = all_that_leaves(&tasks, &json!({ "pw": SECRET, "wrap": "-{{ pw }}-" }), SECRET);
    assert_eq!(left.matches("task_finished").count(), tasks.len(), "{left}");
    for part in ["hunter2", "HUNTER2", "aHVudGVy", "unter2", "dW50ZXIy"] {
        assert!(!left.contains(part), "{part} in {left}");
    }
    assert!(left.contains("********"), "{left}");
}

#[test]
fn a_secret_argument_and_what_no_log_found_are_secret_afterwards() {
    let crypt = "$6$rounds=1000$saltsalt$abcdefghijklmnop";
    let left = all_that_leaves(
        &[
            task(0, "user", &json!({ "name": "app", "password": "{{ crypt }}" }), &json!({})),
            task(1, "debug", &json!({ "msg": "{{ crypt }}" }), &json!({})),
            task(2, "copy", &json!({ "dest": "/k", "content": "t0ken-of-mine" }), &json!({ "no_log": true })),
            task(3, "slurp", &json!({ "src": "/k" }), &json!({ "no_log": true, "register": "found" })),
            task(4, "debug", &json!({ "msg": "{{ found.content | b64decode }} {{ found.content }}" }), &json!({})),
        ],
        &json!({ "crypt": crypt }),
        "nothing else",
    );
    for part in ["saltsalt", "t0ken-of-mine", "dDBrZW4tb2YtbWluZQ"] {
        assert!(!left.contains(part), "{part} in {left}");
    }
}
