//! What follows an announcement, and that nobody gets anything twice.

use super::*;

/// Two settings that become the default on the same day.
fn two() -> String {
    let frames = FRAMES.replace("{5%: 2027-02-01, 50%: 2027-02-04, 100%: 2027-02-10}", "2027-02-01");
    let (_, body) = frames.split_once("settings:\n").unwrap();
    format!("{frames}{}", body.replace("  frames:", "  trace:"))
}

impl World {
    fn subjects(&self) -> BTreeMap<String, BTreeMap<String, Subject>> {
        let hosts = || self.inventory.hosts_in("all").into_iter();
        let subject = |host: &str| Subject { prints: self.prints(), claim: self.claims(host).remove("frames") };
        let all = || hosts().map(|host| (host.to_owned(), subject(host))).collect();
        self.rollouts.settings.keys().map(|id| (id.clone(), all())).collect()
    }

    fn due(&self) -> Vec<(Purpose, Vec<String>)> {
        let due = self.view().due(&self.subjects(), &self.evidence, &[7, 1]);
        due.into_iter().map(|(purpose, steps)| (purpose, steps.into_iter().map(|(id, _)| id).collect())).collect()
    }

    /// Sends messages as the post office does; those to `lost` are not delivered. How many were sent that had not been before.
    fn send(&mut self, purpose: Purpose, ids: &[&str], step: &str, lost: &str) -> usize {
        let step: StepName = step.parse().unwrap();
        let subjects = self.subjects();
        let people = contacts(&self.inventory, self.inventory.hosts_in("all"), &mut Diagnostics::new());
        let all = {
            let room = Newsroom {
                view: self.view(),
                subjects: &subjects,
                seen: &Seen::new(),
                evidence: &self.evidence,
                people: &people,
                domain: "example.org",
            };
            let steps: Vec<_> = ids.iter().map(|id| (&self.rollouts.settings[*id], step)).collect();
            room.messages(purpose, &steps)
        };
        let mut new = 0;
        for news in all {
            let News { purpose, owner, to, message_id, items, .. } = news;
            let known = self.journal.announced(purpose).find_map(|(r, _)| match &r.what {
                Entry::Announced { message_id: id, .. } if *id == message_id => Some(r.clone()),
                _ => None,
            });
            let delivered = known.as_ref().is_some_and(|r| self.journal.delivered(r, &to).is_ok());
            let of = match known {
                Some(record) => record.id,
                None => self.write(Entry::Announced { purpose, owner: owner.clone(), to, message_id, items }),
            };
            if owner != lost && !delivered {
                self.deliver(&of, &owner);
                new += 1;
            }
        }
        new
    }
}

#[test]
fn each_message_comes_once_in_its_time() {
    let mut world = World::new(&two(), HOSTS);
    let both = || vec!["frames".to_owned(), "trace".to_owned()];
    world.on("2027-01-10");
    assert_eq!(world.due(), [], "what nobody was told of has nothing that follows");
    world.send(Purpose::Announcement, &["frames", "trace"], "opt-out", "");
    assert_eq!(world.on("2027-01-20").due(), []);
    for (day, purpose) in [
        ("2027-01-26", Purpose::Reminder { days: 7 }),
        ("2027-01-31", Purpose::Reminder { days: 1 }),
        ("2027-02-01", Purpose::Day),
    ] {
        world.on(day);
        // The day is that of the next step: `opt-in` and `announced` lie behind it only once they were taken.
        if purpose == Purpose::Day {
            for id in ["frames", "trace"] {
                let entry = Entry::Advance {
                    setting: id.into(),
                    revision: 1,
                    to: "announced".parse().unwrap(),
                    forced: None,
                    hosts: BTreeMap::new(),
                };
                world.write(entry);
            }
        }
        assert_eq!(world.due(), [(purpose, both())], "{day}");
        assert_eq!(world.send(purpose, &["frames", "trace"], "opt-out", "beta"), 1, "{day}");
        assert_eq!(world.due(), [(purpose, both())], "beta has not got it: {day}");
        assert_eq!(world.send(purpose, &["frames", "trace"], "opt-out", ""), 1, "{day}");
        assert_eq!(world.due(), [], "{day}");
    }
}

