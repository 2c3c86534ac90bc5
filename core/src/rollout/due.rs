//! What follows an announcement: reminders before the day, a notice on it, a summary afterwards. Each is sent once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Span, civil::Date};

use super::{
    evidence::Evidence,
    gate::Subject,
    journal::{Entry, Item, Purpose, Record},
    model::{Setting, Stage, Step, StepName},
    people::owners,
    stance::{Mode, View},
};

/// How long a summary waits for hosts that no apply has come to, days.
const PATIENCE: i64 = 7;

impl View<'_> {
    /// The day on which a step can be taken at the earliest: its own, or the end of the notice period that began with the announcement.
    pub fn earliest(&self, setting: &Setting, step: &Step) -> Date {
        let told = self.told_of(setting, step.name).map(|(record, _)| self.rollouts.day(record.at)).next();
        let notice = Span::new().days(setting.notice_for(step.name.stage));
        let waited = told.unwrap_or_else(|| self.rollouts.day(self.now)).checked_add(notice);
        waited.map_or(step.date, |day| day.max(step.date))
    }

    /// The announcements of a setting's present revision that tell of this step's stage or of a later one.
    fn told_of(&self, setting: &Setting, step: StepName) -> impl Iterator<Item = (&Record, &Item)> {
        self.journal.announced(Purpose::Announcement).filter(move |(_, item)| {
            item.setting == setting.id && item.revision == setting.revision.number && item.step.stage >= step.stage
        })
    }

    /// The messages that are due now, by purpose: those of them that everybody has are left out. `reminders` are days before a step.
    pub fn due(
        &self,
        subjects: &BTreeMap<String, BTreeMap<String, Subject>>,
        evidence: &Evidence,
        reminders: &[u16],
    ) -> BTreeMap<Purpose, Vec<(String, StepName)>> {
        let mut due: BTreeMap<Purpose, Vec<(String, StepName)>> = BTreeMap::new();
        for setting in self.rollouts.settings.values() {
            let Some(hosts) = subjects.get(&setting.id) else { continue };
            for (purpose, step) in self.due_of(setting, hosts, evidence, reminders) {
                if !self.sent(purpose, setting, step, hosts) {
                    due.entry(purpose).or_default().push((setting.id.clone(), step));
                }
            }
        }
        due
    }

    fn due_of(
        &self,
        setting: &Setting,
        hosts: &BTreeMap<String, Subject>,
        evidence: &Evidence,
        reminders: &[u16],
    ) -> Vec<(Purpose, StepName)> {
        let (reached, today) = (self.reached(setting), self.rollouts.day(self.now));
        let mut days = reminders.to_vec();
        days.sort_unstable();
        let mut due = Vec::new();
        due.extend(self.journal.forced_advance(setting).map(|(_, to, _)| (Purpose::Announcement, to)));
        let open = |(record, item): (&Record, &Item)| match &record.what {
            Entry::Announced { to, .. } => self.journal.delivered(record, to).is_err().then_some(item.step),
            _ => None,
        };
        let ahead = setting.steps.get(reached + 1..).unwrap_or_default();
        let undelivered = ahead.iter().filter(|s| self.told_of(setting, s.name).filter_map(open).any(|o| o == s.name));
        due.extend(undelivered.map(|step| (Purpose::Announcement, step.name)));
        for (index, step) in setting.steps.iter().enumerate().filter(|(_, s)| s.name.stage >= Stage::OptOut) {
            if self.told_of(setting, step.name).next().is_none() {
                continue;
            }
            let left = today.until(self.earliest(setting, step)).map_or(i32::MAX, |span| span.get_days());
            // The nearest reminder that is due: one that was missed is not made up for by an older one.
            let reminder = days.iter().find(|d| left <= i32::from(**d) && left > 0);
            let purpose = match reminder {
                _ if index <= reached => self.is_settled(setting, hosts, evidence).then_some(Purpose::Summary),
                Some(days) => Some(Purpose::Reminder { days: *days }),
                None if left <= 0 && index == reached + 1 => Some(Purpose::Day),
                None => None,
            };
            due.extend(purpose.map(|purpose| (purpose, step.name)));
        }
        due
    }

    /// Whether every host that the last step enforces on has been through an apply, or has been waited for long enough.
    fn is_settled(&self, setting: &Setting, hosts: &BTreeMap<String, Subject>, evidence: &Evidence) -> bool {
        let Some((advance, _)) = self.journal.last_advance(setting, setting.revision.number) else { return false };
        let enforced = hosts.iter().filter(|(host, subject)| {
            let stance = self.stance(setting, host, subject.claim.as_ref(), &subject.prints);
            stance.mode == Mode::Enforce
        });
        let mut through = enforced.map(|(host, _)| {
            let known = evidence.of(setting, host);
            known.is_some_and(|e| e.since.is_none() && e.last >= advance.at)
        });
        let all = through.next().is_some_and(|first| first && through.all(|host| host));
        all || self.now.duration_since(advance.at) >= SignedDuration::from_hours(PATIENCE * 24)
    }

    /// Whether a host has something to do with a message: those of the cohorts before have had theirs.
    pub(super) fn concerns(&self, purpose: Purpose, setting: &Setting, step: StepName, host: &str) -> bool {
        if purpose == Purpose::Announcement || step.stage != Stage::OptOut {
            return true;
        }
        let before = setting.steps.iter().rev().find(|s| s.name.stage == Stage::OptOut && s.name < step);
        setting.covers(host, step.percent) && before.is_none_or(|s| !setting.covers(host, s.name.percent))
    }

    /// Whether every owner has this message, at every address.
    fn sent(&self, purpose: Purpose, setting: &Setting, step: StepName, hosts: &BTreeMap<String, Subject>) -> bool {
        let concerned = hosts.iter().filter(|(host, _)| self.concerns(purpose, setting, step, host));
        concerned.into_iter().all(|(host, subject)| {
            let item = Item {
                setting: setting.id.clone(),
                revision: setting.revision.number,
                step,
                date: setting.from_step(step).map_or(Date::MAX, |s| s.date),
                hosts: BTreeMap::from([(host.clone(), subject.prints.now.clone())]),
            };
            owners(self.inventory, host).iter().all(|(owner, _)| {
                let record = self.earlier(purpose, setting, owner, &item);
                record.is_some_and(|record| match &record.what {
                    Entry::Announced { to, .. } => self.journal.delivered(record, to).is_ok(),
                    _ => false,
                })
            })
        })
    }

    /// The message that has told an owner the same before, delivered or not. What was said before an advance was forced was
    /// not said of that.
    pub(super) fn earlier(&self, purpose: Purpose, setting: &Setting, owner: &str, item: &Item) -> Option<&Record> {
        let forced = self.journal.forced_advance(setting);
        let forced = forced.filter(|(_, to, _)| purpose == Purpose::Announcement && *to == item.step);
        let after = forced.map(|(record, _, _)| record.at);
        let same = |told: &Item| {
            let key = told.revision == item.revision && told.step == item.step;
            let whole = || item.hosts.iter().all(|(host, print)| told.hosts.get(host) == Some(print));
            key && (purpose != Purpose::Announcement || (told.date == item.date && whole()))
        };
        let mut told = self.journal.messages(&item.setting, owner).filter(|(_, _, of, _)| *of == purpose);
        told.find(|(record, _, _, told)| after.is_none_or(|at| record.at >= at) && same(told)).map(|told| told.0)
    }
}
