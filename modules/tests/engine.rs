//! The engine on a fake host: what it runs, and what it says of it.

#![expect(clippy::unwrap_used, reason = "a test")]
#![cfg(feature = "fake")]

use std::sync::Mutex;

use rectify_core::{
    event::{HostEvent, Outcome, SkipReason, TaskReport},
    plan::{Mode, Plan, TaskId},
};
use rectify_modules::{
    REGISTRY,
    engine::{ApplyStage, Cancel, CheckStage, run},
    host::{fake::Fake, rehearsal::Rehearsal},
};
use serde_json::{Value, json};

/// A task as the plan's JSON has it, with `over` laid over the defaults. It comes after the one above.
fn task(id: u32, module: &str, args: &Value, over: &Value) -> Value {
    let needs = if id == 0 { json!([]) } else { json!([{ "on": id - 1, "why": "listed" }]) };
    let mut task = json!({
        "id": id, "name": format!("task {id}"), "role": null, "origin": { "file": "p.yml", "line": 1, "column": 1 },
        "module": module, "args": arg(args), "scope": null, "when": [], "loop": null, "register": null, "notify": [],
        "handler": null, "become_user": null, "changed_when": null, "failed_when": null, "ignore_errors": null,
        "retry": null, "no_log": false, "environment": {}, "check_mode": null, "files": {}, "needs": needs, "tags": [],
    });
    for (key, value) in over.as_object().unwrap() {
        task[key] = value.clone();
    }
    task
}

fn arg(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("{{") => json!({ "Template": text }),
        Value::Array(items) => json!({ "List": items.iter().map(arg).collect::<Vec<_>>() }),
        Value::Object(map) => {
            json!({ "Map": map.iter().map(|(k, v)| (k.clone(), arg(v))).collect::<serde_json::Map<_, _>>() })
        }
        Value::String(text) => json!({ "Scalar": { "text": text, "value": text } }),
        other => json!({ "Scalar": { "text": other.to_string(), "value": other } }),
    }
}

fn when(texts: &[&str]) -> Value {
    let origin = json!({ "file": "p.yml", "line": 1, "column": 1 });
    texts.iter().map(|text| json!({ "text": text, "origin": origin })).collect()
}

/// Runs the tasks as one play, for real, on a fake host.
fn reports(tasks: &[Value]) -> Vec<TaskReport> {
    play(&Fake::debian(), "apply", tasks)
}

/// Runs the tasks as one play on a host, in this mode.
fn play(fake: &Fake, mode: &str, tasks: &[Value]) -> Vec<TaskReport> {
    let (reports, _) = in_blocks(fake, mode, &json!([]), tasks);
    reports
}

/// The same with blocks, and with what was taken back.
fn in_blocks(fake: &Fake, mode: &str, blocks: &Value, tasks: &[Value]) -> (Vec<TaskReport>, Vec<TaskId>) {
    let plan: Plan = serde_json::from_value(json!({
        "run": "r", "host": "h", "mode": mode, "inventory_vars": {}, "extra_vars": {}, "scopes": [], "blobs": {}, "blocks": blocks,
        "plays": [{
            "name": "play", "origin": { "file": "p.yml", "line": 1, "column": 1 }, "first": 0, "count": tasks.len(),
            "defaults": {}, "vars": {}, "gather_facts": false,
        }],
        "tasks": tasks,
        "options": { "parallel": 4, "diff": true, "diff_limit": 1_048_576, "verbose": 0 },
    }))
    .unwrap();
    let (seen, taken_back) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let emit = |event| match event {
        HostEvent::TaskFinished { task, report } => seen.lock().unwrap().push((task, *report)),
        HostEvent::RolledBack { tasks, .. } => taken_back.lock().unwrap().extend(tasks),
        _ => {}
    };
    match plan.mode {
        Mode::Apply => run(&plan, REGISTRY, &ApplyStage::new(fake), &Cancel::default(), &emit),
        Mode::Check => {
            run(&plan, REGISTRY, &CheckStage::new(Rehearsal::new(fake)), &Cancel::default(), &emit);
        }
    }
    let mut seen = seen.into_inner().unwrap();
    seen.sort_by_key(|(id, _)| *id);
    let ids: Vec<u32> = seen.iter().map(|(id, _)| id.0).collect();
    assert_eq!(ids, (0..u32::try_from(tasks.len()).unwrap()).collect::<Vec<_>>(), "every task finishes once");
    (seen.into_iter().map(|(_, report)| report).collect(), taken_back.into_inner().unwrap())
}

fn outcomes(tasks: &[Value]) -> Vec<Outcome> {
    reports(tasks).into_iter().map(|report| report.outcome).collect()
}

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

/// An `include_vars` or `include_tasks` that chooses from these.
fn choose(id: u32, module: &str, file: &str, choices: &Value, over: &Value) -> Value {
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

/// A task in a part of a block.
fn placed(id: u32, module: &str, args: &Value, block: u32, section: &str, needs: &[u32]) -> Value {
    let needs: Vec<Value> = needs.iter().map(|on| json!({ "on": on, "why": "listed" })).collect();
    let place = json!({ "block": block, "section": section });
    task(id, module, args, &json!({ "place": place, "needs": needs }))
}

fn debug(id: u32, block: u32, section: &str, needs: &[u32]) -> Value {
    placed(id, "debug", &json!({ "msg": "x" }), block, section, needs)
}

fn fail(id: u32, block: u32, section: &str, needs: &[u32]) -> Value {
    placed(id, "fail", &json!({ "msg": format!("no {id}") }), block, section, needs)
}

fn blocks(fake: &Fake, mode: &str, blocks: &Value, tasks: &[Value]) -> Vec<TaskReport> {
    in_blocks(fake, mode, blocks, tasks).0
}

fn after(root: u32) -> Outcome {
    Outcome::Skipped { reason: SkipReason::Dependency { task: TaskId(root) } }
}

fn spared() -> Outcome {
    Outcome::Skipped { reason: SkipReason::NothingFailed }
}

fn outcomes_of(reports: &[TaskReport]) -> Vec<Outcome> {
    reports.iter().map(|report| report.outcome.clone()).collect()
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
    let told = json!({ "dest": "/etc/1", "content": "{{ ansible_failed_result.msg }}" });
    let open = blocks(
        &Fake::debian(),
        "check",
        &one,
        &[
            placed(0, "command", &json!({ "cmd": "deploy" }), 0, "body", &[]),
            placed(1, "copy", &told, 0, "rescue", &[0]),
            file(2, "always", &[1]),
            task(3, "copy", &json!({ "dest": "/etc/1", "content": "y" }), &json!({})),
        ],
    );
    let because = |report: &TaskReport| match &report.outcome {
        Outcome::MayChange { because } => because.as_slice().to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(open[0].outcome, Outcome::WouldChange);
    assert_eq!((because(&open[1]), because(&open[3])), (vec![TaskId(0)], vec![TaskId(0)]));
    assert_eq!(open[2].outcome, Outcome::WouldChange);
}
