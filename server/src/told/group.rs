//! Identical reports of one task, put together over hosts as they come in.

use indexmap::IndexMap;
use rectify_core::{
    event::{Outcome, PropertyChange, SkipReason, Status, TaskInfo, TaskReport},
    module::Finding,
    plan::{Origin, RolloutMode, TaskId},
    yaml,
};
use serde_json::{Map, Value};

/// What must be the same for two hosts' reports to be shown as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Same {
    /// The loop's item, if there is one.
    pub item: Option<String>,
    /// What the task manages.
    pub subject: String,
    /// The outcome, as it reads.
    pub outcome: Said,
    /// The properties that differ.
    pub changes: Vec<PropertyChange>,
    /// The findings.
    pub findings: Vec<Shown>,
    /// What enforcing would have blocked, as it reads.
    pub blocked: Option<String>,
    /// The messages.
    pub messages: Vec<String>,
    /// The result, as YAML, if it was sent.
    pub result: Option<String>,
}

impl Same {
    /// What the task manages, and the loop's item where that says something else.
    pub fn about(&self) -> (&str, Option<&str>) {
        match self.item.as_deref().filter(|item| !item.is_empty()) {
            Some(item) if self.subject.is_empty() => (item, None),
            item => (&self.subject, item.filter(|item| !self.subject.contains(item))),
        }
    }
}

/// An outcome and the words that explain it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    /// How it went.
    pub status: Status,
    /// Whether its failure is ignored.
    pub ignored: bool,
    /// Whether its failure made a `rescue` run.
    pub rescued: bool,
    /// Why: a failure's message and causes, a skip's reason; one a line.
    pub lines: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The task's setting, and what the host does with it.
    pub stands: Option<Stands>,
}

/// Where a host stands with the setting of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stands {
    /// The setting's id.
    pub setting: String,
    /// What the host does with it.
    pub mode: RolloutMode,
    /// Why, in words.
    pub why: String,
    /// What the task would have come to; `None` where it ran, or where nobody looked.
    pub would: Option<Status>,
}

impl Stands {
    /// Where a task's host stands, if the task belongs to a setting.
    pub fn of(info: &TaskInfo, report: &TaskReport) -> Option<Self> {
        let rollout = info.rollout.as_ref()?;
        let would = match &report.outcome {
            Outcome::Skipped { reason: SkipReason::Rollout { would, .. } } => *would,
            _ => None,
        };
        Some(Stands { setting: rollout.setting.clone(), mode: rollout.mode, why: rollout.why.clone(), would })
    }

    /// What enforcing would do, where that is anything.
    pub fn open(&self) -> Option<Status> {
        self.would.filter(|would| !matches!(would, Status::Unchanged | Status::Skipped))
    }
}

/// A finding that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shown {
    /// How much it matters.
    pub severity: rectify_core::module::Severity,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub message: String,
}

/// A task over all hosts: the same place in the playbook.
#[derive(Debug, Clone)]
pub struct TaskGroup {
    /// The task.
    pub info: TaskInfo,
    /// Its name with templates rendered, where that is the same on all hosts.
    name: Option<String>,
    /// Hosts by what they reported, in order of arrival.
    pub reports: IndexMap<Same, Vec<String>>,
}

/// All that was reported, by task and by sameness.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    tasks: IndexMap<(String, Origin, String), TaskGroup>,
}

impl TaskGroup {
    /// What it is called.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.info.name)
    }
}

impl Groups {
    /// Takes in that a task has begun under this name.
    pub fn begun(&mut self, info: &TaskInfo, name: &str) {
        let group = self.group(info);
        match &group.name {
            None => group.name = Some(name.to_owned()),
            Some(same) if same == name => {}
            Some(_) => group.name = Some(group.info.name.clone()),
        }
    }

    fn group(&mut self, info: &TaskInfo) -> &mut TaskGroup {
        let key = (info.play.clone(), info.origin.clone(), info.name.clone());
        let new = || TaskGroup { info: info.clone(), name: None, reports: IndexMap::new() };
        self.tasks.entry(key).or_insert_with(new)
    }

