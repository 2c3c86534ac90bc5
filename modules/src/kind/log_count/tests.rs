use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use rectify_core::{
    arg::{Arg, from_arg},
    module::{Operate, WriteAttrs},
};
use serde_json::json;

use super::*;
use crate::host::fake::Fake;

const LOG: &str = "/var/log/apache2/frames.log";

fn module(args: &Value) -> LogCount {
    let module: LogCount = from_arg(&Arg::from_value(args)).unwrap();
    Action::validate(&module).unwrap();
    module
}

fn host() -> Fake {
    let host = Fake::from_yaml("{files: {/var/log/apache2: {dir: true}}}").unwrap();
    write(&host, LOG, b"");
    host
}

fn write(host: &Fake, path: &str, bytes: &[u8]) {
    host.write(path.as_ref(), bytes, &WriteAttrs::default()).unwrap();
    let now = clock::now() * clock::SECOND;
    host.set_times(path.as_ref(), Some(now), None).unwrap();
}

fn run(host: &Fake, args: &Value) -> Report {
    module(args).run(host).unwrap()
}

fn ago(days: i64) -> String {
    clock::day(clock::now() - days * 86_400)
}

fn packed(text: &str) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(text.as_bytes()).unwrap();
    to.finish().unwrap()
}

#[test]
fn what_was_rotated_is_counted_and_a_day_that_is_cut_in_two_is_one() {
    let host = host();
    write(&host, LOG, format!("{} web https://a.example/x\n{0} web -\nnonsense\n", ago(0)).as_bytes());
    write(
        &host,
        &format!("{LOG}.1"),
        format!("{} web https://b.example\n{} web https://a.example\n", ago(1), ago(0)).as_bytes(),
    );
    write(&host, &format!("{LOG}.2.gz"), &packed(&format!("{} web https://b.example/y\n", ago(2))));
    write(&host, &format!("{LOG}.3.xz"), b"x");
    write(&host, &format!("{LOG}.bak"), format!("{} web https://c.example\n", ago(0)).as_bytes());
    let report = run(&host, &json!({ "path": LOG, "pattern": "web (?:https?://(?P<by>[^/]+))?" }));
    let blocked = report.blocked.unwrap();
    assert_eq!(blocked.days, [(ago(0), 3), (ago(1), 1), (ago(2), 1)].into());
    assert_eq!(blocked.most, [("a.example".to_owned(), 2), ("b.example".to_owned(), 2)]);
    assert_eq!((blocked.over, blocked.total(), report.data["count"].clone()), (30, 5, json!(5)));
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].subject, format!("{LOG}.3.xz"));
}

#[test]
fn days_that_are_too_old_do_not_count_and_old_files_are_not_read() {
    let host = host();
    write(&host, LOG, format!("{}\n{}\n{}\n2999-01-01\n", ago(0), ago(6), ago(7)).as_bytes());
    write(&host, &format!("{LOG}.1"), ago(3).as_bytes());
    host.set_times(format!("{LOG}.1").as_ref(), Some((clock::now() - 9 * 86_400) * clock::SECOND), None).unwrap();
    let blocked = run(&host, &json!({ "path": LOG, "days": 7 })).blocked.unwrap();
    assert_eq!((blocked.total(), blocked.over), (2, 7));
}

#[test]
fn no_log_is_not_the_same_as_nothing_in_it() {
    let host = host();
    let report = run(&host, &json!({ "path": LOG }));
    assert_eq!(report.blocked.map(|b| b.total()), Some(0));
    let report = run(&host, &json!({ "path": "/var/log/apache2/other.log" }));
    assert_eq!((report.blocked, report.data["exists"].clone()), (None, json!(false)));
}

#[test]
fn lines_without_a_date_and_files_that_cannot_be_unpacked_are_told() {
    let host = host();
    write(&host, LOG, format!("GET /\nGET /\n{} GET /\nPUT /\n", ago(0)).as_bytes());
    let cut = packed(&format!("{} GET /\n", ago(1)).repeat(1000));
    write(&host, &format!("{LOG}.1.gz"), &cut[..cut.len() - 12]);
    let report = run(&host, &json!({ "path": LOG, "pattern": "GET" }));
    let told: Vec<String> = report.findings.iter().map(|f| format!("{}: {}", f.subject, f.message)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with(&format!("{LOG}.1.gz: not counted: unpacking it: ")), "{told:?}");
    assert_eq!(told[1], format!("{LOG}: 2 lines that match carry no date and are not counted"));
    assert!(report.blocked.unwrap().days[&ago(0)] == 1);
}

#[test]
fn of_a_log_that_is_too_long_the_end_counts() {
    let yaml = format!(
        "{{files: {{{LOG}: {{size: {}}}}}, probes: [{{argv: [tail, -c, '{}', --, {LOG}], stdout: \"of a line {today}\\n{today}\\n{today}\\n\"}}]}}",
        super::rotated::ONE + 1,
        super::rotated::ONE,
        today = ago(0)
    );
    let report = run(&Fake::from_yaml(&yaml).unwrap(), &json!({ "path": LOG }));
    assert_eq!(report.blocked.unwrap().total(), 2);
    assert_eq!(report.findings[0].message, "not counted: all of its 16 MiB but the last 16");
}

#[test]
fn what_unpacks_to_too_much_is_cut_off() {
    let host = host();
    let line = format!("{} {}\n", ago(0), "x".repeat(1000));
    write(&host, &format!("{LOG}.1.gz"), &packed(&line.repeat(70_000)));
    let report = run(&host, &json!({ "path": LOG }));
    assert!(report.findings[0].message.contains("more than 64 MiB"), "{:?}", report.findings);
    assert!((60_000..70_000).contains(&report.blocked.unwrap().total()));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (args, word) in [
        (json!({ "path": "x" }), "absolute"),
        (json!({ "path": "/x", "pattern": "(" }), "pattern"),
        (json!({ "path": "/x", "days": 0 }), "days"),
        (json!({ "path": "/x", "days": 3661 }), "days"),
    ] {
        let module: LogCount = from_arg(&Arg::from_value(&args)).unwrap();
        let error = Action::validate(&module).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}
