//! What operators of Ansible expect of the language, on real hosts: blocks that fail, transactions, files that differ between hosts.

#![expect(clippy::unwrap_used, reason = "a test")]

use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, run};

fn playbook(lease: &Lease, text: &str) -> String {
    lease.write("site.yml", text).unwrap().to_string_lossy().into_owned()
}

/// How a task went on the first host.
fn outcome(ran: &Ran, task: &str) -> String {
    let all = ran.reports();
    let is = |name: &str| name.split_once(' ').is_some_and(|(_, name)| name == task);
    let found = all.iter().find(|((_, name, _), _)| is(name)).map(|(_, report)| Ran::outcome(report).to_owned());
    found.unwrap_or_else(|| panic!("{task}: {:?} {}", all.keys(), ran.stderr))
}

/// Three files of Apache that are good, and one that `broken` breaks.
const SITE: &str = "
- hosts: all
  become: false
  gather_facts: false
  vars: {broken: ''}
  tasks:
    - name: site
      transaction: {validate: apache2ctl configtest}
      block:
        - name: ports
          copy: {dest: /etc/apache2/conf-enabled/a-ports.conf, content: \"Listen 8081\\n\", mode: '0640', group: www-data}
          notify: reload
        - name: one that is there
          lineinfile: {path: /etc/apache2/apache2.conf, regexp: '^Timeout ', line: Timeout 33}
          notify: reload
        - name: fragment
          copy: {dest: /etc/apache2/conf-enabled/m-own.conf, content: \"TraceEnable Off\\n{{ broken }}\\n\"}
          notify: reload
        - name: folder
          file: {path: /srv/site, state: directory, mode: '0750', owner: www-data}
        - name: page
          copy: {dest: /srv/site/index.html, content: hello}
    - name: after
      command: touch /etc/after
  handlers:
    - name: reload
      service: {name: apache2, state: reloaded}
";

#[test]
fn a_transaction_that_breaks_apache_leaves_no_trace_and_one_that_does_not_reloads_once() {
    let lease = pool::debian().unwrap();
    let path = playbook(&lease, SITE);
    let host = lease.host();
    host.sh("systemctl start apache2").unwrap();
    let reloads = || host.sh("journalctl -u apache2 -o cat | grep -c '^Reloaded ' || true").unwrap();
    // The helper's folder is there before the host is looked at.
    assert_eq!(run(&lease, "check", &[&path]).unwrap().code, Some(2));
    let stat = || host.sh("stat -c '%a %U:%G %Y %s' /etc/apache2/apache2.conf").unwrap();
    let (before, reloaded) = (stat(), reloads());
    host.mark().unwrap();

    let ran = run(&lease, "apply", &[&path, "-e", "broken=Nonsense"]).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = format!("{:?}", ran.reports().values().map(|r| r["outcome"].to_string()).collect::<String>());
    assert!(said.contains("apache2ctl configtest") && said.contains("Nonsense"), "{said}");
    let taken_back = ran.events.iter().find(|e| e["on_host"] == "rolled_back").unwrap();
    assert_eq!(taken_back["tasks"].as_array().unwrap().len(), 5, "{taken_back}");
    assert_eq!((outcome(&ran, "after"), outcome(&ran, "reload")), ("skipped".into(), "skipped".into()));
    let changes = host.changes().unwrap().to_string();
    // A file that was put back is a copy of what it was: touched, and the same.
    let aside = |line: &&str| !line.contains("/var/l") && !line.contains("/run/") && !line.starts_with("touched ");
    let changes: Vec<&str> = changes.lines().filter(aside).collect();
    assert_eq!(changes, [""; 0], "everything is as it was");
    assert_eq!((stat(), reloads()), (before, reloaded.clone()), "and nothing was reloaded");

    let ran = run(&lease, "apply", &[&path]).unwrap();
    assert_eq!(ran.code, Some(0), "{:#?} {}", ran.reports(), ran.stderr);
    assert_ne!(reloads(), reloaded, "now it was");
    // It opens the port some time after the reload was asked for.
    host.sh("timeout 30 sh -c 'until ss -ltn | grep -q :8081; do sleep 0.1; done'").unwrap();
    let again = run(&lease, "apply", &[&path, "-t", "all"]).unwrap();
    assert_eq!((outcome(&again, "transaction"), outcome(&again, "reload")), ("skipped".into(), "skipped".into()));
}

#[test]
fn a_rescue_makes_a_failure_good_and_always_runs() {
    let lease = pool::debian().unwrap();
    let text = "
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - {name: breaks, command: /bin/false}
        - {name: not reached, command: touch /etc/reached}
      rescue:
        - name: told
          copy: {dest: /etc/told, content: \"{{ ansible_failed_task.name }} {{ ansible_failed_result.rc }}\"}
      always:
        - {name: end, command: touch /etc/end}
    - {name: after, command: touch /etc/after}
";
    let path = playbook(&lease, text);
    let check = run(&lease, "check", &[&path]).unwrap();
    assert_eq!((check.code, outcome(&check, "told")), (Some(2), "may_change".into()), "a command is not rehearsed");
    let ran = run(&lease, "apply", &[&path]).unwrap();
    assert_eq!(ran.code, Some(0), "{:#?} {}", ran.reports(), ran.stderr);
    let files = lease.host().sh("cat /etc/told; ls /etc/end /etc/after; test ! -e /etc/reached").unwrap();
    assert_eq!(files, "breaks 1/etc/after\n/etc/end\n");
    let outcomes = ["breaks", "not reached", "told", "end", "after"].map(|task| outcome(&ran, task));
    assert_eq!(outcomes, ["failed", "skipped", "changed", "changed", "changed"]);
}

#[test]
fn hosts_take_the_files_that_fit_them() {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let home = lease.write("site.yml", "").unwrap();
    for (path, text) in [
        (
            "roles/web/tasks/main.yml",
            "- include_vars: '{{ item }}'\n  with_first_found: ['{{ ansible_facts.distribution }}.yml', '{{ ansible_facts.os_family }}.yml', default.yml]\n- include_tasks: 'setup-{{ ansible_facts.os_family }}.yml'\n- name: template\n  template: {src: \"{{ lookup('first_found', names) }}\", dest: /etc/chosen}\n  vars:\n    names: ['motd-{{ ansible_facts.pkg_mgr }}.j2', motd.j2]\n",
        ),
        ("roles/web/tasks/setup-Debian.yml", "- {name: mine, copy: {dest: /etc/setup, content: debian}}\n"),
        ("roles/web/tasks/setup-RedHat.yml", "- {name: mine, copy: {dest: /etc/setup, content: redhat}}\n"),
        ("roles/web/vars/Debian.yml", "server: apache2\n"),
        ("roles/web/vars/default.yml", "server: httpd\n"),
        ("roles/web/templates/motd-apt.j2", "apt {{ server }}\n"),
        ("roles/web/templates/motd.j2", "other {{ server }}{% include 'foot.j2' %}"),
        ("roles/web/templates/foot.j2", " of {{ ansible_facts.os_family }}\n"),
    ] {
        let path = home.parent().unwrap().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let path = playbook(&lease, "- {hosts: all, roles: [web]}\n");
    let check = run(&lease, "check", &[&path]).unwrap();
    assert_eq!(check.code, Some(2), "{:#?} {}", check.reports(), check.stderr);
    assert!(check.with("may_change").is_empty() && check.with("failed").is_empty(), "{:#?}", check.reports());
    let ran = run(&lease, "apply", &[&path]).unwrap();
    assert_eq!(ran.code, Some(0), "{:#?} {}", ran.reports(), ran.stderr);
    let seen: Vec<String> = lease.hosts().iter().map(|h| h.sh("cat /etc/setup /etc/chosen").unwrap()).collect();
    assert_eq!(seen, ["debianapt apache2\n", "redhatother httpd of RedHat"]);
    assert_eq!(run(&lease, "check", &[&path]).unwrap().code, Some(0));
}

#[test]
fn a_task_is_tried_again_until_its_condition_holds() {
    let lease = pool::debian().unwrap();
    let text = "
- hosts: all
  gather_facts: false
  tasks:
    - name: third time
      shell: 'echo x >>/run/tries; wc -l </run/tries'
      register: tries
      until: tries.stdout | int >= 3
      retries: 5
      delay: 0
    - {name: tries, assert: {that: tries.stdout == '3'}}
    - {name: in vain, command: /bin/false, retries: 1, delay: 0, register: r, until: r is success}
";
    let path = playbook(&lease, text);
    let ran = run(&lease, "apply", &[&path]).unwrap();
    assert_eq!(
        (ran.code, outcome(&ran, "tries"), outcome(&ran, "in vain")),
        (Some(3), "unchanged".into(), "failed".into())
    );
}
