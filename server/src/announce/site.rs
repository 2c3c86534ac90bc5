//! What everybody may read: a page per setting (HTML and Markdown), an index, a feed (RFC 4287) and a calendar (RFC 5545).
//!
//! No host is named on these pages: whose hosts change is told to their owners only.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use atom_syndication::{Content, Entry as FeedEntry, Feed, FixedDateTime, Link, Text};
use chrono::NaiveDate;
use icalendar::{Calendar, Component, Event, EventLike, Property};
use jiff::Timestamp;
use minijinja::{Value, context, value::Serde};
use rectify_core::rollout::{About, Entry, Journal, Person, Reader, Rollouts, Setting, StepName, StepNews, meaning};
use serde::Serialize;

use crate::{channels::ChannelError, templates::Templates};

/// Everything that the pages are made from.
#[derive(Debug)]
pub struct Site<'a> {
    /// The settings.
    pub rollouts: &'a Rollouts,
    /// What happened.
    pub journal: &'a Journal,
    /// How to reach the settings' owners.
    pub people: &'a BTreeMap<String, Person>,
    /// How pages look.
    pub templates: &'a Templates,
    /// Where the pages will be found, without a slash at the end.
    pub url: &'a str,
    /// The moment.
    pub now: Timestamp,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    about: About,
    now: StepName,
    next: Option<StepNews>,
}

impl Site<'_> {
    /// The files of the site, by name.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn files(&self) -> Result<BTreeMap<PathBuf, String>, ChannelError> {
        let shown: Vec<Shown> = self.rollouts.settings.values().map(|s| self.shown(s)).collect();
        let mut files = BTreeMap::new();
        for setting in &shown {
            let context = context! { setting => Value::from(Serde(setting)) };
            for (template, end) in [("setting.html", "html"), ("setting.md", "md")] {
                files.insert(format!("{}.{end}", setting.about.id).into(), self.templates.render(template, &context)?);
            }
        }
        let context = context! { settings => Value::from(Serde(&shown)) };
        files.insert("index.html".into(), self.templates.render("index.html", &context)?);
        files.insert("feed.atom".into(), self.feed());
        files.insert("calendar.ics".into(), self.calendar());
        Ok(files)
    }

    /// Writes the files into a folder; each is replaced as a whole.
    ///
    /// # Errors
    /// A template that cannot be rendered, or a file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<usize, ChannelError> {
        let files = self.files()?;
        let error = |path: &Path, source| ChannelError::File { doing: "writing", path: path.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(|e| error(folder, e))?;
        for (name, text) in &files {
            let (path, new) = (folder.join(name), folder.join(format!(".{}.new", name.display())));
            std::fs::write(&new, text).map_err(|e| error(&new, e))?;
            std::fs::rename(&new, &path).map_err(|e| error(&path, e))?;
        }
        Ok(files.len())
    }

    fn shown(&self, setting: &Setting) -> Shown {
        let (reached, today) = (self.journal.reached(setting), self.rollouts.day(self.now));
        let from = setting.steps.get(reached + 1).map_or(today, |s| s.date);
        let to = Reader { skips: "WHO", objects: "OWNER", from, today };
        let about = setting.about(reached, self.people, to);
        Shown { now: setting.steps[reached].name, next: about.steps.get(reached + 1).cloned(), about }
    }

    fn time(at: Timestamp) -> FixedDateTime {
        at.to_string().parse().expect("invariant: a timestamp prints as RFC 3339")
    }

    /// One entry per advance and per first announcement of a step, the newest first.
    fn feed(&self) -> String {
        let mut told = std::collections::BTreeSet::new();
        let mut entries = Vec::new();
        for record in self.journal.records() {
            match &record.what {
                Entry::Advance { setting, to, revision, .. } => {
                    let key = format!("{setting}/{revision}/reached/{to}");
                    entries.extend(self.entry(setting, &key, record.at, &format!("has reached `{to}`")));
                }
                Entry::Announced { items, .. } => {
                    for item in items {
                        let key = format!("{}/{}/announced/{}", item.setting, item.revision, item.step);
                        if told.insert(key.clone()) {
                            let text = format!("is announced: `{}` on {}", item.step, item.date);
                            entries.extend(self.entry(&item.setting, &key, record.at, &text));
                        }
                    }
                }
                _ => {}
            }
        }
        entries.reverse();
        entries.truncate(100);
        let updated = self.journal.records().last().map_or(self.now, |r| r.at);
        let mut feed = Feed::default();
        feed.set_title("Changes of defaults");
        feed.set_id(format!("{}/feed.atom", self.url));
        feed.set_updated(Self::time(updated));
        feed.set_links(vec![
            link(&format!("{}/feed.atom", self.url), "self"),
            link(&format!("{}/index.html", self.url), "alternate"),
        ]);
        let mut author = atom_syndication::Person::default();
        author.set_name("rectify");
        feed.set_authors(vec![author]);
        feed.set_entries(entries);
        feed.to_string()
    }

    fn entry(&self, id: &str, key: &str, at: Timestamp, what: &str) -> Option<FeedEntry> {
        let setting = self.rollouts.settings.get(id)?;
        let mut entry = FeedEntry::default();
        entry.set_title(Text::plain(format!("{} {what}", setting.title)));
        entry.set_id(format!("{}/{}.html#{}", self.url, id, key.replace(['/', ' ', '%'], "-")));
        entry.set_updated(Self::time(at));
        entry.set_links(vec![link(&format!("{}/{id}.html", self.url), "alternate")]);
        let mut content = Content::default();
        content.set_content_type("text".to_owned());
        content.set_value(format!("{}\n\n{}", setting.reason, setting.impact));
        entry.set_content(content);
        Some(entry)
    }

    /// The steps that are still to come, each as a day.
    fn calendar(&self) -> String {
        let mut calendar = Calendar::new();
        calendar.name("Changes of defaults");
        for setting in self.rollouts.settings.values() {
            for step in &setting.steps[self.journal.reached(setting) + 1..] {
                let Some(day) = naive(step.date) else { continue };
                let name = step.name.to_string().replace([' ', '%'], "-");
                let mut event = Event::new();
                event
                    .uid(&format!("{}-{}-{name}@rectify", setting.id, setting.revision.number))
                    .summary(&format!("{}: {}", step.name, setting.title))
                    .description(&format!("{}\n\nNot before this day. {}", setting.impact, meaning(step.name)))
                    .url(&format!("{}/{}.html", self.url, setting.id))
                    .all_day(day);
                // Nobody is busy on that day.
                event.append_property(Property::new("TRANSP", "TRANSPARENT"));
                calendar.push(event.done());
            }
        }
        calendar.done().to_string()
    }
}

fn naive(day: jiff::civil::Date) -> Option<NaiveDate> {
    let (month, of_month) = (u32::try_from(day.month()).ok()?, u32::try_from(day.day()).ok()?);
    NaiveDate::from_ymd_opt(i32::from(day.year()), month, of_month)
}

fn link(href: &str, rel: &str) -> Link {
    let mut link = Link::default();
    link.set_href(href);
    link.set_rel(rel);
    link
}
