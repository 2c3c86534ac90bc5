//! What an operator runs into: exit codes, host keys, privilege, hosts that are lost, hostile names.

#![expect(clippy::unwrap_used, reason = "a test")]

use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, output, run, start};

fn playbook(lease: &Lease, text: &str) -> String {
    lease.write("site.yml", text).unwrap().to_string_lossy().into_owned()
}

const WHO: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: id -un\n      changed_when: false\n      register: who\n    - debug: {msg: \"I am {{ who.stdout }}\"}\n";

fn messages(ran: &Ran) -> String {
    ran.reports().values().map(|report| report["messages"].to_string()).collect()
}

#[test]
fn exit_codes_say_what_happened() {
    let lease = pool::debian().unwrap();
    let cases = [
        ("debug: {msg: all well}", "check", 0),
        ("command: touch /etc/x", "check", 2),
        ("command: touch /etc/x", "apply", 0),
        ("fail: {msg: no}", "apply", 3),
        ("nonsense: {}", "check", 5),
    ];
    for (task, verb, code) in cases {
        let path = playbook(&lease, &format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n"));
        let ran = run(&lease, verb, &[&path]).unwrap();
        assert_eq!(ran.code, Some(code), "{task} {verb}: {}", ran.stderr);
    }
}

#[test]
fn an_unknown_host_key_is_refused_until_it_is_trusted() {
    let lease = pool::debian().unwrap();
    let path = playbook(&lease, WHO);
    std::fs::write(lease.known_hosts(), "").unwrap();
    let ran = run(&lease, "check", &[&path]).unwrap();
    assert_eq!(ran.code, Some(4));
    let said = format!("{:?}", ran.unreachable());
    assert!(said.contains("SHA256:") && said.contains("rectify trust"), "{said}");

    let known = lease.known_hosts().to_string_lossy().into_owned();
    let trust = ["--known-hosts", &known, "--yes"];
    let refused = output(&lease, "trust", &trust[..2]).unwrap();
    assert_eq!(refused.code, Some(5), "without a terminal nothing is recorded: {refused:?}");
    let output = output(&lease, "trust", &trust).unwrap();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(run(&lease, "check", &[&path]).unwrap().code, Some(0));

    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2gy2sYx9x2Y8Z0e7WZ6VGkY0Qmzq9JcQn8fO4hQw2R";
    std::fs::write(lease.known_hosts(), format!("{} {other}\n", lease.host().address())).unwrap();
    let ran = run(&lease, "check", &[&path]).unwrap();
    assert_eq!(ran.code, Some(4));
    assert!(format!("{:?}", ran.unreachable()).contains("known_hosts:1"), "{:?}", ran.unreachable());
}

#[test]
fn privilege_is_changed_as_asked_and_a_wrong_password_is_said_at_once() {
    let lease = pool::debian().unwrap();
    let path = playbook(&lease, WHO);
    let become_with = |user: &str, more: &[&str]| {
        let user = format!("ansible_user={user}");
        let mut args = vec![path.as_str(), "-e", &user];
        args.extend(more);
        run(&lease, "apply", &args).unwrap()
    };
    assert!(messages(&become_with("deploy", &[])).contains("I am deploy"));
    for more in [&["-b"][..], &["-b", "--become-method", "doas"]] {
        let ran = become_with("deploy", more);
        assert!(messages(&ran).contains("I am root"), "{more:?} {:?} {}", ran.unreachable(), ran.stderr);
    }
    let ran = become_with("admin", &["-b", "-e", "{ansible_become_password: admin secret}"]);
    assert!(messages(&ran).contains("I am root"), "{:?} {}", ran.unreachable(), ran.stderr);
    for (more, word) in [(&["-b", "-e", "ansible_become_password=sesame42"][..], "password"), (&["-b"], "-K")] {
        let ran = become_with("admin", more);
        assert_eq!(ran.code, Some(4));
        let said = format!("{:?}", ran.unreachable());
        assert!(said.contains(word) && !said.contains("sesame42"), "{more:?}: {said}");
    }
}

#[test]
fn one_lost_host_leaves_the_others_alone() {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let path = playbook(&lease, WHO);
    lease.hosts()[0].stop().unwrap();
    let ran = run(&lease, "check", &[&path, "-T", "3"]).unwrap();
    assert_eq!(ran.code, Some(4));
    let lost: Vec<String> = ran.unreachable().into_keys().collect();
    assert_eq!(lost, [lease.hosts()[0].name()]);
    assert_eq!(ran.reports().len(), 2, "the other host ran both tasks");
}

#[test]
fn a_helper_that_is_killed_is_a_lost_host_and_nothing_worse() {
    let lease = pool::debian().unwrap();
    let path = playbook(
        &lease,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: kill -9 $PPID\n    - command: touch /etc/after\n",
    );
    let ran = run(&lease, "apply", &[&path]).unwrap();
    assert_eq!(ran.code, Some(4));
    assert!(!lease.host().exec(&["test", "-e", "/etc/after"]).unwrap().success());
}

#[test]
fn what_a_host_says_cannot_move_the_cursor() {
    let lease = pool::debian().unwrap();
    let path = playbook(
        &lease,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: printf '\\033[2J\\033[31mred\\nand more'\n      register: out\n      changed_when: false\n    - debug: {msg: \"{{ out.stdout }}\"}\n",
    );
    let output = output(&lease, "apply", &[&path]).unwrap();
    assert!(output.stdout.contains("\\u{1b}[2J"), "{output:?}");
    assert!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'), "{output:?}");
}

#[test]
fn a_file_system_that_cannot_be_written_fails_that_task_and_says_so() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    host.sh("mkdir /srv/ro /srv/full; mount -t tmpfs -o ro none /srv/ro; mount -t tmpfs -o size=16k none /srv/full")
        .unwrap();
    host.sh("echo old >/srv/full/file").unwrap();
    let path = playbook(
        &lease,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {dest: /srv/ro/file, content: x}\n      ignore_errors: true\n    - copy: {dest: /srv/full/file, content: \"{{ 'x' * 100000 }}\"}\n",
    );
    let ran = run(&lease, "apply", &[&path]).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = format!("{:?}", ran.reports());
    assert!(said.contains("read-only file system") && said.contains("no space left"), "{said}");
    assert_eq!(host.read("/srv/full/file").unwrap(), "old\n");
    assert_eq!(host.sh("ls -A /srv/full").unwrap(), "file\n");
}

/// Interrupts an apply once its first task runs, once or until it ends; gives what it printed.
fn interrupted(lease: &Lease, once: bool) -> String {
    let path = playbook(
        lease,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: touch /etc/begun; until test -e /etc/go; do sleep 0.1; done\n    - command: touch /etc/after\n",
    );
    let mut child = start(lease, &path).unwrap();
    let host = lease.host();
    while !host.exec(&["test", "-e", "/etc/begun"]).unwrap().success() {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let interrupt = || std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(interrupt().success());
    if once {
        // Nothing on the host shows that the helper has heard of it.
        std::thread::sleep(std::time::Duration::from_secs(2));
        host.write("/etc/go", "").unwrap();
    }
    while !once && child.try_wait().unwrap().is_none() {
        // Two at the same moment would be one.
        std::thread::sleep(std::time::Duration::from_millis(300));
        interrupt();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(!host.exec(&["test", "-e", "/etc/after"]).unwrap().success(), "nothing new begins");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn one_interruption_lets_running_tasks_finish() {
    let said = interrupted(&pool::debian().unwrap(), true);
    assert!(said.contains("\"outcome\":\"changed\"") && said.contains("\"reason\":\"interrupted\""), "{said}");
    assert!(said.contains("\"event\":\"finished\""), "the report is whole: {said}");
}

#[test]
fn a_second_interruption_ends_the_remote_work() {
    let lease = pool::debian().unwrap();
    let said = interrupted(&lease, false);
    assert!(said.contains("cancelled") && said.contains("\"event\":\"finished\""), "{said}");
    assert!(!lease.host().exec(&["pgrep", "-f", "until test"]).unwrap().success(), "nothing is left running");
}
