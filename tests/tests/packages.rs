//! Packages on booted hosts: what a list of allowed ones never touches, what is refused, what an unprivileged check can say.

#![expect(clippy::unwrap_used, reason = "a test")]

use rectify_tests::fleet::Host;
use rectify_tests::image::Image;
use rectify_tests::law;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, run};

fn playbook(lease: &Lease, tasks: &str) -> String {
    let text = format!("- hosts: all\n  gather_facts: false\n  ignore_errors: true\n  tasks:\n{tasks}");
    lease.write("site.yml", &text).unwrap().to_string_lossy().into_owned()
}

/// A host's reports, in the order of the tasks.
fn reports(ran: &Ran, host: &Host) -> Vec<serde_json::Value> {
    let mut reports: Vec<_> = ran.reports().into_iter().filter(|(place, _)| place.0 == host.name()).collect();
    reports.sort_by_key(|((_, task, _), _)| task.split(' ').next().and_then(|n| n.parse::<u32>().ok()));
    reports.into_iter().map(|(_, report)| report).collect()
}

fn why(report: &serde_json::Value) -> &str {
    report["outcome"]["failure"]["message"].as_str().unwrap_or_default()
}

/// What must be there whatever a list says, in names of both distributions; in a container there is no kernel but in name.
const FLOOR: [&str; 12] = [
    "dpkg apt",
    "rpm dnf",
    "openssh-server",
    "sudo",
    "systemd",
    "libc6",
    "glibc",
    "bash",
    "libpam-runtime",
    "kernel-core",
    "grub2-common",
    "coreutils",
];

fn installed(host: &Host) -> Vec<String> {
    let list = "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' 2>/dev/null | sed -n 's/^installed //p' || true; rpm -qa --qf '%{NAME}\\n' 2>/dev/null || true";
    host.sh(list).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_list_that_names_nothing_leaves_a_machine_that_lives() {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let before: Vec<_> = lease.hosts().iter().map(|h| installed(h)).collect();
    let list = |more: &str| playbook(&lease, &format!("    - package_allowlist: {{allow: [nothing-at-all]{more}}}\n"));

    // By default it only reports, and says why each is there.
    let report = run(&lease, "apply", &[&list("")]).unwrap();
    for host in lease.hosts() {
        let report = &reports(&report, host)[0];
        assert_eq!(Ran::outcome(report), "finding");
        let said = report["findings"].to_string();
        assert!(said.contains("it was installed on request") && said.contains("it came along with"), "{said}");
    }
    // More than were expected are not removed.
    let bound = run(&lease, "apply", &[&list(", mode: remove, max_removals: 8")]).unwrap();
    for (host, before) in lease.hosts().iter().zip(&before) {
        let why = why(&reports(&bound, host)[0]).to_owned();
        assert!(why.starts_with("refused: ") && why.contains("`max_removals` is 8: ") && why.contains("curl"), "{why}");
        assert_eq!(&installed(host), before, "nothing went");
    }
    // All of it.
    let held = law::hold(&lease, &[&list(", mode: remove, max_removals: 100")]).unwrap();
    for (host, before) in lease.hosts().iter().zip(&before) {
        assert_eq!(Ran::outcome(&reports(&held.apply, host)[0]), "changed");
        let after = installed(host);
        assert!(
            after.len() + 8 < before.len()
                && !after.contains(&"curl".to_owned())
                && !after.contains(&"php-cli".to_owned())
        );
        for name in FLOOR.iter().flat_map(|names| names.split(' ')).map(str::to_owned) {
            assert_eq!(after.contains(&name), before.contains(&name), "{}: {name}", host.name());
        }
        assert_eq!(
            host.sh("systemctl is-system-running || systemctl --failed --no-legend").unwrap(),
            "running\n",
            "{}",
            host.name()
        );
    }
    // The way in, sudo and the package manager are as before.
    let tasks =
        "    - command: id -u\n      changed_when: false\n    - package: {name: rectify-demo, state: present}\n";
    let ran = run(&lease, "apply", &["-e", "ansible_user=deploy", "-b", &playbook(&lease, tasks)]).unwrap();
    assert_eq!(ran.code, Some(0), "{:#?} {:?}", ran.reports(), ran.unreachable());
    assert!(lease.hosts().iter().all(|host| installed(host).contains(&"rectify-demo".to_owned())));
}

#[test]
fn php_stays_where_something_that_is_protected_needs_it() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let [shop, plain] = lease.hosts() else { panic!("two hosts were leased") };
    shop.sh(
        "mkdir -p /root/shop/DEBIAN; printf 'Package: shop\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.org>\\nDepends: php-cli\\nDescription: a shop\\n' >/root/shop/DEBIAN/control
         dpkg-deb -b /root/shop /root/shop.deb >/dev/null && dpkg -i /root/shop.deb >/dev/null",
    )
    .unwrap();
    let groups = lease
        .write(
            "web.ini",
            &format!("[webservers]\n{}\n{}\n[webservers:vars]\nrollout_opt_in=all\n", shop.name(), plain.name()),
        )
        .unwrap();
    let playbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks/webserver.yml");
    let vars = "{web_needs_php: false, web_protect: [shop*, apache2*], web_keep_tools: [curl]}";
    let groups = groups.to_string_lossy();
    let held = law::hold(&lease, &["-i", &groups, "-t", "remove_tools", "-e", vars, playbook]).unwrap();
    assert_eq!(held.apply.code, Some(3));
    let failed: Vec<_> = held.apply.reports().into_iter().filter(|(_, r)| Ran::outcome(r) == "failed").collect();
    let [((host, task, _), report)] = failed.as_slice() else { panic!("{failed:#?}") };
    assert!(host == shop.name() && task.ends_with("Remove PHP where no site needs it"), "{host} {task}");
    assert!(
        why(report).starts_with("refused: ") && why(report).contains("shop (the task protects it)"),
        "{}",
        why(report)
    );
    assert!(shop.exec(&["php", "--version"]).unwrap().success());
    // What does not depend on it is done, there and on the other host.
    assert!(!shop.exec(&["test", "-e", "/usr/bin/wget"]).unwrap().success());
    assert!(!plain.exec(&["test", "-e", "/usr/bin/php"]).unwrap().success());
    assert!(plain.exec(&["test", "-e", "/usr/bin/curl"]).unwrap().success(), "web_keep_tools");
}

