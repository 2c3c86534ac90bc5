//! What a person sees, from events alone: no host, no terminal, no clock.

use std::sync::{Arc, Mutex};

use indicatif::InMemoryTerm;
use rectify_core::{
    event::{Diff, Event, Failure, HostEvent, Outcome, PropertyChange, RunEvent, SkipReason, TaskInfo, TaskReport},
    module::{Because, Finding, Severity},
    plan::{Mode, Origin, TaskId},
};

use super::*;

/// A run that is told event by event, 10 ms apart.
struct Story {
    events: Vec<RunEvent>,
    tasks: Vec<TaskInfo>,
}

impl Story {
    fn new(mode: Mode, hosts: &[&str], tasks: &[&str]) -> Self {
        let tasks = (0..).zip(tasks).map(|(id, name)| TaskInfo {
            id: TaskId(id),
            name: (*name).to_owned(),
            module: "copy".into(),
            role: None,
            play: "web servers".into(),
            origin: Origin { file: "site.yml".into(), line: 10 * (id + 1), column: 7 },
            handler: name.starts_with("Reload"),
            rollout: None,
        });
        let started = RunEvent::Started {
            run: "r1".into(),
            mode,
            playbooks: vec!["site.yml".into()],
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            version: "0".into(),
        };
        Story { tasks: tasks.collect(), events: vec![started] }
    }

    fn put(mut self, event: RunEvent) -> Self {
        self.events.push(event);
        self
    }

    fn connecting(self, host: &str) -> Self {
        self.put(RunEvent::Connecting { host: host.into() })
    }

    fn connected(self, host: &str) -> Self {
        let tasks = self.tasks.clone();
        self.connecting(host).put(RunEvent::Connected { host: host.into(), tasks })
    }

    fn on(self, host: &str, what: HostEvent) -> Self {
        self.put(RunEvent::Host { host: host.into(), what })
    }

    fn starts(self, host: &str, task: u32) -> Self {
        let name = self.tasks[task as usize].name.clone();
        self.on(host, HostEvent::TaskStarted { task: TaskId(task), name })
    }

    fn task(self, host: &str, task: u32, report: TaskReport) -> Self {
        self.starts(host, task).on(host, HostEvent::TaskFinished { task: TaskId(task), report: Box::new(report) })
    }

    /// A host that connects, reports all its tasks and is through.
    fn host(self, host: &str, reports: Vec<TaskReport>) -> Self {
        let through = (0..).zip(reports).fold(self.connected(host), |story, (id, report)| story.task(host, id, report));
        through.put(RunEvent::HostFinished { host: host.into() })
    }

    fn lost(self, host: &str, failure: Failure) -> Self {
        self.connecting(host).put(RunEvent::Unreachable { host: host.into(), failure })
    }

    fn feed(&self, display: &mut Display<'_>) -> i64 {
        let mut at = 0;
        for (seq, what) in (0..).zip(&self.events) {
            at = 1_000_000 + i64::try_from(seq).unwrap() * 10_000;
            display.take(&Event { seq, at, what: what.clone() }).unwrap();
        }
        at
    }

    /// What is on stdout and on stderr at the end.
    fn told(self, options: Options) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let told = self.put(RunEvent::Finished);
        let mut display = Display::new(options, &mut out, &mut err);
        told.feed(&mut display);
        display.finish().1.unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn report(self, width: Option<usize>) -> String {
        self.told(Options { width, ..options() }).0
    }

    /// What is on a terminal of 80 columns, `later` microseconds after the last event.
    fn picture(&self, later: i64) -> String {
        let term = InMemoryTerm::new(24, 80);
        let screen = Arc::new(Mutex::new(Painter::new(Box::new(term.clone()))));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut display = Display::new(Options { screen: Some(screen), ..options() }, &mut out, &mut err);
        let at = self.feed(&mut display);
        display.tick(at + later);
        term.contents()
    }
}

fn options() -> Options {
    let plain = Theme::new(false);
    Options {
        output: Output::Report,
        verbose: 0,
        diff: true,
        inventory: " -i hosts.ini".into(),
        again: " -p site.yml -i hosts.ini".into(),
        screen: None,
        width: None,
        stdout: plain,
        stderr: plain,
    }
}

fn unchanged() -> TaskReport {
    TaskReport::of(Outcome::Unchanged)
}

