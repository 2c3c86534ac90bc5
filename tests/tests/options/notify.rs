//! `[notify]`: who is told of what moved, and when, by a server that runs once an hour.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rectify_tests::clock;

use crate::announce::Heard;
use crate::local::{Folder, Said, said};

/// A host `a` of alpha's with one file, and a schedule on the full hour; `notify` is what stands in `[notify]`.
struct Site {
    folder: Folder,
    hook: Heard,
    /// Whether the hook answers.
    answers: Arc<AtomicBool>,
}

impl Site {
    fn new(notify: &str) -> Self {
        let answers = Arc::new(AtomicBool::new(true));
        let (folder, hook) = (Folder::new(), Heard::hook_that(Arc::clone(&answers)));
        folder.write("hosts", "a ansible_connection=local owner=alpha\n");
        folder.write("group_vars/all.yml", &format!("contacts: {{alpha: 'http://127.0.0.1:{}/'}}\n", hook.port));
        let file = folder.at("motd");
        let task = format!("- copy: {{dest: {file}, content: \"as declared\\n\"}}");
        folder.write("site.yml", &format!("- hosts: a\n  gather_facts: false\n  tasks:\n  {task}\n"));
        let site = Site { folder, hook, answers };
        site.notify(notify);
        let applied = site.at("09:30:00", &["apply"]);
        assert_eq!(applied.code, Some(0), "{}", applied.all());
        // The schedule is noted, and nothing is due.
        let first = site.serve("09:31:00");
        assert_eq!((first.stdout.as_str(), first.code), ("", Some(0)), "{}", first.all());
        site
    }

    fn notify(&self, notify: &str) {
        let schedule =
            "[[schedules]]\nname = \"hourly\"\ncron = \"0 * * * *\"\ntimezone = \"UTC\"\nmode = \"report\"\n";
        let config = format!("inventory = [\"hosts\"]\nplaybooks = [\"site.yml\"]\n[notify]\n{notify}\n{schedule}");
        self.folder.write("rectify.toml", &config);
    }

    fn at(&self, time: &str, args: &[&str]) -> Said {
        self.on("08", time, args)
    }

    /// On this day of March.
    fn on(&self, day: &str, time: &str, args: &[&str]) -> Said {
        let mut command = self.folder.command(args);
        clock::set(&mut command, &format!("2027-03-{day} {time}"));
        said(&mut command)
    }

    fn serve(&self, time: &str) -> Said {
        self.at(time, &["serve", "--once"])
    }

    fn becomes(&self, content: &str) {
        self.folder.write("motd", content);
    }
}

#[test]
fn operators_and_owners_are_told_of_a_transition_once_with_what_changed() {
    let site = Site::new("operators = [\"stdout:\"]");
    site.becomes("as somebody likes it\n");
    let told = site.serve("10:00:30");
    let file = site.folder.at("motd");
    assert_eq!(told.stdout.lines().next(), Some(format!("a drifted: {file}").as_str()), "{}", told.all());
    for line in ["-as somebody likes it", "+as declared"] {
        assert!(told.stdout.contains(line), "{}", told.all());
    }
    let posts = site.hook.taken();
    assert!(posts.len() == 1 && posts[0].contains("\"kind\":\"drifted\"") && posts[0].contains("alpha"), "{posts:?}");
    let again = site.serve("11:00:30");
    assert!(again.stdout.is_empty() && site.hook.taken().is_empty(), "{}", again.all());
    site.becomes("as declared\n");
    let back = site.serve("12:00:30");
    assert_eq!(back.stdout.lines().next(), Some("a is fine again"), "{}", back.all());
}

