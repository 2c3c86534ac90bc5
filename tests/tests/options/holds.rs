//! `rectify holds`: nothing is changed on a host that somebody put on hold, by whatever uses this record, until it is over.

use rectify_tests::clock;

use crate::local::{Folder, Said, said};

/// A machine under three names with a file each.
struct Site(Folder);

impl Site {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write(
            "hosts",
            "[web]\na ansible_connection=local\nb ansible_connection=local\n[db]\nc ansible_connection=local\n",
        );
        let task = "- copy: {dest: \"{{ playbook_dir }}/motd-{{ inventory_hostname }}\", content: \"as declared\\n\"}";
        folder.write("site.yml", &format!("- hosts: all\n  gather_facts: false\n  tasks:\n  {task}\n"));
        folder.write("rectify.toml", "inventory = [\"hosts\"]\nplaybooks = [\"site.yml\"]\n");
        Site(folder)
    }

    fn at(&self, time: &str, args: &[&str]) -> Said {
        let mut command = self.0.command(args);
        clock::set(&mut command, &format!("2027-03-08 {time}"));
        said(&mut command)
    }

    /// On which of the hosts the file is there.
    fn there(&self) -> String {
        ["a", "b", "c"].into_iter().filter(|host| self.0.path().join(format!("motd-{host}")).exists()).collect()
    }
}

#[test]
fn a_host_on_hold_is_looked_at_and_not_changed_until_it_is_over() {
    let site = Site::new();
    let none = site.at("08:00:00", &["holds"]);
    assert_eq!((none.code, none.stderr.trim_end()), (Some(0), "no host is held here"), "{}", none.all());
    let hold = |pattern: &str, lasts: &str, why: &str| {
        site.at("08:10:00", &["holds", "add", pattern, "--for", lasts, "--reason", why])
    };
    let unknown = hold("a", "2h", "the disk is swapped");
    assert!(
        unknown.code == Some(5) && unknown.stderr.contains("no host of the record is a: nothing is held"),
        "{}",
        unknown.all()
    );
    let check = site.at("08:05:00", &["check"]);
    assert_eq!(check.code, Some(2), "{}", check.all());
    for (lasts, why, words) in [
        ("2h", " ", "a hold needs a reason"),
        ("31d", "why", "within 30 days"),
        ("soon", "why", "such as 4h or 2d"),
        ("0h", "why", "such as 4h or 2d"),
    ] {
        let refused = hold("a", lasts, why);
        assert!(refused.code == Some(5) && refused.stderr.contains(words), "{lasts} {why}: {}", refused.all());
    }
    let held = hold("web", "2h", "the disk is swapped");
    assert!(
        held.code == Some(0) && held.stdout.starts_with("2 hosts are held until 2027-03-08 10:10:00"),
        "{}",
        held.all()
    );
    assert!(held.stdout.trim_end().ends_with(": a, b"), "{}", held.all());
    let all = site.at("08:20:00", &["holds"]);
    let line = all.stdout.lines().next().unwrap();
    assert!(line.starts_with("a  held by ") && line.ends_with(": the disk is swapped"), "{}", all.all());
    let json: serde_json::Value = serde_json::from_str(&site.at("08:20:00", &["holds", "--json"]).stdout).unwrap();
    let until = json[1]["hold"]["until"].as_str().unwrap();
    assert_eq!((&json[1]["host"], until.starts_with("2027-03-08T10:10:00")), (&"b".into(), true));

    let check = site.at("08:30:00", &["check"]);
    assert!(check.all().contains("until 2027-03-08T10:10:00Z: the disk is swapped"), "{}", check.all());
    let apply = site.at("08:31:00", &["apply"]);
    assert!(apply.all().contains("the disk is swapped") && site.there() == "c", "{}: {}", site.there(), apply.all());
    let ended = site.at("08:40:00", &["holds", "release", "c", "b"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(5), "b is held no longer\n"), "{}", ended.all());
    assert!(ended.stderr.contains("c is not held here"), "{}", ended.all());
    site.at("08:41:00", &["apply"]);
    assert_eq!(site.there(), "bc");
    // Two hours are over.
    let apply = site.at("10:10:01", &["apply"]);
    assert!(apply.code == Some(0) && !apply.all().contains("disk") && site.there() == "abc", "{}", apply.all());
}

#[test]
fn that_it_is_not_known_who_holds_what_is_said_before_an_apply() {
    let site = Site::new();
    let check = site.at("08:05:00", &["check"]);
    assert_eq!(check.code, Some(2), "{}", check.all());
    site.0.write(
        "rectify.toml",
        "inventory = [\"hosts\"]\nplaybooks = [\"site.yml\"]\n[record]\nstore = \"postgres://x@127.0.0.1:1/x\"\n",
    );
    let apply = site.at("08:10:00", &["apply"]);
    assert!(apply.all().contains("whether somebody put hosts on hold here is not known"), "{}", apply.all());
    assert_eq!(site.there(), "abc", "a record that is away stops no run");
}
