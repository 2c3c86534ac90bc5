//! Every option of the Apache modules on servers that run, Debian's and RHEL's: what a task with it does, and what one without
//! it does instead.

#![expect(clippy::unwrap_used, reason = "a test")]

use rectify_tests::fleet::Host;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, run};

/// Applies tasks one after the other, and gives each one's outcome with the reason of a failure.
fn tasks(lease: &Lease, tasks: &[&str]) -> Vec<String> {
    let items: String = tasks.iter().map(|task| format!("    - {task}\n")).collect();
    let text = format!("- hosts: all\n  gather_facts: false\n  ignore_errors: true\n  tasks:\n{items}");
    let path = lease.write("site.yml", &text).unwrap();
    let ran = run(lease, "apply", &[&path.to_string_lossy()]).unwrap();
    let mut reports: Vec<_> = ran.reports().into_iter().collect();
    assert_eq!(reports.len(), tasks.len(), "{}", ran.stderr);
    reports.sort_by_key(|((_, task, _), _)| task.split(' ').next().and_then(|n| n.parse::<u32>().ok()));
    let words = |report: &serde_json::Value| {
        let why = report["outcome"]["failure"]["message"].as_str().unwrap_or_default();
        format!("{} {why}", Ran::outcome(report)).trim().to_owned()
    };
    reports.iter().map(|(_, report)| words(report)).collect()
}

fn one(lease: &Lease, task: &str) -> String {
    tasks(lease, &[task]).remove(0)
}

fn there(host: &Host, path: &str) -> bool {
    host.exec(&["test", "-e", path]).unwrap().success()
}

fn workers(host: &Host, program: &str) -> String {
    host.sh(&format!("pgrep -o {program}")).unwrap()
}

#[test]
fn fragments_on_debian() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let path = "/etc/apache2/conf-available/zz.conf";
    let bits = || host.sh(&format!("stat -c %a {path}")).unwrap();
    let text = "content: \"TraceEnable Off\\n\"";
    assert_eq!(one(&lease, &format!("apache_fragment: {{name: zz, {text}}}")), "changed");
    assert_eq!(bits(), "644\n");
    assert_eq!(one(&lease, &format!("apache_fragment: {{name: zz, {text}, mode: '0600'}}")), "changed");
    assert_eq!(bits(), "600\n");
    assert_eq!(
        one(&lease, &format!("apache_fragment: {{name: zz, {text}}}")),
        "changed",
        "0644 is what it is without `mode`"
    );

    let other = one(&lease, &format!("apache_fragment: {{name: g, {text}, layout: rhel}}"));
    assert!(other.starts_with("failed") && other.contains("no /etc/httpd/") && !there(host, "/etc/httpd"), "{other}");
    assert_eq!(one(&lease, &format!("apache_fragment: {{name: zz, {text}, layout: debian}}")), "unchanged");

    lease.write("files/from_here.conf", "# from a file of the controller\n").unwrap();
    assert_eq!(one(&lease, "apache_fragment: {name: s, src: from_here.conf, enabled: false}"), "changed");
    assert_eq!(host.read("/etc/apache2/conf-available/s.conf").unwrap(), "# from a file of the controller\n");
    assert!(!there(host, "/etc/apache2/conf-enabled/s.conf"), "enabled: false");
    assert_eq!(one(&lease, "apache_fragment: {name: s, src: from_here.conf, enabled: true}"), "changed");
    assert!(there(host, "/etc/apache2/conf-enabled/s.conf"));
    assert_eq!(one(&lease, "apache_fragment: {name: s, state: absent}"), "changed");
    assert!(!there(host, "/etc/apache2/conf-enabled/s.conf") && !there(host, "/etc/apache2/conf-available/s.conf"));

    // A reload is seen by the server's answers; without one the old configuration stays in force.
    let trace = || {
        lease
            .run([
                "curl",
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "-X",
                "TRACE",
                &format!("http://{}/", host.address()),
            ])
            .unwrap()
            .stdout
    };
    assert_eq!(trace(), "405");
    let on = "content: \"TraceEnable On\\n\"";
    assert_eq!(one(&lease, &format!("apache_fragment: {{name: zz, {on}, reload: false}}")), "changed");
    assert_eq!(trace(), "405", "not reloaded");
    host.sh("systemctl reload apache2").unwrap();
    let in_force = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        trace() == "200"
    });
    assert!(in_force, "after a reload it is in force");
}

