//! A small fleet, a rollouts file, a journal and a clock that the test sets.

mod bad_input;
mod due;
mod fingerprint;
mod fold;
mod gate;
mod gather;
mod journal;
mod law;
mod news;
mod skips;
mod stance;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::*;
use crate::{
    diag::{Diagnostics, SourceMap, render},
    inventory::{Files, Inventory, Options, ScriptOutput, load},
};

struct OneFile(String);

impl Files for OneFile {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("/hosts.yml") {
            Ok(self.0.clone().into_bytes())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn is_dir(&self, _: &Path) -> bool {
        false
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("/hosts.yml")
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn run_script(&self, _: &Path, _: &[&str]) -> io::Result<ScriptOutput> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Two owners with three hosts each.
const HOSTS: &str = "
web:
  vars: {contacts: {alpha: alpha@example.org, beta: [beta@example.org, b2@example.org]}}
  hosts:
    a1: {owner: alpha}
    a2: {owner: alpha}
    a3: {owner: alpha}
    b1: {owner: beta}
    b2: {owner: beta}
    b3: {owner: beta}
";

const FRAMES: &str = "
settings:
  frames:
    title: Pages are framed by their own site only
    reason: Clickjacking.
    impact: Pages of other sites that embed yours show a blank frame.
    skip: Say so in the inventory.
    verify: curl -sI https://HOST/ shows X-Frame-Options.
    owner: security
    stages:
      opt-in: 2027-01-01
      announced: 2027-01-10
      opt-out: {5%: 2027-02-01, 50%: 2027-02-04, 100%: 2027-02-10}
      mandatory: 2027-04-01
";

struct World {
    rollouts: Rollouts,
    map: SourceMap,
    inventory: Inventory,
    journal: Journal,
    evidence: Evidence,
    now: Timestamp,
    assume: Assume,
    print: String,
    lines: u32,
}

fn time(text: &str) -> Timestamp {
    if text.contains('T') { text.parse().unwrap() } else { format!("{text}T09:00:00Z").parse().unwrap() }
}

impl World {
    fn new(rollouts: &str, hosts: &str) -> Self {
        let (world, problems) = Self::read(rollouts, hosts);
        assert!(problems.is_empty(), "{problems}");
        world
    }

    /// The world, and everything that is wrong with its files and claims on 2027-01-01.
    fn read(text: &str, hosts: &str) -> (Self, String) {
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let options = Options { sources: vec!["/hosts.yml".into()], playbook_dirs: vec![], cwd: PathBuf::from("/") };
        let inventory = load(&OneFile(hosts.to_owned()), &options, &mut map, &mut found);
        let file = map.add("rollouts.yml", text);
        let rollouts = read(&map, file, &mut found);
        let now = time("2027-01-01");
        let names: Vec<String> = inventory.hosts_in("all").into_iter().map(str::to_owned).collect();
        for host in &names {
            claims(&inventory, host, &rollouts, rollouts.day(now), &mut found);
        }
        contacts(&inventory, names.iter().map(String::as_str), &mut found);
        let problems = render(&map, &found, false);
        let world = World {
            rollouts,
            map,
            inventory,
            journal: Journal::default(),
            evidence: Evidence::default(),
            now,
            assume: Assume::default(),
            print: "p1".into(),
            lines: 0,
        };
        (world, problems)
    }

    fn on(&mut self, day: &str) -> &mut Self {
        self.now = time(day);
        self
    }

    fn setting(&self) -> &Setting {
        &self.rollouts.settings["frames"]
    }

    fn view(&self) -> View<'_> {
        View {
            rollouts: &self.rollouts,
            journal: &self.journal,
            inventory: &self.inventory,
            now: self.now,
            assume: &self.assume,
        }
    }

    fn claims(&self, host: &str) -> Claims {
        let mut found = Diagnostics::new();
        claims(&self.inventory, host, &self.rollouts, self.rollouts.day(self.now), &mut found)
    }

    fn prints(&self) -> Prints {
        Prints { now: self.print.clone(), was: None }
    }

    fn stance(&self, host: &str) -> Stance {
        let claims = self.claims(host);
        self.view().stance(self.setting(), host, claims.get("frames"), &self.prints())
    }

    fn enforced(&self) -> Vec<&str> {
        let hosts = self.inventory.hosts_in("all");
        hosts.into_iter().filter(|h| self.stance(h).mode == Mode::Enforce).collect()
    }

    fn write(&mut self, what: Entry) -> String {
        self.lines += 1;
        let id = format!("r{:05}", self.lines);
        self.journal.push(Record { id: id.clone(), at: self.now, by: "root".into(), what });
        id
    }

    fn advance(&mut self, to: &str) {
        let revision = self.setting().revision.number;
        let to = to.parse().unwrap();
        self.write(Entry::Advance { setting: "frames".into(), revision, to, forced: None, hosts: BTreeMap::new() });
    }

    /// Announces the step to an owner, for hosts; gives the id.
    fn announce(&mut self, owner: &str, hosts: &[&str], step: &str) -> String {
        let print = self.print.clone();
        let item = Item {
            setting: "frames".into(),
            revision: self.setting().revision.number,
            step: step.parse().unwrap(),
            date: "2027-02-01".parse().unwrap(),
            hosts: hosts.iter().map(|h| ((*h).to_owned(), print.clone())).collect(),
        };
        self.write(Entry::Announced {
            purpose: Purpose::Announcement,
            owner: owner.into(),
            to: self.addresses(owner),
            message_id: format!("m{}@example.org", self.lines),
            items: vec![item],
        })
    }

    fn addresses(&self, owner: &str) -> Vec<String> {
        let people = contacts(&self.inventory, self.inventory.hosts_in("all"), &mut Diagnostics::new());
        people[owner].contacts.iter().map(Contact::uri).collect()
    }

    fn deliver(&mut self, of: &str, owner: &str) {
        for to in self.addresses(owner) {
            self.write(Entry::Delivered { of: of.to_owned(), to });
        }
    }

    /// Tells both owners of everything.
    fn tell_all(&mut self, step: &str) {
        for (owner, hosts) in [("alpha", ["a1", "a2", "a3"]), ("beta", ["b1", "b2", "b3"])] {
            let id = self.announce(owner, &hosts, step);
            self.deliver(&id, owner);
        }
    }

    /// A run that looked at all hosts; those in `change` would change (or, enforced in an apply, did), those in `failed` failed.
    fn look(&mut self, apply: bool, change: &[&str], failed: &[&str]) {
        let hosts = self.inventory.hosts_in("all");
        let seen = |h: &str| HostLook {
            enforced: self.stance(h).mode == Mode::Enforce,
            change: change.contains(&h).then(|| "c".to_owned()),
            failed: failed.contains(&h),
            print: Some(self.print.clone()),
            blocked: None,
            own_skip: None,
        };
        let hosts = hosts.into_iter().map(|h| (h.to_owned(), seen(h))).collect();
        let revision = self.setting().revision.number;
        let look = Look { at: self.now, run: "run".into(), setting: "frames".into(), revision, apply, hosts };
        self.evidence.add(&look);
    }

    /// A run that saw changes to come on these hosts, and counted so much on these days.
    fn count(&mut self, hosts: &[(&str, &[(&str, u64)])]) {
        let counted = |days: &[(&str, u64)]| Counted {
            days: days.iter().map(|(day, n)| (day.parse().unwrap(), *n)).collect(),
            most: Vec::new(),
        };
        let seen = |days| HostLook { change: Some("c".into()), blocked: Some(counted(days)), ..HostLook::default() };
        let hosts = hosts.iter().map(|(host, days)| ((*host).to_owned(), seen(days))).collect();
        let look = Look { at: self.now, run: "r".into(), setting: "frames".into(), revision: 1, apply: false, hosts };
        self.evidence.add(&look);
    }

    fn gate(&self) -> Gate {
        let hosts = self.inventory.hosts_in("all");
        let subjects = hosts
            .into_iter()
            .map(|h| (h.to_owned(), Subject { prints: self.prints(), claim: self.claims(h).remove("frames") }))
            .collect();
        gate(&self.view(), self.setting(), &subjects, &self.evidence)
    }

    fn missing(&self) -> Vec<String> {
        self.gate().missing.iter().map(ToString::to_string).collect()
    }
}
