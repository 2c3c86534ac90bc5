use std::collections::BTreeMap;

use super::*;
use crate::{
    diag::{Diagnostics, SourceMap},
    module::{Finding, Severity},
};

fn skipping() -> World {
    let skip = "rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-12-31}}";
    let mut world = World::new(FRAMES, &HOSTS.replace("a1: {", &format!("a1: {{{skip}, ")));
    world.on("2027-02-01");
    world
}

fn uses(world: &World) -> Vec<String> {
    let subjects: BTreeMap<String, Subject> = ["a1", "a2"]
        .map(|h| (h.to_owned(), Subject { prints: world.prints(), claim: world.claims(h).remove("frames") }))
        .into();
    let uses = skip_uses(&world.view(), world.setting(), &subjects, &world.evidence);
    uses.iter().map(ToString::to_string).collect()
}

#[test]
fn a_skip_of_a_host_that_is_as_wanted_is_proposed_for_removal() {
    let mut world = skipping();
    let lead = "a1: the skip of frames by alpha until 2027-12-31: ";
    assert_eq!(uses(&world), [format!("{lead}whether it is needed has not been seen lately: run a check")]);
    world.look(false, &["a1"], &[]);
    assert_eq!(uses(&world), [format!("{lead}needed")]);
    world.on("2027-02-02").look(false, &[], &[]);
    world.on("2027-02-03").look(false, &[], &[]);
    let gone = "no longer needed, the host has been as wanted since 2027-02-02T09:00:00Z: please remove it";
    assert_eq!(uses(&world), [format!("{lead}{gone}")]);
    world.look(false, &[], &["a1"]);
    assert!(uses(&world)[0].contains("has not been seen lately"), "a look that failed saw nothing");
    world.look(false, &[], &[]);
    world.on("2027-02-11");
    assert!(uses(&world)[0].contains("has not been seen lately"), "too long ago");
}

#[test]
fn a_skip_that_let_nothing_through_for_a_month_is_proposed_for_removal() {
    let mut world = skipping();
    world.count(&[("a1", &[])]);
    assert!(uses(&world)[0].ends_with(": needed"), "nobody has counted for long");
    world.on("2027-03-05").count(&[("a1", &[("2027-02-28", 1)])]);
    assert!(uses(&world)[0].ends_with(": needed"), "{:?}", uses(&world));
    world.on("2027-04-05").count(&[("a1", &[])]);
    assert!(uses(&world)[0].contains("in 30 days nothing came that it would let through"), "{:?}", uses(&world));
    world.look(false, &["a1"], &[]);
    world.on("2027-04-13").look(false, &["a1"], &[]);
    assert!(uses(&world)[0].ends_with(": needed"), "nobody counts any more");
}

fn finding(name: &str, place: &str) -> Finding {
    let message = format!("{place} defines it, and the inventory has no skip of it");
    Finding { severity: Severity::Warning, subject: name.into(), message }
}

#[test]
fn what_hosts_skip_by_themselves_becomes_lines_for_the_inventory() {
    let world = World::new(FRAMES, HOSTS);
    let place = "/etc/apache2/conf-enabled/00 it's\u{1b}.conf:2";
    let found = BTreeMap::from([
        ("a1".to_owned(), vec![finding("RECTIFY_SKIP_FRAMES", place), finding("RECTIFY_SKIP_OTHER", "x:1")]),
        ("b1".to_owned(), vec![finding("RECTIFY_SKIP_frames", "y:1"), finding("", "only 5 paths")]),
    ]);
    let all = undocumented(&found, &world.rollouts);
    let names: Vec<_> = all.iter().map(|u| (u.host.as_str(), u.setting.as_deref(), u.place.as_str())).collect();
    assert_eq!(names, [("a1", Some("frames"), place), ("a1", None, "x:1"), ("b1", Some("frames"), "y:1")]);

    let today = "2027-02-01".parse().unwrap();
    let (lines, unknown) = import_lines(&all, "a1", &world.rollouts, &world.inventory, today);
    assert_eq!(unknown, ["RECTIFY_SKIP_OTHER"]);
    assert_eq!(
        lines,
        "rollout_skip:\n  frames: {reason: 'found on the host, RECTIFY_SKIP_FRAMES: /etc/apache2/conf-enabled/00 it''s .conf:2', \
         owner: alpha, until: 2027-05-02}\n"
    );
    // The lines are what the inventory's reader takes.
    let inner = lines.lines().map(|l| format!("      {l}\n")).collect::<String>();
    let hosts = HOSTS.replace("    a1: {owner: alpha}\n", &format!("    a1:\n      owner: alpha\n{inner}"));
    let (mut map, mut wrong) = (SourceMap::new(), Diagnostics::new());
    let options = Options { sources: vec!["/hosts.yml".into()], playbook_dirs: vec![], cwd: PathBuf::from("/") };
    let inventory = load(&OneFile(hosts), &options, &mut map, &mut wrong);
    let claims = claims(&inventory, "a1", &world.rollouts, today, &mut wrong);
    assert!(!wrong.has_errors(), "{}", render(&map, &wrong, false));
    let skip = claims["frames"].skip.as_ref().unwrap();
    assert_eq!((skip.owner.as_str(), skip.until.to_string().as_str()), ("alpha", "2027-05-02"));
    assert_eq!(import_lines(&all, "a2", &world.rollouts, &world.inventory, today), (String::new(), vec![]));
}

#[test]
fn a_skip_that_a_look_saw_on_a_host_is_known_until_a_look_does_not_see_it_or_the_inventory_has_it() {
    let described = FRAMES.replace("Say so in the inventory.", "Say `Define RECTIFY_SKIP_FRAMING` on the host.");
    let mut world = World::new(&described, HOSTS);
    let found = BTreeMap::from([("a1".to_owned(), vec![finding("RECTIFY_SKIP_FRAMING", "/etc/x.conf:2")])]);
    let all = undocumented(&found, &world.rollouts);
    assert_eq!(all[0].setting.as_deref(), Some("frames"), "by the name that its description has");
    let mut look = |own: Option<&str>| {
        let seen = HostLook { own_skip: own.map(str::to_owned), ..HostLook::default() };
        let (at, hosts) = (world.now, [("a1".to_owned(), seen)].into());
        world.evidence.add(&Look { at, run: "r".into(), setting: "frames".into(), revision: 1, apply: false, hosts });
        let subjects = ["a1", "a2"]
            .map(|h| (h.to_owned(), Subject { prints: world.prints(), claim: world.claims(h).remove("frames") }));
        let own = own_skips(world.setting(), &subjects.into(), &world.evidence);
        own.into_iter().map(|u| format!("{} {} {}", u.host, u.name, u.place)).collect::<Vec<_>>()
    };
    assert_eq!(look(Some("RECTIFY_SKIP_FRAMING in /etc/x.conf:2")), ["a1 RECTIFY_SKIP_FRAMING /etc/x.conf:2"]);
    assert_eq!(look(None).len(), 1, "nobody looked for it");
    assert_eq!(look(Some("")), [""; 0]);
    assert_eq!(look(Some("RECTIFY_SKIP_FRAMING in /etc/x.conf:2")).len(), 1);
    let skip = "rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-12-31}}";
    let evidence = world.evidence.clone();
    world = World::new(&described, &HOSTS.replace("a1: {", &format!("a1: {{{skip}, ")));
    let subjects = [("a1".to_owned(), Subject { prints: world.prints(), claim: world.claims("a1").remove("frames") })];
    assert!(own_skips(world.setting(), &subjects.into(), &evidence).is_empty(), "the inventory has it now");
}