    /// Takes a report in. `tasks` are the host's, to name what a report refers to.
    pub fn take(&mut self, host: &str, tasks: &[TaskInfo], info: &TaskInfo, item: Option<&str>, report: &TaskReport) {
        let group = self.group(info);
        let same = Same {
            item: item.map(str::to_owned),
            subject: report.subject.clone(),
            outcome: Said { stands: Stands::of(info, report), ..said(report, tasks) },
            // What a failed task meant to do did not come about: it would read as if it had, and keep equal failures apart.
            changes: match report.outcome {
                Outcome::Failed { .. } => Vec::new(),
                _ => report.changes.clone(),
            },
            findings: report.findings.iter().map(shown).collect(),
            blocked: report.blocked.as_ref().map(ToString::to_string),
            messages: report.messages.clone(),
            result: report.result.as_ref().and_then(result),
        };
        group.reports.entry(same).or_default().push(host.to_owned());
    }

    /// What some tasks of a host had changed was taken back.
    pub fn roll_back(&mut self, host: &str, tasks: &[TaskInfo], taken_back: &[TaskId], because: TaskId) {
        let back = TaskReport::of(Outcome::RolledBack { because });
        for info in tasks.iter().filter(|info| taken_back.contains(&info.id)) {
            let key = (info.play.clone(), info.origin.clone(), info.name.clone());
            let Some(group) = self.tasks.get_mut(&key) else { continue };
            let rolled = Said { stands: Stands::of(info, &back), ..said(&back, tasks) };
            let mut moved = Vec::new();
            for (same, hosts) in &mut group.reports {
                let changed = matches!(same.outcome.status, Status::Changed | Status::WouldChange);
                if changed && hosts.iter().any(|h| h == host) {
                    hosts.retain(|h| h != host);
                    moved.push(Same { outcome: rolled.clone(), ..same.clone() });
                }
            }
            group.reports.retain(|_, hosts| !hosts.is_empty());
            for same in moved {
                group.reports.entry(same).or_default().push(host.to_owned());
            }
        }
    }

    /// The tasks in the order in which they stand in the plan.
    pub fn in_order(&self) -> Vec<&TaskGroup> {
        let mut all: Vec<&TaskGroup> = self.tasks.values().collect();
        all.sort_by_key(|g| (g.info.handler, g.info.id));
        // Handlers stand at the end of their own play, not of the run.
        let mut plays: Vec<&str> = Vec::new();
        for group in self.tasks.values() {
            if !plays.contains(&group.info.play.as_str()) {
                plays.push(&group.info.play);
            }
        }
        all.sort_by_key(|g| plays.iter().position(|p| *p == g.info.play));
        all
    }
}

/// A result as YAML, without what says nothing: what is empty, what is there twice, what the outcome says.
fn result(data: &Value) -> Option<String> {
    let Value::Object(all) = data else { return Some(yaml::emit(data)) };
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let twice = |key: &str| matches!(key, "stdout_lines" | "stderr_lines" | "changed" | "failed");
    let kept = all.iter().filter(|(key, value)| !twice(key) && !empty(value));
    let kept: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!kept.is_empty()).then(|| yaml::emit(&Value::Object(kept)))
}

fn shown(finding: &Finding) -> Shown {
    Shown { severity: finding.severity, subject: finding.subject.clone(), message: finding.message.clone() }
}

/// An outcome in words.
pub fn said(report: &TaskReport, tasks: &[TaskInfo]) -> Said {
    let mut hint = None;
    let lines = match &report.outcome {
        Outcome::Failed { failure } => {
            hint.clone_from(&failure.hint);
            std::iter::once(failure.message.clone()).chain(failure.causes.iter().cloned()).collect()
        }
        Outcome::NotConverged { properties } => {
            vec![format!("it was changed, and still differs: {}", named_properties(properties))]
        }
        Outcome::MayChange { because } => vec![format!("because of {}", named_tasks(because.as_slice(), tasks))],
        Outcome::RolledBack { because } => {
            vec![format!("the transaction failed with {}", named_tasks(&[*because], tasks))]
        }
        Outcome::Skipped { reason } => vec![super::words::reason(reason, &|ids| named_tasks(ids, tasks))],
        _ => Vec::new(),
    };
    Said {
        status: report.outcome.status(),
        ignored: report.ignored,
        rescued: report.rescued,
        lines,
        hint,
        stands: None,
    }
}

fn named_properties(properties: &[String]) -> String {
    let all: Vec<&str> =
        properties.iter().map(|p| if p.is_empty() { "whether it exists" } else { p.as_str() }).collect();
    all.join(", ")
}

fn named_tasks(ids: &[TaskId], tasks: &[TaskInfo]) -> String {
    let named: Vec<String> = ids
        .iter()
        .map(|id| match tasks.iter().find(|t| t.id == *id) {
            Some(task) => format!("“{}” ({})", task.name, task.origin),
            None => format!("task {}", id.0),
        })
        .collect();
    named.join(", ")
}