#[test]
fn what_a_machine_cannot_do_without_is_refused_whoever_names_what_needs_it() {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let tasks: String = ["libc6, glibc", "perl-base, bash", "libpam-modules, openssh"]
        .map(|names| format!("    - package: {{name: [{names}], state: absent}}\n"))
        .concat();
    let before: Vec<_> = lease.hosts().iter().map(|h| installed(h)).collect();
    let ran = run(&lease, "apply", &[&playbook(&lease, &tasks)]).unwrap();
    for (host, before) in lease.hosts().iter().zip(&before) {
        for report in reports(&ran, host) {
            assert_eq!(Ran::outcome(&report), "failed", "{}: {report:#}", host.name());
        }
        assert_eq!(&installed(host), before, "{}", host.name());
    }
}

#[test]
fn an_unprivileged_check_shows_what_it_can_know_and_says_what_it_cannot() {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let path = playbook(
        &lease,
        "    - package: {name: php-cli, state: absent}\n    - package_allowlist: {allow: ['*']}\n    - package: {name: bash}\n",
    );
    let ran = run(&lease, "check", &["-e", "ansible_user=nosudo", &path]).unwrap();
    let [debian, rpm] = lease.hosts() else { panic!("two hosts were leased") };
    for host in [debian, rpm] {
        let reports = reports(&ran, host);
        assert_eq!(Ran::outcome(&reports[0]), "failed", "an apply would fail too: {:#}", reports[0]);
        assert!(
            why(&reports[0]).contains("only root") && why(&reports[0]).contains("`become: true`, or -b"),
            "{}",
            why(&reports[0])
        );
        // What needs no right is known.
        assert_eq!([Ran::outcome(&reports[1]), Ran::outcome(&reports[2])], ["unchanged"; 2], "{reports:#?}");
    }
    assert!(reports(&ran, debian)[0]["changes"].to_string().contains("packages.php-cli"), "what would go is shown");
    assert!(why(&reports(&ran, rpm)[0]).contains("is not known"));
    lease.untouched();
}
