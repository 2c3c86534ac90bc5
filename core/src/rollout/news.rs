//! What an owner is told: their hosts, what changes there, when, and what they can do about it. Data; how it looks is for the channels.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    about::{About, Reader},
    evidence::Evidence,
    gate::Subject,
    journal::{Entry, Item, Purpose},
    model::{Direction, Setting, Stage, StepName},
    people::{Contact, Person, owners},
    stance::{Mode, View},
};
use crate::{digest::hex, event::PropertyChange};

/// What one task would change on a host, as a check saw it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskChange {
    /// The task's name.
    pub task: String,
    /// What it manages: a path, a name.
    pub subject: String,
    /// Property by property.
    pub changes: Vec<PropertyChange>,
}

/// What a check saw: by setting, by host, the changes of its tasks.
pub type Seen = BTreeMap<String, BTreeMap<String, Vec<TaskChange>>>;

/// A host in the news.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostNews {
    /// Its name in the inventory.
    pub host: String,
    /// What would change there.
    pub changes: Vec<TaskChange>,
    /// Since when looks have seen that.
    pub since: Option<Timestamp>,
    /// How many looks have.
    pub looks: u32,
    /// How often enforcing would have blocked something there in 30 days, where that is counted.
    pub blocked: Option<u64>,
    /// What most of that came from, the most frequent first, as the last look counted it.
    pub blocked_by: Vec<(String, u64)>,
}

/// A skip in the news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkipNews {
    /// The host.
    pub host: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Its last day.
    pub until: Date,
    /// Whether the last look saw that it is still needed: that something would change without it.
    pub needed: bool,
}

/// What became of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The hosts that it changed, each with the day.
    pub changed: Vec<(String, Date)>,
    /// The hosts that were as declared already.
    pub same: Vec<String>,
    /// The hosts where it failed.
    pub failed: Vec<String>,
    /// The hosts that no apply has come to yet.
    pub waiting: Vec<String>,
}

/// A setting in the news of one owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingNews {
    /// The setting itself.
    #[serde(flatten)]
    pub about: About,
    /// Whether the new value allows more than the one before.
    pub looser: bool,
    /// Why the advance to the step was forced, if it was.
    pub forced: Option<String>,
    /// The step that is announced.
    pub step: StepName,
    /// The earliest day of it.
    pub date: Date,
    /// What became of it, in a summary.
    pub done: Option<Done>,
    /// The owner's hosts on which something would change.
    pub hosts: Vec<HostNews>,
    /// The owner's hosts on which the last check failed: what would change there is not known.
    pub unknown: Vec<String>,
    /// The owner's other hosts.
    pub unchanged: Vec<String>,
    /// The owner's hosts that skip it.
    pub skips: Vec<SkipNews>,
}

/// A message to one owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct News {
    /// Why it is sent.
    pub purpose: Purpose,
    /// To whom.
    pub owner: String,
    /// Their addresses, as URIs.
    pub to: Vec<String>,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// The Message-ID of the announcement that it follows.
    pub follows: Option<String>,
    /// The settings.
    pub settings: Vec<SettingNews>,
    /// What the journal keeps of it.
    #[serde(skip)]
    pub items: Vec<Item>,
}

/// What a message is made from.
#[derive(Debug)]
pub struct Newsroom<'a> {
    /// The moment, and all that has a say.
    pub view: View<'a>,
    /// The hosts that have tasks of each setting.
    pub subjects: &'a BTreeMap<String, BTreeMap<String, Subject>>,
    /// What a check saw.
    pub seen: &'a Seen,
    /// What earlier looks saw.
    pub evidence: &'a Evidence,
    /// How to reach people.
    pub people: &'a BTreeMap<String, Person>,
    /// The part of a Message-ID after the `@`.
    pub domain: &'a str,
}

