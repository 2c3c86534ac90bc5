//! Policies on a fake host.

use std::path::Path;

use rectify_core::{
    arg::{Arg, from_arg},
    module::{ErasedResource, Meta},
    plan::TaskId,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    host::{fake::Fake, rehearsal::Rehearsal},
    kind::shared::trial,
};

const SITE: &str = "
base: debian
groups: {pub: {gid: 2000, members: [deploy]}}
files:
  /srv/site: {dir: true, mode: '2775', owner: root, group: pub}
  /srv/site/index.php: {content: x, mode: '0666', owner: www-data, group: www-data}
  /srv/site/fine.php: {content: x, mode: '0664', owner: root, group: pub}
  /srv/site/.git/HEAD: {content: x, mode: '0777'}
  /srv/site/up: {dir: true, mode: '0755', owner: www-data, group: pub}
  /srv/site/up/a.png: {content: x, mode: '0600', owner: www-data, group: pub}
  /srv/site/out: {link: /etc/shadow, owner: root, group: pub}
  /etc/shadow: {content: x, mode: '0600'}
";

fn policy() -> Value {
    json!({
        "path": "/srv/site", "owner": "root", "group": "pub", "file_mode": "0664", "dir_mode": "2775",
        "exclude": [".git"], "forbid_writable_by": ["www-data"],
        "writable": [{"paths": ["up"], "owner": "www-data", "file_mode": "0644", "dir_mode": "0755"}],
    })
}

fn meta(host: &Fake, path: &str) -> Meta {
    host.lstat(Path::new(path)).unwrap().expect("it is there")
}

fn with(mut args: Value, key: &str, value: Value) -> Value {
    args[key] = value;
    args
}

#[test]
fn only_what_deviates_is_reported_and_repaired() {
    let host = Fake::from_yaml(SITE).unwrap();
    let rehearsal = Rehearsal::new(&host);
    let announced = trial::converge::<Permissions>(&rehearsal.for_task(TaskId(1)), &policy());
    let (before, after) = trial::converge::<Permissions>(&host, &policy());
    assert_eq!(announced, (before.clone(), after.clone()));
    let named: Vec<&String> = after["paths"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["/srv/site/index.php", "/srv/site/up/a.png"]);
    assert_eq!(before["paths"]["/srv/site/up/a.png"], json!({"mode": "0600"}));
    assert_eq!(after["paths"]["/srv/site/index.php"], json!({"owner": "root", "group": "pub", "mode": "0664"}));
    assert_eq!((meta(&host, "/srv/site/.git/HEAD").mode, meta(&host, "/etc/shadow").mode), (0o777, 0o600));
    let (before, after) = trial::converge::<Permissions>(&host, &policy());
    assert_eq!(before, after, "a second time nothing changes");
}

#[test]
fn without_repair_there_are_findings_and_no_change() {
    let host = Fake::from_yaml(SITE).unwrap();
    let seen = trial::module::<Permissions>(&with(policy(), "repair", json!(false))).look(&host).unwrap();
    assert!(!seen.differs);
    let told: Vec<(&str, Severity)> = seen.findings.iter().map(|f| (f.subject.as_str(), f.severity)).collect();
    assert_eq!(told, [("/srv/site/index.php", Severity::Critical), ("/srv/site/up/a.png", Severity::Warning)]);
    assert!(seen.findings[0].message.starts_with("www-data can write it"), "{}", seen.findings[0].message);
}

#[test]
fn whoever_must_not_write_loses_the_bits_that_let_it() {
    let host = Fake::from_yaml(
        "{base: debian, files: {/srv/s: {dir: true, mode: '1777'}, /srv/s/g: {content: x, mode: '0666', group: www-data}, /srv/s/own: {content: x, owner: www-data}}}",
    )
    .unwrap();
    let args = json!({"path": "/srv/s", "forbid_writable_by": "www-data"});
    let module = trial::module::<Permissions>(&args);
    trial::converge::<Permissions>(&host, &args);
    assert_eq!(meta(&host, "/srv/s").mode, 0o1775);
    assert_eq!(meta(&host, "/srv/s/g").mode, 0o646, "the group's bit decides for who is in the group");
    let findings = module.look(&host).unwrap().findings;
    assert_eq!((findings.len(), findings[0].subject.as_str()), (1, "/srv/s/own"));
    assert_eq!(findings[0].severity, Severity::Critical);
    assert!(
        trial::fails::<Permissions>(&host, &json!({"path": "/srv/s", "forbid_writable_by": "root"})).contains("root")
    );
}

#[test]
fn a_file_with_a_name_outside_is_left_alone() {
    let host = Fake::from_yaml(
        "{base: debian, files: {/srv/s/in: {content: x, mode: '0600'}, /srv/s/both: {hard: /srv/s/in}, /etc/secret: {content: x, mode: '0600'}, /srv/s/trap: {hard: /etc/secret}}}",
    )
    .unwrap();
    let args = json!({"path": "/srv/s", "file_mode": "0644"});
    trial::converge::<Permissions>(&host, &args);
    assert_eq!((meta(&host, "/srv/s/both").mode, meta(&host, "/etc/secret").mode), (0o644, 0o600));
    let findings = trial::module::<Permissions>(&args).look(&host).unwrap().findings;
    assert_eq!((findings.len(), findings[0].subject.as_str()), (1, "/srv/s/trap"));
}

#[test]
fn more_than_is_held_is_counted_and_repaired_all_the_same() {
    let host = Fake::debian();
    host.make_dir(Path::new("/srv/many"), 0o755).unwrap();
    for i in 0..10_020 {
        let attrs = rectify_core::module::WriteAttrs { mode: Some(0o666), ..Default::default() };
        host.write(Path::new(&format!("/srv/many/{i}")), b"", &attrs).unwrap();
    }
    let (before, _) = trial::converge::<Permissions>(&host, &json!({"path": "/srv/many", "file_mode": "0644"}));
    assert_eq!((before["paths"].as_object().unwrap().len(), &before["more"]), (10_000, &json!(20)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert!(trial::refused::<Permissions>(&json!({"path": "/"})).contains("useless"));
    assert!(trial::refused::<Permissions>(&json!({"path": "/srv", "exclude": ["[a"]})).contains("[a"));
    let host = Fake::debian();
    assert!(trial::fails::<Permissions>(&host, &json!({"path": "/nowhere"})).contains("/nowhere does not exist"));
    assert!(trial::fails::<Permissions>(&host, &json!({"path": "/bin"})).contains("is a link"));
    let unread: Result<Permissions, _> = from_arg(&Arg::from_value(&json!({"path": "/srv", "colour": 1})));
    assert!(unread.is_err());
}