#[test]
fn modules_on_debian() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let enabled = |name: &str| there(host, &format!("/etc/apache2/mods-enabled/{name}.load"));
    // deflate.load says that it depends on filter.
    let refused = one(&lease, "apache_module: {name: filter, state: absent}");
    assert!(refused.starts_with("failed") && refused.contains("deflate") && enabled("filter"), "{refused}");
    assert_eq!(one(&lease, "apache_module: {name: filter, state: absent, force: true}"), "changed");
    assert!(!enabled("filter") && enabled("deflate"));

    // Without an MPM there is no configuration that would hold: only the step as a whole makes sense.
    let off = "name: mpm_prefork, state: absent, force: true";
    let broken = one(&lease, &format!("apache_module: {{{off}}}"));
    assert!(broken.starts_with("failed") && broken.contains("MPM") && enabled("mpm_prefork"), "{broken}");
    let before = workers(host, "apache2");
    let steps = [
        "apache_module: {name: php8.2, state: absent, ignore_configcheck: true}".to_owned(),
        format!("apache_module: {{{off}, ignore_configcheck: true}}"),
        "apache_module: {name: mpm_event, state: present}".to_owned(),
    ];
    assert_eq!(tasks(&lease, &steps.each_ref().map(String::as_str)), ["changed"; 3]);
    assert!(enabled("mpm_event") && !enabled("mpm_prefork"));
    assert_ne!(workers(host, "apache2"), before, "an MPM is changed by a restart");
    assert!(host.sh("apache2ctl -M 2>/dev/null").unwrap().contains("mpm_event_module"));

    let other = one(&lease, "apache_module: {name: headers, layout: rhel}");
    assert!(other.starts_with("failed") && other.contains("no /etc/httpd/") && !enabled("headers"), "{other}");
    assert_eq!(one(&lease, "apache_module: {name: headers, layout: debian, reload: false}"), "changed");
}

#[test]
fn fragments_and_modules_on_rhel() {
    let lease = pool::rpm().unwrap();
    let host = lease.host();
    host.sh("systemctl start httpd").unwrap();
    let text = "content: \"TraceEnable Off\\n\"";
    assert_eq!(one(&lease, &format!("apache_fragment: {{name: f, {text}, mode: '0600', layout: rhel}}")), "changed");
    assert_eq!(host.sh("stat -c %a /etc/httpd/conf.d/f.conf").unwrap(), "600\n");
    assert_eq!(one(&lease, &format!("apache_fragment: {{name: f, {text}, mode: '0600', enabled: false}}")), "changed");
    assert!(!there(host, "/etc/httpd/conf.d/f.conf") && there(host, "/etc/httpd/conf.d/f.conf.disabled"));
    let other = one(&lease, &format!("apache_fragment: {{name: f, {text}, layout: debian}}"));
    assert!(
        other.starts_with("failed") && other.contains("no /etc/apache2/") && !there(host, "/etc/apache2"),
        "{other}"
    );

    let loaded = || host.sh("httpd -M 2>/dev/null || /usr/sbin/httpd -M").unwrap();
    assert!(loaded().contains("status_module"));
    // Under another name nobody loads it, and so there is nothing to take away.
    assert_eq!(one(&lease, "apache_module: {name: status, state: absent, identifier: my_module}"), "unchanged");
    assert!(loaded().contains("status_module"));
    assert_eq!(one(&lease, "apache_module: {name: status, state: absent, layout: rhel}"), "changed");
    assert!(!loaded().contains("status_module"));
    // A name that is not the module's own goes into the file as it is; the server says what is wrong with it.
    let wrong = one(&lease, "apache_module: {name: status, identifier: my_module}");
    assert!(wrong.starts_with("failed") && wrong.contains("my_module"), "{wrong}");
    assert!(!there(host, "/etc/httpd/conf.modules.d/90-status.conf"), "and it is taken back");
    assert_eq!(
        one(&lease, "apache_module: {name: status, identifier: my_module, ignore_configcheck: true}"),
        "changed"
    );
    assert!(host.read("/etc/httpd/conf.modules.d/90-status.conf").unwrap().starts_with("LoadModule my_module "));
    assert_eq!(one(&lease, "apache_module: {name: status, identifier: my_module, state: absent}"), "changed");
    assert_eq!(one(&lease, "apache_module: {name: status, identifier: status_module}"), "changed");
    assert!(loaded().contains("status_module"));
}
