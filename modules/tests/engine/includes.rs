//! Includes of which the host takes one.

use rectify_core::{
    event::{Outcome, SkipReason},
    plan::TaskId,
};
use rectify_modules::host::fake::Fake;
use serde_json::{Value, json};

use crate::support::{arg, outcomes, play, task, when};

/// An `include_vars` or `include_tasks` that chooses from these.
pub(crate) fn choose(id: u32, module: &str, file: &str, choices: &Value, over: &Value) -> Value {
    let mut task = task(id, module, &json!({ "file": file }), over);
    task["choices"] = choices.clone();
    task
}

#[test]
fn the_host_takes_the_file_whose_name_comes_out_and_its_variables_beat_those_of_tasks() {
    let choices = json!({ "a.yml": { "x": "{{ y }} a" }, "b.yml": { "x": "b", "z": 1 } });
    let fact = json!({ "what": "b", "y": "late" });
    let all = outcomes(&[
        task(0, "set_fact", &fact, &json!({})),
        choose(1, "include_vars", "{{ what }}.yml", &choices, &json!({ "register": "got" })),
        task(2, "assert", &json!({ "that": ["x == 'b'", "z == 1", "got.file == 'b.yml'"] }), &json!({})),
        choose(3, "include_vars", "a.yml", &choices, &json!({})),
        task(4, "assert", &json!({ "that": ["x == 'late a'", "z == 1"] }), &json!({})),
        task(5, "set_fact", &json!({ "x": "set" }), &json!({})),
        choose(6, "include_vars", "b.yml", &choices, &json!({})),
        task(7, "assert", &json!({ "that": ["x == 'set'"] }), &json!({})),
    ]);
    assert!(all.iter().all(|outcome| *outcome == Outcome::Unchanged), "{all:?}");
}

#[test]
fn a_name_without_a_file_fails_and_says_what_there_is() {
    let choices = json!({ "a.yml": {}, "b.yml": {} });
    let all = outcomes(&[
        choose(0, "include_vars", "{{ 'c' }}.yml", &choices, &json!({})),
        task(1, "debug", &json!({ "msg": "after" }), &json!({})),
        choose(2, "include_vars", "c.yml", &choices, &json!({ "needs": [], "when": when(&["false"]) })),
    ]);
    let Outcome::Failed { failure } = &all[0] else { panic!("{all:?}") };
    assert!(failure.message.contains("\"c.yml\"") && failure.hint.as_deref().unwrap().contains("a.yml, b.yml"));
    assert_eq!(all[1], Outcome::Skipped { reason: SkipReason::Dependency { task: TaskId(0) } });
    assert!(matches!(all[2], Outcome::Skipped { .. }));
}

#[test]
fn tasks_of_the_file_that_is_taken_run_and_those_of_the_others_do_not() {
    let of = |id: u32, file: &str| {
        let over = json!({ "when": when(&[&format!("included_1.file == '{file}'")]) });
        task(id, "debug", &json!({ "msg": "x" }), &over)
    };
    let choices = json!({ "a.yml": {}, "b.yml": {} });
    let run = |condition: &str| {
        let over = json!({ "register": "included_1", "when": when(&[condition]) });
        outcomes(&[choose(0, "include_tasks", "{{ 'a' }}.yml", &choices, &over), of(1, "a.yml"), of(2, "b.yml")])
    };
    let all = run("true");
    assert_eq!(all[..2], [Outcome::Unchanged, Outcome::Unchanged], "{all:?}");
    assert!(matches!(&all[2], Outcome::Skipped { reason: SkipReason::Condition { when } } if when.contains("b.yml")));
    assert!(run("false").iter().all(|o| matches!(o, Outcome::Skipped { .. })), "none is taken");
}

#[test]
fn where_a_check_cannot_know_the_name_every_file_may_be_the_one() {
    let choices = json!({ "a.yml": { "x": 1 }, "b.yml": { "y": 2 } });
    let all = play(
        &Fake::debian(),
        "check",
        &[
            task(0, "command", &json!({ "cmd": "which-one" }), &json!({ "register": "told" })),
            choose(1, "include_vars", "{{ told.stdout }}.yml", &choices, &json!({})),
            choose(2, "include_tasks", "{{ told.stdout }}.yml", &choices, &json!({ "register": "included_1" })),
            task(3, "copy", &json!({ "dest": "/etc/x", "content": "{{ x }}" }), &json!({})),
            task(
                4,
                "copy",
                &json!({ "dest": "/etc/y", "content": "y" }),
                &json!({ "when": when(&["included_1.file == 'a.yml'"]) }),
            ),
        ],
    );
    for report in &all[1..3] {
        assert!(matches!(report.outcome, Outcome::Skipped { reason: SkipReason::Unknown { .. } }), "{report:?}");
    }
    for report in &all[3..] {
        assert!(
            matches!(&report.outcome, Outcome::MayChange { because } if because.as_slice() == [TaskId(0)]),
            "{report:?}"
        );
    }
}

#[test]
fn the_first_file_that_is_found_is_taken_and_undefined_names_are_passed_over() {
    let found = |names: &Value, skip: bool| {
        let known = json!({ "a-x.yml": "/p/a-x.yml", "default.yml": "/p/default.yml" });
        json!({ "found": { "var": "item", "names": names.as_array().unwrap().iter().map(arg).collect::<Vec<_>>(), "known": known, "skip": skip }, "needs": [] })
    };
    let is = |id: u32, path: &str, names: &Value| {
        task(id, "assert", &json!({ "that": [format!("item == '{path}'")] }), &found(names, false))
    };
    let all = outcomes(&[
        is(0, "/p/a-x.yml", &json!(["{{ nowhere }}.yml", "a-{{ 'x' }}.yml", "default.yml"])),
        is(1, "/p/default.yml", &json!(["a-y.yml", { "files": ["b.yml", "default.yml"] }])),
        task(2, "debug", &json!({ "msg": "{{ item }}" }), &found(&json!(["none.yml"]), true)),
        task(3, "debug", &json!({ "msg": "{{ item }}" }), &found(&json!(["none.yml"]), false)),
    ]);
    assert_eq!(all[..2], [Outcome::Unchanged, Outcome::Unchanged], "{all:?}");
    assert!(matches!(&all[2], Outcome::Skipped { reason: SkipReason::Guard { .. } }), "{all:?}");
    assert!(matches!(&all[3], Outcome::Failed { failure } if failure.message.contains("none.yml")), "{all:?}");
}
