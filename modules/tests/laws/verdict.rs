//! What must come of a task, and whether check and apply agree.

use std::collections::BTreeMap;

use rectify_core::event::{Diff, Outcome, PropertyChange, SkipReason, Status, TaskReport};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What must come of a task.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Expect {
    /// The outcome of the apply: `unchanged`, `changed`, `finding`, `skipped`, `failed`, `not-converged`. Default: `changed`
    /// if there are changes.
    outcome: Option<String>,
    /// The outcome of the check, where it does not follow from that of the apply: `may-change` for what cannot be known,
    /// `would-change` for what fails in a way that cannot be foreseen.
    check: Option<String>,
    /// All properties that change.
    changes: Option<BTreeMap<String, Change>>,
    /// Part of the message of a failure, in the check too.
    error: Option<String>,
    /// Parts of what is found, as `subject: message`, in order.
    findings: Option<Vec<String>>,
    /// Parts of what is said, in order.
    messages: Option<Vec<String>>,
    /// Some of the registered result of the apply.
    result: Map<String, Value>,
    /// Part of what is said of a playbook that is refused before any host is contacted. Nothing else is looked at then.
    pub(crate) invalid: Option<String>,
}

/// How a property changes.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Change {
    /// Before and after.
    Values(Value, Value),
    /// The lines that change, each with its sign; or `hidden`, or `opaque`.
    Lines(String),
}

impl Expect {
    /// What is wrong with how check and apply went.
    pub(crate) fn compare(expect: Option<&Expect>, checked: &TaskReport, applied: &TaskReport) -> Vec<String> {
        let mut wrong = Vec::new();
        let own_check = expect.and_then(|e| e.check.as_deref());
        match own_check {
            Some(name) => same("the check's outcome", name, name_of(&checked.outcome), &mut wrong),
            None => agree(checked, applied, &mut wrong),
        }
        if let Some(expect) = expect {
            expect.judge(applied, own_check.is_none().then_some(checked), &mut wrong);
        }
        if !wrong.is_empty() {
            wrong.push(format!("check: {}\napply: {}", told(checked), told(applied)));
        }
        wrong
    }

    fn judge(&self, applied: &TaskReport, checked: Option<&TaskReport>, wrong: &mut Vec<String>) {
        match (&self.outcome, &self.changes) {
            (Some(outcome), _) => same("the outcome", outcome, name_of(&applied.outcome), wrong),
            (None, Some(changes)) if !changes.is_empty() => {
                same("the outcome", "changed", name_of(&applied.outcome), wrong);
            }
            _ => wrong.push("expect: say the outcome, or what changes".into()),
        }
        if let Some(changes) = &self.changes {
            compare_changes(changes, &applied.changes, wrong);
        }
        if let Some(error) = &self.error {
            for report in std::iter::once(applied).chain(checked) {
                let message = match &report.outcome {
                    Outcome::Failed { failure } => failure.message.clone(),
                    other => format!("{other:?}"),
                };
                contains("the error", &message, error, wrong);
            }
        }
        let findings: Vec<String> = applied.findings.iter().map(|f| format!("{}: {}", f.subject, f.message)).collect();
        all("finding", self.findings.as_ref(), &findings, wrong);
        all("message", self.messages.as_ref(), &applied.messages, wrong);
        for (key, value) in &self.result {
            let found = applied.result.as_ref().and_then(|r| r.get(key)).unwrap_or(&Value::Null);
            if found != value {
                wrong.push(format!("result: {key} is {found}, not {value}"));
            }
        }
    }
}

