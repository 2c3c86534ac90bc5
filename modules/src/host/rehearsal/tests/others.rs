//! Accounts, units, the kernel: what the tools would do.

use rectify_core::module::{GroupChange, Observe, Operate, Owner, Unit, UnitAction, UserChange, WriteAttrs};

use super::*;

const NONE: WriteAttrs = WriteAttrs { mode: None, uid: None, gid: None };

fn state(unit: Unit) -> (String, String, bool) {
    (unit.active, unit.file, unit.needs_reload)
}

#[test]
fn a_new_account_has_its_group_its_home_and_what_belongs_in_it() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    let change = UserChange { handle_home: true, groups: Some(vec!["sudo".into()]), ..UserChange::default() };
    task(&rehearsal, 1).put_user("alice", &change).unwrap();
    let view = task(&rehearsal, 2);
    let alice = view.user("alice").unwrap().unwrap();
    assert_eq!((alice.uid, alice.gid, alice.groups.as_slice()), (1001, 1001, &["sudo".to_owned()][..]));
    assert_eq!(view.user_by_id(1001).unwrap().unwrap().name, "alice");
    assert_eq!(view.group_by_id(1001).unwrap().unwrap().name, "alice");
    assert_eq!(view.group("sudo").unwrap().unwrap().members, ["alice", "deploy"]);
    let profile = view.stat(p("/home/alice/.profile")).unwrap().unwrap();
    assert_eq!((profile.uid, profile.gid), (1001, 1001));
    view.write(p("/home/alice/note"), b"", &NONE).unwrap();

    task(&rehearsal, 3).remove_user("alice", true).unwrap();
    assert_eq!(view.user("alice").unwrap(), None);
    assert_eq!(view.group("alice").unwrap(), None);
    assert_eq!(view.user_by_id(1001).unwrap(), None);
    assert_eq!(view.group("sudo").unwrap().unwrap().members, ["deploy"]);
    assert_eq!(view.lstat(p("/home/alice/note")).unwrap(), None);
}

#[test]
fn system_accounts_get_the_next_number_from_the_top() {
    let machine = Fake::debian();
    let view = task(&Rehearsal::new(&machine), 1);
    let system = UserChange { system: true, ..UserChange::default() };
    view.put_user("one", &system).unwrap();
    view.put_user("two", &system).unwrap();
    // sshd has 101, the lowest: the range is searched from its top.
    assert_eq!(view.user("one").unwrap().unwrap().uid, 999);
    assert_eq!(view.user("two").unwrap().unwrap().uid, 998);
}

#[test]
fn accounts_are_refused_what_the_tools_refuse() {
    let machine = Fake::debian();
    let view = task(&Rehearsal::new(&machine), 1);
    let taken = UserChange { uid: Some(1000), ..UserChange::default() };
    assert!(matches!(view.put_user("alice", &taken), Err(HostError::Program { .. })));
    let missing = UserChange { group: Some(Owner::Name("ghost".into())), ..UserChange::default() };
    assert!(matches!(view.put_user("alice", &missing), Err(HostError::Program { .. })));
    assert!(matches!(view.remove_group("deploy"), Err(HostError::Program { .. })));
    view.remove_user("ghost", true).unwrap();
    view.put_user("alice", &UserChange { non_unique: true, ..taken }).unwrap();
    view.put_group("web", &GroupChange { gid: Some(500), ..GroupChange::default() }).unwrap();
    assert_eq!(view.group_by_id(500).unwrap().unwrap().name, "web");
}

#[test]
fn a_unit_file_that_a_task_writes_makes_a_unit() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    let view = task(&rehearsal, 1);
    assert!(!view.unit("app.service").unwrap().exists());
    let file = b"[Service]\nExecStart=/usr/bin/app\n[Install]\nWantedBy=multi-user.target\n";
    view.write(p("/etc/systemd/system/app.service"), file, &NONE).unwrap();
    assert_eq!(state(view.unit("app.service").unwrap()), ("inactive".into(), "disabled".into(), false));
    view.act_on_unit("app", UnitAction::Enable).unwrap();
    view.act_on_unit("app", UnitAction::Start).unwrap();
    assert_eq!(state(view.unit("app").unwrap()), ("active".into(), "enabled".into(), false));
    let link = p("/etc/systemd/system/multi-user.target.wants/app.service");
    assert_eq!(view.read_link(link).unwrap(), p("/etc/systemd/system/app.service"));
    view.write(p("/etc/systemd/system/app.service.d/x.conf"), b"", &NONE).unwrap_err();
    view.make_dir(p("/etc/systemd/system/app.service.d"), 0o755).unwrap();
    view.write(p("/etc/systemd/system/app.service.d/x.conf"), b"[Service]\n", &NONE).unwrap();
    assert!(view.unit("app").unwrap().needs_reload);
    view.reload_units().unwrap();
    assert!(!view.unit("app").unwrap().needs_reload);
    view.act_on_unit("app", UnitAction::Disable).unwrap();
    assert_eq!(view.lstat(link).unwrap(), None);
}

#[test]
fn a_masked_unit_does_not_start_and_is_what_it_was_once_unmasked() {
    let machine = Fake::debian();
    let view = task(&Rehearsal::new(&machine), 1);
    view.act_on_unit("apache2.service", UnitAction::Stop).unwrap();
    view.act_on_unit("apache2.service", UnitAction::Mask).unwrap();
    assert_eq!(view.unit("apache2.service").unwrap().load, "masked");
    assert!(matches!(view.act_on_unit("apache2", UnitAction::Start), Err(HostError::Program { .. })));
    view.act_on_unit("apache2.service", UnitAction::Unmask).unwrap();
    let unit = view.unit("apache2.service").unwrap();
    assert_eq!((unit.load.as_str(), unit.file.as_str()), ("loaded", "enabled"));
    assert!(matches!(view.act_on_unit("ghost", UnitAction::Stop), Err(HostError::Program { .. })));
}

#[test]
fn kernel_parameters_read_back_as_the_kernel_prints_them() {
    let machine = Fake::debian();
    let view = task(&Rehearsal::new(&machine), 1);
    view.set_sysctl("net.ipv4.tcp_rmem", "4096 87380 6291456").unwrap();
    assert_eq!(view.sysctl("net/ipv4/tcp_rmem").unwrap().as_deref(), Some("4096\t87380\t6291456"));
    assert_eq!(errno(view.set_sysctl("kernel.ghost", "1")), 2);
    view.set_sysctl("kernel.modules_disabled", "1").unwrap();
    assert_eq!(errno(view.set_sysctl("kernel.modules_disabled", "0")), 22);
    assert_eq!(errno(view.set_kernel_module("sctp", true)), 1);
    assert_eq!(errno(view.set_kernel_module("dccp", false)), 1);
}

#[test]
fn kernel_modules_in_use_stay() {
    let machine = Fake::debian();
    let view = task(&Rehearsal::new(&machine), 1);
    view.set_kernel_module("dccp", false).unwrap();
    view.set_kernel_module("sctp", true).unwrap();
    assert_eq!(errno(view.set_kernel_module("ext4", false)), 11);
    let modules = view.kernel_modules().unwrap();
    assert!(!modules.contains_key("dccp") && modules.contains_key("sctp"));
}