fn change(outcome: Outcome, subject: &str, changes: Vec<(&str, Diff)>) -> TaskReport {
    let changes =
        changes.into_iter().map(|(property, diff)| PropertyChange { property: property.into(), diff }).collect();
    TaskReport { subject: subject.into(), changes, ..TaskReport::of(outcome) }
}

fn value(before: Option<&str>, after: Option<&str>) -> Diff {
    Diff::Value { before: before.map(str::to_owned), after: after.map(str::to_owned) }
}

fn text(before: &str, after: &str) -> Diff {
    let content = |text: &str| serde_json::json!({"content": {"$content": {"text": text, "size": 1, "sha256": text}}});
    rectify_core::event::compare(&content(before), &content(after), true, true).remove(0).diff
}

fn fleet(n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("web{i:02}")).collect()
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

/// Ten hosts of which six would change alike, one otherwise, one fails, one may change and one is not reached.
fn mixed() -> Story {
    let hosts = fleet(10);
    let tasks = ["Apache says no versions", "PHP goes", "Groups of deploy", "Reload Apache"];
    let mut story = Story::new(Mode::Check, &words(&hosts), &tasks);
    let identity = |old: &str| {
        let new = "ServerTokens Prod\nServerSignature Off\n";
        change(
            Outcome::WouldChange,
            "/etc/apache2/conf-available/identity.conf",
            vec![("content", text(old, new)), ("mode", value(Some("0600"), Some("0644")))],
        )
    };
    let php = || {
        let changes = vec![("", value(Some("installed"), None))];
        change(Outcome::WouldChange, "php8.2", changes)
    };
    let groups = || {
        let changes = vec![("groups", value(Some(r#"["adm","sudo","www-data"]"#), Some(r#"["adm","deploy"]"#)))];
        change(Outcome::WouldChange, "deploy", changes)
    };
    let skipped = || TaskReport::of(Outcome::Skipped { reason: SkipReason::NotNotified });
    for (i, host) in (1..).zip(&hosts) {
        story = match i {
            1..=6 => story.host(host, vec![identity(""), php(), groups(), unchanged()]),
            7 => story.host(host, vec![identity("ServerTokens Full \n"), unchanged(), unchanged(), unchanged()]),
            8 => {
                let mut failure = Failure::new("reading /etc/apache2/conf-available: permission denied");
                failure.causes = vec!["opening the folder\nas user 1000".into()];
                let failed = TaskReport::of(Outcome::Failed { failure: failure.hinting("run with -b") });
                let after = Outcome::Skipped { reason: SkipReason::Dependency { task: TaskId(0) } };
                story.host(host, vec![failed, unchanged(), unchanged(), TaskReport::of(after)])
            }
            9 => {
                let may = Outcome::MayChange { because: Because::task(TaskId(1)) };
                let found = TaskReport {
                    findings: vec![Finding {
                        severity: Severity::Warning,
                        subject: "/srv/app".into(),
                        message: "the web process can write its own source".into(),
                    }],
                    ..TaskReport::of(Outcome::Finding { severity: Severity::Warning })
                };
                story.host(host, vec![found, php(), change(may, "deploy", vec![]), skipped()])
            }
            _ => story.lost(
                host,
                Failure {
                    causes: vec!["10.0.0.10:22: connection refused".into()],
                    ..Failure::new("cannot connect")
                        .hinting("check that the host is up and that sshd listens on this port")
                },
            ),
        };
    }
    story
}

#[test]
fn a_report_groups_what_is_the_same_and_ends_with_a_recap() {
    insta::assert_snapshot!(mixed().report(Some(80)));
}

#[test]
fn colours_follow_meanings() {
    let report = change(Outcome::Changed, "/etc/motd", vec![("content", text("a \nb\n", "a\nb\n"))]);
    let story = Story::new(Mode::Apply, &["web01"], &["Message of the day"]).host("web01", vec![report]);
    let (out, _) = story.told(Options { stdout: Theme::new(true), ..options() });
    insta::assert_snapshot!(out.replace('\u{1b}', "␛"));
}

#[test]
fn a_narrow_terminal_wraps_words_and_hangs_differences() {
    let long = format!(
        "Header always set Content-Security-Policy \"{}\"\n\tDeny  from 漢字漢字漢字\n",
        "default-src 'self'; ".repeat(4)
    );
    let changes =
        vec![("content", text("", &long)), ("comment", value(Some("a short one"), Some(&"words ".repeat(12))))];
    let report = change(Outcome::WouldChange, "/etc/apache2/conf-available/content-security-policy.conf", changes);
    let name = "A name of a task that is far longer than what stands on one line of a terminal";
    let story = Story::new(Mode::Check, &["web01.a-rather-long-name.example.org", "web02"], &[name])
        .host("web01.a-rather-long-name.example.org", vec![report])
        .host("web02", vec![unchanged()]);
    insta::assert_snapshot!(story.report(Some(60)));
}

#[test]
fn a_fleet_that_is_as_declared_says_so_and_nothing_else() {
    let (hosts, tasks) = (fleet(30), vec!["a task"; 40]);
    let story = Story::new(Mode::Check, &words(&hosts), &tasks);
    let story = hosts.iter().fold(story, |story, host| story.host(host, (0..40).map(|_| unchanged()).collect()));
    insta::assert_snapshot!(story.report(Some(80)));
}

#[test]
fn unknown_host_keys_of_a_whole_fleet_are_one_paragraph() {
    let hosts = fleet(10);
    let story = Story::new(Mode::Check, &words(&hosts), &["a task"]);
    let story = hosts.iter().fold(story, |story, host| {
        let mut failure = Failure::new("the host key is not known").hinting("run `rectify trust`");
        failure.causes = vec![format!("10.0.0.{}:22 offered ssh-ed25519 SHA256:{host}…", &host[3..])];
        story.lost(host, failure)
    });
    insta::assert_snapshot!(story.report(Some(80)));
}

#[test]
fn a_long_difference_is_cut_on_a_terminal_only() {
    let long: String = (0..500).map(|i| format!("line {i}\n")).collect();
    let story = || {
        let report = change(Outcome::WouldChange, "/etc/motd", vec![("content", text("", &long))]);
        Story::new(Mode::Check, &["web01"], &["Message of the day"]).host("web01", vec![report])
    };
    let shown = story().report(Some(80));
    assert!(shown.lines().count() < 80 && shown.contains("… 441 more lines (-v shows all)"), "{shown}");
    assert!(story().report(None).contains("+line 499"));
}

#[test]
fn hosts_that_are_worked_on_have_a_line_each_above_a_total() {
    let story = Story::new(
        Mode::Check,
        &["web01", "web02", "a-host-with-quite-a-long-name.example.org", "db", "db2"],
        &["one", "two", "three"],
    )
    .host("web01", vec![change(Outcome::WouldChange, "x", vec![]), unchanged(), unchanged()])
    .connected("web02")
    .task("web02", 0, unchanged())
    .starts("web02", 1)
    .starts("web02", 2)
    .connected("a-host-with-quite-a-long-name.example.org")
    .connecting("db")
    .connected("db2")
    .on("db2", HostEvent::TaskStarted { task: TaskId(0), name: "a name that leaves no room for the time ".repeat(3) });
    assert_eq!(story.picture(10_000), "", "nothing is shown before a quarter of a second has passed");
    insta::assert_snapshot!(story.picture(75_000_000));
}

#[test]
fn more_hosts_than_lines_are_counted() {
    let hosts = fleet(40);
    let story = Story::new(Mode::Apply, &words(&hosts), &["one"]);
    let story = hosts.iter().fold(story, |story, host| story.connected(host).starts(host, 0));
    let shown = story.picture(1_000_000);
    assert_eq!(shown.lines().count(), 13, "half of the terminal's rows, and a total: {shown}");
    assert!(shown.contains("… 29 more"), "{shown}");
}

#[test]
fn an_interruption_is_seen_while_tasks_finish() {
    let story = Story::new(Mode::Apply, &["web01"], &["one"])
        .connected("web01")
        .starts("web01", 0)
        .put(RunEvent::Interrupted { kill: false });
    insta::assert_snapshot!(story.picture(1_000_000));
}

#[test]
fn without_a_terminal_there_is_a_line_per_host_and_per_failure() {
    let (_, err) = mixed().told(options());
    insta::assert_snapshot!(err);
}

#[test]
fn notices_of_many_hosts_are_said_once() {
    let hosts = fleet(12);
    let notice = |message: &str| HostEvent::Notice { task: Some(TaskId(0)), message: message.into() };
    let story = Story::new(Mode::Check, &words(&hosts), &["one"])
        .put(RunEvent::Warning { host: None, message: "~/.ssh/config:3: `Ciphers x` is not supported".into() });
    let story = hosts.iter().rev().fold(story, |story, host| {
        story
            .connected(host)
            .on(host, notice("no cgroup"))
            .task(host, 0, unchanged())
            .put(RunEvent::HostFinished { host: host.clone() })
    });
    let (_, err) = story.told(options());
    assert!(
        err.ends_with(
            "warning: ~/.ssh/config:3: `Ciphers x` is not supported\nnote: web01…web12: site.yml:10: no cgroup\n"
        ),
        "{err}"
    );
}

#[test]
fn what_a_host_says_cannot_move_the_cursor() {
    let evil = "\u{1b}[2J\u{1b}[31mred\u{202e}";
    let mut failure = Failure::new(evil);
    failure.causes = vec![format!("x\n{evil}")];
    let story = Story::new(Mode::Check, &["h"], &[evil])
        .connected("h")
        .on("h", HostEvent::TaskStarted { task: TaskId(0), name: evil.into() });
    assert!(!story.picture(3_000_000).contains("red\n") && story.picture(3_000_000).contains("\\u{1b}[2J"));
    let report = TaskReport {
        messages: vec![evil.into()],
        findings: vec![Finding { severity: Severity::Info, subject: evil.into(), message: evil.into() }],
        ..change(Outcome::Failed { failure }, evil, vec![(evil, value(Some(evil), Some(evil))), ("c", text("", evil))])
    };
    let story = story.on("h", HostEvent::TaskFinished { task: TaskId(0), report: Box::new(report) });
    let (out, err) = story.put(RunEvent::HostFinished { host: "h".into() }).told(options());
    assert!(!out.contains(['\u{1b}', '\u{202e}']) && !err.contains(['\u{1b}', '\u{202e}']), "{out}{err}");
}

#[test]
fn what_a_new_thing_begins_with_is_one_line() {
    let changes = vec![
        ("state", value(None, Some("file"))),
        ("content", text("", "a\n")),
        ("owner", value(None, Some("root"))),
        ("packages.curl", value(None, Some("8.0"))),
    ];
    let report = change(Outcome::WouldChange, "/etc/motd", changes);
    let story = Story::new(Mode::Check, &["web01"], &["Message of the day"]).host("web01", vec![report]);
    insta::assert_snapshot!(story.report(None));
}

#[test]
fn a_name_is_rendered_where_all_hosts_agree_and_an_ignored_failure_is_none() {
    let story = Story::new(Mode::Apply, &["a", "b"], &["for {{ who }}", "by {{ hand }}"]);
    let story = ["a", "b"].into_iter().fold(story, |story, host| {
        let (same, own) = ("for everybody".to_owned(), format!("by {host}"));
        let ignored = TaskReport { ignored: true, ..TaskReport::of(Outcome::Failed { failure: Failure::new("no") }) };
        let end = |id: u32, report| HostEvent::TaskFinished { task: TaskId(id), report: Box::new(report) };
        story
            .connected(host)
            .on(host, HostEvent::TaskStarted { task: TaskId(0), name: same })
            .on(host, end(0, ignored))
            .on(host, HostEvent::TaskStarted { task: TaskId(1), name: own })
            .on(host, end(1, change(Outcome::Changed, "x", vec![])))
            .put(RunEvent::HostFinished { host: host.into() })
    });
    insta::assert_snapshot!(story.report(None));
}

#[test]
fn what_was_taken_back_and_what_was_rescued_is_told_and_the_second_is_no_failure() {
    let tasks = ["Place the site", "Transaction", "Try", "Help"];
    let failed = |message: &str| TaskReport::of(Outcome::Failed { failure: Failure::new(message) });
    let changed = || change(Outcome::Changed, "/etc/a", vec![("mode", value(Some("0644"), Some("0600")))]);
    let rescued = TaskReport { rescued: true, ..failed("not today") };
    let reports = vec![changed(), unchanged(), rescued, unchanged()];
    let story = Story::new(Mode::Apply, &["a", "b"], &tasks).host("a", reports).connected("b");
    let story = story.task("b", 0, changed()).starts("b", 1);
    let story = story.on("b", HostEvent::RolledBack { tasks: vec![TaskId(0)], because: TaskId(1) });
    let report = Box::new(failed("not valid"));
    let story = story.on("b", HostEvent::TaskFinished { task: TaskId(1), report });
    let story = story.task("b", 2, unchanged()).task("b", 3, unchanged());
    let story = story.put(RunEvent::HostFinished { host: "b".into() });
    let (out, err) = story.told(options());
    for wanted in
        ["rolled back", "the transaction failed with “Transaction” (site.yml:20)", "failed, rescued", "1 rescued"]
    {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    assert!(err.contains("b: rolled back: what 1 task had changed is as it was"), "{err}");
    assert!(out.contains("1 failed") && !out.contains("2 failed"), "{out}");
}

#[test]
fn a_host_that_is_held_says_by_whom_and_that_nothing_was_changed() {
    let hold = rectify_core::hold::Hold {
        by: "root".into(),
        until: jiff::Timestamp::from_second(1_800_000_000).unwrap(),
        reason: "the database\u{1b}[2J moves".into(),
    };
    let finding = |message: &str| HostEvent::Found {
        finding: Finding { severity: Severity::Warning, subject: "/etc/rectify/hold".into(), message: message.into() },
    };
    let would = change(Outcome::WouldChange, "/etc/a", vec![("mode", value(Some("0644"), Some("0600")))]);
    let story = Story::new(Mode::Apply, &["a", "b"], &["Place the site"]).connected("a");
    let story = story.on("a", HostEvent::Held { hold }).task("a", 0, would);
    let story = story.put(RunEvent::HostFinished { host: "a".into() }).connected("b");
    let story = story.on("b", finding("it expired at 2026-11-22T06:00:00Z: remove it")).task("b", 0, unchanged());
    let (out, err) = story.put(RunEvent::HostFinished { host: "b".into() }).told(options());
    let until = "2027-01-15T08:00:00Z";
    for wanted in ["would change", "held: nothing was changed", "1 held", "1 with findings"] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    let said = format!("{out}{err}");
    assert!(said.contains(&format!("held by root until {until}: the database")) && !said.contains('\u{1b}'), "{said}");
    assert!(said.contains("finding: b: /etc/rectify/hold: it expired at 2026-11-22T06:00:00Z: remove it"), "{said}");
}

#[test]
fn a_check_says_who_holds_a_host_and_how_the_host_is_all_the_same() {
    let hold = rectify_core::hold::Hold {
        by: "root".into(),
        until: jiff::Timestamp::from_second(1_800_000_000).unwrap(),
        reason: "the database moves".into(),
    };
    let held = || HostEvent::Held { hold: hold.clone() };
    let would = change(Outcome::WouldChange, "/etc/a", vec![("mode", value(Some("0644"), Some("0600")))]);
    let story = Story::new(Mode::Check, &["a", "b"], &["Place the site"]).connected("a");
    let story = story.on("a", held()).task("a", 0, would).put(RunEvent::HostFinished { host: "a".into() });
    let story = story.connected("b").on("b", held()).task("b", 0, unchanged());
    let (out, err) = story.put(RunEvent::HostFinished { host: "b".into() }).told(options());
    insta::assert_snapshot!(format!("{out}\n--- stderr\n{err}"));
    let story = Story::new(Mode::Check, &["b"], &["Place the site"]).connected("b").on("b", held());
    let (out, _) = story.task("b", 0, unchanged()).put(RunEvent::HostFinished { host: "b".into() }).told(options());
    assert!(out.contains("everything is as declared, held. This was a check"), "{out}");
}

#[test]
fn what_would_have_been_blocked_is_told_of_a_task_that_changes_nothing() {
    let blocked = rectify_core::module::Blocked {
        over: 30,
        days: [("2026-11-22".to_owned(), 14)].into(),
        most: vec![("portal.example".into(), 12)],
    };
    let counted = TaskReport { blocked: Some(blocked), ..unchanged() };
    let story = Story::new(Mode::Check, &["a"], &["Count frames", "Nothing"]).host("a", vec![counted, unchanged()]);
    let (out, _) = story.told(options());
    assert!(out.contains("enforcing would have blocked something 14 times in 30 days: 12 × portal.example"), "{out}");
    assert!(!out.contains("Nothing"), "{out}");
}
