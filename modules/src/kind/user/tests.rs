use serde_json::{Value, json};

use super::*;
use crate::{
    host::fake::Fake,
    kind::shared::twice::{converge, module, refused},
};

const HASH: &str = "$6$salt$abcdefgh";

fn user(fake: &Fake, name: &str) -> rectify_core::module::User {
    fake.user(name).unwrap().unwrap()
}

fn put(fake: &Fake, args: Value) -> bool {
    converge::<User>(args, fake).unwrap()
}

#[test]
fn a_new_account_gets_what_is_asked_for() {
    let fake = Fake::debian();
    let args = json!({
        "name": "app", "uid": 1700, "group": "www-data", "groups": "sudo,adm", "home": "/srv/home/app", "shell": "/bin/sh",
        "comment": "The app", "password": HASH, "expires": 86400.0 * 20000.0 + 5.0,
    });
    assert!(put(&fake, args));
    let app = user(&fake, "app");
    assert_eq!((app.uid, app.gid, app.shell.as_str(), app.comment.as_str()), (1700, 33, "/bin/sh", "The app"));
    assert_eq!(
        (app.groups, app.password.as_deref(), app.expires),
        (vec!["adm".into(), "sudo".into()], Some(HASH), Some(20000))
    );
    assert_eq!(fake.stat("/srv/home/app/.bashrc".as_ref()).unwrap().unwrap().uid, 1700);
}

#[test]
fn what_is_not_given_stays() {
    let fake = Fake::debian();
    let before = user(&fake, "deploy");
    assert!(!put(&fake, json!({"name": "deploy"})));
    assert!(!put(&fake, json!({"name": "deploy", "group": "1000", "system": true})));
    assert!(put(&fake, json!({"name": "deploy", "shell": "/usr/sbin/nologin"})));
    assert_eq!(user(&fake, "deploy"), rectify_core::module::User { shell: "/usr/sbin/nologin".into(), ..before });
}

#[test]
fn groups_are_exactly_these_or_at_least_these() {
    let fake = Fake::debian();
    assert!(put(&fake, json!({"name": "deploy", "groups": ["adm"], "append": true})));
    assert_eq!(user(&fake, "deploy").groups, ["adm", "sudo"]);
    assert!(put(&fake, json!({"name": "deploy", "groups": ["adm", "deploy"]})));
    assert_eq!(user(&fake, "deploy").groups, ["adm"]);
    assert!(put(&fake, json!({"name": "deploy", "groups": []})));
    assert!(user(&fake, "deploy").groups.is_empty());
    assert!(converge::<User>(json!({"name": "deploy", "groups": ["nosuch"]}), &fake).is_err());
}

#[test]
fn a_password_is_set_when_it_differs_and_shown_nowhere() {
    let fake = Fake::debian();
    let args = json!({"name": "deploy", "password": HASH});
    let task: User = module(args.clone());
    let seen = task.observe(&fake).unwrap();
    let wanted = task.desired(seen.as_ref());
    assert_ne!(seen, wanted);
    let changes = rectify_core::event::compare(
        &serde_json::to_value(&seen).unwrap(),
        &serde_json::to_value(&wanted).unwrap(),
        true,
        true,
    );
    let said = format!("{changes:?} {seen:?} {wanted:?}");
    assert!(said.contains("password") && !said.contains(HASH), "{said}");
    assert!(put(&fake, args));
    assert!(!put(&fake, json!({"name": "deploy", "password": "$6$other$x", "update_password": "on_create"})));
    assert_eq!(user(&fake, "deploy").password.as_deref(), Some(HASH));
    assert!(put(&fake, json!({"name": "late", "password": "$6$other$x", "update_password": "on_create"})));
    assert_eq!(user(&fake, "late").password.as_deref(), Some("$6$other$x"));
}

#[test]
fn a_password_is_locked_and_unlocked() {
    let fake = Fake::debian();
    put(&fake, json!({"name": "deploy", "password": HASH}));
    assert!(put(&fake, json!({"name": "deploy", "password_lock": true})));
    assert_eq!(user(&fake, "deploy").password, Some(format!("!{HASH}")));
    assert!(!put(&fake, json!({"name": "deploy", "password": HASH})), "a locked password is the same password");
    assert!(put(&fake, json!({"name": "deploy", "password_lock": false})));
    assert_eq!(user(&fake, "deploy").password.as_deref(), Some(HASH));
    assert!(put(&fake, json!({"name": "new", "password_lock": true, "password": HASH})));
    assert_eq!(user(&fake, "new").password, Some(format!("!{HASH}")));
}

#[test]
fn expiry_is_set_and_taken_away() {
    let fake = Fake::debian();
    assert!(put(&fake, json!({"name": "deploy", "expires": 0})));
    assert_eq!(user(&fake, "deploy").expires, Some(0));
    assert!(put(&fake, json!({"name": "deploy", "expires": -1})));
    assert_eq!(user(&fake, "deploy").expires, None);
}

#[test]
fn homes_are_made_moved_or_left() {
    let fake = Fake::debian();
    fake.remove("/home/deploy".as_ref()).unwrap();
    assert!(!put(&fake, json!({"name": "deploy", "create_home": false})));
    assert!(put(&fake, json!({"name": "deploy"})), "a home that is missing is made");
    assert!(put(&fake, json!({"name": "deploy", "home": "/srv/deploy", "move_home": true})));
    assert!(fake.stat("/home/deploy".as_ref()).unwrap().is_none());
    assert_eq!(fake.stat("/srv/deploy/.bashrc".as_ref()).unwrap().unwrap().uid, 1000);
    assert!(!put(&fake, json!({"name": "nobody"})), "/nonexistent is never made");
    assert!(put(&fake, json!({"name": "daemon2", "system": true, "createhome": false})));
    assert!(fake.stat("/home/daemon2".as_ref()).unwrap().is_none());
}

#[test]
fn an_account_goes_with_its_home_or_without() {
    let fake = Fake::debian();
    assert!(put(&fake, json!({"name": "deploy", "state": "absent"})));
    assert!(fake.stat("/home/deploy".as_ref()).unwrap().is_some());
    put(&fake, json!({"name": "late"}));
    assert!(put(&fake, json!({"name": "late", "state": "absent", "remove": true})));
    assert!(fake.stat("/home/late".as_ref()).unwrap().is_none());
    assert!(!put(&fake, json!({"name": "late", "state": "absent"})));
}

#[test]
fn what_is_not_supported_or_dangerous_is_said() {
    for (args, word) in [
        (json!({"name": "a", "password": "hunter2"}), "password_hash"),
        (json!({"name": "a", "password": ""}), "everybody"),
        (json!({"name": "a", "generate_ssh_key": true}), "not supported"),
        (json!({"name": "a", "force": true}), "not supported"),
        (json!({"name": "a", "append": true}), "groups"),
        (json!({"name": "a", "home": "x"}), "absolute"),
        (json!({"name": "a", "comment": "a:b"}), "colon"),
    ] {
        let said = refused::<User>(args);
        assert!(said.contains(word) && !said.contains("hunter2"), "{said}");
    }
}
