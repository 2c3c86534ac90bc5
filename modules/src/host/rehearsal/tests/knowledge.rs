//! What is not known, because of whom, and what stays known.

use rectify_core::module::{
    Because, Command, Effects, Entity, Extent, Observe, Operate, PackageRequest, PackageSpec, UnitAction, UserChange,
    WriteAttrs,
};

use super::*;

const ALL: WriteAttrs = WriteAttrs { mode: Some(0o644), uid: Some(0), gid: Some(0) };

fn run(view: &RehearsalView<'_>, extents: &[Extent]) {
    let effects = Effects { extents: extents.to_vec() };
    assert_eq!(view.run(&Command::new(["x"]), &effects), Err(HostError::NotRehearsed));
}

fn install(name: &str) -> PackageRequest {
    PackageRequest { install: vec![PackageSpec { name: name.into(), version: None }], ..PackageRequest::default() }
}

fn remove(name: &str, purge: bool) -> PackageRequest {
    PackageRequest { remove: vec![name.into()], purge, ..PackageRequest::default() }
}

fn latest(name: &str) -> PackageRequest {
    PackageRequest { latest: vec![name.into()], ..PackageRequest::default() }
}

#[test]
fn after_a_command_that_declares_nothing_all_is_unknown_until_it_is_written() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    run(&task(&rehearsal, 3), &[Extent::Anything]);
    let view = task(&rehearsal, 4);
    assert_eq!(blame(view.lstat(p("/etc/motd"))), [3]);
    assert_eq!(blame(view.lstat(p("/no/such/thing"))), [3]);
    assert_eq!(blame(view.user("root")), [3]);
    assert_eq!(blame(view.packages()), [3]);
    assert_eq!(blame(view.unit("cron.service")), [3]);
    assert_eq!(blame(view.sysctl("vm.swappiness")), [3]);
    assert_eq!(blame(view.kernel_modules()), [3]);
    view.write(p("/etc/motd"), b"known", &ALL).unwrap();
    assert_eq!(text(&view, "/etc/motd"), "known");
    assert_eq!(blame(names(&view, "/etc")), [3]);
    view.remove(p("/etc/hosts")).unwrap();
    assert_eq!(view.lstat(p("/etc/hosts")).unwrap(), None);
}

#[test]
fn a_declared_effect_reaches_as_far_as_declared() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    run(&task(&rehearsal, 1), &[Extent::Entity(Entity::Path("/etc/motd".into()))]);
    run(&task(&rehearsal, 2), &[Extent::Entity(Entity::Tree("/srv/app".into()))]);
    let view = task(&rehearsal, 5);
    assert_eq!(blame(view.read(p("/etc/motd"), 100)), [1]);
    assert_eq!(blame(names(&view, "/etc")), [1]);
    assert!(view.lstat(p("/etc/hosts")).unwrap().is_some());
    assert!(view.user("root").unwrap().is_some());
    assert_eq!(blame(view.lstat(p("/srv/app/uploads/a.jpg"))), [2]);
    assert_eq!(blame(view.stat(p("/srv/app"))), [2]);
    assert!(view.lstat(p("/srv")).unwrap().is_some());
    assert_eq!(blame(names(&view, "/srv")), [2]);
}

#[test]
fn the_engine_names_the_tasks_and_links_are_followed_to_what_is_meant() {
    let machine = fake("{files: {/run/x: '', /var/run: {link: /run}}}");
    let rehearsal = Rehearsal::new(&machine);
    let because = Because::tasks([TaskId(7), TaskId(2)]);
    rehearsal.note_unknown(&[Extent::Entity(Entity::Path("/var/run/x".into()))], because);
    let view = task(&rehearsal, 9);
    assert_eq!(blame(view.lstat(p("/run/x"))), [2, 7]);
    assert_eq!(blame(view.lstat(p("/var/run/x"))), [2, 7]);
}

#[test]
fn an_installation_leaves_known_what_was_there() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    let done = task(&rehearsal, 6).transact(&install("nginx")).unwrap();
    assert_eq!(done.changes.len(), 2);
    let view = task(&rehearsal, 7);
    assert!(view.packages().unwrap().installed("nginx").unwrap().manual);
    assert_eq!(text(&view, "/etc/motd"), "Welcome.\n");
    assert!(view.user("deploy").unwrap().is_some());
    assert_eq!(view.unit("cron.service").unwrap().active, "active");
    assert_eq!(blame(view.lstat(p("/etc/nginx/nginx.conf"))), [6]);
    assert_eq!(blame(view.user("nginx")), [6]);
    assert_eq!(blame(view.unit("nginx.service")), [6]);
    assert_eq!(blame(view.act_on_unit("nginx", UnitAction::Start)), [6]);
    assert_eq!(blame(view.read(p("/etc/passwd"), 1 << 20)), [6]);
    assert!(view.lstat(p("/etc/passwd")).unwrap().is_some());
}

#[test]
fn a_removal_takes_files_away_and_keeps_configuration() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).transact(&remove("wget", false)).unwrap();
    let view = task(&rehearsal, 2);
    assert_eq!(view.lstat(p("/usr/bin/wget")).unwrap(), None);
    assert!(view.lstat(p("/etc/wgetrc")).unwrap().is_some());
    assert!(view.resolve(&remove("wget", false)).unwrap().is_empty());
    assert!(view.lstat(p("/usr/bin/curl")).unwrap().is_some());

    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).transact(&remove("wget", true)).unwrap();
    assert_eq!(task(&rehearsal, 2).lstat(p("/etc/wgetrc")).unwrap(), None);
}

