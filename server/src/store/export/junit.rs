//! JUnit's XML: a test suite per host, a test case per task. What is not as declared fails.

use std::{
    io::{self, Write},
    time::Duration,
};

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use rectify_core::event::Status;

use super::{HostReports, Report, Reports, change};
use crate::{store::Head, told::words};

pub(super) fn write(head: &Head, reports: &Reports, out: &mut dyn Write) -> io::Result<()> {
    let mut document = Document::new(format!("rectify {}", head.run));
    if let Some(began) = time(head.began) {
        document.set_timestamp(began);
    }
    if let Some(ended) = reports.ended {
        document.set_time(micros(ended.saturating_sub(head.began)));
    }
    document.add_test_suites(reports.hosts.iter().map(suite));
    document.serialize(&mut *out).map_err(io::Error::other)?;
    Ok(())
}

fn suite(host: &HostReports) -> TestSuite {
    let mut suite = TestSuite::new(host.host.as_str());
    if let Some(began) = host.began.and_then(time) {
        suite.set_timestamp(began);
    }
    if let (Some(began), Some(ended)) = (host.began, host.ended) {
        suite.set_time(micros(ended.saturating_sub(began)));
    }
    if let Some(failure) = &host.failure {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("unreachable").set_message(failure.message.as_str()).set_description(failure.causes.join("\n"));
        suite.add_test_case(TestCase::new("reach the host", status));
    } else if host.state != "finished" {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("not finished").set_message("the run broke off before the host was through");
        suite.add_test_case(TestCase::new("reach the host", status));
    }
    for finding in &host.findings {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("finding").set_message(finding.message.as_str());
        suite.add_test_case(TestCase::new(finding.subject.as_str(), status));
    }
    suite.add_test_cases(host.tasks.iter().map(case));
    suite
}

fn case(task: &Report) -> TestCase {
    let status = status(task);
    let fine = matches!(status, TestCaseStatus::Success { .. });
    let mut case = TestCase::new(task.title(), status);
    case.set_classname(task.task.play.as_str()).set_time(Duration::from_micros(task.report.took));
    case.add_property(("origin", task.task.origin.to_string().as_str()));
    let changes: Vec<String> = task.report.changes.iter().map(change).collect();
    // What fails says them itself.
    if fine && !changes.is_empty() {
        case.set_system_out(changes.join("\n"));
    }
    case
}

fn status(task: &Report) -> TestCaseStatus {
    let how = task.report.outcome.status();
    let forgiven = task.report.ignored || task.report.rescued;
    let mut status = match how {
        Status::Skipped => TestCaseStatus::skipped(),
        Status::Unchanged | Status::Changed | Status::Rescued => return TestCaseStatus::success(),
        _ if forgiven => return TestCaseStatus::success(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let findings = task.report.findings.iter().map(|f| format!("{}: {}", f.subject, f.message));
    let lines: Vec<String> = task.said.lines.iter().cloned().chain(findings).collect();
    let subject = task.report.subject.as_str();
    let message = lines.first().map_or_else(|| format!("{} {subject}", words::status(how)), String::clone);
    status.set_message(message);
    if how != Status::Skipped {
        status.set_type(words::status(how));
        let changes = task.report.changes.iter().map(change);
        status.set_description(lines.into_iter().chain(changes).collect::<Vec<_>>().join("\n"));
    }
    status
}

fn micros(n: i64) -> Duration {
    Duration::from_micros(u64::try_from(n).unwrap_or(0))
}

/// Its times are chrono's.
fn time(micros: i64) -> Option<chrono::DateTime<chrono::FixedOffset>> {
    Some(chrono::DateTime::from_timestamp_micros(micros)?.fixed_offset())
}
