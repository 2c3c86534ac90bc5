//! Hosts on which things are not what they should be: what is no file where a file is expected, files too long to be text,
//! templates without an end, names that are no names. Each fails that task on that host only, with its reason, and leaves
//! what was there as it was.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use rectify_tests::image::Image;
use rectify_tests::law;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, output, run};

/// A playbook of `tests/playbooks/hostile`.
fn playbook(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("playbooks/hostile").join(name);
    path.to_string_lossy().into_owned()
}

/// Two hosts, of which the first is the odd one.
fn pair() -> Lease {
    pool::lease(&[Image::Debian, Image::Debian]).unwrap()
}

/// What became of every task or item on a host, by `task item`: its outcome, and why it failed.
fn ends(ran: &Ran, host: &str) -> BTreeMap<String, (String, String)> {
    let reports = ran.reports().into_iter().filter(|(place, _)| place.0 == host);
    reports
        .map(|((_, task, item), report)| {
            let failure = &report["outcome"]["failure"];
            let why = failure["message"].as_str().unwrap_or_default().to_owned();
            // The task's number comes before its name.
            let task = task.split_once(' ').map_or("", |(_, name)| name);
            (format!("{task} {item}").trim().to_owned(), (Ran::outcome(&report).to_owned(), why))
        })
        .collect()
}

/// The tasks and items that failed on a host, in order, with where they stand and why.
fn failures(ran: &Ran, host: &str) -> Vec<(String, (String, String))> {
    ends(ran, host).into_iter().filter(|(_, (outcome, _))| outcome == "failed").collect()
}

/// What the last task of that name said on a host.
fn said(ran: &Ran, host: &str, task: &str) -> String {
    let of = |place: &(String, String, String)| place.0 == host && place.1.ends_with(&format!(" {task}"));
    let said = ran.reports().into_iter().filter(|(place, _)| of(place));
    said.filter_map(|(_, report)| report["messages"][0].as_str().map(str::to_owned)).next().unwrap_or_default()
}

const MODULES: &str = "copy through template lineinfile blockinfile replace ini_file file directory slurp permissions";

#[test]
fn what_is_no_file_is_said_and_left_as_it_is() {
    let lease = pair();
    let [odd, fine] = lease.hosts() else { panic!("two hosts were leased") };
    odd.sh(&format!(
        "for m in {MODULES}; do mkdir -p /srv/odd/$m && cd /srv/odd/$m && mkdir folder behind && echo old >real &&
         ln -s nothing dangling && ln -s behind to_folder && ln -s loop loop && ln -s real to_file && mkfifo fifo &&
         mknod device c 1 3 || exit 1; done"
    ))
    .unwrap();
    fine.sh(&format!(
        "for m in {MODULES}; do mkdir -p /srv/odd/$m && cd /srv/odd/$m &&
         for k in dangling to_folder loop to_file folder fifo device; do echo old >$k || exit 1; done; done"
    ))
    .unwrap();
    fine.sh("cd /srv/odd; for m in directory permissions; do rm $m/* && (cd $m && mkdir dangling to_folder loop to_file folder fifo device); done").unwrap();
    let held = law::hold(&lease, &[&playbook("kinds.yml")]).unwrap();

    let edits = "dangling device fifo folder loop to_folder";
    let refused = [
        ("copy", "device fifo folder to_folder"),
        ("copy through links", "device fifo folder loop to_folder"),
        // It goes into a folder, under its own name.
        ("template", "device fifo"),
        ("lineinfile", edits),
        ("blockinfile", edits),
        ("replace", edits),
        ("ini_file", edits),
        ("file", "dangling folder loop to_folder"),
        ("directory", "dangling device fifo loop to_file"),
        ("slurp", edits),
        ("permissions", "dangling device fifo loop to_file to_folder"),
    ];
    let expected: Vec<String> =
        refused.iter().flat_map(|(task, kinds)| kinds.split(' ').map(move |kind| format!("{task} {kind}"))).collect();
    let mut failed: Vec<String> = Vec::new();
    for (task, (_, why)) in failures(&held.apply, odd.name()) {
        let kind = task.rsplit(' ').next().unwrap();
        assert!(why.contains(&format!("/{kind}")) && why.len() > kind.len() + 20, "{task}: {why}");
        failed.push(task);
    }
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(failed), sorted(expected));
    assert_eq!(failures(&held.apply, fine.name()), [], "the other host goes on");

    // Nothing was touched but what a link leads to by the task's own wish, and links that a task replaces.
    let touched = odd.changes().unwrap();
    let written = [
        "copy/dangling",
        "copy/loop",
        "copy/to_file",
        "through/nothing",
        "through/real",
        "template/behind/line.j2",
        "template/dangling",
        "template/folder/line.j2",
        "template/loop",
        "template/to_file",
        "lineinfile/real",
        "blockinfile/real",
        "replace/real",
        "ini_file/real",
        "file/device",
        "file/fifo",
        "file/real",
        "directory/behind",
        "directory/folder",
        "permissions/folder",
    ];
    let written = sorted(written.map(|path| format!("/srv/odd/{path}")).to_vec());
    assert_eq!(touched.paths(), written, "{touched}");
}

