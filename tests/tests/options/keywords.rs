//! Every word of a playbook does something: cases in `keywords/*.yml`.
//!
//! A case begins with `#: PLACE KEY, PLACE KEY => TEXT`. It is run twice: as it stands, and without the lines that end in `#-`
//! but with those that begin with `#+`. TEXT must be in what the run says of the case's host the first time, and must not be the
//! second time: a key that is read and then ignored makes both alike. All cases share two runs: each is a host of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::local::{Folder, Said};

/// What proves some keys.
pub(crate) struct Case {
    /// `PLACE KEY` of each key that it is about.
    pub(crate) keys: Vec<String>,
    seen: String,
    with: String,
    without: String,
}

const FILES: [(&str, &str); 3] = [
    ("play.yml", include_str!("keywords/play.yml")),
    ("task.yml", include_str!("keywords/task.yml")),
    ("places.yml", include_str!("keywords/places.yml")),
];

/// All cases, with the file that each is in.
pub(crate) fn cases() -> Vec<(&'static str, Case)> {
    let files = FILES.into_iter().flat_map(|(file, text)| text.split("#: ").skip(1).map(move |part| (file, part)));
    files.map(|(file, part)| (file, case(part).unwrap_or_else(|| panic!("{file}: {part}")))).collect()
}

fn case(part: &str) -> Option<Case> {
    let (head, body) = part.split_once('\n')?;
    let (keys, seen) = head.split_once(" => ")?;
    let mut case = Case {
        keys: keys.split(", ").map(str::to_owned).collect(),
        seen: seen.to_owned(),
        with: String::new(),
        without: String::new(),
    };
    for line in body.lines() {
        if let Some((indent, rest)) = line.split_once("#+") {
            case.without += &format!("{indent}{rest}\n");
        } else if let Some(line) = line.strip_suffix("#-") {
            case.with += &format!("{}\n", line.trim_end());
        } else {
            case.with += &format!("{line}\n");
            case.without += &format!("{line}\n");
        }
    }
    Some(case)
}

fn folder(hosts: usize) -> Folder {
    let folder = Folder::new();
    let names: String = (0..hosts).map(|n| format!("case{n}\n")).collect();
    folder.write("hosts", &format!("{names}other\n[all:vars]\nansible_connection=local\nfolder={}\n", folder.at("")));
    folder.write("words.yml", "file_word: from a file\n");
    let quiet = crate::rollouts::setting("quiet", "opt-in: 2020-01-01, opt-out: 2090-01-01", "");
    folder.write("rollouts.yml", &format!("settings:\n{quiet}"));
    folder.write("files/here.txt", "here\n");
    let tasks = [
        ("say", "- debug: {msg: \"says {{ word | default('nothing') }}\"}\n"),
        (
            "run",
            "- shell: echo runs with ${WORD:-nothing} as $(id -un)\n  register: out\n- debug: {msg: \"{{ out.stdout }}\"}\n",
        ),
        ("set", "- set_fact: {word: set}\n"),
        ("fail", "- command: \"false\"\n"),
        ("write", "- copy: {dest: \"{{ folder }}/{{ file_name | default('x') }}\", content: x}\n"),
    ];
    for (name, text) in tasks {
        folder.write(&format!("{name}.yml"), text);
        folder.write(&format!("roles/{name}/tasks/main.yml"), text);
    }
    folder
}

/// What one run of all cases says of each host.
fn hosts_say(of: impl Fn(&Case) -> &str) -> (BTreeMap<String, String>, Said) {
    let cases = cases();
    let folder = folder(cases.len());
    let texts = cases.iter().enumerate().map(|(n, (_, c))| of(c).replace("hosts: here", &format!("hosts: case{n}")));
    folder.write("site.yml", &texts.collect::<String>());
    let said = folder.play("apply", "site.yml", &["--json", "--skip-tags", "unwanted", "-f", "8"]);
    let mut hosts: BTreeMap<String, String> = BTreeMap::new();
    for line in said.stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no event: {}", said.all()));
        if let Some(host) = event["host"].as_str() {
            *hosts.entry(host.to_owned()).or_default() += &format!("{line}\n");
        }
    }
    (hosts, said)
}

