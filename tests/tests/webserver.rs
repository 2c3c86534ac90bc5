//! The shipped playbook for web servers, on real ones.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rectify_tests::fleet::Host;
use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, run};

const PLAYBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks/webserver.yml");

/// Both kinds of web server, and an inventory that calls them so.
fn servers() -> (Lease, String) {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let names: Vec<&str> = lease.hosts().iter().map(|h| h.name()).collect();
    let groups = lease
        .write("web.ini", &format!("[webservers]\n{}\n[webservers:vars]\nrollout_opt_in=all\n", names.join("\n")))
        .unwrap();
    for host in lease.hosts() {
        host.sh("mkdir -p /var/www/html/files && echo secret >/var/www/html/files/dump.sql").unwrap();
        host.sh("systemctl start apache2 2>/dev/null || systemctl start httpd").unwrap();
        host.mark().unwrap();
    }
    (lease, groups.to_string_lossy().into_owned())
}

fn clean(ran: &Ran) {
    for outcome in ["failed", "not_converged"] {
        let found = ran.with(outcome);
        assert!(found.is_empty(), "{outcome}: {found:#?}\n{:#?}\n{}", ran.reports(), ran.stderr);
    }
    assert!(ran.unreachable().is_empty(), "{:?}", ran.unreachable());
    assert!(!ran.reports().is_empty(), "{}", ran.stderr);
}

/// Status line and headers of an answer, as the controller gets them.
fn answer(lease: &Lease, host: &Host, path: &str, more: &[&str]) -> String {
    let url = format!("http://{}{path}", host.address());
    let argv = ["curl", "-sS", "-o", "/dev/null", "-D", "-", "-m", "20"].into_iter().chain(more.iter().copied());
    let output = lease.run(argv.chain([url.as_str()])).unwrap();
    assert!(output.success(), "{url}: {output:?}");
    output.stdout
}

fn header<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let named = |line: &'a str| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name));
    answer.lines().filter_map(named).map(|(_, value)| value).collect()
}

#[test]
fn check_apply_and_check_again_and_the_servers_tell_and_allow_less() {
    let (lease, groups) = servers();
    let args = ["-i", groups.as_str(), PLAYBOOK];
    let before = answer(&lease, lease.host(), "/files/", &[]);
    assert!(before.contains(" 200 ") && before.contains("Apache/2"), "{before}");

    let check = run(&lease, "check", &args).unwrap();
    clean(&check);
    assert!(!check.with("would_change").is_empty(), "{}", check.stderr);
    for host in lease.hosts() {
        let changes = host.changes().unwrap().to_string();
        // The helper's own cache aside.
        let changes: Vec<&str> = changes.lines().filter(|line| !line.contains("/var/lib/rectify")).collect();
        assert_eq!(changes, [""; 0], "a check leaves {} as it is", host.name());
    }
    clean(&run(&lease, "apply", &args).unwrap());
    let again = run(&lease, "check", &args).unwrap();
    clean(&again);
    for outcome in ["would_change", "may_change"] {
        assert_eq!(again.with(outcome).into_keys().collect::<Vec<_>>(), [], "{outcome} after an apply");
    }

    for host in lease.hosts() {
        for path in ["/", "/none", "/files/"] {
            let answer = answer(&lease, host, path, &[]);
            assert_eq!(header(&answer, "X-Frame-Options"), ["SAMEORIGIN"], "{} {path}\n{answer}", host.name());
            assert_eq!(header(&answer, "Server"), ["Apache"], "{} {path}\n{answer}", host.name());
        }
        assert!(answer(&lease, host, "/files/", &[]).contains(" 403 "), "{}: no listing", host.name());
        assert!(answer(&lease, host, "/files/dump.sql", &[]).contains(" 200 "), "{}: only no listing", host.name());
        assert!(answer(&lease, host, "/", &["-X", "TRACE"]).contains(" 405 "), "{}", host.name());
        let many: Vec<String> = (0..120).map(|n| format!("X-{n}: y")).collect();
        let many: Vec<&str> = many.iter().flat_map(|h| ["-H", h.as_str()]).collect();
        assert!(answer(&lease, host, "/", &many).contains(" 400 "), "{}: too many fields", host.name());
    }
}

#[test]
fn what_an_application_says_of_frames_stays_and_is_said_once() {
    let lease = pool::debian().unwrap();
    let groups = lease
        .write("web.ini", &format!("[webservers]\n{}\n[webservers:vars]\nrollout_opt_in=all\n", lease.host().name()))
        .unwrap();
    let page = "<?php header('X-Frame-Options: DENY'); header('X-Powered-By: me');";
    lease.host().write("/var/www/html/a.php", page).unwrap();
    let args = ["-i", &groups.to_string_lossy(), "-t", "apache_fragments", PLAYBOOK];
    clean(&run(&lease, "apply", &args).unwrap());
    let answer = |path: &str| answer(&lease, lease.host(), path, &[]);
    assert_eq!(header(&answer("/a.php"), "X-Frame-Options"), ["DENY"]);
    assert_eq!(header(&answer("/a.php"), "X-Powered-By"), [""; 0]);
    // An owner's opt-out.
    lease
        .host()
        .sh("echo 'Define RECTIFY_SKIP_FRAME_OPTIONS' >/etc/apache2/conf-enabled/00-rectify-site.conf")
        .unwrap();
    lease.host().sh("systemctl reload apache2").unwrap();
    let until = |wanted: &[&str]| {
        (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            header(&answer("/"), "X-Frame-Options") == wanted
        })
    };
    assert!(until(&[]), "the define turns it off");
    assert_eq!(header(&answer("/"), "Server"), ["Apache"]);
}