#[test]
fn two_gigabytes_are_not_edited_and_fill_no_memory() {
    let lease = pair();
    let [odd, fine] = lease.hosts() else { panic!("two hosts were leased") };
    let names = "lineinfile blockinfile replace ini_file slurp template copy source copied";
    odd.sh("mkdir /srv/big && mount -t tmpfs -o size=1m none /srv/big").unwrap();
    odd.sh(&format!("cd /srv/big && truncate -s 2G {names} && truncate -s 200M template source copied")).unwrap();
    fine.sh(&format!("mkdir /srv/big && cd /srv/big && for n in {names}; do echo old >$n; done; echo new >source"))
        .unwrap();
    let ran = run(&lease, "apply", &[&playbook("big.yml")]).unwrap();
    assert_eq!(failures(&ran, fine.name()), []);
    let failed = failures(&ran, odd.name());
    let names: Vec<&str> = failed.iter().map(|(task, _)| task.as_str()).collect();
    assert_eq!(names, ["blockinfile", "ini_file", "lineinfile", "replace", "slurp"], "{failed:?}");
    for (task, (_, why)) in &failed {
        assert!(why.contains(&format!("/srv/big/{task}")) && why.contains("2147483648 bytes"), "{task}: {why}");
        assert_eq!(odd.sh(&format!("stat -c %s /srv/big/{task}")).unwrap(), "2147483648\n");
    }
    assert_eq!(odd.sh("cat /srv/big/template /srv/big/copy").unwrap(), "new\nnew\n");
    assert!(said(&ran, odd.name(), "found").starts_with("0 of 9, not looked into: 9"));
    let peak = said(&ran, odd.name(), "peak");
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    eprintln!("{peak}");
    assert!(kib < 40 << 10, "the helper took {peak}");
}

#[test]
fn templates_without_an_end_are_errors_and_what_was_there_stays() {
    let lease = pair();
    let [odd, fine] = lease.hosts() else { panic!("two hosts were leased") };
    for host in [odd, fine] {
        host.sh("mkdir /srv/endless && cd /srv/endless && for n in file argument output condition loop itself after; do echo old >$n; done; python3 -c 'print(\"a\" * 60 + \"b\")' >pattern").unwrap();
        host.mark().unwrap();
    }
    let rounds = format!("[debian]\n{} rounds=50000\n{} rounds=2\n", odd.name(), fine.name());
    let more = lease.write("rounds.ini", &rounds).unwrap();
    let ran = run(&lease, "apply", &["-i", &more.to_string_lossy(), &playbook("endless.yml")]).unwrap();
    let failed = failures(&ran, odd.name());
    let steps = "too many steps";
    let expected = [
        ("argument", steps),
        ("condition", "`range` would have"),
        ("file", steps),
        ("itself", "`circle` → `circle`"),
        ("loop", "`range` would have"),
        ("output", "longer than 16 MiB"),
    ];
    assert_eq!(failed.len(), expected.len(), "{failed:#?}");
    for ((task, (_, why)), (name, words)) in failed.iter().zip(expected) {
        assert!(task == name && why.contains(words), "{task}: {why}");
    }
    assert_eq!(odd.changes().unwrap().paths(), ["/srv/endless/after", "/srv/endless/pattern"]);
    assert_eq!(failures(&ran, fine.name()), []);
    assert_eq!(
        fine.sh("cd /srv/endless; cat file argument itself after; test ! -e condition -o ! -e loop").unwrap(),
        "new\nnew\nnew\nnew\n"
    );

    // On the screen: on which host, which task, in which line, why.
    let screen = output(&lease, "check", &["-i", &more.to_string_lossy(), &playbook("endless.yml")]).unwrap().stdout;
    let lines: Vec<&str> = screen.lines().map(str::trim).collect();
    let at = lines.iter().position(|l| l.contains("file ") && l.ends_with("endless.yml:6")).expect(&screen);
    let below = lines[at + 1..at + 6].join("\n");
    assert!(["failed, ignored", odd.name(), "endless.j2", steps].iter().all(|w| below.contains(w)), "{screen}");
}

