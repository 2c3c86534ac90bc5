use serde_json::{Value, json};

use super::*;
use crate::{
    host::fake::Fake,
    kind::shared::twice::{converge, refused, text},
};

const DEPLOY: &str = "/var/spool/cron/crontabs/deploy";

fn put(fake: &Fake, args: Value) -> bool {
    converge::<Cron>(args, fake).unwrap()
}

#[test]
fn an_entry_is_added_changed_and_taken_away() {
    let fake = Fake::from_yaml(
        &json!({"base": "debian", "groups": {"crontab": {"gid": 101}}, "files": {DEPLOY: "MAILTO=x\n5 * * * * own"}})
            .to_string(),
    )
    .unwrap();
    assert!(put(&fake, json!({"name": "a", "user": "deploy", "minute": "0", "hour": "*/2", "job": "run a"})));
    assert_eq!(text(&fake, DEPLOY), "MAILTO=x\n5 * * * * own\n#Ansible: a\n0 */2 * * * run a\n");
    let meta = fake.stat(DEPLOY.as_ref()).unwrap().unwrap();
    assert_eq!((meta.mode, meta.uid, meta.gid), (0o600, 1000, 101));
    assert!(put(
        &fake,
        json!({"name": "a", "user": "deploy", "special_time": "daily", "job": "run b", "disabled": true})
    ));
    assert_eq!(text(&fake, DEPLOY), "MAILTO=x\n5 * * * * own\n#Ansible: a\n#@daily run b\n");
    assert!(put(&fake, json!({"name": "a", "user": "deploy", "state": "absent"})));
    assert_eq!(text(&fake, DEPLOY), "MAILTO=x\n5 * * * * own\n");
    assert!(!put(&fake, json!({"name": "a", "user": "deploy", "state": "absent"})));
}

#[test]
fn crontabs_are_where_the_distribution_keeps_them() {
    let rocky = Fake::from_yaml("{base: rocky, files: {/var/spool/cron: {dir: true}}}").unwrap();
    assert!(put(&rocky, json!({"name": "a", "job": "run"})));
    assert_eq!(text(&rocky, "/var/spool/cron/root"), "#Ansible: a\n* * * * * run\n");
}

#[test]
fn a_file_of_its_own_names_the_account() {
    let fake = Fake::debian();
    assert!(put(
        &fake,
        json!({"name": "a", "cron_file": "app", "user": "deploy", "special_time": "reboot", "job": "run"})
    ));
    assert_eq!(text(&fake, "/etc/cron.d/app"), "#Ansible: a\n@reboot deploy run\n");
    assert!(put(&fake, json!({"cron_file": "app", "state": "absent"})));
    assert!(fake.lstat("/etc/cron.d/app".as_ref()).unwrap().is_none());
}

#[test]
fn variables_stand_first() {
    let fake = Fake::debian();
    put(&fake, json!({"name": "a", "job": "run"}));
    assert!(put(&fake, json!({"name": "PATH", "job": "/bin", "env": true})));
    assert_eq!(text(&fake, "/var/spool/cron/crontabs/root"), "PATH=\"/bin\"\n#Ansible: a\n* * * * * run\n");
    assert!(put(&fake, json!({"name": "PATH", "env": true, "state": "absent"})));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (args, word) in [
        (json!({"job": "x"}), "`name`"),
        (json!({"name": "a"}), "`job`"),
        (json!({"name": "a", "job": "x\ny"}), "one line"),
        (json!({"name": "a", "job": "x", "minute": "1 2"}), "no spaces"),
        (json!({"name": "a", "job": "x", "special_time": "often"}), "often"),
        (json!({"name": "a", "job": "x", "special_time": "daily", "hour": "3"}), "not both"),
        (json!({"name": "a", "job": "x", "cron_file": "f"}), "`user`"),
        (json!({"name": "a", "job": "x", "cron_file": "../f", "user": "root"}), "cron_file"),
    ] {
        let said = refused::<Cron>(args);
        assert!(said.contains(word), "{said}");
    }
    assert!(converge::<Cron>(json!({"name": "a", "job": "x", "user": "ghost"}), &Fake::debian()).is_err());
}
