//! The harness itself, on real hosts.

use std::time::{Duration, Instant};

use rectify_tests::changes::{Kind, diff_uppers};
use rectify_tests::image::Image;
use rectify_tests::pool;
use rectify_tests::proxy::Proxy;

#[test]
fn a_debian_host_boots_and_answers_ssh_for_every_account() {
    let lease = pool::debian().unwrap();
    for user in ["root", "admin", "deploy", "nosudo"] {
        let output = lease.ssh(lease.host(), user).args(["whoami; hostname"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{user}\n{}\n", lease.host().name()));
    }
    lease.untouched();
}

#[test]
fn privilege_is_as_the_accounts_promise() {
    let lease = pool::debian().unwrap();
    let attempt = |user: &str, line: &str| lease.ssh(lease.host(), user).arg(line).output().unwrap();
    assert_eq!(attempt("deploy", "sudo -n id -u").stdout, b"0\n");
    assert_eq!(attempt("deploy", "doas -n id -u").stdout, b"0\n");
    assert!(!attempt("admin", "sudo -n true").status.success());
    assert_eq!(attempt("admin", "echo 'admin secret' | sudo -S -p '' id -u").stdout, b"0\n");
    assert!(!attempt("nosudo", "echo 'nosudo secret' | sudo -S -p '' true").status.success());
}

#[test]
fn apt_installs_and_upgrades_from_the_local_repository() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    host.sh("apt-get -qq install tree jq rectify-demo=1.9-1").unwrap();
    assert_eq!(host.sh("rectify-demo").unwrap(), "rectify-demo 1.9-1\n");
    host.sh("apt-get -qq install rectify-demo rectify-demod").unwrap();
    assert_eq!(host.sh("rectify-demo").unwrap(), "rectify-demo 1.10-1\n");
    assert_eq!(host.sh("systemctl is-active rectify-demod").unwrap(), "active\n");
    assert!(host.changes().unwrap().get("/usr/bin/tree").is_some_and(|change| change.kind == Kind::Created));
}

#[test]
fn a_debian_host_serves_php() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    host.write("/var/www/html/a.php", "<?php echo 6*7;").unwrap();
    assert_eq!(host.sh("curl -s http://127.0.0.1/a.php").unwrap(), "42");
}

#[test]
fn the_list_of_changes_is_exactly_what_was_done() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    assert_eq!(host.changes().unwrap().to_string(), "");
    host.sh("touch /etc/new; chmod 600 /etc/issue; echo x >>/etc/issue.net; rm /etc/debian_version").unwrap();
    host.sh("cat /etc/hosts >/etc/hosts.new; cat /etc/hosts.new >/etc/hosts; rm /etc/hosts.new").unwrap();
    host.sh("rm -r /etc/opt /etc/kernel; mkdir -m 700 /etc/opt; ln -s here /etc/link; chown admin /etc/motd").unwrap();
    let changes = host.changes().unwrap();
    let found: Vec<_> = changes.iter().map(|change| (change.kind, change.path.to_str().unwrap())).collect();
    let kernel: Vec<_> = found.iter().filter(|(_, path)| path.starts_with("/etc/kernel")).collect();
    assert!(kernel.len() > 2 && kernel.iter().all(|(kind, _)| *kind == Kind::Removed), "{changes}");
    let others: Vec<_> = found.iter().filter(|(_, path)| !path.starts_with("/etc/kernel")).copied().collect();
    assert_eq!(
        others,
        [
            (Kind::Removed, "/etc/debian_version"),
            (Kind::Touched, "/etc/hosts"),
            (Kind::Modified, "/etc/issue"),
            (Kind::Modified, "/etc/issue.net"),
            (Kind::Created, "/etc/link"),
            (Kind::Modified, "/etc/motd"),
            (Kind::Created, "/etc/new"),
            (Kind::Modified, "/etc/opt"),
        ],
        "{changes}"
    );
    host.mark().unwrap();
    assert_eq!(host.changes().unwrap().to_string(), "");
}

