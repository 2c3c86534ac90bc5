use rectify_core::arg::{Arg, from_arg};

use super::*;
use crate::host::fake::Fake;

/// A host with people, and rules for sudo in one file or more.
fn host(sudoers: &str, more: &str) -> Fake {
    let text = serde_json::to_string(sudoers).unwrap();
    Fake::from_yaml(&format!(
        "
base: debian
users:
  alice: {{uid: 1001, comment: 'Alice Example,room 5', shell: /bin/bash}}
  bob: {{uid: 1002, shell: /bin/zsh, groups: [web]}}
  carol: {{uid: 1003, gid: 2000, comment: Carol, shell: ''}}
  robot: {{uid: 1004, shell: /usr/sbin/nologin}}
groups: {{web: {{gid: 2000}}, old: {{gid: 2001}}}}
files:
  /etc/sudoers: {{content: {text}, mode: '0440'}}
{more}"
    ))
    .unwrap()
}

fn run(host: &Fake, args: &Value) -> Report {
    let module: Audience = from_arg(&Arg::from_value(args)).unwrap();
    Action::validate(&module).unwrap();
    module.run(host).unwrap()
}

/// Why, by account.
fn why(host: &Fake, args: &Value) -> Vec<String> {
    let told = |p: &Value| {
        let why: Vec<&str> = p["why"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        format!("{}: {}", p["account"].as_str().unwrap(), why.join("; "))
    };
    run(host, args).data["people"].as_array().unwrap().iter().map(told).collect()
}

fn told(report: &Report) -> Vec<String> {
    report.findings.iter().map(|f| f.message.clone()).collect()
}

#[test]
fn groups_aliases_numbers_and_exclusions_come_to_accounts() {
    for (rules, expected) in [
        ("alice ALL=(ALL:ALL) ALL", vec!["alice: sudo: ALL as ALL:ALL (/etc/sudoers:1)"]),
        (
            "%web ALL = /usr/sbin/apachectl graceful, /bin/ls\n",
            vec![
                "bob: sudo: /usr/sbin/apachectl graceful (/etc/sudoers:1, by %web)",
                "carol: sudo: /usr/sbin/apachectl graceful (/etc/sudoers:1, by %web)",
            ],
        ),
        ("#1001 ALL=ALL", vec!["alice: sudo: ALL (/etc/sudoers:1)"]),
        ("%#2000,!bob ALL=ALL", vec!["carol: sudo: ALL (/etc/sudoers:1, by %#2000)"]),
        (
            "ADMINS ALL=ALL\nUser_Alias ADMINS = bob, OTHERS : OTHERS = alice, !bob",
            vec!["alice: sudo: ALL (/etc/sudoers:1)"],
        ),
        ("root ALL=ALL\nnobody1 ALL=/bin/ls\nALL ALL=/bin/ls", vec![]),
        ("far ALL=ALL", vec!["far: sudo: ALL (/etc/sudoers:1)"]),
        // The last rule that fits decides, command by command.
        ("alice ALL=ALL, !/bin/su", vec!["alice: sudo: ALL (/etc/sudoers:1)"]),
        ("alice ALL=ALL\nalice ALL=!ALL", vec![]),
        ("alice ALL=/bin/su, /bin/tar\nalice ALL=!/bin/su", vec!["alice: sudo: /bin/tar (/etc/sudoers:1)"]),
        ("alice ALL=!ALL\nalice ALL=/bin/su", vec!["alice: sudo: /bin/su (/etc/sudoers:2)"]),
        (
            "Cmnd_Alias WEB = /bin/systemctl * apache2, \\\n  !/bin/su\nalice ALL = (www-data) NOPASSWD: WEB, !WEB2\nCmnd_Alias WEB2=/bin/ls",
            vec!["alice: sudo: /bin/systemctl * apache2 as www-data (/etc/sudoers:3)"],
        ),
        // Whose hosts they are: this one is web1.
        ("alice web1=ALL\nbob db1=ALL\ncarol ALL,!web*=ALL", vec!["alice: sudo: ALL (/etc/sudoers:1)"]),
        (
            "Host_Alias HERE = WEB1.example, 10.0.0.0/8\nalice !HERE=ALL\nbob HERE=ALL",
            vec!["bob: sudo: ALL (/etc/sudoers:3)"],
        ),
        ("User_Alias A = B\nUser_Alias B = A\nA ALL=ALL", vec![]),
    ] {
        assert_eq!(why(&host(rules, ""), &json!({})), expected, "{rules}");
    }
}

#[test]
fn everybody_is_everybody_but_only_those_who_can_log_in_are_found() {
    let host = host("ALL ALL=ALL", "");
    let report = run(&host, &json!({"declared": ["web", "alice example"]}));
    assert!(report.data["people"].as_array().unwrap().len() > 5);
    assert_eq!(told(&report), ["deploy (Deployment) is not declared: sudo: ALL (/etc/sudoers:1, by ALL)"]);
    let people = report.data["people"].as_array().unwrap();
    let of = |name: &str| people.iter().find(|p| p["account"] == name).unwrap().clone();
    assert_eq!(
        (&of("alice")["declared"], &of("carol")["declared"], &of("robot")["login"]),
        (&json!(true), &json!(true), &json!(false))
    );
}

#[test]
fn includes_are_followed_as_sudo_does() {
    let host = host(
        "#include local\n@include /etc/none\n@includedir /etc/sudoers.d\n#include loop-%h\n",
        "  /etc/local: 'alice ALL=ALL'
  /etc/loop-web1: '@include loop-web1'
  /etc/sudoers.d/b: 'bob ALL=/bin/su'
  /etc/sudoers.d/a: 'bob ALL=!/bin/su, /bin/tar'
  /etc/sudoers.d/x.bak: 'carol ALL=ALL'
  /etc/sudoers.d/y~: 'carol ALL=ALL'
  /etc/sudoers.d/wrong: 'carol ALL'
",
    );
    assert_eq!(
        why(&host, &json!({})),
        [
            "alice: sudo: ALL (/etc/local:1)",
            "bob: sudo: /bin/tar (/etc/sudoers.d/a:1); sudo: /bin/su (/etc/sudoers.d/b:1)"
        ]
    );
    let told = told(&run(&host, &json!({"declared": ["alice", "bob"]})));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("/etc/sudoers.d/wrong:1: \"carol ALL\" is not understood"), "{told:?}");
    assert!(told[1].contains("/etc/loop-web1: too many files include each other"), "{told:?}");
}

