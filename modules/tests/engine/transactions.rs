//! Transactions.

use std::sync::Mutex;

use rectify_core::{
    event::{HostEvent, Outcome, SkipReason},
    module::Observe,
    plan::TaskId,
};
use rectify_modules::{
    REGISTRY,
    engine::{ApplyStage, Cancel, run},
    host::fake::Fake,
};
use serde_json::{Value, json};

use crate::support::{after, fail, in_blocks, outcomes_of, placed, plan, task};

/// A host with three files and a program that tests them.
fn configured() -> Fake {
    Fake::from_yaml(
        "
base: debian
files:
  /etc/app/a: {content: old a, mode: '0640', owner: www-data}
  /etc/app/b: old b
probes:
  - {argv: [app, test], code: 1, stderr: \"line 1: Broken\\n\", if_contains: [/etc/app/b, Broken]}
  - {argv: [app, test]}
",
    )
    .unwrap()
}

fn text(host: &Fake, path: &str) -> Option<String> {
    host.read(path.as_ref(), 1 << 20).unwrap().map(|b| String::from_utf8_lossy(&b).into_owned())
}

/// Three files, the end of the transaction, a task after it, and the handler that all of them notify.
fn transaction(b: &str, more: &[Value]) -> (Vec<Value>, Value) {
    let copy = |id: u32, path: &str, content: &str, needs: &[u32]| {
        let mut task = placed(
            id,
            "copy",
            &json!({ "dest": path, "content": content, "mode": "0600", "owner": "root" }),
            0,
            "body",
            needs,
        );
        task["notify"] = json!(["reload"]);
        task
    };
    let mut tasks =
        vec![copy(0, "/etc/app/a", "new a", &[]), copy(1, "/etc/app/b", b, &[0]), copy(2, "/etc/app/c", "c", &[1])];
    tasks.extend(more.iter().cloned());
    let end = u32::try_from(tasks.len()).unwrap();
    let before: Vec<u32> = (0..end).collect();
    tasks.push(placed(end, "transaction", &json!({ "validate": ["app test"] }), 0, "always", &before));
    tasks.push(task(end + 1, "debug", &json!({ "msg": "after" }), &json!({})));
    tasks.push(task(
        end + 2,
        "debug",
        &json!({ "msg": "reloaded" }),
        &json!({ "handler": { "topics": ["reload"] }, "needs": [] }),
    ));
    (tasks, json!([{ "within": null, "transaction": { "end": end } }]))
}

#[test]
fn a_transaction_that_is_valid_is_kept_and_then_notifies() {
    let host = configured();
    let (tasks, one) = transaction("new b", &[]);
    let (all, taken_back) = in_blocks(&host, "apply", &one, &tasks);
    let done = [
        Outcome::Changed,
        Outcome::Changed,
        Outcome::Changed,
        Outcome::Unchanged,
        Outcome::Unchanged,
        Outcome::Unchanged,
    ];
    assert_eq!(outcomes_of(&all), done);
    assert!(taken_back.is_empty() && text(&host, "/etc/app/b").as_deref() == Some("new b"));
    let (again, _) = in_blocks(&host, "apply", &one, &tasks);
    assert!(matches!(again[3].outcome, Outcome::Skipped { reason: SkipReason::Guard { .. } }), "{:?}", again[3]);
}

#[test]
fn a_transaction_that_is_not_valid_is_taken_back_whole_and_notifies_nobody() {
    let host = configured();
    let (tasks, one) = transaction("Broken", &[]);
    let (all, taken_back) = in_blocks(&host, "apply", &one, &tasks);
    assert_eq!(taken_back, [TaskId(0), TaskId(1), TaskId(2)]);
    let Outcome::Failed { failure } = &all[3].outcome else { panic!("{:?}", all[3]) };
    assert!(failure.message.contains("app test") && failure.causes == ["line 1: Broken"], "{failure:?}");
    assert_eq!(all[4].outcome, after(3));
    assert_eq!(all[5].outcome, Outcome::Skipped { reason: SkipReason::NotNotified });
    let texts = ["/etc/app/a", "/etc/app/b", "/etc/app/c"].map(|path| text(&host, path));
    assert_eq!(texts, [Some("old a".into()), Some("old b".into()), None]);
    let meta = host.lstat("/etc/app/a".as_ref()).unwrap().unwrap();
    assert_eq!((meta.mode, meta.uid), (0o640, host.user("www-data").unwrap().unwrap().uid));
}

#[test]
fn a_task_that_fails_takes_its_transaction_back_and_a_rescue_sees_the_host_as_it_was() {
    let host = configured();
    let (mut tasks, _) = transaction("new b", &[fail(3, 0, "body", &[2])]);
    let blocks = json!([
        { "within": { "block": 1, "section": "body" }, "transaction": { "end": 4 } },
        { "within": null },
    ]);
    let mut handler = tasks.pop().unwrap();
    tasks[5] = placed(5, "slurp", &json!({ "src": "/etc/app/b" }), 1, "rescue", &[4]);
    tasks[5]["register"] = json!("was");
    tasks.push(placed(6, "assert", &json!({ "that": ["was.content | b64decode == 'old b'"] }), 1, "rescue", &[5]));
    handler["id"] = json!(7);
    tasks.push(handler);
    for mode in ["apply", "check"] {
        let (all, taken_back) = in_blocks(&host, mode, &blocks, &tasks);
        assert_eq!(taken_back, [TaskId(0), TaskId(1), TaskId(2)], "{mode}");
        assert!(all[3].rescued && all[4].outcome == after(3), "{mode}: {all:?}");
        assert_eq!(outcomes_of(&all[5..7]), [Outcome::Unchanged, Outcome::Unchanged], "{mode}: {:?}", all[6]);
        assert_eq!(all[7].outcome, Outcome::Skipped { reason: SkipReason::NotNotified }, "{mode}");
    }
}

#[test]
fn a_check_shows_the_changes_of_a_transaction_and_does_not_validate_them() {
    let (tasks, one) = transaction("Broken", &[]);
    let host = configured();
    let (all, taken_back) = in_blocks(&host, "check", &one, &tasks);
    assert!(taken_back.is_empty());
    let would = vec![Outcome::WouldChange; 3];
    assert_eq!(outcomes_of(&all[..3]), would);
    assert_eq!(all[3].outcome, Outcome::Skipped { reason: SkipReason::NotRehearsed });
    assert_eq!(outcomes_of(&all[4..]), [Outcome::Unchanged, Outcome::Unchanged], "the handler would run");
    assert_eq!(text(&host, "/etc/app/b").as_deref(), Some("old b"));
}

#[test]
fn what_cannot_be_taken_back_is_not_done_in_a_transaction() {
    let host = Fake::from_yaml("base: debian\nunits: {apache2.service: {active: active}}\n").unwrap();
    let one = json!([{ "within": null, "transaction": { "end": 1 } }]);
    let stop = json!({ "name": "apache2", "state": "stopped" });
    let end = placed(1, "transaction", &json!({ "validate": [] }), 0, "always", &[0]);
    let (all, _) = in_blocks(&host, "apply", &one, &[placed(0, "service", &stop, 0, "body", &[]), end]);
    let Outcome::Failed { failure } = &all[0].outcome else { panic!("{:?}", all[0]) };
    assert!(format!("{failure:?}").contains("cannot be taken back"), "{failure:?}");
    assert_eq!(host.unit("apache2.service").unwrap().active, "active");
}

#[test]
fn an_interrupted_transaction_is_taken_back() {
    let host = configured();
    let (tasks, one) = transaction("new b", &[]);
    let cancel = Cancel::default();
    let plan = plan("apply", &one, &tasks);
    let ended = Mutex::new(Vec::new());
    run(&plan, REGISTRY, &ApplyStage::new(&host), &cancel, &|event| match event {
        HostEvent::TaskFinished { task: TaskId(1), .. } => cancel.stop(),
        HostEvent::RolledBack { tasks, .. } => ended.lock().unwrap().extend(tasks),
        _ => {}
    });
    assert_eq!(*ended.lock().unwrap(), [TaskId(0), TaskId(1)]);
    assert_eq!(text(&host, "/etc/app/a").as_deref(), Some("old a"));
}
