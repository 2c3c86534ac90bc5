//! A hold by the host's own operators: corrections stop, looks do not.

use std::{sync::Mutex, time::SystemTime};

use rectify_core::{
    event::{HostEvent, Outcome},
    module::{Observe, Operate, WriteAttrs},
};
use rectify_modules::{
    REGISTRY,
    engine::{Cancel, perform},
    host::fake::Fake,
};
use serde_json::{Value, json};

use crate::support::{plan, task};

const HOLD: &str = "/etc/rectify/hold";

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

/// RFC 3339.
fn at(seconds: i64) -> String {
    rectify_core::hold::time(seconds).to_string()
}

/// A host with a hold file that was written a minute ago.
fn host(hold: Option<&str>, attrs: &WriteAttrs) -> Fake {
    let host = Fake::debian();
    if let Some(text) = hold {
        host.make_dir("/etc/rectify".as_ref(), 0o755).unwrap();
        host.write(HOLD.as_ref(), text.as_bytes(), attrs).unwrap();
        host.set_times(HOLD.as_ref(), Some((now() - 60) * 1_000_000_000), None).unwrap();
    }
    host
}

/// What an apply of two tasks, or a check, says: the hold, the findings, the outcomes.
fn done(host: &Fake, mode: &str) -> (Option<String>, Vec<String>, Vec<Outcome>) {
    let tasks: [Value; 2] = [
        task(0, "copy", &json!({ "dest": "/etc/banner", "content": "hello\n" }), &json!({})),
        task(
            1,
            "assert",
            &json!({ "that": ["ansible_check_mode"] }),
            &json!({ "ignore_errors": {"text": "true", "origin": {"file": "p.yml", "line": 1, "column": 1}} }),
        ),
    ];
    let mut plan = plan(mode, &json!([]), &tasks);
    plan.inventory_vars.insert("ansible_check_mode".into(), (mode == "check").into());
    let events = Mutex::new(Vec::new());
    perform(plan, REGISTRY, host, &Cancel::default(), &|event| events.lock().unwrap().push(event));
    let (mut held, mut findings, mut outcomes) = (None, Vec::new(), Vec::new());
    for event in events.into_inner().unwrap() {
        match event {
            HostEvent::Held { hold } => {
                assert!(outcomes.is_empty(), "it is said first");
                held = Some(hold.to_string());
            }
            HostEvent::Found { finding } => findings.push(format!("{}: {}", finding.subject, finding.message)),
            HostEvent::TaskFinished { report, .. } => outcomes.push(report.outcome),
            _ => {}
        }
    }
    (held, findings, outcomes)
}

fn there(host: &Fake) -> bool {
    host.lstat("/etc/banner".as_ref()).unwrap().is_some()
}

#[test]
fn a_hold_makes_an_apply_a_check_and_says_why() {
    let text = format!("reason: the database moves\nuntil: {}\n", at(now() + 3600));
    let host = host(Some(&text), &WriteAttrs::default());
    let before = host.snapshot().unwrap();
    let (held, findings, outcomes) = done(&host, "apply");
    assert!(
        held.as_ref().is_some_and(|h| h.starts_with("held by root until ") && h.ends_with(": the database moves")),
        "{held:?}"
    );
    assert_eq!((findings, outcomes), (vec![], vec![Outcome::WouldChange, Outcome::Unchanged]), "the tasks see a check");
    assert_eq!(host.snapshot().unwrap(), before);
    let (said, findings, outcomes) = done(&host, "check");
    assert_eq!((said, findings, outcomes[0].clone()), (held, vec![], Outcome::WouldChange), "a check says so too");
}

#[test]
fn without_a_hold_an_apply_is_an_apply() {
    let host = host(None, &WriteAttrs::default());
    let (held, findings, outcomes) = done(&host, "apply");
    assert_eq!((held, findings, outcomes[0].clone()), (None, vec![], Outcome::Changed));
    assert!(there(&host) && matches!(outcomes[1], Outcome::Failed { .. }));
}

#[test]
fn one_that_is_over_or_wrong_or_anybodys_counts_as_none_and_is_found() {
    let fine = format!("reason: x\nuntil: {}\n", at(now() + 3600));
    let over = format!("reason: x\nuntil: {}\n", at(now() - 1));
    let root = WriteAttrs::default();
    let mode = |mode| WriteAttrs { mode: Some(mode), ..WriteAttrs::default() };
    let cases = [
        (over.as_str(), root.clone(), "it expired at"),
        ("reason: x\n", root.clone(), "it has no `until`"),
        (&"#".repeat(5000), root, "it does not count:"),
        (&fine, mode(0o664), "others than root may write /etc/rectify/hold (mode 0664)"),
        (&fine, mode(0o646), "others than root may write"),
        (
            &fine,
            WriteAttrs { uid: Some(33), ..WriteAttrs::default() },
            "/etc/rectify/hold belongs to www-data, and only root",
        ),
    ];
    for (text, attrs, expected) in cases {
        for mode in ["apply", "check"] {
            let host = host(Some(text), &attrs);
            let (held, findings, outcomes) = done(&host, mode);
            assert_eq!(held, None, "{expected}");
            assert!(
                findings.len() == 1 && findings[0].starts_with("/etc/rectify/hold: ") && findings[0].contains(expected),
                "{findings:?}"
            );
            let expected = if mode == "apply" { Outcome::Changed } else { Outcome::WouldChange };
            assert_eq!((outcomes[0].clone(), there(&host)), (expected, mode == "apply"));
        }
    }
}

#[test]
fn what_is_no_file_or_lies_in_a_folder_of_others_counts_as_none() {
    let text = format!("reason: x\nuntil: {}\n", at(now() + 3600));
    let open = host(Some(&text), &WriteAttrs::default());
    open.set_mode("/etc/rectify".as_ref(), 0o777).unwrap();
    let (held, findings, _) = done(&open, "apply");
    assert!(held.is_none() && findings[0].contains("may write /etc/rectify (mode 0777)"), "{findings:?}");
    let linked = host(Some(&text), &WriteAttrs::default());
    linked.write("/root/hold".as_ref(), text.as_bytes(), &WriteAttrs::default()).unwrap();
    linked.symlink("/root/hold".as_ref(), HOLD.as_ref()).unwrap();
    let (held, findings, _) = done(&linked, "apply");
    assert!(held.is_none() && findings[0].contains("it is no regular file"), "{findings:?}");
}
