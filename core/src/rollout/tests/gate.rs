use super::*;

/// A world that lacks nothing for `opt-out 5%` on the first of February.
fn ready() -> World {
    let mut world = World::new(FRAMES, HOSTS);
    world.on("2027-01-10").tell_all("opt-out");
    world.advance("announced");
    world.on("2027-02-01").look(false, &["a1", "b1"], &[]);
    world
}

#[test]
fn a_step_whose_conditions_hold_is_open() {
    let world = ready();
    let gate = world.gate();
    assert_eq!(gate.to.unwrap().to_string(), "opt-out 5%");
    assert!(gate.missing.is_empty(), "{:?}", gate.missing);
}

#[test]
fn its_day_has_to_come_and_no_freeze_to_be() {
    let mut world = ready();
    world.on("2027-01-31");
    assert!(world.missing().contains(&"its day is 2027-02-01".to_owned()));
    let file = format!("freezes: [{{from: 2027-01-28, to: 2027-02-02, reason: exams}}]\n{FRAMES}");
    world.rollouts = World::new(&file, HOSTS).rollouts;
    assert_eq!(world.on("2027-02-01").missing(), ["nothing advances until 2027-02-02: exams"]);
}

#[test]
fn nobody_is_changed_before_the_day_that_was_named() {
    let mut world = ready();
    world.on("2027-01-31");
    world.rollouts =
        World::new(&FRAMES.replace("{5%: 2027-02-01, 50%: 2027-02-04, 100%: 2027-02-10}", "2027-01-25"), HOSTS)
            .rollouts;
    let missing = world.missing();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(missing[0], "alpha was told of 2027-02-01, which has not come: a1");
}

#[test]
fn a_look_at_other_tasks_says_nothing_of_these() {
    let mut world = ready();
    world.print = "p2".into();
    let missing = world.missing().concat();
    assert!(missing.contains("no look in the last 7 days: a1, a2, a3, b1, b2, b3"), "{missing}");
    assert!(missing.contains("what alpha was told has changed since"), "{missing}");
}

#[test]
fn announced_needs_a_delivery_but_no_waiting() {
    let mut world = World::new(FRAMES, HOSTS);
    world.on("2027-01-10").look(false, &["a1", "b1"], &[]);
    let missing = world.missing();
    assert_eq!(missing, ["alpha was not told: a1", "beta was not told: b1"]);
    let id = world.announce("alpha", &["a1", "a2", "a3"], "opt-out");
    world.deliver(&id, "alpha");
    assert_eq!(world.missing(), ["beta was not told: b1"]);
    let id = world.announce("beta", &["b1"], "opt-out");
    assert_eq!(
        world.missing(),
        ["the announcement to beta has not reached mailto:beta@example.org, mailto:b2@example.org: b1"]
    );
    world.deliver(&id, "beta");
    assert!(world.missing().is_empty(), "{:?}", world.missing());
}

#[test]
fn the_notice_period_has_to_be_over_for_every_host_that_would_change() {
    let everybody = FRAMES.replace("5%: 2027-02-01, 50%: 2027-02-04, ", "");
    let mut world = World::new(&everybody, HOSTS);
    world.on("2027-02-05").tell_all("opt-out");
    world.advance("announced");
    world.on("2027-02-18").look(false, &["a1"], &[]);
    assert_eq!(world.missing(), ["alpha was told too recently: not before 2027-02-19T09:00:00Z: a1"]);
    assert!(world.on("2027-02-19").missing().is_empty());
}

#[test]
fn an_open_objection_stops_it_until_it_is_answered() {
    let mut world = ready();
    let objection = Entry::Objection {
        setting: "frames".into(),
        revision: 1,
        owner: "beta".into(),
        reason: "our portal frames itself".into(),
    };
    let id = world.write(objection);
    assert_eq!(world.missing(), [format!("beta objects: our portal frames itself (answer objection {id})")]);
    world.write(Entry::Answered { of: id, answer: "same site is allowed".into() });
    assert!(world.missing().is_empty());
}