#[test]
fn a_digest_waits_for_its_time_and_only_what_is_wanted_is_told() {
    let site = Site::new("operators = [\"stdout:\"]\ndigest = \"daily 12:30 UTC\"");
    site.becomes("otherwise\n");
    for time in ["10:00:30", "12:00:30"] {
        let said = site.serve(time);
        assert!(said.stdout.is_empty(), "{}", said.all());
    }
    let told = site.serve("13:00:30");
    assert!(told.stdout.starts_with("a drifted") && told.stdout.contains("2027-03-08 10:00 UTC"), "{}", told.all());
    assert_eq!(site.hook.taken().len(), 1);
    site.notify("operators = [\"stdout:\"]\nonly = {operators = [\"failing\"], owners = [\"fine\"]}");
    site.becomes("as declared\n");
    let said = site.serve("14:00:30");
    assert!(said.stdout.is_empty(), "{}", said.all());
    assert!(site.hook.taken().concat().contains("\"kind\":\"fine\""));
}

#[test]
fn what_was_given_up_is_listed_and_tried_anew() {
    let site = Site::new("");
    let none = site.at("09:40:00", &["notices"]);
    assert_eq!((none.stdout.as_str(), none.stderr.trim_end()), ("", "everything was delivered"), "{}", none.all());
    site.answers.store(false, Ordering::SeqCst);
    site.becomes("otherwise\n");
    site.serve("10:00:30");
    let waits = site.at("10:00:40", &["notices"]);
    assert!(waits.stdout.contains("is tried again at 2027-03-08 10:01:3"), "{}", waits.all());
    assert!(waits.stdout.contains("to alpha (") && waits.stdout.contains("): a drifted: "), "{}", waits.all());
    // Three days are over.
    site.on("12", "10:00:30", &["serve", "--once"]);
    let dead = site.on("12", "10:01:00", &["notices"]);
    assert!(dead.stdout.contains("given up after 2 tries"), "{}", dead.all());
    let json = site.on("12", "10:01:00", &["notices", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let id = json[0]["notice"].as_str().unwrap();
    assert_eq!((&json[0]["given_up"], &json[0]["next"], json.as_array().unwrap().len()), (&true.into(), &().into(), 1));
    let none = site.on("12", "10:01:00", &["notices", "retry", "nonsense"]);
    assert!(none.code == Some(5) && none.stderr.contains("no message nonsense was given up"), "{}", none.all());
    let anew = site.on("12", "10:01:00", &["notices", "retry", &id[..8]]);
    assert!(anew.code == Some(0) && anew.stdout.contains("to alpha, is tried anew"), "{}", anew.all());
    // It has all its patience again.
    site.on("12", "10:01:30", &["serve", "--once"]);
    site.on("14", "10:01:30", &["serve", "--once"]);
    let waits = site.on("14", "10:02:00", &["notices"]);
    assert!(waits.stdout.contains("is tried again at 2027-03-14"), "{}", waits.all());
    site.on("16", "10:01:30", &["serve", "--once"]);
    assert_eq!(site.hook.taken().len(), 0);
    let anew = site.on("16", "10:02:00", &["notices", "retry", "--all"]);
    assert_eq!(anew.stdout, "1 message is tried anew\n", "{}", anew.all());
    site.answers.store(true, Ordering::SeqCst);
    site.on("16", "10:02:30", &["serve", "--once"]);
    assert_eq!(site.hook.taken().len(), 1);
    let none = site.on("16", "10:03:00", &["notices", "retry", "--all"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "0 messages are tried anew\n"), "{}", none.all());
}

#[test]
fn what_is_wrong_with_who_is_told_is_said_at_the_start() {
    let site = Site::new("");
    for (notify, words) in [
        ("operators = [\"ops\"]", "\"ops\" is no address"),
        ("operators = [\"ops@example.org\"]", "no mail server is set up"),
        ("digest = \"now and then\"", "cannot be understood"),
        ("only = {operators = [\"burnt\"]}", "burnt"),
    ] {
        site.notify(notify);
        let said = site.serve("10:00:30");
        assert!(said.code == Some(5) && said.stderr.contains(words), "{notify}: {}", said.all());
    }
}
