//! Machines are kept as they were declared: what somebody changes is found, put back on schedule, and told once; what the policy changes is no drift.

#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use std::collections::BTreeSet;

use rectify_tests::guide;
use rectify_tests::mailbox::Mail;

use world::{PLAYBOOK, SCHEDULE, World};

/// What an auditd that resolves accounts (`log_format = ENRICHED`, auditd.conf(5)) writes when a shell appends to a file. A container has none of its own.
const AUDIT: &str = "\
type=SYSCALL msg=audit(1806048451.250:10): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=55e0 a2=441 a3=1b6 items=1 ppid=7 pid=8 auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm=\"bash\" exe=\"/usr/bin/bash\" subj=unconfined key=\"etc\"\u{1d}ARCH=x86_64 SYSCALL=openat AUID=\"eve\" UID=\"root\"
type=PATH msg=audit(1806048451.250:10): item=0 name=\"/etc/motd\" inode=4 dev=fd:00 mode=0100666 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0
";

/// One story, because each step stands on those before.
#[test]
fn drift_is_found_put_back_on_schedule_and_told_once() {
    let mut world = World::new();
    world.at("2027-03-26 08:00").says("apply", 0, &["3 hosts", "changed"]);
    world.at("2027-03-26 08:05").says("drift", 0, &[]);
    world.says("serve --once", 0, &["nothing is due", "2027-03-26T08:17"]);
    assert!(world.server.taken().is_empty());

    let letters = somebody_changes_a_host(&mut world);
    the_policy_changes(&mut world);
    too_much_at_once(&mut world);
    a_host_is_held(&mut world);
    there_are_hours_and_patience(&mut world);
    world.says("runs", 0, &["hourly"]);
    guide::shows_what_happens("drift.md", &[PLAYBOOK, SCHEDULE], &world.happened, &letters);
}

/// Found by hand, put back by the schedule, told to the owner and to the operators, once. Returns what the owner was told.
fn somebody_changes_a_host(world: &mut World) -> String {
    world
        .host("web2")
        .sh("chmod 666 /etc/motd && echo 'free beer' >>/etc/motd && install -d -m 700 /var/log/audit")
        .unwrap();
    world.host("web2").write("/var/log/audit/audit.log", AUDIT).unwrap();
    world.at("2027-03-26 08:10").says("drift", 2, &["web2", "free beer", "0666"]);
    world.at("2027-03-26 08:18").says("serve --once", 0, &["hourly", "web2"]);
    assert_eq!(world.host("web2").sh("cat /etc/motd; stat -c %a /etc/motd").unwrap(), "Authorised use only.\n644\n");
    let mails = world.server.taken();
    let to: BTreeSet<&str> = mails.iter().flat_map(|mail| &mail.envelope).map(String::as_str).collect();
    assert_eq!(to, BTreeSet::from(["alpha@example.org", "ops@example.org"]), "nothing of beta's moved");
    let letters: String = mails.iter().map(text).collect::<Vec<_>>().join("\n");
    assert!(letters.contains("free beer") && letters.contains("web2") && letters.contains("corrected"), "{letters}");
    for mail in mails.iter().map(text) {
        let (moved, corrected) = mail.split_once("web2 was corrected").unwrap();
        let who = "changed /etc/motd, by eve, with /usr/bin/bash, 2027-03-26 08:07 UTC";
        assert!(moved.contains(who) && corrected.contains(who), "{mail}");
    }
    world.at("2027-03-26 09:18").says("serve --once", 0, &["hourly"]);
    assert!(world.server.taken().is_empty(), "what was told is told once");
    letters
}

/// What somebody else wants of the hosts is not what happened to them, and nobody is told that their hosts moved.
fn the_policy_changes(world: &mut World) {
    world.write("site.yml", &PLAYBOOK.replace("Authorised use only.", "Authorised use only. Ask ops."));
    let said = world.at("2027-03-26 09:30").says("drift", 2, &["POLICY", "3 hosts"]);
    assert!(!said.contains("DRIFT"), "{said}");
    assert!(world.server.taken().is_empty());
    world.at("2027-03-26 09:35").says("apply", 0, &["3 hosts"]);
}

/// Half of a fleet that differs at once is an accident and not drift.
fn too_much_at_once(world: &mut World) {
    for host in ["web1", "db1"] {
        world.host(host).sh("systemctl stop cron").unwrap();
    }
    world.at("2027-03-26 10:18").says("serve --once", 2, &["2 of 3 hosts would be corrected", "budget of 20 %"]);
    for host in ["web1", "db1"] {
        assert!(!runs(world, host), "{host}");
    }
    let mails = world.server.taken();
    let operators: Vec<String> = mails.iter().filter(|m| m.envelope == ["ops@example.org"]).map(text).collect();
    assert!(operators.iter().any(|mail| mail.contains("budget")), "{operators:?}");
}

/// Its own operators keep a host as it is; another one, which differs in the same way, is corrected.
fn a_host_is_held(world: &mut World) {
    world.schedule(&format!("{SCHEDULE}budget = 100\n"));
    let hold = "mkdir -p /etc/rectify && printf 'reason: the disk is changed\nuntil: %s\n' \"$(date -u -d '+2 hours' +%FT%TZ)\" >/etc/rectify/hold";
    world.host("web1").sh(hold).unwrap();
    world.at("2027-03-26 11:18").says("serve --once", 2, &["3 hosts, 2 not as declared, 1 corrected, 1 held"]);
    assert_eq!((runs(world, "web1"), runs(world, "db1")), (false, true));
    world.host("web1").sh("rm /etc/rectify/hold").unwrap();
}

/// Outside the hours nothing is corrected. Inside them is what a second look has seen, and what the first has seen waits for it.
fn there_are_hours_and_patience(world: &mut World) {
    let patient = SCHEDULE.replace("mode = \"correct\"", "mode = {correct_after = 2}");
    world.schedule(&format!("{patient}budget = 100\nmaintenance = [{{from = \"14:00\", to = \"16:00\"}}]\n"));
    let outside = "nothing is corrected: outside the maintenance hours (daily 14:00 to 16:00 Europe/Berlin)";
    world.at("2027-03-26 12:18").says("serve --once", 2, &["1 not as declared", outside]);
    assert!(!runs(world, "web1"));
    world.host("web2").sh("chmod 666 /etc/motd").unwrap();
    world.at("2027-03-26 13:18").says("serve --once", 2, &["3 hosts, 2 not as declared, 1 corrected"]);
    assert!(runs(world, "web1"), "three looks have seen it, and it is a quarter past two in Berlin");
    assert_eq!(mode(world), "666\n", "one look has seen it");
    world.at("2027-03-26 14:18").says("serve --once", 0, &["3 hosts, 1 not as declared, 1 corrected"]);
    assert_eq!(mode(world), "644\n");
}

/// Whether jobs run on a host.
fn runs(world: &World, host: &str) -> bool {
    world.host(host).exec(&["systemctl", "is-active", "cron"]).unwrap().success()
}

/// What may be done with the message of the day on `web2`.
fn mode(world: &World) -> String {
    world.host("web2").sh("stat -c %a /etc/motd").unwrap()
}

/// What a person reads of a message.
fn text(mail: &Mail) -> String {
    mail.parts().0.to_owned()
}