#[test]
fn looking_at_a_host_over_ssh_leaves_its_disk_alone() {
    let lease = pool::debian().unwrap();
    let look = "dpkg -l; apt-cache policy apache2; systemctl list-units; apachectl -t; sysctl -a; id admin";
    assert!(lease.ssh(lease.host(), "deploy").arg(format!("sudo sh -c '{look}'")).output().unwrap().status.success());
    assert_eq!(lease.host().changes().unwrap().to_string(), "");
}

#[test]
fn two_hosts_treated_alike_do_not_differ_and_one_treated_more_does() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let (a, b) = (&lease.hosts()[0], &lease.hosts()[1]);
    for host in [a, b] {
        host.write("/etc/same", "same").unwrap();
    }
    assert_eq!(diff_uppers(a, b).unwrap(), [""; 0]);
    b.sh("chmod 600 /etc/same").unwrap();
    let differences = diff_uppers(a, b).unwrap();
    assert!(matches!(&differences[..], [one] if one.starts_with("/etc/same: ")), "{differences:?}");
}

#[test]
fn a_reset_host_is_as_new_and_keeps_its_identity() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    host.write("/etc/leftover", "x").unwrap();
    host.sh("ip addr add 10.99.0.1/24 dev host0; systemctl stop apache2").unwrap();
    host.reset().unwrap();
    assert_eq!(host.changes().unwrap().to_string(), "");
    assert_eq!(host.sh("systemctl is-active apache2").unwrap(), "active\n");
    assert!(!host.sh("ip -br addr show host0").unwrap().contains("10.99"));
    assert!(lease.ssh(host, "root").arg("true").status().unwrap().success());
}

#[test]
fn hosts_reach_each_other_and_nothing_else() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let (a, b) = (&lease.hosts()[0], &lease.hosts()[1]);
    let fetch = |address: &str| a.exec(&["curl", "-sS", "-o", "/dev/null", "-m", "5", address]).unwrap();
    assert!(fetch(&format!("http://{}/", b.address())).success());
    assert!(fetch(&format!("http://[{}]/", b.ipv6())).success());
    assert!(!fetch("http://192.0.2.1/").success());
}

#[test]
fn the_proxy_delays_each_way_and_counts_turns() {
    let lease = pool::debian().unwrap();
    let delay = Duration::from_millis(80);
    let target = format!("{}:22", lease.host().address());
    let proxy = Proxy::start(lease.namespace(), &target, delay).unwrap();
    let (address, start) = (proxy.address(), Instant::now());
    let greeting = lease.namespace().enter(|| {
        use std::io::Read;
        let mut stream = std::net::TcpStream::connect(address)?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting)?;
        Ok(greeting)
    });
    assert_eq!(&greeting.unwrap(), b"SSH-");
    assert!(start.elapsed() >= delay);
    let before = proxy.traffic();
    assert_eq!((before.connections, before.up), (1, 0));
    let port = address.port().to_string();
    let mut ssh = lease.command("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-p", &port, "-i"]);
    let output = ssh.arg(lease.private_key()).args(["root@127.0.0.1", "echo over"]).output().unwrap();
    assert_eq!(output.stdout, b"over\n");
    let after = proxy.traffic();
    assert!(after.turns >= 8 && after.up > 1000 && after.down > 1000, "{after:?}");
    assert!(start.elapsed() >= delay * 8, "eight turns take at least eight delays");
    lease.untouched();
}

#[test]
fn what_stops_on_one_host_goes_on_on_the_other() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let (a, b) = (&lease.hosts()[0], &lease.hosts()[1]);
    a.sh("systemctl stop apache2 cron").unwrap();
    assert_eq!(b.sh("systemctl is-active apache2 cron").unwrap(), "active\nactive\n");
}