impl Newsroom<'_> {
    /// The messages that announce these steps, one per owner that has hosts with tasks of one of the settings.
    pub fn announcements(&self, steps: &[(&Setting, StepName)]) -> Vec<News> {
        self.messages(Purpose::Announcement, steps)
    }

    /// One message per owner.
    pub fn messages(&self, purpose: Purpose, steps: &[(&Setting, StepName)]) -> Vec<News> {
        let mut by_owner: BTreeMap<String, Vec<(SettingNews, Item)>> = BTreeMap::new();
        for (setting, step) in steps {
            let Some(subjects) = self.subjects.get(&setting.id) else { continue };
            for (owner, mut hosts) in self.by_owner(subjects) {
                hosts.retain(|host| self.view.concerns(purpose, setting, *step, host));
                if hosts.is_empty() {
                    continue;
                }
                let said = self.setting(purpose, (setting, *step), &owner, subjects, &hosts);
                by_owner.entry(owner).or_default().push(said);
            }
        }
        by_owner.into_iter().flat_map(|(owner, said)| self.of_owner(purpose, &owner, said)).collect()
    }

    /// What was said before goes under the Message-ID of then, so that nobody gets it twice; all that is new is one message.
    fn of_owner(&self, purpose: Purpose, owner: &str, said: Vec<(SettingNews, Item)>) -> Vec<News> {
        let mut parts: BTreeMap<Option<&str>, Vec<(SettingNews, Item)>> = BTreeMap::new();
        for (news, item) in said {
            let setting = self.view.rollouts.settings.get(&item.setting);
            let earlier = setting.and_then(|setting| self.view.earlier(purpose, setting, owner, &item));
            let known = earlier.and_then(|record| match &record.what {
                Entry::Announced { message_id, .. } => Some(message_id.as_str()),
                _ => None,
            });
            parts.entry(known).or_default().push((news, item));
        }
        parts.into_iter().map(|(known, said)| self.message(purpose, owner.to_owned(), known, said)).collect()
    }

    /// What these steps mean for one host, for those who log in to it: settings that would change something there, or are skipped.
    pub fn on_host(&self, purpose: Purpose, host: &str, steps: &[(&Setting, StepName)]) -> Vec<SettingNews> {
        let owner =
            owners(self.view.inventory, host).into_iter().next().map_or_else(|| "WHO".to_owned(), |(name, _)| name);
        let told = |(setting, step): &(&Setting, StepName)| {
            let subjects = self.subjects.get(&setting.id).filter(|s| s.contains_key(host))?;
            Some(self.setting(purpose, (setting, *step), &owner, subjects, &[host.to_owned()]).0)
        };
        steps.iter().filter_map(told).filter(|news| !news.hosts.is_empty() || !news.skips.is_empty()).collect()
    }

    /// Hosts with tasks of a setting that nobody owns.
    pub fn without_owner(&self, setting: &Setting) -> Vec<String> {
        let subjects = self.subjects.get(&setting.id);
        let hosts = subjects.into_iter().flat_map(BTreeMap::keys);
        hosts.filter(|host| owners(self.view.inventory, host).is_empty()).cloned().collect()
    }

    fn by_owner(&self, subjects: &BTreeMap<String, Subject>) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for host in subjects.keys() {
            for (owner, _) in owners(self.view.inventory, host) {
                all.entry(owner).or_default().push(host.clone());
            }
        }
        all
    }

    fn message(&self, purpose: Purpose, owner: String, known: Option<&str>, said: Vec<(SettingNews, Item)>) -> News {
        let (settings, items): (Vec<SettingNews>, Vec<Item>) = said.into_iter().unzip();
        let to = self.people.get(&owner).map(|p| p.contacts.iter().map(Contact::uri).collect()).unwrap_or_default();
        let forced: Vec<&str> = settings.iter().filter_map(|s| s.forced.as_deref()).collect();
        let new = || message_id(purpose, &owner, &items, &forced, self.domain);
        let message_id = known.map_or_else(new, str::to_owned);
        let follows = (purpose != Purpose::Announcement).then(|| self.first_message(&owner, &items)).flatten();
        News { purpose, owner, to, message_id, follows, settings, items }
    }

    /// The announcement that told this owner of one of these steps first.
    fn first_message(&self, owner: &str, items: &[Item]) -> Option<String> {
        let told = items.iter().flat_map(|item| {
            let messages = self.view.journal.messages(&item.setting, owner);
            let first = |purpose, revision| purpose == Purpose::Announcement && revision == item.revision;
            messages.filter(move |(_, _, purpose, told)| first(*purpose, told.revision)).map(|told| told.0)
        });
        told.min_by_key(|record| (record.at, &record.id)).and_then(|record| match &record.what {
            Entry::Announced { message_id, .. } => Some(message_id.clone()),
            _ => None,
        })
    }

    fn setting(
        &self,
        purpose: Purpose,
        (setting, step): (&Setting, StepName),
        owner: &str,
        subjects: &BTreeMap<String, Subject>,
        hosts: &[String],
    ) -> (SettingNews, Item) {
        let at = setting.from_step(step);
        let date = at.map_or(Date::MAX, |s| s.date);
        let today = self.view.rollouts.day(self.view.now);
        // Who is told late has the notice period all the same.
        let due = at.map_or(date, |s| self.view.earliest(setting, s));
        let seen = self.seen.get(&setting.id);
        let changes = |host: &str| seen.and_then(|s| s.get(host)).filter(|c| !c.is_empty());
        let prints = hosts.iter().filter_map(|h| Some((h.clone(), subjects.get(h)?.prints.now.clone()))).collect();
        let item = Item { setting: setting.id.clone(), revision: setting.revision.number, step, date, hosts: prints };
        let reached = self.view.journal.reached(setting);
        let failed = |host: &String| {
            let known = self.evidence.of(setting, host);
            known.is_some_and(|e| e.seen.failed)
        };
        let rest = |unknown: bool| -> Vec<String> {
            hosts.iter().filter(|h| changes(h).is_none() && failed(h) == unknown).cloned().collect()
        };
        let change = hosts.iter().filter_map(|h| Some(self.host(setting, h, changes(h)?))).collect();
        // The step that was forced, and not those that follow it.
        let forced = self.view.journal.forced_advance(setting).filter(|(_, to, _)| *to == step);
        let forced = forced.map(|(_, _, reason)| reason.to_owned());
        let to = Reader { skips: owner, objects: owner, from: due, today };
        let news = SettingNews {
            about: setting.about(reached, self.people, to),
            looser: setting.revision.direction == Direction::Looser,
            forced,
            step,
            date: due,
            done: (purpose == Purpose::Summary).then(|| self.done(setting, subjects, hosts)),
            hosts: change,
            unknown: rest(true),
            unchanged: rest(false),
            skips: self.skips(setting, subjects, hosts),
        };
        (news, item)
    }

    fn done(&self, setting: &Setting, subjects: &BTreeMap<String, Subject>, hosts: &[String]) -> Done {
        let mut done = Done::default();
        for host in hosts {
            let Some(subject) = subjects.get(host) else { continue };
            let stance = self.view.stance(setting, host, subject.claim.as_ref(), &subject.prints);
            let known = self.evidence.of(setting, host);
            match known {
                _ if stance.mode != Mode::Enforce => {}
                Some(e) if e.seen.failed || e.applied.is_some_and(|(_, failed)| failed) => {
                    done.failed.push(host.clone())
                }
                Some(e) if e.since.is_none() => match e.changed {
                    Some(at) => done.changed.push((host.clone(), self.view.rollouts.day(at))),
                    None => done.same.push(host.clone()),
                },
                _ => done.waiting.push(host.clone()),
            }
        }
        done
    }

    fn host(&self, setting: &Setting, host: &str, changes: &[TaskChange]) -> HostNews {
        let known = self.evidence.of(setting, host);
        HostNews {
            host: host.to_owned(),
            changes: changes.to_vec(),
            since: known.and_then(|e| e.since),
            looks: known.map_or(0, |e| e.times),
            blocked: self.evidence.blocked(&setting.id, setting.revision.number, [host], self.view.now),
            blocked_by: known.and_then(|e| e.seen.blocked.as_ref()).map(|b| b.most.clone()).unwrap_or_default(),
        }
    }

    fn skips(&self, setting: &Setting, subjects: &BTreeMap<String, Subject>, hosts: &[String]) -> Vec<SkipNews> {
        let seen = self.seen.get(&setting.id);
        hosts
            .iter()
            .filter_map(|host| {
                let subject = subjects.get(host)?;
                let claim = subject.claim.as_ref();
                let skip = claim?.skip.as_ref()?;
                let stance = self.view.stance(setting, host, claim, &subject.prints);
                (stance.mode == Mode::Observe).then(|| SkipNews {
                    host: host.clone(),
                    reason: skip.reason.clone(),
                    owner: skip.owner.clone(),
                    until: skip.until,
                    needed: seen.and_then(|s| s.get(host)).is_some_and(|c| !c.is_empty()),
                })
            })
            .collect()
    }
}

