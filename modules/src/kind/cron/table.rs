//! The lines of a crontab.

use super::{Cron, Presence};
use crate::kind::shared::edit::{self, Line};

/// What stands in the line before an entry.
const MARK: &str = "#Ansible: ";

impl Cron {
    /// The crontab with the entry in it, or without.
    pub(super) fn edit(&self, text: &str) -> String {
        if self.takes_file() {
            return text.to_owned();
        }
        let mut lines = edit::lines(text);
        let name = self.name.as_deref().unwrap_or_default();
        let present = self.state == Presence::Present;
        if self.env {
            let variable = format!("{name}=\"{}\"", self.job.as_deref().unwrap_or_default());
            let found = lines.iter().position(|l| l.text.split_once('=').is_some_and(|(key, _)| key.trim() == name));
            match (found, present) {
                (Some(at), true) => lines[at].text = &variable,
                (Some(at), false) => drop(lines.remove(at)),
                // What stands above an entry counts for it.
                (None, true) => lines.insert(0, Line { text: &variable, end: "\n" }),
                (None, false) => {}
            }
            return edit::join(&lines);
        }
        let (mark, entry) = (format!("{MARK}{name}"), self.entry());
        let found = lines.iter().position(|l| l.text == mark);
        let owned = found.map(|at| lines.get(at + 1).is_some_and(|l| !l.text.starts_with(MARK)));
        match (found, present) {
            (Some(at), true) if owned == Some(true) => lines[at + 1].text = &entry,
            (Some(at), true) => {
                lines[at].end = "\n";
                lines.insert(at + 1, Line { text: &entry, end: "\n" });
            }
            (Some(at), false) => drop(lines.drain(at..at + 1 + usize::from(owned == Some(true)))),
            (None, true) => {
                if let Some(last) = lines.last_mut().filter(|l| l.end.is_empty()) {
                    last.end = "\n";
                }
                lines.extend([Line { text: &mark, end: "\n" }, Line { text: &entry, end: "\n" }]);
            }
            (None, false) => {}
        }
        if present && let Some(last) = lines.last_mut() {
            // cron(8) does not take a last line without its end.
            last.end = "\n";
        }
        edit::join(&lines)
    }

    /// The entry's line.
    fn entry(&self) -> String {
        let when = match &self.special_time {
            Some(word) => format!("@{word}"),
            None => self.fields().map(|f| f.unwrap_or("*")).join(" "),
        };
        let user = self.user.as_deref().filter(|_| self.cron_file.is_some());
        let off = if self.disabled { "#" } else { "" };
        let words = [Some(when.as_str()), user, self.job.as_deref()];
        format!("{off}{}", words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}
