//! What only a booted host shows: units that settle or do not, accounts that log in, jobs that run, trees of many files.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use rectify_tests::law;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, run};

fn playbook(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("playbooks/machine").join(name);
    path.to_string_lossy().into_owned()
}

/// The first host's report of the last task of that name.
fn report(ran: &Ran, task: &str) -> serde_json::Value {
    let of = |place: &(String, String, String)| place.1.ends_with(&format!(" {task}"));
    ran.reports().into_iter().rev().find(|(place, _)| of(place)).map(|(_, report)| report).unwrap_or_default()
}

fn unit(lease: &Lease, name: &str, service: &str) {
    let text = format!("[Unit]\nDescription={name}\n[Service]\n{service}\n[Install]\nWantedBy=multi-user.target\n");
    lease.host().write(&format!("/etc/systemd/system/{name}.service"), text).unwrap();
}

#[test]
fn a_unit_that_does_not_stay_is_a_failure_and_one_that_takes_its_time_is_none() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let ready =
        "Type=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 3; systemd-notify --ready; exec sleep infinity'";
    unit(&lease, "clean", "ExecStart=/bin/true");
    unit(&lease, "dies", "ExecStart=/bin/sh -c 'sleep 1; echo no more >&2; exit 3'");
    unit(&lease, "again", "ExecStart=/bin/sh -c 'sleep 0.3; exit 3'\nRestart=always\nRestartSec=100ms");
    unit(&lease, "slow", ready);
    unit(&lease, "prepares", "ExecStartPre=/bin/sleep 2\nExecStart=/bin/sleep infinity");
    unit(&lease, "never", "Type=notify\nTimeoutStartSec=2\nExecStart=/bin/sleep infinity");
    unit(&lease, "oneshot", "Type=oneshot\nExecStart=/bin/touch /run/done");
    unit(&lease, "breaks", "ExecStart=/bin/sh -c 'test -e /run/sound && exec sleep infinity; sleep 0.5; exit 4'");
    host.sh("touch /run/sound; systemctl daemon-reload; systemctl start breaks; rm /run/sound").unwrap();

    let ran = run(&lease, "apply", &[&playbook("units.yml")]).unwrap();
    for name in ["slow", "prepares", "oneshot"] {
        let report = report(&ran, name);
        assert_eq!(Ran::outcome(&report), "changed", "{name}: {report:#}");
    }
    assert_eq!(
        host.sh("systemctl is-active slow prepares; systemctl is-enabled slow; ls /run/done").unwrap(),
        "active\nactive\nenabled\n/run/done\n"
    );
    for (task, unit, words) in [
        ("clean", "clean.service", ["did not survive its start", "inactive"]),
        ("dies", "dies.service", ["did not survive its start", "result: exit-code"]),
        ("again", "again.service", ["did not survive its start", "over and over"]),
        ("never", "never.service", ["never.service", "timeout"]),
        ("restarted", "breaks.service", ["did not survive its restart", "result: exit-code"]),
    ] {
        let report = report(&ran, task);
        assert_eq!(Ran::outcome(&report), "failed", "{task}: {report:#}");
        let why = report["outcome"]["failure"]["message"].to_string();
        assert!(why.contains(unit) && words.iter().all(|w| why.contains(w)), "{task}: {why}");
    }
}

