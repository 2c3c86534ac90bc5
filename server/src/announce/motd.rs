//! The message of the day: whoever logs in to a host reads what changes there.
//!
//! Texts are files, one per host, for the shipped playbook `motd.yml` to place: what comes from a host is never taken for a template.

use std::{collections::BTreeMap, path::Path};

use minijinja::{Value, context, value::Serde};
use rectify_core::{rollout::SettingNews, text::plain_but};

use crate::{channels::ChannelError, templates::Templates};

/// The most settings that are told; the rest is counted. A message of the day is read in passing.
const SETTINGS: usize = 5;
/// The most changes of a setting that are named.
const CHANGES: usize = 3;
/// How long a line is.
const WIDTH: usize = 78;

impl Templates {
    /// The message of the day of one host, from the news about it alone; nothing where nothing changes.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn motd(&self, host: &str, news: &[SettingNews]) -> Result<String, ChannelError> {
        if news.is_empty() {
            return Ok(String::new());
        }
        let told = &news[..news.len().min(SETTINGS)];
        let changes: BTreeMap<&str, Vec<String>> = told.iter().map(|s| (s.about.id.as_str(), changes(s))).collect();
        let context = context! {
            host => host,
            settings => Value::from(Serde(told)),
            changes => Value::from(Serde(changes)),
            more => news.len() - told.len(),
        };
        // A terminal shows it, as root logs in.
        let text = self.render("motd.txt", &context)?;
        Ok(plain_but(&text, usize::MAX, |c| c == '\n'))
    }
}

/// The tasks that would change something, in a few words.
fn changes(setting: &SettingNews) -> Vec<String> {
    let all: Vec<_> = setting.hosts.iter().flat_map(|h| &h.changes).collect();
    let named = |task: &str, subject: &str| match subject {
        "" => format!("- {task}"),
        subject => format!("- {task} ({subject})"),
    };
    let mut told: Vec<String> = all.iter().take(CHANGES).map(|c| named(&c.task, &c.subject)).collect();
    if all.len() > CHANGES {
        told.push(format!("- and {} more changes", all.len() - CHANGES));
    }
    told
}

/// Breaks a text into lines that begin at a column.
pub(crate) fn wrap_filter(text: &str, column: usize) -> String {
    let room = WIDTH.saturating_sub(column).max(20);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join(&format!("\n{}", " ".repeat(column)))
}

/// Writes the texts into a folder as `HOST.txt`, each replaced as a whole; those of hosts without news are empty, and stay no longer what
/// they were.
///
/// # Errors
/// A host whose name is no file's, or a file that cannot be written.
pub fn write(folder: &Path, texts: &BTreeMap<String, String>) -> Result<usize, ChannelError> {
    let error = |path: &Path, source| ChannelError::File { doing: "writing", path: path.to_owned(), source };
    if let Some(host) = texts.keys().find(|host| host.contains(['/', '\0']) || host.starts_with('.')) {
        return Err(ChannelError::Settings(format!("no file can be called as the host {host:?} is")));
    }
    std::fs::create_dir_all(folder).map_err(|e| error(folder, e))?;
    for (host, text) in texts {
        let (path, new) = (folder.join(format!("{host}.txt")), folder.join(format!(".{host}.new")));
        std::fs::write(&new, text).map_err(|e| error(&new, e))?;
        std::fs::rename(&new, &path).map_err(|e| error(&path, e))?;
    }
    Ok(texts.len())
}