/// The very lines that skip a setting, for half a year from its date or as long as it allows. `who` answers for it.
pub(super) fn skip_lines(setting: &Setting, date: Date, today: Date, who: &str) -> String {
    let after = |day: Date, days: u16| day.checked_add(jiff::Span::new().days(days)).unwrap_or(day);
    let until = after(date.max(today), 180).min(after(today, setting.skip_at_most));
    format!("rollout_skip:\n  {}: {{reason: WHY, owner: {who}, until: {until}}}\n", setting.id)
}

/// The very lines that ask for a setting at once.
pub(super) fn opt_in_lines(setting: &Setting) -> String {
    format!("rollout_opt_in: [{}]\n", setting.id)
}

/// The command with which an owner objects.
pub(super) fn object_command(setting: &Setting, who: &str) -> String {
    format!("rectify rollout object {} --as {who} --reason 'WHY'", setting.id)
}

/// The same for every attempt to send the same news, and for no other news.
fn message_id(purpose: Purpose, owner: &str, items: &[Item], forced: &[&str], domain: &str) -> String {
    let said = match purpose {
        Purpose::Announcement => serde_json::json!([purpose, owner, items, forced]).to_string(),
        // What follows an announcement is sent once for a step, whatever has changed on the hosts since.
        _ => {
            let keys: Vec<_> = items.iter().map(|i| (&i.setting, i.revision, i.step)).collect();
            serde_json::json!([purpose, owner, keys]).to_string()
        }
    };
    let hash = hex(&Sha256::digest(said)[..16]);
    format!("{hash}@{domain}")
}

/// What a step means for a host, in one sentence.
pub fn meaning(step: StepName) -> String {
    let whole = match step.stage {
        Stage::OptIn => "It holds on hosts that ask for it.",
        Stage::Announced => "Nothing changes yet; the date is public.",
        Stage::OptOut if step.percent < 100 => {
            return format!("It holds on the first {} % of the hosts, but for those that skip it.", step.percent);
        }
        Stage::OptOut => "It holds on every host that does not skip it.",
        Stage::Mandatory => "It holds on every host; a skip no longer counts.",
        Stage::Retired => "It is taken back.",
    };
    whole.to_owned()
}