#[test]
fn a_look_must_be_fresh() {
    let mut world = ready();
    world.on("2027-02-09");
    assert_eq!(world.missing(), ["no look in the last 7 days: a1, a2, a3, b1, b2, b3 (run a check)"]);
}

#[test]
fn too_many_hosts_that_would_change_stop_it() {
    let file = FRAMES.replace("owner: security", "owner: security\n    limits: {would_change: 20%}");
    let mut world = ready();
    world.rollouts = World::new(&file, HOSTS).rollouts;
    assert_eq!(world.missing(), ["it would change 2 of 6 hosts, 20 % are allowed"]);
}

#[test]
fn what_observing_counted_can_stop_it() {
    let file = FRAMES.replace("owner: security", "owner: security\n    limits: {blocked: 10}");
    let mut world = ready();
    world.rollouts = World::new(&file, HOSTS).rollouts;
    assert_eq!(
        world.missing(),
        ["nothing has counted in the last 7 days what it would block: a1, b1 (its tasks `on: observe` do)"]
    );
    world.count(&[("a1", &[("2027-01-20", 9), ("2027-01-31", 5)]), ("b1", &[])]);
    assert_eq!(world.missing(), ["enforcing would have blocked 14 times in 30 days, 10 are allowed"]);
}

#[test]
fn what_was_counted_long_ago_does_not_stop_it_but_says_nothing_either() {
    let file = FRAMES.replace("owner: security", "owner: security\n    limits: {blocked: 0, evidence_age: 20d}");
    let mut world = ready();
    world.rollouts = World::new(&file, HOSTS).rollouts;
    world.on("2027-01-02").count(&[("a1", &[("2027-01-01", 9)]), ("b1", &[("2026-12-01", 9)])]);
    world.on("2027-02-01").look(false, &["a1", "b1"], &[]);
    let missing = world.missing();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].starts_with("nothing has counted in the last 20 days"), "{missing:?}");
    world.count(&[("a1", &[]), ("b1", &[])]);
    assert!(world.missing().is_empty(), "31 days ago is not within 30 days: {:?}", world.missing());
}

#[test]
fn a_day_that_two_looks_saw_counts_once_and_a_log_that_went_is_not_forgotten() {
    let mut world = ready();
    world.count(&[("a1", &[("2027-01-30", 3), ("2027-01-31", 2)])]);
    world.count(&[("a1", &[("2027-01-31", 4)])]);
    world.count(&[("a1", &[])]);
    let known = world.evidence.blocked("frames", 1, ["a1"], world.now);
    assert_eq!(known, Some(7));
    assert_eq!(world.evidence.blocked("frames", 1, ["b1"], world.now), None, "nobody counted there");
}

#[test]
fn a_cohort_that_failed_or_was_not_applied_stops_the_ramp() {
    let mut world = ready();
    world.on("2027-02-01").advance("opt-out 50%");
    let first: Vec<String> = world.enforced().into_iter().map(str::to_owned).collect();
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    world.on("2027-02-10").look(false, &first, &[]);
    assert_eq!(world.missing(), [format!("not applied yet since the last step: {} (run an apply)", first.join(", "))]);
    world.look(true, &first, &first[..1]);
    let missing = world.missing();
    assert!(
        missing[0].starts_with(&format!("failed on 1 of {} hosts, 0 % are allowed: {}", first.len(), first[0])),
        "{missing:?}"
    );
    world.look(true, &first, &[]);
    assert!(world.missing().is_empty(), "{:?}", world.missing());
}

#[test]
fn the_last_step_has_none_after_it() {
    let mut world = World::new(FRAMES, HOSTS);
    world.advance("mandatory");
    assert_eq!(world.missing(), ["no step follows"]);
}

#[test]
fn of_many_hosts_the_first_are_named_unless_all_are_asked_for() {
    let hosts: Vec<String> = (0..2000).map(|n| format!("w{n}")).collect();
    let missing = Missing::NotApplied { hosts };
    let short = "not applied yet since the last step: w0, w1, w2, w3, w4, w5, w6, w7 and 1992 more (run an apply)";
    assert_eq!(missing.to_string(), short);
    assert!(format!("{missing:#}").ends_with("w1998, w1999 (run an apply)"));
}
