//! Account and program, from the audit log.

use crate::{World, traces};

const TASKS: &str = "\
- copy: {dest: /etc/banner, content: \"keep out\\n\", mode: '0644'}
- user: {name: eve, state: absent}
";

/// What auditd of Debian 12 writes of a chmod(1) by an account that logged in as `deploy` and became root, and of a useradd(8).
const LOG: &str = "\
type=SYSCALL msg=audit({at}.250:10): arch=c000003e syscall=268 success=yes exit=0 a0=ffffff9c a1=55e0 a2=1b6 a3=0 items=1 ppid=7 pid=8 auid={uid} uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm=\"chmod\" exe=\"/usr/bin/chmod\" subj=unconfined key=\"etc\"
type=CWD msg=audit({at}.250:10): cwd=\"/etc\"
type=PATH msg=audit({at}.250:10): item=0 name=\"banner\" inode=4 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0
type=PROCTITLE msg=audit({at}.250:10): proctitle=63686D6F640036363600
type=ADD_USER msg=audit({at}.500:11): pid=9 uid=0 auid={uid} ses=3 subj=unconfined msg='op=adding user acct=\"eve\" exe=\"/usr/sbin/useradd\" hostname=? addr=? terminal=pts/0 res=success'
";

#[test]
fn the_audit_log_names_the_account_and_the_program_and_what_it_does_not_know_is_said() {
    let world = World::new(TASKS);
    world.host().sh("cd /etc; chmod 666 banner; useradd eve").unwrap();
    let unknown = traces(&world.drift(2), "path:/etc/banner", "audit");
    assert!(unknown[0]["what"].as_str().unwrap().contains("no audit log"), "{unknown:?}");
    let uid = world.host().sh("id -u deploy").unwrap();
    let at = world.host().sh("date +%s").unwrap();
    let log = LOG.replace("{at}", at.trim()).replace("{uid}", uid.trim());
    world.host().sh("install -d -m 700 /var/log/audit").unwrap();
    world.host().write("/var/log/audit/audit.log", log).unwrap();
    let found = world.drift(2);
    let chmod = &traces(&found, "path:/etc/banner", "audit")[0];
    assert_eq!((&chmod["account"], &chmod["program"]), (&"deploy".into(), &"/usr/bin/chmod".into()), "{chmod}");
    assert_eq!(chmod["at"].as_i64().unwrap(), at.trim().parse::<i64>().unwrap() * 1_000_000 + 250_000);
    let added = &traces(&found, "user:eve", "audit")[0];
    assert_eq!((&added["account"], &added["program"]), (&"deploy".into(), &"/usr/sbin/useradd".into()), "{added}");
    let screen = world.runs("drift", &[], 2);
    assert!(screen.contains("changed /etc/banner, by deploy, with /usr/bin/chmod"), "{screen}");
}
