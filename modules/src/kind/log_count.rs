//! `log_count`: how often something stands in a log, day by day.

mod lines;
mod rotated;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use fancy_regex::Regex;
use rectify_core::module::{Action, Blocked, Entity, Finding, ModuleError, Operate, Relations, Report, Severity};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::{lines::Tally, rotated::Log};
use super::shared::{clock, paths};

/// How many days are counted unless the task says so, and the most.
const DAYS: (u32, u32) = (30, 3660);

/// Counts the lines of a log by day, those of its rotated files among them, and reports the number as what enforcing the task's
/// setting would have blocked. It changes nothing.
///
/// It is for tasks with `rollout: {setting: ID, on: observe}`: what it counts is kept as evidence, shown to the owners, and compared with
/// the setting's limit `blocked` before the setting advances. It counts whole days, so that it needs no memory on the host, and looking
/// twice counts once.
///
/// A line's day is the first date in it, as `2026-11-22` or `22/Nov/2026`; put one in front of what others can write into the log. Rotated
/// files are found by their names (`access.log.1`, `access.log.2.gz`, `access_log-20261122`), as plain text or packed by gzip. No
/// more than 64 MiB are read, the newest first; what is left out is a finding. Where there is no log, nothing is counted, which is not
/// the same as a count of 0.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogCount {
    /// The log. Absolute.
    path: PathBuf,
    /// A regular expression (RE2's syntax) for the lines that count. What its group named `by` matches is told with the number: who or
    /// what it came from. Default: every line counts.
    pattern: Option<String>,
    /// How many days back it counts, today included: 1 to 3660. Default: 30.
    days: Option<u32>,
}

impl Action for LogCount {
    const KIND: &'static str = "log_count";
    const PURE: bool = true;
    const EXAMPLE: &'static str = "log_count:\n  path: /var/log/apache2/rectify-frames.log\n  pattern: 'https?://(?P<by>[^/]+)'\nregister: frames\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let pattern = self.compiled().map_err(ModuleError::Invalid)?;
        let (now, days) = (clock::now(), self.days.unwrap_or(DAYS.0));
        let from = now.saturating_sub(i64::from(days.saturating_sub(1)) * 86_400);
        let log = Log::find(&self.path, from, host)?;
        let mut tally = Tally::new(pattern, clock::day(from), clock::day(now.saturating_add(86_400)));
        log.read(&mut |text| tally.lines(text));
        let findings = self.remarks(&tally, &log);
        let exists = log.exists;
        let (by_day, most) = tally.into_counts();
        let total = by_day.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
        let sources: Vec<Value> = most.iter().map(|(by, n)| json!({ "by": by, "count": n })).collect();
        let mut data = Map::new();
        data.insert("exists".into(), exists.into());
        data.insert("count".into(), total.into());
        data.insert("days".into(), json!(by_day));
        data.insert("most".into(), sources.into());
        let blocked = exists.then_some(Blocked { over: days, days: by_day, most });
        Ok(Report { findings, blocked, ..Report::looked(data) })
    }

    fn validate(&self) -> Result<(), String> {
        if self.days.is_some_and(|days| !(1..=DAYS.1).contains(&days)) {
            return Err(format!("days: from 1 to {}", DAYS.1));
        }
        self.compiled()?;
        paths::absolute("path", &self.path)
    }

    fn relations(&self) -> Relations {
        Relations::default().needing([Entity::Path(self.path.clone())])
    }

    fn subject(&self) -> String {
        self.path.display().to_string()
    }
}

impl LogCount {
    fn compiled(&self) -> Result<Option<Regex>, String> {
        let compile = |text: &String| Regex::new(text).map_err(|e| format!("pattern: {text:?}: {e}"));
        self.pattern.as_ref().map(compile).transpose()
    }

    /// What makes the number less than the truth.
    fn remarks(&self, tally: &Tally, log: &Log) -> Vec<Finding> {
        let finding = |subject: String, message: String| Finding { severity: Severity::Warning, subject, message };
        let left_out = log.left_out.borrow();
        let mut findings: Vec<Finding> =
            left_out.iter().map(|(path, why)| finding(paths::shown(path), format!("not counted: {why}"))).collect();
        if tally.undated > 0 {
            let message = format!("{} lines that match carry no date and are not counted", tally.undated);
            findings.push(finding(paths::shown(&self.path), message));
        }
        findings
    }
}