#[test]
fn an_account_that_was_made_logs_in_and_its_jobs_run() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let key = lease.home().join("ada");
    let words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f"].map(str::to_owned);
    lease.run(words.into_iter().chain([key.display().to_string()])).unwrap().ok().unwrap();
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let hash = lease.run(["openssl", "passwd", "-6", "-salt", "salt", "her secret"]).unwrap().ok().unwrap();
    let vars = serde_json::json!({ "key": public.trim(), "password": hash.trim() }).to_string();

    let held = law::hold(&lease, &["-e", &vars, &playbook("account.yml")]).unwrap();
    assert_eq!(held.apply.with("changed").len(), 7, "{:#?}", held.apply.reports());
    assert!(
        !format!("{:?}{:?}", held.check.events, held.apply.events).contains(hash.trim()),
        "the password is shown nowhere"
    );
    let again = run(&lease, "check", &["-e", &vars, &playbook("account.yml")]).unwrap();
    assert_eq!(again.code, Some(0), "{:#?}", again.reports());

    // With the key, by OpenSSH's own client.
    let known = format!("UserKnownHostsFile={}", lease.known_hosts().display());
    let target = format!("ada@{}", host.address());
    let login = [
        "ssh",
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        &known,
        "-i",
        &key.display().to_string(),
        &target,
        "id; pwd",
    ]
    .map(str::to_owned);
    let said = lease.run(&login).unwrap().ok().unwrap();
    for word in ["uid=4243(ada)", "gid=4242(team)", "27(sudo)", "33(www-data)", "/srv/ada\n"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // With the password, by our own, and with it through sudo to root.
    let path = lease.write("who.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - {command: id -un, register: who, changed_when: false}\n    - debug: {msg: \"I am {{ who.stdout }}\"}\n").unwrap();
    let path = path.to_string_lossy();
    let who = "{ansible_user: ada, ansible_password: her secret, ansible_become_password: her secret, ansible_ssh_private_key_file: /dev/null}";
    for (more, name) in [(&[][..], "I am ada"), (&["-b"][..], "I am root")] {
        let ran = run(&lease, "apply", &[&["-e", who, &path][..], more].concat()).unwrap();
        assert!(format!("{:?}", ran.reports()).contains(name), "{:?} {}", ran.unreachable(), ran.stderr);
    }
    // cron takes the tables, and runs what is due at its start.
    host.sh("rm -f /run/crond.reboot; systemctl restart cron; until test -s /srv/ada/greeted; do sleep 0.1; done")
        .unwrap();
    assert_eq!(host.read("/srv/ada/greeted").unwrap(), "ada\n");
    assert_eq!(
        host.sh("stat -c '%U %G %a' /srv/ada/greeted /var/spool/cron/crontabs/ada").unwrap(),
        "ada team 644\nada crontab 600\n"
    );
    assert_eq!(host.sh("grep -v '^#' /etc/cron.d/team").unwrap(), "*/5 1-3 * * * root echo 50\\% > /root/checked\n");
    assert!(!host.sh("journalctl -u cron --no-pager -q").unwrap().contains("bad"), "cron reads all of it");

    let held = law::hold(&lease, &[&playbook("no_account.yml")]).unwrap();
    assert_eq!(held.apply.with("changed").len(), 4, "{:#?}", held.apply.reports());
    assert!(!lease.run(&login).unwrap().success());
    assert_eq!(
        host.sh("getent passwd ada; getent group team; ls /srv/ada 2>/dev/null; cat /etc/cron.d/team").unwrap(),
        ""
    );
}

/// How many files the tree has: more than a rehearsal holds. With a million (`RECTIFY_TREE_FILES`) only the time is another.
const FILES: u32 = 100_000;

#[test]
fn a_tree_of_many_files_is_repaired_within_little_memory() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let files: u32 = std::env::var("RECTIFY_TREE_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(FILES);
    // Every file deviates, by its owner.
    let make = format!(
        "import os\nfor d in range({0}):\n os.makedirs('/srv/tree/%d' % d)\n for f in range(1000): os.close(os.open('/srv/tree/%d/%d' % (d, f), os.O_CREAT, 0o640))\n",
        files / 1000
    );
    host.sh("mkdir /srv/tree; mount -t tmpfs -o nr_inodes=0 none /srv/tree").unwrap();
    host.exec_with(&["python3", "-"], make.as_bytes()).unwrap().ok().unwrap();

    for verb in ["check", "apply"] {
        let start = std::time::Instant::now();
        let ran = run(&lease, verb, &[&playbook("tree.yml")]).unwrap();
        let policy = report(&ran, "policy");
        let outcome = if verb == "check" { "would_change" } else { "changed" };
        assert_eq!(Ran::outcome(&policy), outcome, "{verb}: {:.2000}", policy.to_string());
        let peak = report(&ran, "peak")["messages"][0].as_str().unwrap().to_owned();
        eprintln!("{verb} of {files} files: {:?}, {peak}", start.elapsed());
        let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kib < 64 << 10, "{verb}: {peak}");
    }
    let left = host.sh("find /srv/tree ! \\( -user deploy -group www-data \\( -type f -perm 640 -o -type d -perm 750 \\) \\) | head").unwrap();
    assert_eq!(left, "");
    let again = run(&lease, "check", &[&playbook("tree.yml")]).unwrap();
    assert_eq!(Ran::outcome(&report(&again, "policy")), "unchanged");
}
