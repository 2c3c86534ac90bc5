//! The RPM host, as far as tests rely on it.

use rectify_tests::changes::Kind;
use rectify_tests::pool;

#[test]
fn it_boots_as_an_rpm_host_without_a_trace_of_dpkg() {
    let lease = pool::rpm().unwrap();
    let host = lease.host();
    assert!(host.read("/etc/os-release").unwrap().contains("ID=\"rocky\""));
    assert_eq!(
        host.sh("command -v dpkg apt-get apt; ls -d /var/lib/dpkg /etc/apt /etc/debian_version; true").unwrap(),
        ""
    );
    assert_eq!(host.sh("rpm -qf --qf '%{NAME}\\n' /usr/sbin/sshd /usr/sbin/httpd").unwrap(), "openssh-server\nhttpd\n");
    for user in ["root", "admin", "deploy", "nosudo"] {
        let output = lease.ssh(host, user).arg("whoami").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{user}\n"));
    }
    assert_eq!(host.sh("systemctl is-active httpd sshd crond").unwrap(), "active\nactive\nactive\n");
}

#[test]
fn dnf_installs_upgrades_and_removes_with_what_depends() {
    let lease = pool::rpm().unwrap();
    let host = lease.host();
    host.sh("dnf -q -y install tree rectify-demo-1.9").unwrap();
    assert_eq!(host.sh("rectify-demo").unwrap(), "rectify-demo 1.9-1\n");
    host.sh("dnf -q -y install rectify-demo-extra && dnf -q -y upgrade rectify-demo").unwrap();
    assert_eq!(host.sh("rectify-demo").unwrap(), "rectify-demo 1.10-1\n");
    let changes = host.changes().unwrap();
    assert!(changes.get("/usr/bin/tree").is_some_and(|change| change.kind == Kind::Created), "{changes}");
    host.sh("dnf -q -y remove rectify-demo").unwrap();
    assert_eq!(host.sh("rpm -qa 'rectify-demo*'").unwrap(), "");
}

#[test]
fn httpd_is_real_and_refuses_a_broken_configuration() {
    let lease = pool::rpm().unwrap();
    let host = lease.host();
    host.write("/var/www/html/index.html", "here").unwrap();
    assert_eq!(host.sh("curl -s http://127.0.0.1/").unwrap(), "here");
    host.write("/etc/httpd/conf.d/z.conf", "Header set X-Here yes\n").unwrap();
    host.sh("httpd -t && systemctl reload httpd").unwrap();
    assert!(host.sh("curl -si http://127.0.0.1/").unwrap().contains("X-Here: yes"));
    host.write("/etc/httpd/conf.d/z.conf", "NoSuchDirective on\n").unwrap();
    assert!(!host.exec(&["httpd", "-t"]).unwrap().success());
    assert!(host.sh("httpd -V").unwrap().contains("SERVER_CONFIG_FILE=\"conf/httpd.conf\""));
}

#[test]
fn looking_at_packages_leaves_the_disk_alone() {
    let lease = pool::rpm().unwrap();
    let look = "rpm -qa; dnf -q repoquery --userinstalled; dnf -q list installed; dnf --assumeno remove httpd; systemctl list-units; true";
    assert!(lease.ssh(lease.host(), "deploy").arg(format!("sudo sh -c '{look}'")).output().unwrap().status.success());
    assert_eq!(lease.host().changes().unwrap().to_string(), "");
}