/// The law: a check announces what the apply does.
fn agree(checked: &TaskReport, applied: &TaskReport, wrong: &mut Vec<String>) {
    let counterpart = match &checked.outcome {
        Outcome::WouldChange => Status::Changed,
        Outcome::MayChange { because } => {
            wrong.push(format!(
                "the check does not know, because of {because:?}; if that has to be, say check: may-change"
            ));
            return;
        }
        // Declared to change nothing: the check leaves it out, the apply does it.
        Outcome::Skipped { reason: SkipReason::NotRehearsed } => Status::Unchanged,
        other => other.status(),
    };
    if counterpart != applied.outcome.status() {
        wrong.push("check and apply do not agree".into());
    }
    if let (Outcome::Failed { failure: a }, Outcome::Failed { failure: b }) = (&checked.outcome, &applied.outcome)
        && a.message != b.message
    {
        wrong.push("check and apply fail for different reasons".into());
    }
    if checked.changes != applied.changes {
        wrong.push("the check announces other changes than the apply makes".into());
    }
    if checked.findings != applied.findings {
        wrong.push("check and apply find different things".into());
    }
}

fn compare_changes(expected: &BTreeMap<String, Change>, found: &[PropertyChange], wrong: &mut Vec<String>) {
    for change in found {
        let Some(wanted) = expected.get(&change.property) else {
            wrong.push(format!("{:?} changes too", change.property));
            continue;
        };
        let fits = match (wanted, &change.diff) {
            (Change::Values(before, after), Diff::Value { before: b, after: a }) => {
                plain(before) == *b && plain(after) == *a
            }
            (Change::Lines(lines), Diff::Text { unified, .. }) => lines.trim_end() == signed(unified),
            (Change::Lines(word), Diff::Hidden) => word == "hidden",
            (Change::Lines(word), Diff::Opaque { .. }) => word == "opaque",
            _ => false,
        };
        if !fits {
            wrong.push(format!("{:?} changes otherwise", change.property));
        }
    }
    for property in expected.keys().filter(|p| !found.iter().any(|c| c.property == **p)) {
        wrong.push(format!("{property:?} does not change"));
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The lines of a unified diff that change.
fn signed(unified: &str) -> String {
    unified.lines().filter(|l| l.starts_with(['+', '-'])).collect::<Vec<_>>().join("\n")
}

fn same(what: &str, wanted: &str, found: &str, wrong: &mut Vec<String>) {
    if wanted != found {
        wrong.push(format!("{what} is {found}, not {wanted}"));
    }
}

fn contains(what: &str, found: &str, part: &str, wrong: &mut Vec<String>) {
    if !found.contains(part) {
        wrong.push(format!("{what} is {found:?}, without {part:?}"));
    }
}

fn all(what: &str, wanted: Option<&Vec<String>>, found: &[String], wrong: &mut Vec<String>) {
    let Some(wanted) = wanted else { return };
    if wanted.len() != found.len() {
        wrong.push(format!("{} {what}s, not {}: {found:?}", found.len(), wanted.len()));
    }
    for (part, text) in wanted.iter().zip(found) {
        contains(&format!("a {what}"), text, part, wrong);
    }
}

fn name_of(outcome: &Outcome) -> &'static str {
    match outcome.status() {
        Status::Unchanged => "unchanged",
        Status::Changed => "changed",
        Status::WouldChange => "would-change",
        Status::MayChange => "may-change",
        Status::Finding => "finding",
        Status::Skipped => "skipped",
        Status::Failed => "failed",
        Status::NotConverged => "not-converged",
        Status::RolledBack => "rolled-back",
        Status::Rescued => "rescued",
    }
}

/// A report, with its changes as a case would write them.
fn told(report: &TaskReport) -> String {
    let mut text = format!("{:?}", report.outcome);
    for change in &report.changes {
        let diff = match &change.diff {
            Diff::Value { before, after } => format!("{}", serde_json::json!([before, after])),
            Diff::Text { unified, .. } => format!("|\n      {}", signed(unified).replace('\n', "\n      ")),
            Diff::Opaque { .. } => "opaque".into(),
            Diff::Hidden => "hidden".into(),
        };
        text.push_str(&format!("\n    {}: {diff}", change.property));
    }
    for finding in &report.findings {
        text.push_str(&format!("\n    finding: {}: {}", finding.subject, finding.message));
    }
    text
}
