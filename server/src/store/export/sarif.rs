//! SARIF 2.1.0 (OASIS): findings and failures, each at the line of its task.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use rectify_core::{
    event::Status,
    module::{Finding, Severity},
    plan::Origin,
};
use serde_json::{Value, json};

use super::{HostReports, Report, Reports, timestamp};
use crate::store::Head;

/// The kinds of results.
const RULES: [(&str, &str); 6] = [
    ("failed", "A task failed"),
    ("not-converged", "A task changed something, and it still differs"),
    ("rolled-back", "A change was taken back"),
    ("finding", "Something was found that is not repaired"),
    ("unreachable", "A host could not be reached, or was lost"),
    ("not-finished", "The run broke off before a host was through"),
];

pub(super) fn write(head: &Head, reports: &Reports, out: &mut dyn Write) -> io::Result<()> {
    let rule = |(id, text): (&str, &str)| json!({"id": id, "shortDescription": {"text": text}});
    let mut invocation = json!({
        "executionSuccessful": matches!(reports.exit_code, Some(0 | 2)),
        "startTimeUtc": timestamp(head.began).to_string(),
    });
    if let Some(ended) = reports.ended {
        invocation["endTimeUtc"] = timestamp(ended).to_string().into();
    }
    if let Some(code) = reports.exit_code {
        invocation["exitCode"] = code.into();
    }
    let results: Vec<Value> = reports.hosts.iter().flat_map(of_host).collect();
    let whole = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "rectify", "semanticVersion": head.version, "rules": RULES.map(rule)}},
            "automationDetails": {"id": format!("rectify/{}", head.run)},
            "invocations": [invocation],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)
}

fn of_host(host: &HostReports) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(failure) = &host.failure {
        all.push(result("unreachable", "error", &failure.message, &host.host, None));
    } else if host.state != "finished" {
        all.push(result("not-finished", "error", "the run broke off before the host was through", &host.host, None));
    }
    all.extend(host.findings.iter().map(|found| finding(found, &host.host, None)));
    for task in &host.tasks {
        all.extend(task.report.findings.iter().map(|found| finding(found, &host.host, Some(&task.task.origin))));
        all.extend(failure(task, &host.host));
    }
    all
}

fn finding(found: &Finding, host: &str, at: Option<&Origin>) -> Value {
    let level = match found.severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Critical => "error",
    };
    result("finding", level, &format!("{}: {}", found.subject, found.message), host, at)
}

fn failure(task: &Report, host: &str) -> Option<Value> {
    let rule = match task.report.outcome.status() {
        Status::Failed => "failed",
        Status::NotConverged => "not-converged",
        Status::RolledBack => "rolled-back",
        _ => return None,
    };
    // What the playbook expects is no error.
    let level = if task.report.ignored || task.report.rescued { "note" } else { "error" };
    let why = task.said.lines.join(": ");
    Some(result(rule, level, &format!("{}: {why}", task.title()), host, Some(&task.task.origin)))
}

fn result(rule: &str, level: &str, text: &str, host: &str, at: Option<&Origin>) -> Value {
    let mut location = json!({"logicalLocations": [{"name": host, "fullyQualifiedName": host, "kind": "host"}]});
    if let Some(at) = at {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(&at.file)},
            "region": {"startLine": at.line.max(1), "startColumn": at.column.max(1)},
        });
    }
    let index = RULES.iter().position(|(id, _)| *id == rule);
    json!({
        "ruleId": rule,
        "ruleIndex": index,
        "level": level,
        "message": {"text": format!("{host}: {text}")},
        "locations": [location],
        "properties": {"host": host},
    })
}

/// A path as a URI reference (RFC 3986): relative as it is, absolute with its scheme.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}
