//! What the engine runs, and what it says of it.

use rectify_core::{
    event::{Outcome, SkipReason},
    plan::TaskId,
};
use rectify_modules::host::fake::Fake;
use serde_json::json;

use crate::support::{arg, outcomes, outcomes_of, plan, play, reports, run_plan, task, when};

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else() {
    let all = outcomes(&[
        task(0, "fail", &json!({ "msg": "no" }), &json!({})),
        task(1, "debug", &json!({ "msg": "after" }), &json!({})),
        task(2, "debug", &json!({ "msg": "free" }), &json!({ "needs": [] })),
    ]);
    assert!(matches!(&all[0], Outcome::Failed { failure } if failure.message == "no"));
    assert_eq!(all[1], Outcome::Skipped { reason: SkipReason::Dependency { task: TaskId(0) } });
    assert_eq!(all[2], Outcome::Unchanged);
}

#[test]
fn an_ignored_failure_is_reported_and_holds_nothing_up() {
    let ignore = json!({ "ignore_errors": when(&["true"])[0] });
    let all = reports(&[task(0, "fail", &json!({}), &ignore), task(1, "debug", &json!({ "msg": "on" }), &json!({}))]);
    assert!(all[0].ignored && matches!(all[0].outcome, Outcome::Failed { .. }));
    assert_eq!(all[1].outcome, Outcome::Unchanged);
}

#[test]
fn results_facts_and_loops_are_seen_by_later_tasks() {
    let looping = json!({ "over": arg(&json!(["a", "b"])), "flatten": false, "dict": false, "var": "item", "index_var": "n", "label": null });
    let all = outcomes(&[
        task(0, "set_fact", &json!({ "base": "{{ 40 + 2 }}" }), &json!({ "register": "done" })),
        task(1, "debug", &json!({ "msg": "{{ item }}{{ n }}" }), &json!({ "loop": looping, "register": "looped" })),
        task(
            2,
            "assert",
            &json!({ "that": [
            "base == 42", "not done.failed", "looped.results | length == 2", "looped.results[1].msg == 'b1'",
            "looped.results[0].item == 'a'",
        ] }),
            &json!({}),
        ),
    ]);
    assert_eq!(all[2], Outcome::Unchanged, "{all:?}");
}

#[test]
fn a_condition_that_does_not_hold_skips_and_says_which() {
    let all = outcomes(&[task(0, "fail", &json!({}), &json!({ "when": when(&["true", "1 > 2"]) }))]);
    assert_eq!(all, [Outcome::Skipped { reason: SkipReason::Condition { when: "1 > 2".into() } }]);
}

#[test]
fn a_handler_runs_if_and_only_if_its_notifier_changed_something() {
    let handler = json!({ "handler": { "topics": ["restart"] }, "needs": [] });
    let run = |changed: &str| {
        outcomes(&[
            task(
                0,
                "debug",
                &json!({ "msg": "x" }),
                &json!({ "notify": ["restart"], "changed_when": when(&[changed]) }),
            ),
            task(1, "debug", &json!({ "msg": "ran" }), &handler),
        ])
    };
    assert_eq!(run("true"), [Outcome::Changed, Outcome::Unchanged]);
    assert_eq!(run("false")[1], Outcome::Skipped { reason: SkipReason::NotNotified });
}

#[test]
fn a_flush_runs_what_is_owed_and_the_end_what_is_owed_again() {
    let notify = json!({ "notify": ["restart"], "changed_when": when(&["true"]) });
    let all = reports(&[
        task(0, "debug", &json!({ "msg": "x" }), &notify),
        task(1, "meta", &json!({ "cmd": "flush_handlers" }), &json!({})),
        task(2, "assert", &json!({ "that": ["turn == 1"] }), &json!({})),
        task(3, "debug", &json!({ "msg": "y" }), &notify),
        task(
            4,
            "set_fact",
            &json!({ "turn": "{{ turn | default(0) + 1 }}" }),
            &json!({ "handler": { "topics": ["restart"] }, "needs": [] }),
        ),
        task(
            5,
            "assert",
            &json!({ "that": ["turn == 2"] }),
            &json!({ "handler": { "topics": ["restart"] }, "needs": [] }),
        ),
    ]);
    assert_eq!(all[2].outcome, Outcome::Unchanged, "{all:?}");
    // The second handler fails at the flush, where the first has run once, and holds at the end.
    assert!(matches!(all[5].outcome, Outcome::Failed { .. }), "{all:?}");
}

#[test]
fn what_no_log_hides_is_nowhere_in_the_report() {
    let all = reports(&[task(0, "fail", &json!({ "msg": "the password is hunter2" }), &json!({ "no_log": true }))]);
    assert!(!format!("{all:?}").contains("hunter2"));
}

#[test]
fn an_undefined_variable_fails_its_task_and_is_named() {
    let all = outcomes(&[
        task(0, "debug", &json!({ "msg": "{{ nowhere }}" }), &json!({})),
        task(1, "debug", &json!({ "msg": "free" }), &json!({ "needs": [] })),
    ]);
    assert!(matches!(&all[0], Outcome::Failed { failure } if failure.message.contains("nowhere")), "{all:?}");
    assert_eq!(all[1], Outcome::Unchanged);
}

#[test]
fn retries_end_when_the_condition_holds_and_fail_when_it_never_does() {
    let retry =
        |text: &str| json!({ "register": "r", "retry": { "until": when(&[text]), "retries": 2, "delay": 0.0 } });
    let all = outcomes(&[
        task(0, "debug", &json!({ "msg": "x" }), &retry("r.msg == 'x'")),
        task(1, "debug", &json!({ "msg": "x" }), &retry("r.msg == 'y'")),
    ]);
    assert_eq!(all[0], Outcome::Unchanged);
    assert!(matches!(&all[1], Outcome::Failed { failure } if failure.message.contains("3 tries")), "{all:?}");
}

#[test]
fn a_fact_that_a_check_may_set_has_no_value() {
    let all = play(
        &Fake::debian(),
        "check",
        &[
            task(0, "command", &json!({ "cmd": "which-one" }), &json!({ "register": "told" })),
            task(1, "set_fact", &json!({ "x": 1 }), &json!({ "when": when(&["told.rc == 0"]) })),
            task(2, "copy", &json!({ "dest": "/etc/x", "content": "{{ x }}" }), &json!({})),
        ],
    );
    assert!(matches!(&all[2].outcome, Outcome::MayChange { .. }), "{:?}", all[2]);
}

#[test]
fn parameters_hide_set_facts_and_other_variables_of_scopes_do_not() {
    let scopes = json!([{ "parent": null, "vars": { "x": "param", "y": "block" }, "params": { "x": "param" } }]);
    let mut plan = plan(
        "apply",
        &json!([]),
        &[
            task(0, "set_fact", &json!({ "x": "set", "y": "set" }), &json!({ "scope": 0 })),
            task(1, "assert", &json!({ "that": ["x == 'param'", "y == 'set'"] }), &json!({ "scope": 0 })),
            task(2, "assert", &json!({ "that": ["x == 'set'"] }), &json!({})),
        ],
    );
    plan.scopes = serde_json::from_value(scopes).unwrap();
    let all = outcomes_of(&run_plan(&Fake::debian(), &plan).0);
    assert_eq!(all, [Outcome::Unchanged, Outcome::Unchanged, Outcome::Unchanged]);
}
