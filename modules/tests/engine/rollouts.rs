//! Tasks of settings that are not enforced: what they would change is seen, and nothing else comes of them.

use rectify_core::event::{Outcome, SkipReason, Status};
use serde_json::{Value, json};

use crate::includes::choose;
use crate::support::{outcomes, reports, task, when};

fn of(mode: &str, on: &str) -> Value {
    json!({ "setting": "banner", "mode": mode, "on": on, "why": "opt-in (not asked for)" })
}

fn copy(id: u32, text: &str, rollout: &Value) -> Value {
    let over = json!({ "rollout": rollout, "register": "copied", "notify": ["greet"] });
    task(id, "copy", &json!({ "dest": "/etc/banner", "content": text }), &over)
}

fn would(outcome: &Outcome) -> Option<Status> {
    match outcome {
        Outcome::Skipped { reason: SkipReason::Rollout { setting, why, would } } => {
            assert_eq!((setting.as_str(), why.as_str()), ("banner", "opt-in (not asked for)"));
            *would
        }
        other => panic!("{other:?}"),
    }
}

fn absent(id: u32) -> Vec<Value> {
    vec![
        task(id, "stat", &json!({ "path": "/etc/banner" }), &json!({ "register": "now" })),
        task(id + 1, "assert", &json!({ "that": ["not now.stat.exists"] }), &json!({})),
    ]
}

#[test]
fn an_observed_task_shows_what_it_would_change_and_changes_nothing() {
    let mut tasks = vec![copy(0, "hello\n", &of("observe", "enforce"))];
    tasks.extend(absent(1));
    let all = reports(&tasks);
    assert_eq!(would(&all[0].outcome), Some(Status::WouldChange));
    assert!(all[0].changes.iter().any(|c| c.property == "content"), "{:?}", all[0].changes);
    assert_eq!(all[2].outcome, Outcome::Unchanged, "{:?}", all[2]);
}

#[test]
fn tasks_of_one_observed_setting_see_each_other_and_others_do_not() {
    let edit = |id, mode: &str| {
        let args = json!({ "path": "/etc/banner", "line": "more" });
        let when = when(&["copied.changed"]);
        task(id, "lineinfile", &args, &json!({ "rollout": of(mode, "enforce"), "when": when }))
    };
    let reading = json!({ "that": ["copied is skipped", "not copied.changed"] });
    let all = reports(&[
        copy(0, "hello\n", &of("observe", "enforce")),
        edit(1, "observe"),
        task(2, "assert", &reading, &json!({})),
        task(3, "stat", &json!({ "path": "/etc/banner" }), &json!({ "register": "now" })),
        task(4, "assert", &json!({ "that": ["not now.stat.exists"] }), &json!({})),
    ]);
    assert_eq!(would(&all[1].outcome), Some(Status::WouldChange), "{:?}", all[1]);
    assert_eq!(all[2].outcome, Outcome::Unchanged, "{:?}", all[2]);
    assert_eq!(all[4].outcome, Outcome::Unchanged, "{:?}", all[4]);
}

#[test]
fn observed_tasks_know_the_variables_of_files() {
    let choices = json!({ "a.yml": { "x": "hello" } });
    for play in [false, true] {
        let mut include = choose(0, "include_vars", "a.yml", &choices, &json!({}));
        if play {
            include["args"]["Map"]["play"] = include["args"]["Map"]["file"].clone();
        }
        let all = reports(&[include, copy(1, "{{ x }}\n", &of("observe", "enforce"))]);
        assert_eq!(would(&all[1].outcome), Some(Status::WouldChange), "{all:?}");
    }
}

#[test]
fn an_observed_task_notifies_nobody() {
    let handler = json!({ "handler": { "topics": ["greet"] }, "needs": [] });
    let all = outcomes(&[
        copy(0, "hello\n", &of("observe", "enforce")),
        task(1, "debug", &json!({ "msg": "greeted" }), &handler),
    ]);
    assert_eq!(all[1], Outcome::Skipped { reason: SkipReason::NotNotified });
}

#[test]
fn what_cannot_be_observed_fails_nothing_and_is_said() {
    let broken = task(
        0,
        "copy",
        &json!({ "dest": "/no/such/folder/x", "content": "x" }),
        &json!({ "rollout": of("observe", "enforce") }),
    );
    let all = reports(&[broken, task(1, "debug", &json!({ "msg": "on" }), &json!({}))]);
    assert_eq!(would(&all[0].outcome), Some(Status::Failed));
    assert!(all[0].messages.iter().any(|m| m.starts_with("could not be observed: ")), "{:?}", all[0].messages);
    assert_eq!(all[1].outcome, Outcome::Unchanged);
}

#[test]
fn what_is_as_declared_would_change_nothing() {
    let rollout = json!({ "rollout": of("observe", "enforce") });
    let all = outcomes(&[task(0, "file", &json!({ "path": "/etc", "state": "directory" }), &rollout)]);
    assert_eq!(would(&all[0]), Some(Status::Unchanged));
}

#[test]
fn an_enforced_task_is_as_any_other() {
    let all = outcomes(&[copy(0, "hello\n", &of("enforce", "enforce"))]);
    assert_eq!(all, [Outcome::Changed]);
}

#[test]
fn measuring_and_undoing_run_where_they_belong_and_nowhere_else() {
    for (mode, on, runs) in [
        ("observe", "observe", true),
        ("enforce", "observe", false),
        ("off", "observe", false),
        ("off", "retired", true),
        ("enforce", "retired", false),
        ("observe", "retired", false),
        ("off", "enforce", false),
    ] {
        let all = outcomes(&[copy(0, "hello\n", &of(mode, on))]);
        match runs {
            true => assert_eq!(all, [Outcome::Changed], "{mode} {on}"),
            false => assert_eq!(would(&all[0]), None, "{mode} {on}"),
        }
    }
}
