//! Hosts that are not reached, or are lost in the middle: each says where it ended and why, and the others go on.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::time::Duration;

use rectify_tests::fleet::{CONTROLLER_ADDRESS, Host};
use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, finish, output, run, start};
use serde_json::Value;

/// Begins, waits until it is told to go on, and does one thing more.
const IN_TWO_STEPS: &str = "- hosts: all
  gather_facts: false
  tasks:
    - shell: touch /run/begun; until test -e /run/go; do sleep 0.1; done
    - copy: {dest: /etc/after, content: whole}
";

const LOOK: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - stat: {path: /etc/passwd}\n";

fn playbook(lease: &Lease, text: &str) -> String {
    lease.write("site.yml", text).unwrap().to_string_lossy().into_owned()
}

/// A host that does not answer is noticed after two seconds, not after most of a minute.
fn impatient(lease: &Lease) {
    lease.write("ssh_more", "Host *\n ServerAliveInterval 1\n ServerAliveCountMax 2\n").unwrap();
}

fn wait_for(host: &Host, file: &str) {
    while !host.exec(&["test", "-e", file]).unwrap().success() {
        std::thread::yield_now();
    }
}

/// The processes of sshd that serve connections, and not the one that listens.
const SESSIONS: &str = "pgrep -f '^sshd: (root|deploy)'";

/// The helper's process on the host: the parent of the command that it runs.
fn helper(host: &Host) -> String {
    let parent = host.sh("ps -o ppid= -p $(pgrep -of '[u]ntil test')").unwrap();
    parent.trim().to_owned()
}

fn finished(ran: &Ran) -> Vec<&str> {
    let ends = ran.events.iter().filter(|e| e["event"] == "host_finished");
    ends.filter_map(|e| e["host"].as_str()).collect()
}

#[test]
fn hosts_that_stop_answering_in_the_middle_are_lost_and_the_others_go_on() {
    let lease = pool::lease(&[Image::Debian, Image::Debian, Image::Rpm]).unwrap();
    let [stopped, cut, fine] = lease.hosts() else { panic!("three hosts were leased") };
    impatient(&lease);
    let child = start(&lease, &playbook(&lease, IN_TWO_STEPS)).unwrap();
    lease.hosts().iter().for_each(|host| wait_for(host, "/run/begun"));

    let helpers = [helper(stopped), helper(cut)];

    stopped.sh(&format!("kill -STOP $({SESSIONS})")).unwrap();
    cut.sh("nft 'add table inet cut; add chain inet cut in { type filter hook input priority 0; policy drop; }'")
        .unwrap();
    fine.write("/run/go", "").unwrap();

    let ran = finish(child).unwrap();
    assert_eq!(ran.code, Some(4));
    let lost = ran.unreachable();
    assert_eq!(lost.keys().collect::<Vec<_>>(), [stopped.name(), cut.name()]);
    for (host, why) in &lost {
        assert!(
            why.contains("the connection was lost") && why.contains("the peer does not answer any more"),
            "{host}: {why}"
        );
    }
    assert_eq!(finished(&ran), [fine.name()]);
    assert_eq!(fine.read("/etc/after").unwrap(), "whole");

    // Nobody listens to the helpers that are left: they end what they run and begin nothing more.
    stopped.sh(&format!("kill -CONT $({SESSIONS})")).unwrap();
    cut.sh("nft delete table inet cut").unwrap();
    for (host, helper) in [(stopped, &helpers[0]), (cut, &helpers[1])] {
        host.sh(&format!(
            "while kill -0 {helper} 2>/dev/null || pgrep -f '[u]ntil test' >/dev/null; do sleep 0.1; done"
        ))
        .unwrap();
    }
    for host in [stopped, cut] {
        host.write("/run/go", "").unwrap();
        assert!(!host.exec(&["test", "-e", "/etc/after"]).unwrap().success(), "{}", host.name());
    }
}

#[test]
fn a_helper_that_hangs_can_be_left_by_interrupting_twice() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let mut child = start(&lease, &playbook(&lease, IN_TWO_STEPS)).unwrap();
    wait_for(host, "/run/begun");
    host.sh(&format!("kill -STOP {}", helper(host))).unwrap();
    interrupt_until_it_ends(&mut child);
    let ran = finish(child).unwrap();
    assert_eq!(ran.code, Some(4));
    let why = &ran.unreachable()[host.name()];
    assert!(why.contains("interrupted") && why.contains("did not end"), "{why}");
    assert_eq!(ran.events.last().unwrap()["event"], "finished", "the report is whole");
}

