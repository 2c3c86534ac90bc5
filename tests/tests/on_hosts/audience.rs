//! Who can really reconfigure a host or publish on it; what sudo itself says is the measure.

use rectify_tests::{fleet::Host, image::Image, pool};
use serde_json::Value;

use crate::{play, report};

const SETUP: &str = r#"
groupadd webadmin
useradd -m -s /bin/bash -c 'Alice Example,room 5' alice
useradd -m -s /bin/bash -G webadmin bob
useradd -m -s /bin/bash carol
useradd -m -s /bin/bash dave
useradd -m -s /bin/bash erin
useradd -r -s /usr/sbin/nologin robot
cat >/etc/sudoers.d/web <<'END'
User_Alias PUBLISHERS = alice, \
    !bob
Cmnd_Alias SERVER = /usr/sbin/apachectl, /usr/bin/systemctl * apache2, \
    /usr/bin/systemctl * httpd
Host_Alias ELSEWHERE = db1, db2
PUBLISHERS ALL = (root) NOPASSWD: SERVER, !/usr/bin/systemctl stop apache2
%webadmin ALL = sudoedit /etc/motd
dave ELSEWHERE = ALL
%#4711 ALL = ALL
robot ALL = ALL
END
printf '#%s ALL = (root) /usr/bin/tee, /usr/bin/id\n' "$(id -u carol)" >/etc/sudoers.d/number
echo 'erin ALL = ALL' >/etc/sudoers.d/not.read
chmod 440 /etc/sudoers.d/*
visudo -cq
mkdir -p /srv/www/site && touch /srv/www/site/index.html && chown erin /srv/www/site/index.html
touch /etc/rectify-test.conf && chgrp webadmin /etc/rectify-test.conf && chmod 664 /etc/rectify-test.conf
crontab -u dave - <<'END'
0 0 1 1 * true
END
"#;

const TASKS: &str = "- name: who
  audience:
    declared: [admin, deploy, Alice Example]
    configuration: [/etc/rectify-test.conf, /etc/apache2, /etc/httpd]
    documents: /srv/www
  register: who
- name: found
  debug: {msg: \"{{ who.people | to_json }}\"}
";

fn people(report: &Value) -> Vec<Value> {
    serde_json::from_str(report["messages"][0].as_str().unwrap()).unwrap()
}

fn why(people: &[Value], account: &str) -> Vec<String> {
    let person = people.iter().find(|p| p["account"] == account);
    let texts = person.and_then(|p| p["why"].as_array()).into_iter().flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What sudo itself says that an account may do here.
fn sudo_says(host: &Host, account: &str) -> String {
    let output = host.exec(&["sudo", "-l", "-U", account]).unwrap();
    format!("{}{}", output.stdout, output.stderr)
}

#[test]
fn people_who_can_reconfigure_or_publish_are_found() {
    for image in [Image::Debian, Image::Rpm] {
        let lease = pool::lease(&[image]).unwrap();
        let host = lease.host();
        host.sh(SETUP).unwrap();
        let ran = play(&lease, "check", TASKS);
        let people = people(&report(&lease, &ran, "found"));
        let place = "/etc/sudoers.d/web:6";
        assert_eq!(
            why(&people, "alice"),
            [
                format!("sudo: /usr/sbin/apachectl as root ({place})"),
                format!("sudo: /usr/bin/systemctl * apache2 as root ({place})"),
                format!("sudo: /usr/bin/systemctl * httpd as root ({place})"),
            ],
            "{people:#?}"
        );
        assert_eq!(why(&people, "bob"), ["group webadmin writes /etc/rectify-test.conf"]);
        assert_eq!(why(&people, "carol"), ["sudo: /usr/bin/tee as root (/etc/sudoers.d/number:1)"]);
        assert_eq!(why(&people, "erin"), ["owns /srv/www/site/index.html"]);
        let spools =
            ["/var/spool/cron/crontabs", "/var/spool/cron"].map(|folder| vec![format!("a crontab, {folder}/dave")]);
        assert!(spools.contains(&why(&people, "dave")), "{people:#?}");
        // The measure: whom sudo lets do something, we name, and nobody else for it.
        for account in ["alice", "bob", "carol", "dave", "erin", "robot", "deploy", "nosudo"] {
            let said = sudo_says(host, account);
            let may = !said.contains("is not allowed to run sudo");
            // sudoedit of a file that is in no tree is allowed and does not matter here.
            let matters = may && account != "bob";
            let named = why(&people, account).iter().any(|w| w.starts_with("sudo: "));
            assert_eq!(named, matters, "{account}: {said}\n{people:#?}");
        }
        let findings = report(&lease, &ran, "who")["findings"].clone();
        let subjects: Vec<&str> = findings.as_array().unwrap().iter().filter_map(|f| f["subject"].as_str()).collect();
        for (account, expected) in [
            ("alice", false),
            ("bob", true),
            ("carol", true),
            ("dave", true),
            ("erin", true),
            ("robot", false),
            ("deploy", false),
        ] {
            assert_eq!(subjects.contains(&account), expected, "{account}: {findings:#}");
        }
        assert_eq!(ran.code, Some(2), "a finding stands");
    }
}
