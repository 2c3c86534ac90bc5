use std::collections::BTreeMap;

use super::*;

fn change(subject: &str) -> Vec<TaskChange> {
    vec![TaskChange { task: "Frame options".into(), subject: subject.into(), changes: vec![] }]
}

#[test]
fn a_host_reads_of_itself_and_of_nobody_else() {
    let skip = "rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-12-31}}";
    let mut world = World::new(FRAMES, &HOSTS.replace("a2: {", &format!("a2: {{{skip}, ")));
    world.on("2027-02-01").count(&[("a1", &[("2027-01-31", 4)])]);
    let of = |hosts: &[&str]| -> BTreeMap<String, Subject> {
        let subject = |h: &str| Subject { prints: world.prints(), claim: world.claims(h).remove("frames") };
        hosts.iter().map(|h| ((*h).to_owned(), subject(h))).collect()
    };
    let subjects = BTreeMap::from([("frames".to_owned(), of(&["a1", "a2", "a3", "b1"]))]);
    let changes = ["a1", "b1"].map(|h| (h.to_owned(), change(h)));
    let seen = Seen::from([("frames".to_owned(), BTreeMap::from(changes))]);
    let people = contacts(&world.inventory, world.inventory.hosts_in("all"), &mut Diagnostics::new());
    let room = Newsroom {
        view: world.view(),
        subjects: &subjects,
        seen: &seen,
        evidence: &world.evidence,
        people: &people,
        domain: "example.org",
    };
    let steps = [(world.setting(), "opt-out".parse().unwrap())];
    let news = room.on_host(Purpose::Day, "a1", &steps);
    assert_eq!(news.len(), 1);
    let hosts: Vec<(&str, &str)> =
        news[0].hosts.iter().map(|h| (h.host.as_str(), h.changes[0].subject.as_str())).collect();
    assert_eq!((hosts, news[0].skips.len()), (vec![("a1", "a1")], 0));
    assert_eq!(news[0].hosts[0].blocked, Some(4));
    // Nobody was told before today: the notice period begins now.
    assert!(news[0].about.skip_lines.contains("owner: alpha") && news[0].date.to_string() == "2027-02-15");
    let skipped = room.on_host(Purpose::Day, "a2", &steps);
    assert_eq!((skipped[0].hosts.len(), skipped[0].skips[0].host.as_str()), (0, "a2"));
    assert!(room.on_host(Purpose::Day, "a3", &steps).is_empty(), "nothing changes there");
    assert!(room.on_host(Purpose::Day, "b2", &steps).is_empty(), "it has no tasks of the setting");
}