#[test]
fn links_that_a_packages_scripts_made_are_not_known_after_its_removal() {
    let machine = fake(
        "base: debian\nfiles:\n  /usr/bin/php: {link: /etc/alternatives/php}\n  \
         /etc/alternatives/php: {link: /usr/bin/php8.2}\n  \
         /etc/apache2/mods-enabled/php8.2.load: {link: ../mods-available/php8.2.load}\n",
    );
    let rehearsal = Rehearsal::new(&machine);
    let request =
        PackageRequest { remove: vec!["php8.2-cli".into(), "libapache2-mod-php8.2".into()], ..Default::default() };
    task(&rehearsal, 1).transact(&request).unwrap();
    let view = task(&rehearsal, 2);
    assert_eq!(blame(view.lstat(p("/usr/bin/php"))), [1]);
    assert_eq!(blame(view.lstat(p("/etc/apache2/mods-enabled/php8.2.load"))), [1]);
    assert_eq!(blame(names(&view, "/etc/apache2/mods-enabled")), [1]);
    assert!(view.lstat(p("/etc/apache2/mods-enabled/status.load")).unwrap().is_some());
}

#[test]
fn an_upgrade_leaves_only_the_packages_own_files_unknown() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).transact(&latest("curl")).unwrap();
    let view = task(&rehearsal, 2);
    assert_eq!(blame(view.read(p("/usr/bin/curl"), 100)), [1]);
    assert_eq!(blame(view.read(p("/bin/curl"), 100)), [1]);
    assert_eq!(text(&view, "/usr/bin/wget"), "wget");
}

#[test]
fn several_transactions_are_resolved_as_one_and_what_was_done_is_taken_off() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    let changes = |request: &PackageRequest, number| {
        let done = task(&rehearsal, number).transact(request).unwrap();
        done.changes.into_iter().map(|c| (c.name, c.to.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(changes(&install("nginx"), 1), [("nginx".into(), true), ("nginx-common".into(), true)]);
    assert_eq!(changes(&install("tree"), 2), [("tree".into(), true)]);
    assert_eq!(changes(&install("nginx"), 3), []);
    assert_eq!(changes(&remove("wget", false), 4), [("wget".into(), false)]);
    assert_eq!(changes(&install("wget"), 5), [("wget".into(), true)]);
    // What takes a package along that came in memory is only known to the package manager.
    assert_eq!(blame(task(&rehearsal, 6).transact(&remove("nginx-common", false))), [1]);
}

#[test]
fn what_repositories_offer_is_not_known_once_they_are_configured_anew() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).write(p("/etc/apt/sources.list.d/x.list"), b"deb x", &ALL).unwrap();
    let view = task(&rehearsal, 2);
    assert_eq!(blame(view.resolve(&install("nginx"))), [1]);
    assert_eq!(blame(view.candidates(&["nginx".into()])), [1]);
    assert_eq!(view.resolve(&remove("wget", false)).unwrap().changes.len(), 1);
    assert!(view.packages().is_ok());
}

#[test]
fn a_probe_is_asked_only_while_its_answer_holds() {
    let machine =
        fake("{base: debian, probes: [{argv: [visudo, -c], stdout: fine}, {argv: [wget, -V], stdout: '1.21'}]}");
    let rehearsal = Rehearsal::new(&machine);
    let check = Command::new(["visudo", "-c"]).reading([Entity::Tree("/etc/sudoers.d".into())]);
    let version = Command::new(["wget", "-V"]);
    task(&rehearsal, 1).write(p("/etc/motd"), b"", &ALL).unwrap();
    assert_eq!(task(&rehearsal, 2).probe(&check).unwrap().stdout, b"fine");
    assert_eq!(task(&rehearsal, 2).probe(&version).unwrap().stdout, b"1.21");
    task(&rehearsal, 3).write(p("/etc/sudoers.d/x"), b"", &ALL).unwrap();
    assert_eq!(blame(task(&rehearsal, 4).probe(&check)), [3]);
    task(&rehearsal, 5).transact(&remove("wget", false)).unwrap();
    assert_eq!(errno(task(&rehearsal, 6).probe(&version)), 2);
}

#[test]
fn accounts_edited_by_hand_are_not_known() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).set_mode(p("/etc/passwd"), 0o600).unwrap();
    assert!(task(&rehearsal, 2).user("deploy").unwrap().is_some());
    task(&rehearsal, 3).write(p("/etc/passwd"), b"", &ALL).unwrap();
    assert_eq!(blame(task(&rehearsal, 4).user("deploy")), [3]);
}

#[test]
fn a_new_accounts_line_in_a_file_is_not_known_but_the_account_is() {
    let machine = Fake::debian();
    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).put_user("alice", &UserChange::default()).unwrap();
    let view = task(&rehearsal, 2);
    assert_eq!(blame(view.read(p("/etc/passwd"), 1 << 20)), [1]);
    assert_eq!(view.user("alice").unwrap().unwrap().uid, 1001);
}
