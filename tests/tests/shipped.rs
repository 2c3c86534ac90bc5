//! The law of the rehearsal ([`rectify_tests::law`]) for the shipped playbook, and what it removes and does not.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use rectify_tests::fleet::Host;
use rectify_tests::image::Image;
use rectify_tests::law::{self, Held};
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Ran, run};

const PLAYBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks/webserver.yml");

/// What the servers of the tests are for, in names of both distributions; what these need comes with them.
const ALLOWED: &str =
    "[apache2, httpd, nftables, cron, cronie, opendoas, less, busybox, python3-apt, ca-certificates, mod_ssl]";

/// Both kinds of web server with something on them, and an inventory that calls them so.
fn servers(images: &[Image]) -> (Lease, String) {
    let lease = pool::lease(images).unwrap();
    for host in lease.hosts() {
        host.sh("mkdir -p /var/www/html/up /var/www/html/a/b; touch /var/www/html/a/b/x.php /var/www/html/up/y.jpg; chmod 666 /var/www/html/a/b/x.php").unwrap();
        host.sh("systemctl start apache2 2>/dev/null || systemctl start httpd").unwrap();
        host.sh("if [ -x /usr/bin/apt-get ]; then DEBIAN_FRONTEND=noninteractive apt-get -qq -y install tree jq rectify-demo-extra >/dev/null; else dnf -q -y install tree aide rectify-demo-extra; fi").unwrap();
    }
    let names: Vec<&str> = lease.hosts().iter().map(|h| h.name()).collect();
    let groups = lease
        .write("web.ini", &format!("[webservers]\n{}\n[webservers:vars]\nrollout_opt_in=all\n", names.join("\n")))
        .unwrap();
    (lease, groups.to_string_lossy().into_owned())
}

fn hold(lease: &Lease, groups: &str, vars: &str) -> Held {
    let trees = "web_trees: [{path: /var/www/html, owner: deploy, group: root, uploads: [up]}]";
    let vars = format!("{{{trees}, {vars}}}");
    let args = ["-i", groups, "-e", &vars, PLAYBOOK];
    let held = law::hold(lease, &args).unwrap();
    for ran in [&held.check, &held.apply] {
        assert_eq!(ran.with("failed").into_keys().collect::<Vec<_>>(), [], "{:#?}", ran.reports());
    }
    let again = run(lease, "check", &args).unwrap();
    for outcome in ["would_change", "may_change", "failed"] {
        assert_eq!(again.with(outcome).into_keys().collect::<Vec<_>>(), [], "{outcome} after the apply");
    }
    held
}

fn installed(host: &Host) -> BTreeSet<String> {
    let list = "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' 2>/dev/null | sed -n 's/^installed //p' || true; rpm -qa --qf '%{NAME}\\n' 2>/dev/null || true";
    host.sh(list).unwrap().lines().map(str::to_owned).collect()
}

/// The places where something changed on a host, by the tasks' names.
fn changed(ran: &Ran, host: &str) -> BTreeSet<String> {
    let places = ran.with("changed").into_keys().filter(|place| place.0 == host);
    places.map(|(_, task, _)| task.split_once(' ').map_or(String::new(), |(_, name)| name.to_owned())).collect()
}

#[test]
fn with_php_that_is_needed() {
    let (lease, groups) = servers(&[Image::Debian, Image::Rpm]);
    let before: Vec<_> = lease.hosts().iter().map(|h| installed(h)).collect();
    let held = hold(&lease, &groups, "web_needs_php: true");
    for (host, before) in lease.hosts().iter().zip(before) {
        let after = installed(host);
        let gone: Vec<&String> = before.difference(&after).collect();
        let fetch = if host.image() == Image::Debian { &["curl", "wget"][..] } else { &["curl", "telnet", "wget"] };
        assert_eq!(gone, fetch, "{}: only what fetches", host.name());
        assert!(host.sh("php --version").unwrap().starts_with("PHP "), "{}", host.name());
        assert!(changed(&held.apply, host.name()).contains("Remove programs that fetch"));
    }
}

#[test]
fn without_php_and_with_a_list_of_allowed_packages() {
    let (lease, groups) = servers(&[Image::Debian, Image::Rpm]);
    let before: Vec<_> = lease.hosts().iter().map(|h| installed(h)).collect();
    let list = format!("web_allowed_packages: {ALLOWED}, web_allowlist_mode: remove, web_allowlist_at_most: 60");
    let held = hold(&lease, &groups, &format!("web_needs_php: false, {list}"));
    for (host, before) in lease.hosts().iter().zip(before) {
        let after = installed(host);
        let gone: Vec<&str> = before.difference(&after).map(String::as_str).collect();
        // PHP, what fetches, and what neither the list nor anything on it needs: with its libraries, and nothing else.
        let debian = "curl jq libapache2-mod-php libapache2-mod-php8.2 libjq1 libmagic-mgc libmagic1 libonig5 libsodium23 php-cli \
                      php-common php8.2-cli php8.2-common php8.2-opcache php8.2-readline psmisc rectify-demo rectify-demo-extra tree wget";
        let rpm = "aide curl openssh-clients php php-cli php-common rectify-demo rectify-demo-extra telnet tree wget";
        let expected = if host.image() == Image::Debian { debian } else { rpm };
        assert_eq!(gone.join(" "), expected, "{}", host.name());
        assert_eq!(
            host.sh("systemctl is-active apache2 || systemctl is-active httpd").unwrap().trim().lines().last(),
            Some("active")
        );
        assert!(changed(&held.apply, host.name()).is_superset(&BTreeSet::from([
            "Remove PHP where no site needs it".into(),
            "Keep to the packages that this host is for".into()
        ])));
        assert!(host.exec(&["php", "--version"]).is_ok_and(|o| !o.success()), "{}", host.name());
    }
}