#[test]
fn every_keyword_does_something() {
    let ((with, said), (without, bare)) = std::thread::scope(|scope| {
        let with = scope.spawn(|| hosts_say(|case| &case.with));
        let without = scope.spawn(|| hosts_say(|case| &case.without));
        (with.join().unwrap(), without.join().unwrap())
    });
    assert!(!with.is_empty() && !without.is_empty(), "{}\n{}", said.all(), bare.all());
    let mut wrong = Vec::new();
    for (n, (file, case)) in cases().into_iter().enumerate() {
        let of = |said: &BTreeMap<String, String>| said.get(&format!("case{n}")).cloned().unwrap_or_default();
        let (with, without) = (of(&with), of(&without));
        if !with.contains(&case.seen) {
            wrong.push(format!("{file}: {:?}: {:?} is not seen in\n{with}", case.keys, case.seen));
        }
        if without.contains(&case.seen) {
            wrong.push(format!("{file}: {:?}: {:?} is seen without it too, in\n{without}", case.keys, case.seen));
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong\n{}\n{}", wrong.len(), wrong.join("\n"), said.stderr);
}

/// Keys that are refused, or accepted with a word about having no effect: keys, a playbook with `HERE` for a task's keys, what is
/// said, and how the program ends.
pub(crate) const SAID: &[(&str, &str, &str, i32)] = &[
    (
        "play strategy",
        "- {hosts: case0, strategy: free, tasks: [{command: \"true\"}]}",
        "`strategy: free` changes nothing",
        0,
    ),
    ("play strategy", "- {hosts: case0, strategy: debug, tasks: []}", "`strategy: debug` is not supported", 5),
    (
        "play gather_subset",
        "- {hosts: case0, gather_subset: [min], tasks: [{command: \"true\"}]}",
        "changes nothing",
        0,
    ),
    ("play any_errors_fatal", "- {hosts: case0, any_errors_fatal: true, tasks: []}", "is not supported", 5),
    (
        "handler tags",
        "- {hosts: case0, tasks: [{command: \"true\"}], handlers: [{name: h, tags: x, command: \"true\"}]}",
        "`tags` of a handler change nothing",
        0,
    ),
    (
        "loop_control pause",
        "- {hosts: case0, tasks: [{command: \"true\", loop: [1], loop_control: {pause: 1}}]}",
        "`loop_control: pause` is not supported",
        5,
    ),
    (
        "loop_control extended",
        "- {hosts: case0, tasks: [{command: \"true\", loop: [1], loop_control: {extended: true}}]}",
        "`loop_control: extended` is not supported",
        5,
    ),
    (
        "play collections",
        "- {hosts: case0, collections: [a.b], tasks: [{command: \"true\"}]}",
        "not looked up in collections",
        0,
    ),
    (
        "task collections, handler collections",
        "- {hosts: case0, tasks: [{command: \"true\", collections: [a.b]}]}",
        "not looked up in collections",
        0,
    ),
    (
        "block collections",
        "- {hosts: case0, tasks: [{block: [{command: \"true\"}], collections: [a.b]}]}",
        "not looked up in collections",
        0,
    ),
    (
        "include collections",
        "- {hosts: case0, tasks: [{import_tasks: say.yml, collections: [a.b]}]}",
        "not looked up in collections",
        0,
    ),
    (
        "role collections",
        "- {hosts: case0, roles: [{role: say, collections: [a.b]}]}",
        "not looked up in collections",
        0,
    ),
];

/// Keys that tests of their own prove.
pub(crate) const BY_TEST: &[(&str, &str)] = &[
    ("play connection", "connection::a_play_says_how_its_hosts_are_reached"),
    ("play remote_user", "connection::a_play_says_how_its_hosts_are_reached"),
    ("play become_method", "connection::a_play_says_how_its_hosts_are_reached"),
    ("task become_method", "connection::a_play_says_how_its_hosts_are_reached"),
    ("handler become_method", "connection::a_play_says_how_its_hosts_are_reached"),
    ("block become_method", "connection::a_play_says_how_its_hosts_are_reached"),
    ("include become_method", "connection::a_play_says_how_its_hosts_are_reached"),
    ("role become_method", "connection::a_play_says_how_its_hosts_are_reached"),
    ("play become_flags", "connection::a_play_says_how_its_hosts_are_reached"),
    ("task become_flags", "connection::a_play_says_how_its_hosts_are_reached"),
    ("handler become_flags", "connection::a_play_says_how_its_hosts_are_reached"),
    ("block become_flags", "connection::a_play_says_how_its_hosts_are_reached"),
    ("include become_flags", "connection::a_play_says_how_its_hosts_are_reached"),
    ("role become_flags", "connection::a_play_says_how_its_hosts_are_reached"),
    ("import_playbook import_playbook", "keywords::an_imported_playbook_takes_what_it_is_given"),
    ("import_playbook vars", "keywords::an_imported_playbook_takes_what_it_is_given"),
    ("import_playbook tags", "keywords::an_imported_playbook_takes_what_it_is_given"),
    ("import_playbook when", "keywords::an_imported_playbook_takes_what_it_is_given"),
];

/// Keys that are for whoever reads the playbook, and are not shown.
pub(crate) const FOR_READERS: &[&str] = &["import_playbook name", "block name", "include name"];

#[test]
fn what_has_no_effect_is_refused_or_said_to_have_none() {
    let folder = folder(1);
    for (keys, text, words, code) in SAID {
        folder.write("site.yml", &format!("{text}\n"));
        let said = folder.run(&["lint", "site.yml", "-i", "hosts"]);
        assert!(said.code == Some(*code) && said.stderr.contains(words), "{keys}: {}", said.all());
    }
}

#[test]
fn an_imported_playbook_takes_what_it_is_given() {
    let folder = folder(1);
    folder.write("inner.yml", "- {hosts: case0, gather_facts: false, roles: [say]}\n");
    let seen = |more: &str| {
        folder.write(
            "site.yml",
            &format!("- import_playbook: inner.yml\n{more}\n- {{hosts: case0, tasks: [{{debug: {{msg: over}}}}]}}\n"),
        );
        folder.play("check", "site.yml", &["--skip-tags", "unwanted", "-vv"]).all()
    };
    assert!(seen("").contains("says nothing"));
    assert!(seen("  vars: {word: bar}").contains("says bar"));
    assert!(!seen("  tags: [unwanted]").contains("says"));
    assert!(!seen("  when: 1 > 2").contains("says nothing"));
}
