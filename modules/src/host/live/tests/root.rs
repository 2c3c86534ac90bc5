//! What changes the machine itself: in a mount namespace of its own, with an /etc of its own.

use std::{path::PathBuf, process::Command};

use rectify_core::module::{GroupChange, Observe, Operate, Owner, UserChange};

use super::{assert_passed, live, root};

const INSIDE: &str = "RECTIFY_TEST_ETC";

#[test]
fn accounts_are_made_changed_and_removed() {
    const TEST: &str = "host::live::tests::root::accounts_are_made_changed_and_removed";
    if std::env::var_os(INSIDE).is_some() {
        in_a_private_etc();
        return;
    }
    if !root("making accounts") {
        return;
    }
    let script = "mkdir -p \"$1/etc\" \"$1/work\" \"$1/home\" && mount -t tmpfs none \"$1\" && mkdir \"$1/etc\" \"$1/work\" \
                  && mount -t overlay none -o lowerdir=/etc,upperdir=\"$1/etc\",workdir=\"$1/work\" /etc \
                  && mount -t tmpfs none /home && shift && exec \"$@\"";
    let dir = tempfile::tempdir().unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]).arg(dir.path());
    unshare.arg(std::env::current_exe().unwrap()).args(["--exact", "--nocapture", TEST]).env(INSIDE, "1");
    let output = unshare.output().unwrap();
    assert_passed(&output);
}

fn in_a_private_etc() {
    let live = live();
    live.put_group("rectify-web", &GroupChange { gid: Some(4321), ..GroupChange::default() }).unwrap();
    assert_eq!(live.group("rectify-web").unwrap().unwrap().gid, 4321);
    live.put_group("rectify-web", &GroupChange { gid: Some(4322), ..GroupChange::default() }).unwrap();
    assert_eq!(live.group_by_id(4322).unwrap().unwrap().name, "rectify-web");

    let new = UserChange {
        uid: Some(4321),
        group: Some(Owner::Name("rectify-web".into())),
        groups: Some(vec!["adm".into()]),
        comment: Some("An application".into()),
        home: Some(PathBuf::from("/home/app")),
        handle_home: true,
        shell: Some("/bin/sh".into()),
        password: Some("$6$salt$hash".into()),
        expires: Some(Some(20_777)),
        ..UserChange::default()
    };
    live.put_user("rectify-app", &new).unwrap();
    let user = live.user("rectify-app").unwrap().unwrap();
    assert_eq!((user.uid, user.gid, user.groups.as_slice()), (4321, 4322, ["adm".to_owned()].as_slice()));
    assert_eq!((user.password.as_deref(), user.expires), (Some("$6$salt$hash"), Some(20_777)));
    assert_eq!(live.stat(&user.home).unwrap().unwrap().uid, 4321);

    let lock = UserChange { locked: Some(true), expires: Some(None), ..UserChange::default() };
    live.put_user("rectify-app", &lock).unwrap();
    let user = live.user("rectify-app").unwrap().unwrap();
    assert_eq!((user.password.as_deref(), user.expires), (Some("!$6$salt$hash"), None));

    let unlock = UserChange { locked: Some(false), password: Some("!$6$new".into()), ..UserChange::default() };
    live.put_user("rectify-app", &unlock).unwrap();
    assert_eq!(live.user_by_id(4321).unwrap().unwrap().password.as_deref(), Some("$6$new"));

    let taken = UserChange { uid: Some(0), ..UserChange::default() };
    let error = live.put_user("rectify-app", &taken).unwrap_err().to_string();
    assert!(
        error.contains("usermod -u 0 -- rectify-app ended with exit 4: usermod: UID '0' already exists"),
        "{error}"
    );

    live.remove_user("rectify-app", true).unwrap();
    live.remove_user("rectify-app", true).unwrap();
    assert_eq!(live.user("rectify-app").unwrap(), None);
    assert_eq!(live.stat(&user.home).unwrap(), None);
    live.remove_group("rectify-web").unwrap();
    assert_eq!(live.group("rectify-web").unwrap(), None);
}