#[test]
fn a_helper_that_hangs_is_given_up_and_what_it_was_doing_is_named() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let [hangs, waits] = lease.hosts() else { panic!("two hosts were leased") };
    impatient(&lease);
    let mut child = start(&lease, &playbook(&lease, IN_TWO_STEPS)).unwrap();
    lease.hosts().iter().for_each(|host| wait_for(host, "/run/begun"));
    hangs.sh(&format!("kill -STOP {}", helper(hangs))).unwrap();
    let (mut lost, mut finished) = (Vec::new(), Vec::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let host = event["host"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("unreachable") => {
                lost.push((host, event["failure"].to_string()));
                // Its task has been silent for as long, and it was not given up.
                waits.write("/run/go", "").unwrap();
            }
            Some("host_finished") => finished.push(host),
            _ => {}
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let [(host, why)] = lost.as_slice() else { panic!("{lost:?}") };
    assert_eq!((host.as_str(), finished), (hangs.name(), vec![waits.name().to_owned()]));
    assert!(why.contains("the helper has said nothing for 15 s"), "{why}");
    assert!(why.contains("while running `shell` (") && why.contains("site.yml:4)"), "{why}");
}

fn interrupt_until_it_ends(child: &mut Child) {
    for _ in 0..2 {
        // Two at the same moment would be one.
        std::thread::sleep(Duration::from_millis(500));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    }
    child.wait().unwrap();
}

#[test]
fn a_host_that_never_speaks_one_that_is_not_there_and_one_without_a_name_are_told_apart() {
    let lease = pool::debian().unwrap();
    // Connections are taken by the kernel; nobody ever says a word.
    let (_mute, mute_port) = lease.namespace().enter(listen).unwrap();
    // Says what an SSH server says first, and no more.
    let (half, half_port) = lease.namespace().enter(listen).unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok((mut client, _)) = half.accept() {
            let _ = std::io::Write::write_all(&mut client, b"SSH-2.0-half\r\n");
            open.push(client);
        }
    });
    let fine = lease.host();
    let inventory = format!(
        "{} ansible_host={}\n\
         mute ansible_host={CONTROLLER_ADDRESS} ansible_port={mute_port}\n\
         half ansible_host={CONTROLLER_ADDRESS} ansible_port={half_port}\n\
         shut ansible_host={CONTROLLER_ADDRESS} ansible_port=1\n\
         nameless ansible_host=no-such-host.invalid\n\
         [all:vars]\nansible_user=root\nansible_ssh_private_key_file={}\n",
        fine.name(),
        fine.address(),
        lease.private_key().display()
    );
    std::fs::write(lease.inventory(), inventory).unwrap();

    let path = playbook(&lease, LOOK);
    let ran = run(&lease, "check", &["-T", "2", &path]).unwrap();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(finished(&ran), [fine.name()]);
    let lost = ran.unreachable();
    for (host, words) in [
        ("mute", ["no answer within 2 s", "waiting for the SSH banner"]),
        ("half", ["no answer within 2 s", "key exchange"]),
        ("shut", ["cannot connect", "10.77.0.1:1: connection refused"]),
        ("nameless", ["resolve", "no-such-host.invalid"]),
    ] {
        let why = &lost[host];
        assert!(words.iter().all(|w| why.contains(w)), "{host}: {why}");
    }
}

fn listen() -> anyhow::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((CONTROLLER_ADDRESS, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

#[test]
fn a_key_that_cannot_be_used_is_named_with_the_reason() {
    let lease = pool::debian().unwrap();
    let home = lease.home();
    let good = std::fs::read_to_string(lease.private_key()).unwrap();
    let cases = [
        ("open", Some((good.as_str(), 0o644)), ["open", "0644"]),
        ("garbage", Some(("-----BEGIN OPENSSH PRIVATE KEY-----\nno\n", 0o600)), ["garbage", "cannot be understood"]),
        ("folder", None, ["folder", "not a key file"]),
        ("missing", None, ["missing", "no such file"]),
        ("locked", None, ["locked", "passphrase"]),
        ("unsent", None, ["unsent", "not accepted"]),
    ];
    let key = |name: &str| home.join(format!("key_{name}"));
    let make = |name: &str, passphrase: &str| {
        let path = key(name).display().to_string();
        lease.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", &path]).unwrap().ok().unwrap();
    };
    make("locked", "never to be said");
    make("unsent", "");
    // The host takes it: what is missing is the passphrase.
    let public = std::fs::read_to_string(key("locked").with_extension("pub")).unwrap();
    lease
        .host()
        .sh(&format!("mkdir -m 700 -p /root/.ssh; echo '{}' >>/root/.ssh/authorized_keys", public.trim()))
        .unwrap();
    std::fs::create_dir(key("folder")).unwrap();
    let host = format!("ansible_host={} ansible_user=root", lease.host().address());
    let mut inventory = format!("fine {host} ansible_ssh_private_key_file={}\n", lease.private_key().display());
    for (name, content, _) in &cases {
        if let Some((text, mode)) = content {
            std::fs::write(key(name), text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(*mode);
            std::fs::set_permissions(key(name), mode).unwrap();
        }
        inventory += &format!("{name} {host} ansible_ssh_private_key_file={}\n", key(name).display());
    }
    std::fs::write(lease.inventory(), inventory).unwrap();
    lease.write("ssh_more", "Host *\n IdentitiesOnly yes\n").unwrap();

    let path = playbook(&lease, LOOK);
    let ran = run(&lease, "check", &[&path]).unwrap();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(finished(&ran), ["fine"]);
    let lost = ran.unreachable();
    for (name, _, words) in cases {
        let why = lost[name].to_lowercase();
        assert!(why.contains("key_") && words.iter().all(|w| why.contains(w)), "{name}: {why}");
        assert!(why.contains("cannot log in as `root`"), "{name}: {why}");
    }
    // The same on the screen: which host, what was tried, why not.
    let screen = output(&lease, "check", &[&path]).unwrap().stdout;
    assert!(screen.contains("UNREACHABLE") && screen.contains("cannot log in as `root`"), "{screen}");
    let of = |name: &str, why: &str| {
        screen.lines().any(|l| l.trim().starts_with(name) && l.contains("key_") && l.contains(why))
    };
    assert!(of("locked", "it is encrypted") && of("open", "mode 0644") && of("missing", "no such file"), "{screen}");
}