#[test]
fn nothing_is_executed_from_uploads() {
    let lease = pool::debian().unwrap();
    let groups = lease
        .write("web.ini", &format!("[webservers]\n{}\n[webservers:vars]\nrollout_opt_in=all\n", lease.host().name()))
        .unwrap();
    lease.host().sh("mkdir /var/www/html/up").unwrap();
    for name in ["a.php", "b.php.jpg", "c.PHTML", "d.cgi", "fine.jpg"] {
        lease.host().write(&format!("/var/www/html/up/{name}"), "<?php echo 6*7;").unwrap();
    }
    lease.host().write("/var/www/html/up/.htaccess", "AddHandler application/x-httpd-php .jpg\n").unwrap();
    let status = |name: &str| {
        let answer = answer(&lease, lease.host(), &format!("/up/{name}"), &[]);
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status("a.php"), "200", "executed before");
    let trees = "web_trees: [{path: /var/www/html, owner: deploy, group: www-data, uploads: [up]}]";
    let args = ["-i", &groups.to_string_lossy(), "-t", "web_permissions", "-e", trees, PLAYBOOK];
    clean(&run(&lease, "apply", &args).unwrap());
    for name in ["a.php", "b.php.jpg", "c.PHTML", "d.cgi"] {
        assert_eq!(status(name), "403", "{name}");
    }
    assert_eq!(status("fine.jpg"), "200");
    // Its own source is the application's, its uploads are the web server's to write.
    let host = lease.host();
    let writes = |file: &str| host.exec(&["runuser", "-u", "www-data", "--", "touch", file]).unwrap().success();
    assert!(
        writes("/var/www/html/up/new.jpg") && !writes("/var/www/html/new.php") && !writes("/var/www/html/index.html")
    );
    assert_eq!(host.sh("stat -c %U:%G /var/www/html/index.html").unwrap(), "deploy:www-data\n");
    let again = run(&lease, "check", &args).unwrap();
    assert_eq!(again.with("would_change").into_keys().collect::<Vec<_>>(), []);
}

#[test]
fn one_variable_leaves_a_host_out_of_a_remediation() {
    let (lease, groups) = servers();
    let skips = ["remove_tools", "web_permissions", "module_loading", "package_allowlist", "apache_fragments"];
    let skips: Vec<String> = skips.iter().map(|s| format!("skip_{s}: true")).collect();
    let all = format!("{{{}}}", skips.join(", "));
    let ran = run(&lease, "check", &["-i", &groups, "-e", &all, PLAYBOOK]).unwrap();
    clean(&ran);
    assert_eq!(ran.code, Some(0), "{:#?}", ran.reports());
    let changes: Vec<_> = ran.with("would_change").into_keys().chain(ran.with("may_change").into_keys()).collect();
    assert_eq!(changes, []);
}

#[test]
fn a_fragment_that_does_not_parse_or_ends_the_server_is_taken_back() {
    let (lease, groups) = servers();
    let play = |content: &str| {
        format!(
            "- hosts: webservers\n  gather_facts: false\n  tasks:\n    - apache_fragment: {{name: bad, content: \"{content}\\n\"}}\n"
        )
    };
    // The second passes the test ("Syntax OK"), and ends the server at the reload: the address is nobody's.
    for (content, says) in
        [("NoSuchDirective on", "NoSuchDirective"), ("Listen 192.0.2.77:80", "the files are as before")]
    {
        let path = lease.write("bad.yml", &play(content)).unwrap();
        let ran = run(&lease, "apply", &["-i", &groups, &path.to_string_lossy()]).unwrap();
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let failed: Vec<_> = ran.reports().into_values().filter(|r| Ran::outcome(r) == "failed").collect();
        assert_eq!(failed.len(), lease.hosts().len(), "{failed:#?}");
        for report in failed {
            assert!(report.to_string().contains(says), "{report:#}");
        }
        for host in lease.hosts() {
            let left = host.sh("find /etc/apache2 /etc/httpd -name '*bad*' 2>/dev/null; true").unwrap();
            assert_eq!(left, "", "{} {content}", host.name());
            assert!(answer(&lease, host, "/", &[]).starts_with("HTTP/1.1 "), "{} serves", host.name());
        }
    }
}

#[test]
fn one_address_has_so_many_connections_and_not_more() {
    let (lease, groups) = servers();
    let few = "web_connections_per_address: 8";
    let args = ["-i", groups.as_str(), "-t", "apache_fragments", "-e", few, PLAYBOOK];
    clean(&run(&lease, "apply", &args).unwrap());
    for host in lease.hosts() {
        let address: SocketAddr = format!("{}:80", host.address()).parse().unwrap();
        let open = lease
            .namespace()
            .enter(|| {
                let connect = || TcpStream::connect_timeout(&address, Duration::from_secs(10));
                let open: Vec<_> = (0..12).map(|_| connect()).collect();
                Ok(open.iter().filter(|c| c.is_ok()).count())
            })
            .unwrap();
        assert_eq!(open, 8, "{}", host.name());
    }
}