#[test]
fn only_programs_that_matter_count() {
    let rules = "alice ALL=/usr/local/bin/deploy, /bin/ls, sudoedit /etc/motd, /usr/bin/, sudoedit /srv/www/*\n";
    let args = json!({"documents": ["/srv/www"], "programs": ["deploy"]});
    let expected = ["/usr/local/bin/deploy", "/usr/bin/", "sudoedit /srv/www/*"];
    let expected: Vec<String> = expected.iter().map(|c| format!("sudo: {c} (/etc/sudoers:1)")).collect();
    assert_eq!(why(&host(rules, ""), &args), [format!("alice: {}", expected.join("; "))]);
    assert_eq!(why(&host("alice ALL=/usr/bin/systemctl\n", ""), &json!({"programs": []})), [""; 0]);
    assert_eq!(why(&host("alice ALL=/usr/bin/system*, ^/opt/.*$\n", ""), &json!({"programs": []})).len(), 1);
}

#[test]
fn whoever_owns_or_writes_in_a_tree_is_found_and_so_is_what_anybody_writes() {
    let host = host(
        "",
        "  /etc/apache2: {dir: true}
  /etc/apache2/a.conf: {content: x, owner: alice}
  /etc/apache2/b.conf: {content: x, owner: alice}
  /etc/apache2/c.conf: {content: x, group: web, mode: '0664'}
  /srv/www: {dir: true, owner: www-data}
  /srv/www/open: {content: x, mode: '0646', owner: 4711}
  /srv/www/link: {link: /etc/passwd}
",
    );
    let args = json!({"configuration": ["/etc/apache2", "/etc/httpd"], "documents": "/srv/www", "declared": "bob"});
    assert_eq!(
        why(&host, &args),
        [
            "#4711: owns /srv/www/open",
            "alice: owns 2 paths below /etc/apache2 such as /etc/apache2/a.conf",
            "bob: group web writes /etc/apache2/c.conf",
            "carol: group web writes /etc/apache2/c.conf",
            "www-data: owns /srv/www",
        ]
    );
    assert_eq!(
        told(&run(&host, &args)),
        [
            "#4711 is not declared: owns /srv/www/open",
            "alice (Alice Example) is not declared: owns 2 paths below /etc/apache2 such as /etc/apache2/a.conf",
            "carol (Carol) is not declared: group web writes /etc/apache2/c.conf",
            "anybody on this host can write /srv/www/open (documents)",
        ]
    );
    let cut =
        told(&run(&host, &json!({"configuration": "/etc/apache2", "limit": 1, "declared": ["alice", "bob", "web"]})));
    assert_eq!(cut, ["only 1 paths were looked at, and there are more: say with `limit` how many are enough"]);
}

#[test]
fn crontabs_are_those_of_both_families() {
    let more = "  /var/spool/cron/crontabs/alice: {content: x, owner: alice, mode: '0600'}
  /var/spool/cron/crontabs/tmp.x: x
  /var/spool/cron/carol: x
";
    assert_eq!(
        why(&host("", more), &json!({})),
        ["alice: a crontab, /var/spool/cron/crontabs/alice", "carol: a crontab, /var/spool/cron/carol"]
    );
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_seen() {
    let host = host(
        "",
        "  /var/spool/cron/crontabs: {dir: true}
  /srv/www/a: {content: x, owner: alice}
faults:
  - {path: /etc/sudoers, on: read, errno: EACCES}
  - {path: /var/spool/cron/crontabs, on: read, errno: EACCES}
",
    );
    let report = run(&host, &json!({"documents": ["/srv/www"], "declared": ["alice"]}));
    let told = told(&report);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("not looked at: reading /etc/sudoers: ") && told[1].contains("/var/spool/cron/crontabs")
    );
    assert_eq!(report.data["people"][0]["account"], "alice");
}

#[test]
fn what_the_host_says_is_bounded_and_harmless() {
    let many: String = (0..3000).map(|n| format!("alice ALL=/bin/su -c {n}\n")).collect();
    let host = host(&format!("{many}+admins,%:nis ALL=ALL\n{}", "\u{1b}[2J ALL\n".repeat(500)), "");
    let report = run(&host, &json!({}));
    let person = &report.data["people"][0];
    assert_eq!(person["why"].as_array().unwrap().len(), 20);
    let told = told(&report);
    assert!(told[0].ends_with("; 2980 more"), "{}", told[0]);
    assert!(told.iter().any(|t| t.contains("the members of +admins (/etc/sudoers:3001) are not known on this host")));
    assert!(told.len() < 150, "{}", told.len());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for args in
        [json!({"configuration": "etc"}), json!({"documents": ["x"]}), json!({"limit": 0}), json!({"programs": ["[a"]})]
    {
        let module: Audience = from_arg(&Arg::from_value(&args)).unwrap();
        assert!(Action::validate(&module).is_err(), "{args}");
    }
}