#[test]
fn a_summary_comes_when_every_host_was_there_or_after_a_week() {
    let mut world =
        World::new(&FRAMES.replace("{5%: 2027-02-01, 50%: 2027-02-04, 100%: 2027-02-10}", "2027-02-01"), HOSTS);
    world.on("2027-01-10").send(Purpose::Announcement, &["frames"], "opt-out", "");
    world.on("2027-02-02").look(false, &["a1", "b1"], &[]);
    world.advance("opt-out");
    assert_eq!(world.due(), []);
    let mut waited = World::new(FRAMES, HOSTS);
    (waited.rollouts, waited.journal) = (world.rollouts.clone(), world.journal.clone());
    let summary = [(Purpose::Summary, vec!["frames".to_owned()])];
    assert_eq!(waited.on("2027-02-10").due(), summary);
    world.on("2027-02-03").look(true, &["a1", "b1"], &[]);
    assert_eq!(world.due(), summary);
    world.send(Purpose::Summary, &["frames"], "opt-out", "");
    assert_eq!(world.on("2027-03-03").due(), []);
}

#[test]
fn what_was_said_together_is_not_said_again_alone() {
    let mut world = World::new(&two(), HOSTS);
    world.on("2027-01-10");
    assert_eq!(world.send(Purpose::Announcement, &["frames"], "opt-out", ""), 2);
    assert_eq!(world.send(Purpose::Announcement, &["frames", "trace"], "opt-out", ""), 2, "trace alone is new");
    assert_eq!(world.on("2027-01-12").send(Purpose::Announcement, &["trace"], "opt-out", ""), 0);
    // What has changed since is said anew, and so is what was forced.
    world.print = "p2".into();
    assert_eq!(world.send(Purpose::Announcement, &["frames"], "opt-out", ""), 2);
    let entry = Entry::Advance {
        setting: "trace".into(),
        revision: 1,
        to: "opt-out".parse().unwrap(),
        forced: Some("CVE-2027-1".into()),
        hosts: BTreeMap::new(),
    };
    world.print = "p1".into();
    world.on("2027-01-13").write(entry);
    assert_eq!(world.due(), [(Purpose::Announcement, vec!["trace".to_owned()])]);
    assert_eq!(world.send(Purpose::Announcement, &["trace"], "opt-out", ""), 2);
    assert_eq!(world.due(), []);
}

#[test]
fn what_did_not_arrive_is_due_until_it_does() {
    let mut world = World::new(&two(), HOSTS);
    world.on("2027-01-10").send(Purpose::Announcement, &["frames", "trace"], "opt-out", "beta");
    let announcement = [(Purpose::Announcement, vec!["frames".to_owned(), "trace".to_owned()])];
    assert_eq!(world.on("2027-01-11").due(), announcement);
    assert_eq!(world.send(Purpose::Announcement, &["frames", "trace"], "opt-out", ""), 1);
    assert_eq!(world.due(), []);
}

#[test]
fn who_is_told_late_is_told_of_a_day_after_the_notice() {
    let mut world = World::new(&two(), HOSTS);
    world.on("2027-01-30");
    let setting = &world.rollouts.settings["frames"];
    let step = setting.steps.iter().find(|s| s.name.stage == Stage::OptOut).unwrap();
    assert_eq!(world.view().earliest(setting, step).to_string(), "2027-02-13");
    let mut world = World::new(&two(), HOSTS);
    world.on("2027-01-25").send(Purpose::Announcement, &["frames"], "opt-out", "");
    world.on("2027-01-30");
    let setting = &world.rollouts.settings["frames"];
    let step = setting.steps.iter().find(|s| s.name.stage == Stage::OptOut).unwrap();
    assert_eq!(world.view().earliest(setting, step).to_string(), "2027-02-08");
}
