//! `rescue` and `always`.

use rectify_core::{
    event::{Outcome, SkipReason, TaskReport},
    plan::TaskId,
};
use rectify_modules::host::fake::Fake;
use serde_json::{Value, json};

use crate::support::{after, debug, fail, in_blocks, outcomes_of, placed, task, when};

fn blocks(fake: &Fake, mode: &str, blocks: &Value, tasks: &[Value]) -> Vec<TaskReport> {
    in_blocks(fake, mode, blocks, tasks).0
}

fn spared() -> Outcome {
    Outcome::Skipped { reason: SkipReason::NothingFailed }
}

#[test]
fn a_rescue_runs_if_its_block_failed_and_what_follows_goes_on() {
    let one = json!([{ "within": null }]);
    let told = json!({ "that": ["ansible_failed_result.msg == 'no 0'", "ansible_failed_task.name == 'task 0'", "ansible_failed_task.action == 'fail'"] });
    let all = blocks(
        &Fake::debian(),
        "apply",
        &one,
        &[
            fail(0, 0, "body", &[]),
            debug(1, 0, "body", &[0]),
            placed(2, "assert", &told, 0, "rescue", &[1]),
            debug(3, 0, "rescue", &[2]),
            debug(4, 0, "always", &[3]),
            task(5, "debug", &json!({ "msg": "after" }), &json!({})),
        ],
    );
    assert!(all[0].rescued && matches!(all[0].outcome, Outcome::Failed { .. }));
    let rest = vec![after(0), Outcome::Unchanged, Outcome::Unchanged, Outcome::Unchanged, Outcome::Unchanged];
    assert_eq!(outcomes_of(&all[1..]), rest);
}

#[test]
fn a_rescue_is_spared_where_nothing_failed_and_always_runs() {
    let one = json!([{ "within": null }]);
    let all = blocks(
        &Fake::debian(),
        "apply",
        &one,
        &[
            debug(0, 0, "body", &[]),
            fail(1, 0, "rescue", &[0]),
            fail(2, 0, "rescue", &[1]),
            debug(3, 0, "always", &[0, 2]),
            task(4, "debug", &json!({ "msg": "after" }), &json!({})),
        ],
    );
    assert_eq!(outcomes_of(&all), [Outcome::Unchanged, spared(), spared(), Outcome::Unchanged, Outcome::Unchanged]);
}

#[test]
fn always_runs_after_a_failure_and_what_follows_the_block_does_not() {
    let one = json!([{ "within": null }]);
    let all = blocks(
        &Fake::debian(),
        "apply",
        &one,
        &[
            fail(0, 0, "body", &[]),
            debug(1, 0, "always", &[0]),
            debug(2, 0, "always", &[1]),
            task(3, "debug", &json!({ "msg": "after" }), &json!({})),
        ],
    );
    assert!(!all[0].rescued, "nothing rescues it");
    assert_eq!(outcomes_of(&all[1..]), [Outcome::Unchanged, Outcome::Unchanged, after(0)]);
}

#[test]
fn a_rescue_that_fails_is_a_failure_of_the_block_and_may_be_rescued_by_the_one_around_it() {
    let nested = json!([{ "within": null }, { "within": { "block": 0, "section": "body" } }]);
    let inner = [
        fail(0, 1, "body", &[]),
        fail(1, 1, "rescue", &[0]),
        debug(2, 1, "always", &[1]),
        debug(3, 0, "body", &[2]),
        debug(4, 0, "rescue", &[3]),
        task(5, "debug", &json!({ "msg": "after" }), &json!({})),
    ];
    let all = blocks(&Fake::debian(), "apply", &nested, &inner);
    assert!(all[0].rescued && all[1].rescued);
    assert_eq!(outcomes_of(&all[2..4]), [Outcome::Unchanged, after(0)]);
    assert_eq!(outcomes_of(&all[4..]), [Outcome::Unchanged, Outcome::Unchanged]);
    // Without the rescue around it, the second failure is the host's.
    let alone = blocks(&Fake::debian(), "apply", &json!([{ "within": null }, { "within": null }]), &inner[..3]);
    assert!(alone[0].rescued && !alone[1].rescued && alone[2].outcome == Outcome::Unchanged);
}

#[test]
fn a_failure_outside_of_a_block_skips_all_of_it() {
    let one = json!([{ "within": null }]);
    let all = blocks(
        &Fake::debian(),
        "apply",
        &one,
        &[
            task(0, "fail", &json!({}), &json!({})),
            debug(1, 0, "body", &[0]),
            debug(2, 0, "rescue", &[1]),
            debug(3, 0, "always", &[2]),
        ],
    );
    assert_eq!(outcomes_of(&all[1..]), [after(0), after(0), after(0)]);
}

#[test]
fn in_a_check_a_rescue_may_run_only_where_the_rehearsal_could_not_know() {
    let one = json!([{ "within": null }]);
    let file = |id: u32, section: &str, needs: &[u32]| {
        placed(id, "copy", &json!({ "dest": format!("/etc/{id}"), "content": "x" }), 0, section, needs)
    };
    let known = blocks(&Fake::debian(), "check", &one, &[file(0, "body", &[]), file(1, "rescue", &[0])]);
    assert_eq!(outcomes_of(&known), [Outcome::WouldChange, spared()]);
    let looks = json!({ "changed_when": when(&["false"]), "place": { "block": 0, "section": "body" } });
    let open = blocks(
        &Fake::debian(),
        "check",
        &one,
        &[
            task(0, "command", &json!({ "cmd": "is-it-well" }), &looks),
            file(1, "rescue", &[0]),
            placed(2, "debug", &json!({ "msg": "{{ ansible_failed_result.msg }}" }), 0, "rescue", &[1]),
            file(3, "always", &[2]),
            task(4, "copy", &json!({ "dest": "/etc/1", "content": "y" }), &json!({})),
        ],
    );
    let because = |report: &TaskReport| match &report.outcome {
        Outcome::MayChange { because } | Outcome::Skipped { reason: SkipReason::Unknown { because } } => {
            because.as_slice().to_vec()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(open[0].outcome, Outcome::Skipped { reason: SkipReason::NotRehearsed });
    for at in [1, 2, 4] {
        assert_eq!(because(&open[at]), [TaskId(0)], "{at}");
    }
    assert_eq!(open[3].outcome, Outcome::WouldChange);
}
