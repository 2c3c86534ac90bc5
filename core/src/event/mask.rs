//! Events without the secrets in them.

use super::{Diff, Failure, HostEvent, Kept, Outcome, PropertyChange, SkipReason, TaskReport, Thing, Trace};
use crate::{
    hold::Hold,
    mask::Masker,
    module::{Blocked, Finding},
};

impl HostEvent {
    /// The event with every text masked. Where the engine emits, every event passes this.
    ///
    /// Everything is taken apart by name, so that nothing that is added to an event can be forgotten here.
    #[must_use]
    pub fn masked(self, masker: &Masker) -> HostEvent {
        match self {
            HostEvent::TaskStarted { task, name } => HostEvent::TaskStarted { task, name: masker.apply(&name) },
            HostEvent::ItemFinished { task, item, report } => HostEvent::ItemFinished {
                task,
                item: masker.apply(&item),
                report: Box::new(of_report(*report, masker)),
            },
            HostEvent::TaskFinished { task, report } => {
                HostEvent::TaskFinished { task, report: Box::new(of_report(*report, masker)) }
            }
            wordless @ HostEvent::RolledBack { .. } => wordless,
            HostEvent::Held { hold: Hold { by, until, reason } } => {
                HostEvent::Held { hold: Hold { by: masker.apply(&by), until, reason: masker.apply(&reason) } }
            }
            HostEvent::Found { finding } => HostEvent::Found { finding: of_finding(finding, masker) },
            HostEvent::Notice { task, message } => HostEvent::Notice { task, message: masker.apply(&message) },
        }
    }
}

impl Failure {
    /// The failure with every text masked.
    #[must_use]
    pub fn masked(self, masker: &Masker) -> Failure {
        let Failure { message, causes, hint } = self;
        Failure {
            message: masker.apply(&message),
            causes: causes.iter().map(|cause| masker.apply(cause)).collect(),
            hint: hint.map(|hint| masker.apply(&hint)),
        }
    }
}

fn of_report(report: TaskReport, masker: &Masker) -> TaskReport {
    let TaskReport { outcome, subject, changes, kept, findings, blocked, messages, mut result, ignored, rescued, took } =
        report;
    if let Some(value) = &mut result {
        masker.apply_json(value);
    }
    TaskReport {
        outcome: of_outcome(outcome, masker),
        subject: masker.apply(&subject),
        changes: changes.into_iter().map(|change| of_change(change, masker)).collect(),
        kept: kept.map(|kept| of_kept(kept, masker)),
        findings: findings.into_iter().map(|finding| of_finding(finding, masker)).collect(),
        blocked: blocked.map(|blocked| of_blocked(blocked, masker)),
        messages: messages.iter().map(|message| masker.apply(message)).collect(),
        result,
        ignored,
        rescued,
        took,
    }
}

fn of_blocked(blocked: Blocked, masker: &Masker) -> Blocked {
    let Blocked { over, days, most } = blocked;
    let days = days.into_iter().map(|(day, n)| (masker.apply(&day), n)).collect();
    Blocked { over, days, most: most.into_iter().map(|(who, n)| (masker.apply(&who), n)).collect() }
}

fn of_outcome(outcome: Outcome, masker: &Masker) -> Outcome {
    match outcome {
        Outcome::Failed { failure } => Outcome::Failed { failure: failure.masked(masker) },
        Outcome::NotConverged { properties } => {
            Outcome::NotConverged { properties: properties.iter().map(|p| masker.apply(p)).collect() }
        }
        Outcome::Skipped { reason: SkipReason::Condition { when } } => {
            Outcome::Skipped { reason: SkipReason::Condition { when: masker.apply(&when) } }
        }
        Outcome::Skipped { reason: SkipReason::Guard { found } } => {
            Outcome::Skipped { reason: SkipReason::Guard { found: masker.apply(&found) } }
        }
        wordless @ (Outcome::Unchanged
        | Outcome::Changed
        | Outcome::WouldChange
        | Outcome::MayChange { .. }
        | Outcome::Finding { .. }
        | Outcome::RolledBack { .. }
        | Outcome::Skipped { .. }) => wordless,
    }
}

