//! The screen, as people see it.

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use rectify_core::{
    drift::{Cause, Key, Known},
    event::{Diff, Event, HostEvent, RunEvent, RunState, Trace},
    hold::Hold,
    plan::Mode,
};
use rectify_server::drift::{Fixed, Open};

use super::{Found, json, screen};
use crate::{
    display::{Detail, page::Page},
    theme::Theme,
};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 1_800_000_000_000_000;

fn open(host: &str, cause: Cause, thing: &str, property: &str, values: [Option<&str>; 3]) -> Open {
    let [left, seen, wanted] = values.map(|value| value.map(str::to_owned));
    Open {
        host: host.into(),
        key: Key::new(thing, property),
        known: Known {
            cause,
            since: DAY + HOUR,
            before: (cause != Cause::New).then_some(DAY),
            looks: 1,
            setting: None,
            task: "the banner is in place".into(),
            origin: "site.yml:12".into(),
            difference: Some(Diff::Value { before: seen.clone(), after: wanted.clone() }),
            seen,
            wanted,
            left: (cause != Cause::New).then_some(left),
            traces: Vec::new(),
            run: "run".into(),
            cover: String::new(),
            looked: DAY + HOUR,
        },
    }
}

fn trace(source: &str, at: Option<i64>, account: Option<&str>, program: Option<&str>, what: &str) -> Trace {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Trace { source: source.into(), at, account: text(account), program: text(program), what: what.into() }
}

fn found() -> Found {
    let mode = |host: &str| {
        let mut item = open(host, Cause::Drift, "path:/etc/motd", "mode", [Some("0644"), Some("0666"), Some("0644")]);
        item.known.traces = vec![
            trace("file", Some(DAY + 60_000_000), None, None, "content, mode, owner or name of /etc/motd changed"),
            trace("audit", Some(DAY + 60_000_000), Some("joe"), Some("/usr/bin/chmod"), "changed /etc/motd"),
        ];
        item
    };
    let mut content = open("web2", Cause::Both, "path:/etc/issue", "content", [None, None, None]);
    content.known.left = Some(Some(format!("sha256:{}", "ab".repeat(32))));
    content.known.difference =
        Some(Diff::Text { unified: "@@ -1,2 +1,2 @@\n a\n-own\n+new\n".into(), added: 1, removed: 1 });
    content.known.looks = 3;
    content.known.setting = Some("banner".into());
    let mut gone = open("web3", Cause::Drift, "package:curl", "", [Some("present"), None, Some("present")]);
    gone.known.traces = vec![trace(
        "audit",
        None,
        None,
        None,
        "this host has no audit log that could be read: who did it is not known",
    )];
    let mut removed = open("web4", Cause::Drift, "path:/etc/issue.net", "", [Some("file"), None, Some("file")]);
    removed.known.difference = Some(Diff::Text { unified: "@@ -0,0 +1 @@\n+new\n".into(), added: 1, removed: 0 });
    Found {
        open: vec![
            mode("web1"),
            mode("web2"),
            mode("web3"),
            mode("web4"),
            content,
            gone,
            open("web1", Cause::New, "user:eve", "", [None, Some("present"), None]),
            open("web1", Cause::Pending, "unit:ssh.service", "enabled", [Some("false"), Some("false"), Some("true")]),
            removed,
        ],
        fixed: vec![Fixed {
            host: "web4".into(),
            key: Key::new("path:/etc/hosts", "owner"),
            was: Cause::Drift,
            setting: None,
            at: DAY,
        }],
        hosts: 4,
    }
}

fn shown(found: &Found, verbose: u8, diff: bool) -> String {
    let mut page = Page::new(Some(100), Theme::new(false));
    let detail = Detail { verbose, diff, diff_lines: 60, inventory: "", again: "" };
    screen::write(&mut page, found, detail, &TimeZone::UTC);
    page.into_text()
}

#[test]
fn drift_is_told_by_cause_once_for_all_hosts_that_have_it() {
    assert_snapshot!(shown(&found(), 0, true));
}

#[test]
fn three_v_tell_of_each_host_and_no_diff_hides_contents() {
    let text = shown(&found(), 3, false);
    assert!(text.contains("web4: between the looks") && !text.contains("more: -vvv"), "{text}");
    assert!(!text.contains("+new"), "{text}");
}

#[test]
fn what_a_host_says_cannot_write_on_the_screen() {
    let mut hostile =
        open("web1", Cause::Drift, "path:/etc/\u{1b}[2J", "x\u{202e}", [None, Some("\u{1b}[31m"), Some("\n")]);
    hostile.known.traces = vec![trace("\u{7}", None, Some("\u{1b}]0;x"), Some("\u{9b}"), "a\nb")];
    let found = Found { open: vec![hostile], fixed: Vec::new(), hosts: 1 };
    let text = shown(&found, 0, true);
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{text:?}");
}

#[test]
fn programs_get_everything() {
    let mut out = Vec::new();
    json::write(&found(), "run-1", &held(), &mut out).unwrap();
    let all: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((all["open"].as_array().unwrap().len(), &all["open"][0]["cause"]), (9, &"drift".into()));
    assert_eq!(all["open"][0]["left"]["value"], "0644");
    // Known to be absent, and not known, are told apart.
    assert_eq!(
        (&all["open"][5]["left"]["value"], &all["open"][6]["left"]),
        (&"present".into(), &serde_json::Value::Null)
    );
    assert_eq!(all["fixed"][0]["was"], "drift");
    assert_eq!((all["held"].as_array().unwrap().len(), &all["held"][0]["host"]), (1, &"web1".into()));
    assert_eq!(all["held"][0]["hold"]["reason"], "the database moves");
}

/// Two hosts that were looked at; one of them is held.
fn held() -> RunState {
    let host = |name: &str| name.to_owned();
    let hold =
        Hold { by: "root".into(), until: "2027-01-15T08:00:00Z".parse().unwrap(), reason: "the database moves".into() };
    let mut events = vec![RunEvent::Started {
        run: "run-1".into(),
        mode: Mode::Check,
        playbooks: vec![],
        hosts: vec![host("web1"), host("web2")],
        version: "0".into(),
    }];
    for name in ["web1", "web2"] {
        events.push(RunEvent::Connecting { host: host(name) });
        events.push(RunEvent::Connected { host: host(name), tasks: vec![] });
        if name == "web1" {
            events.push(RunEvent::Host { host: host(name), what: HostEvent::Held { hold: hold.clone() } });
        }
        events.push(RunEvent::HostFinished { host: host(name) });
    }
    let mut state = RunState::default();
    for (seq, what) in (0..).zip(events) {
        state.apply(&Event { seq, at: 0, what }).unwrap();
    }
    state
}

#[test]
fn the_last_line_counts_hosts_that_are_held() {
    let mut page = Page::new(Some(100), Theme::new(false));
    screen::recap(&mut page, &Found { hosts: 2, ..Found::default() }, &held());
    assert_eq!(page.into_text().trim(), "2 hosts looked at, 1 held; nothing has moved");
}