#[test]
fn names_that_are_no_names_are_taken_as_they_are_and_shown_safely() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    host.sh("mkdir -p /srv/names /srv/links /srv/tree /srv/recursed").unwrap();
    for folder in ["tree", "recursed"] {
        host.sh(&format!(
            "cd /srv/{folder}; touch \"$(printf 'no\\377utf8')\" \"$(printf 'no\\376utf8')\" \"$(printf 'esc\\033[2Jape')\" 'sp ace'; chmod 666 *"
        ))
        .unwrap();
    }
    host.sh("touch \"$(printf '/srv/names/no\\377utf8')\"").unwrap();
    let path = playbook("names.yml");
    let check = output(&lease, "check", &["-vvv", &path]).unwrap();
    for stream in [&check.stdout, &check.stderr] {
        let harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!stream.contains(harmful), "{stream:?}");
    }
    for shown in [
        "/srv/names/two\\nlines\n",
        "/srv/names/\\u{1b}[2J\\u{1b}[31mred\\u{7}\n",
        "/srv/names/\\u{202e}txt.exe\n",
        "paths./srv/tree/no\\xffutf8.mode: 0666 → 0600",
        "paths./srv/tree/no\\xfeutf8.mode: 0666 → 0600",
        "below./srv/recursed/no\\xffutf8.mode: 0666 → 0600",
    ] {
        assert!(check.stdout.contains(shown), "{shown:?}\n{}", check.stdout);
    }

    let held = law::hold(&lease, &[&path]).unwrap();
    assert_eq!(failures(&held.apply, host.name()), []);
    // In the event stream a name is what it is.
    let subjects: Vec<String> =
        held.apply.reports().into_values().filter_map(|r| r["subject"].as_str().map(str::to_owned)).collect();
    assert!(subjects.contains(&"/srv/names/\u{1b}[2J\u{1b}[31mred\u{7}".to_owned()), "{subjects:?}");
    // Exactly these files are there, and nothing was executed.
    assert_eq!(host.sh("ls -A /srv/names | wc -l; ls -A /srv/links | wc -l").unwrap(), "11\n10\n");
    let changes = host.changes().unwrap();
    assert!(changes.paths().iter().all(|path| path.starts_with("/srv/") || *path == "(not UTF-8)"), "{changes}");
    let modes = host.sh("find /srv/tree /srv/recursed -type f -printf '%m\\n' | sort | uniq -c | tr -d ' '").unwrap();
    assert_eq!(modes, "8600\n");

    // What no task could name is not handed on under another name.
    let left_out = |report: &serde_json::Value| {
        report["messages"].to_string().contains("1 left out, because their names are not UTF-8")
    };
    let found = held.apply.reports().into_iter().find(|(place, _)| place.1.ends_with(" found")).unwrap().1;
    assert!(left_out(&found), "{found:#}");
}

#[test]
fn links_that_others_planted_lead_root_nowhere() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    host.sh("mkdir -m 1777 /srv/drop; echo old >/etc/victim; chmod 600 /etc/victim; touch -d @0 /etc/victim").unwrap();
    host.sh("for d in /srv/drop /home/nosudo; do cd $d; for n in copy template lineinfile blockinfile replace ini_file mode owner touch; do runuser -u nosudo -- ln -s /etc/victim $n; done; runuser -u nosudo -- ln -s /etc folder; done").unwrap();
    let held = law::hold(&lease, &[&playbook("planted.yml")]).unwrap();
    let failed = failures(&held.apply, host.name());
    for (task, (_, why)) in &failed {
        let place = task.rsplit(' ').next().unwrap();
        assert!(why.contains("not followed") && why.contains(&format!("the link {place}/")), "{task}: {why}");
        assert!(why.contains("user 1002"), "{task}: {why}");
    }
    // All but the two that do not follow links at all, at both places.
    assert_eq!(failed.len(), 2 * 10, "{failed:#?}");
    let changes = host.changes().unwrap().without(&["/srv/drop", "/home/nosudo"]);
    assert_eq!(changes.to_string(), "", "nothing outside the two folders");
    assert_eq!(host.sh("stat -c '%a %U' /etc/victim; cat /etc/victim").unwrap(), "600 root\nold\n");
}