fn of_change(change: PropertyChange, masker: &Masker) -> PropertyChange {
    let PropertyChange { property, diff } = change;
    let masked = |text: Option<String>| text.map(|text| masker.apply(&text));
    let diff = match diff {
        Diff::Value { before, after } => Diff::Value { before: masked(before), after: masked(after) },
        Diff::Text { unified, added, removed } => Diff::Text { unified: masker.apply(&unified), added, removed },
        // Hashes and sizes tell nothing, and are no texts of anybody's.
        wordless @ (Diff::Opaque { .. } | Diff::Hidden) => wordless,
    };
    PropertyChange { property: masker.apply(&property), diff }
}

/// What is kept was masked when it was made; what became secret meanwhile is hidden here. Hashes are no texts of anybody's.
fn of_kept(kept: Kept, masker: &Masker) -> Kept {
    let Kept { things, lines } = kept;
    Kept { things: things.into_iter().map(|thing| of_thing(thing, masker)).collect(), lines }
}

fn of_thing(thing: Thing, masker: &Masker) -> Thing {
    let Thing { thing, properties, traces } = thing;
    Thing {
        thing: masker.apply(&thing),
        properties: properties.into_iter().map(|property| property.masked(masker)).collect(),
        traces: traces.into_iter().map(|trace| of_trace(trace, masker)).collect(),
    }
}

fn of_trace(trace: Trace, masker: &Masker) -> Trace {
    let Trace { source, at, account, program, what } = trace;
    let masked = |text: Option<String>| text.map(|text| masker.apply(&text));
    Trace {
        source: masker.apply(&source),
        at,
        account: masked(account),
        program: masked(program),
        what: masker.apply(&what),
    }
}

fn of_finding(finding: Finding, masker: &Masker) -> Finding {
    let Finding { severity, subject, message } = finding;
    Finding { severity, subject: masker.apply(&subject), message: masker.apply(&message) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{event::Property, module::Severity, plan::TaskId};

    /// Every text of every event holds the secret; none may be left after the mask.
    #[test]
    fn no_text_of_an_event_is_forgotten() {
        const SECRET: &str = "hunter2";
        let masker = Masker::new([SECRET]);
        let text = || format!("a {SECRET} b");
        let outcomes = [
            Outcome::Failed { failure: Failure { message: text(), causes: vec![text()], hint: Some(text()) } },
            Outcome::NotConverged { properties: vec![text()] },
            Outcome::Skipped { reason: SkipReason::Condition { when: text() } },
            Outcome::Skipped { reason: SkipReason::Guard { found: text() } },
        ];
        let change = |diff| PropertyChange { property: text(), diff };
        for outcome in outcomes {
            let report = TaskReport {
                subject: text(),
                changes: vec![
                    change(Diff::Value { before: Some(text()), after: Some(text()) }),
                    change(Diff::Text { unified: format!("+{SECRET}\n"), added: 1, removed: 0 }),
                ],
                kept: Some(Kept {
                    things: vec![Thing {
                        thing: text(),
                        properties: vec![
                            Property::new(text(), Some(text()), Some(text())),
                            Property::new(text(), Some(text()), None),
                            Property::new(text(), None, Some(text())),
                        ],
                        traces: vec![Trace {
                            source: text(),
                            at: Some(1),
                            account: Some(text()),
                            program: Some(text()),
                            what: text(),
                        }],
                    }],
                    lines: BTreeMap::new(),
                }),
                findings: vec![Finding { severity: Severity::Info, subject: text(), message: text() }],
                blocked: Some(Blocked { over: 30, days: [(text(), 1)].into(), most: vec![(text(), 1)] }),
                messages: vec![text()],
                result: Some(serde_json::json!({ "k hunter2": [text(), {"stdout_lines": [text()]}] })),
                ..TaskReport::of(outcome)
            };
            let task = TaskId(0);
            for event in [
                HostEvent::TaskStarted { task, name: text() },
                HostEvent::ItemFinished { task, item: text(), report: Box::new(report.clone()) },
                HostEvent::TaskFinished { task, report: Box::new(report.clone()) },
                HostEvent::Notice { task: None, message: text() },
                HostEvent::Held { hold: Hold { by: text(), until: jiff::Timestamp::UNIX_EPOCH, reason: text() } },
                HostEvent::Found { finding: Finding { severity: Severity::Info, subject: text(), message: text() } },
            ] {
                let before = serde_json::to_string(&event).unwrap();
                let after = serde_json::to_string(&event.masked(&masker)).unwrap();
                assert!(before.contains(SECRET) && !after.contains(SECRET), "{after}");
            }
        }
    }
}
