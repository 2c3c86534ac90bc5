//! The fixtures hold together, and a fake does what they say.

use std::path::Path;

use rectify_core::module::{
    Command, Effects, HostError, Observe, Operate, PackageRequest, PackageSpec, PackageStatus, UnitAction, UserChange,
    WriteAttrs,
};

use super::Fake;

fn text(host: &dyn Observe, path: &str) -> String {
    String::from_utf8(host.read(Path::new(path), 1 << 20).unwrap().expect("it is there").to_vec()).unwrap()
}

fn install(name: &str) -> PackageRequest {
    PackageRequest { install: vec![PackageSpec { name: name.into(), version: None }], ..PackageRequest::default() }
}

fn remove(name: &str) -> PackageRequest {
    PackageRequest { remove: vec![name.into()], ..PackageRequest::default() }
}

#[test]
fn both_fixtures_are_whole_hosts() {
    for fake in [Fake::debian(), Fake::rocky()] {
        assert!(text(&fake, "/etc/passwd").starts_with("root:x:0:0:root:/root:/bin/bash\n"));
        assert!(text(&fake, "/etc/os-release").contains("VERSION_ID"));
        assert!(fake.packages().unwrap().packages.len() > 10);
        assert!(fake.snapshot().unwrap()["files"].as_object().unwrap().len() > 50);
    }
}

#[test]
fn a_fixture_may_start_from_another() {
    let fake =
        Fake::from_yaml("{base: debian, files: {/etc/motd: other, /etc/hosts: ~}, sysctls: {a.b: '1'}}").unwrap();
    assert_eq!(text(&fake, "/etc/motd"), "other");
    assert_eq!(fake.lstat(Path::new("/etc/hosts")).unwrap(), None);
    assert_eq!(fake.sysctl("a.b").unwrap().as_deref(), Some("1"));
    assert!(fake.user("www-data").unwrap().is_some());
}

#[test]
fn what_makes_no_sense_is_said() {
    for (yaml, word) in [
        ("{fils: {}}", "fils"),
        ("{base: suse}", "suse"),
        ("{files: {/a: x, /a/b: y}}", "/a/b"),
        ("{files: {/a: {owner: ghost}}}", "ghost"),
        ("{files: {/a: {link: b, dir: true}}}", "one thing"),
        ("{faults: [{path: /a, on: read, errno: EWHAT}]}", "EWHAT"),
    ] {
        let error = Fake::from_yaml(yaml).err().expect(yaml);
        assert!(error.contains(word), "{yaml}: {error}");
    }
}

#[test]
fn installing_brings_dependencies_files_and_units() {
    let fake = Fake::debian();
    let done = fake.transact(&install("nginx")).unwrap();
    assert_eq!(done.changes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["nginx", "nginx-common"]);
    assert!(text(&fake, "/etc/nginx/nginx.conf").contains("www-data"));
    assert_eq!(fake.unit("nginx.service").unwrap().active, "active");
    let db = fake.packages().unwrap();
    assert!(db.installed("nginx").unwrap().manual && !db.installed("nginx-common").unwrap().manual);
    assert!(fake.resolve(&install("nginx")).unwrap().is_empty());
}

#[test]
fn removing_takes_dependents_and_keeps_configuration_until_purged() {
    let fake = Fake::debian();
    let done = fake.transact(&remove("apache2-bin")).unwrap();
    let gone: Vec<_> = done.removed().map(|c| c.name.as_str()).collect();
    assert_eq!(gone, ["apache2", "apache2-bin", "libapache2-mod-php8.2"]);
    assert_eq!(fake.lstat(Path::new("/usr/sbin/apache2")).unwrap(), None);
    assert!(fake.lstat(Path::new("/etc/apache2/apache2.conf")).unwrap().is_some());
    assert_eq!(fake.packages().unwrap().packages["apache2"].status, PackageStatus::ConfigFiles);
    assert!(!fake.unit("apache2.service").unwrap().exists());
}

#[test]
fn essential_packages_and_unknown_names_are_refused() {
    let fake = Fake::debian();
    for request in [remove("bash"), install("no-such-package")] {
        assert!(matches!(fake.transact(&request), Err(HostError::Program { .. })), "{request:?}");
    }
}

#[test]
fn accounts_are_seen_in_their_files() {
    let fake = Fake::debian();
    let change = UserChange { handle_home: true, groups: Some(vec!["sudo".into()]), ..UserChange::default() };
    fake.put_user("alice", &change).unwrap();
    assert!(text(&fake, "/etc/passwd").contains("\nalice:x:1001:1001::/home/alice:/bin/sh\n"));
    assert!(text(&fake, "/etc/group").contains("\nsudo:x:27:alice,deploy\n"));
    assert_eq!(text(&fake, "/home/alice/.bashrc"), "# ~/.bashrc\n");
    assert_eq!(fake.stat(Path::new("/home/alice/.bashrc")).unwrap().unwrap().uid, 1001);
    fake.remove_user("alice", true).unwrap();
    assert!(!text(&fake, "/etc/passwd").contains("alice") && !text(&fake, "/etc/group").contains("alice"));
    assert_eq!(fake.lstat(Path::new("/home/alice")).unwrap(), None);
}

#[test]
fn scripted_commands_and_probes_answer_and_others_do_not() {
    let fake = Fake::from_yaml(
        "{files: {/on: ''}, probes: [{argv: [ask], stdout: 'yes', if_exists: /on}, {argv: [ask], stdout: 'no'}], \
         commands: [{argv: [switch, off], removes: [/on], creates: {/d/off: text}}]}",
    )
    .unwrap();
    let nothing = Effects { extents: vec![] };
    assert_eq!(fake.probe(&Command::new(["ask"])).unwrap().stdout, b"yes");
    fake.run(&Command::new(["switch", "off"]), &nothing).unwrap();
    assert_eq!(fake.probe(&Command::new(["ask"])).unwrap().stdout, b"no");
    assert_eq!(text(&fake, "/d/off"), "text");
    assert!(fake.probe(&Command::new(["other"])).is_err() && fake.run(&Command::new(["ask"]), &nothing).is_err());
    assert_eq!(fake.ran().len(), 1);
}

#[test]
fn faults_show_where_they_are_said_to() {
    let fake = Fake::from_yaml(
        "{files: {/a: x, /b: y}, faults: [{path: /a, on: write, errno: ENOSPC}, {path: /b, on: read, errno: EIO}]}",
    )
    .unwrap();
    let full = fake.write(Path::new("/a"), b"z", &WriteAttrs::default()).unwrap_err();
    assert!(matches!(full, HostError::Io { errno: Some(28), .. }), "{full}");
    assert_eq!(text(&fake, "/a"), "x");
    assert!(matches!(fake.read(Path::new("/b"), 10), Err(HostError::Io { errno: Some(5), .. })));
    assert!(fake.lstat(Path::new("/b")).unwrap().is_some());
}

#[test]
fn an_enabled_unit_has_its_link() {
    let fake = Fake::debian();
    let link = Path::new("/etc/systemd/system/multi-user.target.wants/apache2.service");
    fake.act_on_unit("apache2", UnitAction::Disable).unwrap();
    assert_eq!((fake.lstat(link).unwrap(), fake.unit("apache2").unwrap().file.as_str()), (None, "disabled"));
    fake.act_on_unit("apache2", UnitAction::Enable).unwrap();
    assert!(fake.lstat(link).unwrap().is_some());
    assert!(fake.act_on_unit("masked.service", UnitAction::Start).is_err());
}
