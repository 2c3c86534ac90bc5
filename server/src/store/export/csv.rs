//! CSV (RFC 4180) for spreadsheets: a line per property that changed, and per task without any.

use std::io::{self, Write};

use rectify_core::{event::Diff, text::plain_but};

use super::{HostReports, Report, Reports, sides};
use crate::{store::Head, told::words};

/// A cell is cut after so many characters: spreadsheets take 32,767.
const LONGEST: usize = 32_000;

const COLUMNS: [&str; 15] = [
    "run", "host", "play", "role", "task", "item", "module", "file", "line", "outcome", "subject", "property",
    "before", "after", "message",
];

pub(super) fn write(head: &Head, reports: &Reports, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = csv::Writer::from_writer(&mut *out);
    lines.write_record(COLUMNS)?;
    let mut put = |cells: [&str; 15]| lines.write_record(cells.map(cell));
    for host in &reports.hosts {
        let bare = |outcome, message| {
            [head.run.as_str(), &host.host, "", "", "", "", "", "", "", outcome, "", "", "", "", message]
        };
        match &host.failure {
            Some(failure) => put(bare("unreachable", &failure.message))?,
            None if host.state != "finished" => put(bare("not finished", ""))?,
            None => {}
        }
        for finding in &host.findings {
            let mut cells = bare("finding", &finding.message);
            cells[10] = &finding.subject;
            put(cells)?;
        }
        for task in &host.tasks {
            of_task(head, host, task, &mut put)?;
        }
    }
    lines.flush()
}

fn of_task(
    head: &Head,
    host: &HostReports,
    task: &Report,
    put: &mut dyn FnMut([&str; 15]) -> csv::Result<()>,
) -> io::Result<()> {
    let (info, report) = (&task.task, &task.report);
    let line = info.origin.line.to_string();
    let findings = report.findings.iter().map(|f| format!("{}: {}", f.subject, f.message));
    let message = task.said.lines.iter().cloned().chain(findings).collect::<Vec<_>>().join("; ");
    let cells = [
        &head.run,
        &host.host,
        &info.play,
        info.role.as_deref().unwrap_or_default(),
        &task.name,
        task.item.as_deref().unwrap_or_default(),
        &info.module,
        &info.origin.file,
        &line,
        words::status(report.outcome.status()),
        &report.subject,
        "",
        "",
        "",
        &message,
    ];
    if report.changes.is_empty() {
        put(cells)?;
    }
    for change in &report.changes {
        let [before, after] = sides(&change.diff);
        let mut cells = cells;
        (cells[11], cells[12], cells[13]) = (&change.property, &before, &after);
        if let Diff::Text { unified, .. } = &change.diff {
            cells[14] = unified;
        }
        put(cells)?;
    }
    Ok(())
}

/// A cell that no spreadsheet takes for a formula (OWASP, CSV Injection), and no terminal for more than text.
fn cell(text: &str) -> String {
    let text = plain_but(text, LONGEST, |c| matches!(c, '\n' | '\t'));
    // Full-width forms are taken for the same signs by some.
    let formula = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    if text.trim_start_matches(' ').starts_with(formula) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1", "=cmd|' /C calc'!A0"] {
            assert!(super::cell(text).starts_with('\''), "{text}");
        }
        assert_eq!(super::cell("0644"), "0644");
        assert_eq!(super::cell("a\u{1b}[2J\nb"), "a\u{fffd}[2J\nb");
    }
}
