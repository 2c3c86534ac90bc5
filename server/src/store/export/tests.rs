use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use rectify_core::event::{Event, HostEvent, RunEvent};
use rectify_core::{
    event::{Failure, Outcome},
    module::{Finding, Severity},
};

use super::{Format, Reports, export};
use crate::store::testing::run::{events, head};

const NASTY: &str = "<b>]]>&\"'\u{1b}[2J\u{0}=1+1";

/// A run with one of each, in which a host says what it should not.
fn exported(format: Format, until: usize) -> String {
    let head = head("run-1", &["a", "b", "c"]);
    let failed = Outcome::Failed { failure: Failure::new(format!("=1+1 {NASTY}")) };
    let finding = Finding { severity: Severity::Critical, subject: "sshd".into(), message: NASTY.into() };
    let mut all = events(
        &head,
        &[
            Ok(vec![Outcome::WouldChange, failed, Outcome::Unchanged]),
            Err(NASTY),
            Ok(vec![Outcome::Finding { severity: Severity::Critical }]),
        ],
    );
    for Event { what, .. } in &mut all {
        if let RunEvent::Host { host, what: HostEvent::TaskFinished { report, .. } } = what
            && host == "c"
        {
            report.findings.push(finding.clone());
        }
    }
    all.truncate(all.len() - until);
    let mut out = Vec::new();
    export(format, &head, &Reports::read(all.into_iter()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn sarif_names_findings_and_failures_at_their_lines() {
    let sarif: serde_json::Value = serde_json::from_str(&exported(Format::Sarif, 0)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let results: Vec<(&str, &str, u64)> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let line = result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap_or(0);
            let rule = result["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
            (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap(), line)
        })
        .collect();
    assert_eq!(results, [("failed", "error", 11), ("unreachable", "error", 0), ("finding", "error", 10)]);
    assert_eq!(run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "site.yml");
    assert_eq!(run["invocations"][0]["exitCode"], 4);
}

/// What OASIS's schema says of a SARIF log; nothing, where it is one.
fn wrong_sarif(text: &str) -> String {
    let mut validator = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/sarif/run"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    validator.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = validator.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(i32::from(!text.is_empty())), "{text}");
    text
}

#[test]
fn sarif_is_what_its_schema_allows_also_of_a_run_that_broke_off() {
    for until in [0, 4] {
        assert_eq!(wrong_sarif(&exported(Format::Sarif, until)), "", "{until} events before its end");
    }
    let broken = exported(Format::Sarif, 0).replace("executionSuccessful", "went");
    assert!(wrong_sarif(&broken).contains("'executionSuccessful' is a required property"));
}

#[test]
fn junit_has_a_suite_per_host_and_holds_whatever_hosts_say() {
    let xml = exported(Format::Junit, 0);
    for said in [
        r#"<testsuite name="a" tests="3" skipped="0" errors="0" failures="2""#,
        r#"<testsuite name="b" tests="1" skipped="0" errors="1" failures="0""#,
        r#"type="would change""#,
        "mode: 0644 → 0600",
        "&lt;b&gt;",
    ] {
        assert!(xml.contains(said), "{said}\n{xml}");
    }
    assert!(!xml.contains('\u{1b}') && !xml.contains('\0') && !xml.contains("<b>"), "{xml}");
}

#[test]
fn csv_has_a_line_per_change_and_no_formula() {
    let text = exported(Format::Csv, 0);
    let mut lines = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = lines.records().map(Result::unwrap).collect();
    let some: Vec<[&str; 4]> = rows.iter().map(|row| [&row[1], &row[9], &row[12], &row[13]]).collect();
    assert_eq!(
        some,
        [
            ["a", "would change", "0644", "0600"],
            ["a", "failed", "", ""],
            ["a", "unchanged", "", ""],
            ["b", "unreachable", "", ""],
            ["c", "finding", "", ""]
        ]
    );
    assert!(rows[1][14].starts_with("'=1+1") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn json_says_everything_also_of_a_run_that_broke_off() {
    let whole: serde_json::Value = serde_json::from_str(&exported(Format::Json, 0)).unwrap();
    assert_eq!((whole["run"].as_str(), whole["exit_code"].as_u64()), (Some("run-1"), Some(4)));
    assert_eq!(whole["results"][0]["tasks"][0]["report"]["changes"][0]["property"], "mode");
    let broken: serde_json::Value = serde_json::from_str(&exported(Format::Json, 2)).unwrap();
    assert!(broken["exit_code"].is_null() && broken["ended"].is_null());
    assert_eq!(broken["results"][2]["state"], "not_finished");
}
