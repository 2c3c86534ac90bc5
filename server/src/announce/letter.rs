//! What an announcement says, as text and as HTML.

use std::collections::BTreeMap;

use minijinja::{Value, context, value::Serde};
use rectify_core::rollout::{News, Purpose, SettingNews, Stage};

use crate::{
    channels::{ChannelError, Letter},
    templates::Templates,
    told::lines,
};

impl Templates {
    /// Writes a message.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn letter(&self, news: &News) -> Result<Letter, ChannelError> {
        let subject = subject(news);
        let hosts: usize = news.settings.iter().map(|s| s.hosts.len()).sum();
        let context = context! {
            news => Value::from(Serde(news)),
            subject => &subject,
            purpose => purpose_word(news.purpose),
            hosts => hosts,
            changes => Value::from(Serde(changes(news))),
            touched => news.settings.iter().map(|s| (s.about.id.clone(), touched(s))).collect::<BTreeMap<_, _>>(),
        };
        Ok(Letter { text: self.render("letter.txt", &context)?, html: self.render("letter.html", &context)?, subject })
    }
}

/// The hosts that change on the day: not those whose skip holds then.
fn touched(setting: &SettingNews) -> Vec<String> {
    let skips = |host: &str| setting.skips.iter().any(|s| s.host == host && s.until >= setting.date);
    let stays = |host: &str| setting.step.stage != Stage::Mandatory && skips(host);
    setting.hosts.iter().map(|h| h.host.clone()).filter(|host| !stays(host)).collect()
}

fn purpose_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Announcement => "announcement",
        Purpose::Reminder { .. } => "reminder",
        Purpose::Day => "day",
        Purpose::Summary => "summary",
    }
}

/// What the message is about, in one line: the words that somebody decides by whether to open it.
fn subject(news: &News) -> String {
    let first = news.settings.first();
    let what = match (first, news.settings.len()) {
        (Some(setting), 1) => setting.about.title.clone(),
        (_, n) => format!("{n} settings"),
    };
    let date = news.settings.iter().map(|s| s.date).min();
    let on = |date: Option<jiff::civil::Date>| date.map(|d| format!(" on {d}")).unwrap_or_default();
    let calm = news.settings.iter().all(|s| touched(s).is_empty() && s.unknown.is_empty());
    let line = match news.purpose {
        Purpose::Announcement if calm => format!("Nothing changes on your hosts{}: {what}", on(date)),
        Purpose::Announcement => format!("Your hosts change{}: {what}", on(date)),
        // One that was missed is made up for later: the date is right whenever it comes.
        Purpose::Reminder { .. } => format!("Reminder{}: {what}", on(date)),
        Purpose::Day => format!("Today: {what}"),
        Purpose::Summary => format!("Done: {what}"),
    };
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One change on one or more hosts, with its difference as lines.
#[derive(Debug, serde::Serialize)]
struct Shown {
    setting: String,
    hosts: Vec<String>,
    task: String,
    subject: String,
    lines: Vec<String>,
}

/// The changes, identical ones once with all their hosts.
fn changes(news: &News) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for setting in &news.settings {
        for host in &setting.hosts {
            for change in &host.changes {
                let lines = lines(&change.changes);
                let same = |s: &&mut Shown| {
                    s.setting == setting.about.id
                        && s.task == change.task
                        && s.subject == change.subject
                        && s.lines == lines
                };
                match shown.iter_mut().find(same) {
                    Some(known) => known.hosts.push(host.host.clone()),
                    None => shown.push(Shown {
                        setting: setting.about.id.clone(),
                        hosts: vec![host.host.clone()],
                        task: change.task.clone(),
                        subject: change.subject.clone(),
                        lines,
                    }),
                }
            }
        }
    }
    shown
}
