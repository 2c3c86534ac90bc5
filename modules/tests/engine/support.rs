//! Plans in a few words, and what became of them.

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
pub(crate) fn task(id: u32, module: &str, args: &Value, over: &Value) -> Value {
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

pub(crate) fn arg(value: &Value) -> Value {
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

pub(crate) fn when(texts: &[&str]) -> Value {
    let origin = json!({ "file": "p.yml", "line": 1, "column": 1 });
    texts.iter().map(|text| json!({ "text": text, "origin": origin })).collect()
}

/// Runs the tasks as one play, for real, on a fake host.
pub(crate) fn reports(tasks: &[Value]) -> Vec<TaskReport> {
    play(&Fake::debian(), "apply", tasks)
}

/// Runs the tasks as one play on a host, in this mode.
pub(crate) fn play(fake: &Fake, mode: &str, tasks: &[Value]) -> Vec<TaskReport> {
    let (reports, _) = in_blocks(fake, mode, &json!([]), tasks);
    reports
}

pub(crate) fn plan(mode: &str, blocks: &Value, tasks: &[Value]) -> Plan {
    serde_json::from_value(json!({
        "run": "r", "host": "h", "mode": mode, "inventory_vars": {}, "extra_vars": {}, "scopes": [], "blobs": {}, "blocks": blocks,
        "plays": [{
            "name": "play", "origin": { "file": "p.yml", "line": 1, "column": 1 }, "first": 0, "count": tasks.len(),
            "defaults": {}, "vars": {}, "gather_facts": false,
        }],
        "tasks": tasks,
        "options": { "parallel": 4, "diff": true, "diff_limit": 1_048_576, "verbose": 0 },
    }))
    .unwrap()
}

/// The same with blocks, and with what was taken back.
pub(crate) fn in_blocks(fake: &Fake, mode: &str, blocks: &Value, tasks: &[Value]) -> (Vec<TaskReport>, Vec<TaskId>) {
    run_plan(fake, &plan(mode, blocks, tasks))
}

/// What became of the tasks of a plan, and what was taken back.
pub(crate) fn run_plan(fake: &Fake, plan: &Plan) -> (Vec<TaskReport>, Vec<TaskId>) {
    let (seen, taken_back) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let emit = |event| match event {
        HostEvent::TaskFinished { task, report } => seen.lock().unwrap().push((task, *report)),
        HostEvent::RolledBack { tasks, .. } => taken_back.lock().unwrap().extend(tasks),
        _ => {}
    };
    match plan.mode {
        Mode::Apply => run(plan, REGISTRY, &ApplyStage::new(fake), &Cancel::default(), &emit),
        Mode::Check => {
            run(plan, REGISTRY, &CheckStage::new(Rehearsal::new(fake)), &Cancel::default(), &emit);
        }
    }
    let mut seen = seen.into_inner().unwrap();
    seen.sort_by_key(|(id, _)| *id);
    let ids: Vec<u32> = seen.iter().map(|(id, _)| id.0).collect();
    assert_eq!(ids, (0..u32::try_from(plan.tasks.len()).unwrap()).collect::<Vec<_>>(), "every task finishes once");
    (seen.into_iter().map(|(_, report)| report).collect(), taken_back.into_inner().unwrap())
}

pub(crate) fn outcomes(tasks: &[Value]) -> Vec<Outcome> {
    reports(tasks).into_iter().map(|report| report.outcome).collect()
}

/// A task in a part of a block.
pub(crate) fn placed(id: u32, module: &str, args: &Value, block: u32, section: &str, needs: &[u32]) -> Value {
    let needs: Vec<Value> = needs.iter().map(|on| json!({ "on": on, "why": "listed" })).collect();
    let place = json!({ "block": block, "section": section });
    task(id, module, args, &json!({ "place": place, "needs": needs }))
}

pub(crate) fn debug(id: u32, block: u32, section: &str, needs: &[u32]) -> Value {
    placed(id, "debug", &json!({ "msg": "x" }), block, section, needs)
}

pub(crate) fn fail(id: u32, block: u32, section: &str, needs: &[u32]) -> Value {
    placed(id, "fail", &json!({ "msg": format!("no {id}") }), block, section, needs)
}

pub(crate) fn after(root: u32) -> Outcome {
    Outcome::Skipped { reason: SkipReason::Dependency { task: TaskId(root) } }
}

pub(crate) fn outcomes_of(reports: &[TaskReport]) -> Vec<Outcome> {
    reports.iter().map(|report| report.outcome.clone()).collect()
}
