use super::*;

const ALL: [&str; 6] = ["a1", "a2", "a3", "b1", "b2", "b3"];

fn hosts_with(host: &str, vars: &str) -> String {
    HOSTS.replace(&format!("{host}: {{"), &format!("{host}: {{{vars}, "))
}

#[test]
fn nothing_is_enforced_before_opt_out_but_where_it_was_asked_for() {
    let mut world = World::new(FRAMES, &hosts_with("a1", "rollout_opt_in: [frames]"));
    assert_eq!(world.enforced(), ["a1"]);
    assert_eq!(world.stance("a1").reason.to_string(), "opted in");
    assert_eq!(world.stance("a2").reason.to_string(), "opt-in (not asked for)");
    world.advance("announced");
    assert_eq!(world.enforced(), ["a1"]);
    assert_eq!(world.stance("a2").reason.to_string(), "announced (not asked for)");
}

#[test]
fn a_date_that_passes_moves_nothing() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2029-01-01");
    assert!(world.enforced().is_empty());
}

#[test]
fn opt_out_reaches_the_cohorts_one_after_the_other() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-02-10").advance("opt-out 50%");
    let half = world.enforced().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(!half.is_empty() && half.len() < 6, "{half:?}");
    let later = ALL.into_iter().find(|h| !half.contains(&(*h).to_owned())).unwrap();
    assert_eq!(world.stance(later).reason.to_string(), "its turn comes with `opt-out`");
    world.advance("opt-out");
    assert_eq!(world.enforced(), ALL);
    assert!(half.iter().all(|h| world.stance(h).mode == Mode::Enforce));
}

#[test]
fn cohorts_contain_each_other_and_are_about_as_large_as_they_say() {
    let world = World::new(FRAMES, HOSTS);
    let hosts: Vec<String> = (0..2000).map(|n| format!("web{n:04}.example.org")).collect();
    let of = |percent| hosts.iter().filter(|h| world.setting().covers(h, percent)).collect::<Vec<_>>();
    assert!(of(5).iter().all(|h| of(25).contains(h)));
    assert!((70..130).contains(&of(5).len()), "{}", of(5).len());
    assert!((450..550).contains(&of(25).len()), "{}", of(25).len());
    assert_eq!(of(100).len(), 2000);
    let other = FRAMES.replace("owner: security", "owner: security\n    seed: another");
    let other = World::new(&other, HOSTS);
    assert!(hosts.iter().any(|h| other.setting().covers(h, 5) != world.setting().covers(h, 5)));
}

#[test]
fn a_host_may_ask_for_everything_and_skip_a_part() {
    for (vars, mode) in [
        ("rollout_opt_in: all", Mode::Enforce),
        ("rollout_opt_in: [all]", Mode::Enforce),
        (
            "rollout_opt_in: all, rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-05-31}}",
            Mode::Observe,
        ),
    ] {
        assert_eq!(World::new(FRAMES, &hosts_with("a1", vars)).stance("a1").mode, mode, "{vars}");
    }
}

#[test]
fn a_skip_holds_until_its_last_day_then_for_a_week_of_grace_and_then_no_more() {
    let skip = "rollout_skip: {frames: {reason: legacy intranet frames, owner: alpha, until: 2027-05-31}}";
    let mut world = World::new(FRAMES, &hosts_with("a1", skip));
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    let reason = |world: &World| world.stance("a1").reason.to_string();
    assert_eq!(reason(&world), "skipped until 2027-05-31 by alpha: legacy intranet frames");
    assert!(world.stance("a1").findings.is_empty());
    world.on("2027-05-20");
    assert_eq!(world.stance("a1").warnings, ["the skip of frames by alpha ends in 11 days, on 2027-05-31"]);
    world.on("2027-05-31T23:59:00Z");
    assert!(reason(&world).starts_with("skipped until"));
    world.on("2027-06-01T00:00:00Z");
    assert_eq!(reason(&world), "skip by alpha expired on 2027-05-31, in grace: legacy intranet frames");
    world.on("2027-06-07");
    assert_eq!(world.stance("a1").mode, Mode::Observe);
    world.on("2027-06-08");
    assert_eq!(world.stance("a1").mode, Mode::Enforce);
    assert_eq!(
        world.stance("a1").findings,
        ["the skip of frames by alpha expired on 2027-05-31: it counts no more: remove it"]
    );
}

#[test]
fn what_could_lock_somebody_out_is_never_enforced_behind_an_expired_skip() {
    let skip = "rollout_skip: {frames: {reason: the only way in, owner: alpha, until: 2027-01-31}}";
    let file = FRAMES.replace("owner: security", "owner: security\n    lock_out: true");
    let mut world = World::new(&file, &hosts_with("a1", skip));
    world.tell_all("opt-out");
    world.on("2028-01-01").advance("opt-out");
    assert_eq!(world.stance("a1").mode, Mode::Observe);
    assert!(world.stance("a1").findings[0].contains("could lock somebody out"));
}

#[test]
fn mandatory_ignores_a_skip_and_says_so_but_an_exception_holds() {
    let skip = "rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-09-30}}";
    let mut world = World::new(FRAMES, &hosts_with("a1", skip));
    world.tell_all("mandatory");
    world.on("2027-04-02").advance("mandatory");
    let stance = world.stance("a1");
    assert_eq!((stance.mode, stance.reason.to_string().as_str()), (Mode::Enforce, "mandatory: skip ignored"));
    assert_eq!(stance.findings, ["frames is mandatory: the skip of alpha is ignored"]);
    let exception = skip.replace("owner: alpha", "owner: alpha, approver: security, exception: true");
    let journal = world.journal.clone();
    let mut world = World::new(FRAMES, &hosts_with("a1", &exception));
    world.journal = journal;
    assert_eq!(world.on("2027-04-02").stance("a1").mode, Mode::Observe);
}

#[test]
fn one_who_was_told_of_opt_out_only_keeps_the_skip_when_it_becomes_mandatory() {
    let skip = "rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-09-30}}";
    let mut world = World::new(FRAMES, &hosts_with("a1", skip));
    world.tell_all("opt-out");
    world.on("2027-04-02").advance("mandatory");
    assert_eq!(world.stance("a1").reason.to_string(), "alpha was not told");
    assert_eq!(world.stance("a2").mode, Mode::Enforce);
}

#[test]
fn nobody_is_changed_who_was_not_told_in_time() {
    let mut world = World::new(FRAMES, HOSTS);
    world.on("2027-01-20").tell_all("opt-out");
    world.on("2027-02-02").advance("opt-out");
    assert_eq!(world.stance("a1").reason.to_string(), "alpha was told too recently: not before 2027-02-03T09:00:00Z");
    assert!(world.on("2027-02-03T08:59:59Z").enforced().is_empty());
    assert_eq!(world.on("2027-02-03T09:00:00Z").enforced(), ALL);
}

#[test]
fn one_address_that_was_not_reached_is_enough() {
    let mut world = World::new(FRAMES, HOSTS);
    let id = world.announce("beta", &["b1"], "opt-out");
    world.write(Entry::Delivered { of: id.clone(), to: "mailto:beta@example.org".into() });
    world.write(Entry::Failed { of: id.clone(), to: "mailto:b2@example.org".into(), error: "550".into() });
    world.on("2027-03-01").advance("opt-out");
    assert_eq!(world.stance("b1").reason.to_string(), "the announcement to beta has not reached mailto:b2@example.org");
    world.write(Entry::Delivered { of: id, to: "mailto:b2@example.org".into() });
    assert_eq!(world.on("2027-03-15").stance("b1").mode, Mode::Enforce);
}

#[test]
fn what_changed_after_the_announcement_makes_it_void() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    world.print = "p2".into();
    let void = "what alpha was told has changed since: the announcement is void";
    assert_eq!(world.stance("a1").reason.to_string(), void);
    world.print = "p1".into();
    assert_eq!(world.stance("a1").mode, Mode::Enforce);
}

#[test]
fn a_host_that_joins_late_or_has_no_owner_waits() {
    let hosts = HOSTS.replace("    b3: {owner: beta}", "    b3: {}\n    new: {owner: alpha}");
    let mut world = World::new(FRAMES, &hosts);
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    assert_eq!(world.stance("new").reason.to_string(), "alpha was not told");
    assert_eq!(world.stance("b3").reason.to_string(), "no owner: nobody can be told");
}

#[test]
fn a_forced_advance_covers_the_hosts_that_it_names() {
    let mut world = World::new(FRAMES, HOSTS);
    let hosts = [("a1".to_owned(), "p1".to_owned())].into();
    let to = "opt-out".parse().unwrap();
    let forced = Some("an exploit is out".to_owned());
    world.write(Entry::Advance { setting: "frames".into(), revision: 1, to, forced, hosts });
    assert_eq!(world.enforced(), ["a1"]);
    world.print = "p2".into();
    assert!(world.enforced().is_empty());
}

#[test]
fn retired_is_off_everywhere() {
    let file = FRAMES.replace("mandatory: 2027-04-01", "mandatory: 2027-04-01\n      retired: 2028-01-01");
    let mut world = World::new(&file, &hosts_with("a1", "rollout_opt_in: [frames]"));
    world.tell_all("mandatory");
    world.on("2028-01-02").advance("retired");
    assert!(ALL.iter().all(|h| world.stance(h).mode == Mode::Off));
}

fn revised(direction: &str) -> String {
    let revision = format!(
        "owner: security\n    revision: {{number: 2, direction: {direction}, value: SAMEORIGIN, was: DENY, why: portals}}"
    );
    FRAMES.replace("owner: security", &revision)
}

#[test]
fn a_looser_revision_goes_on_where_the_one_before_stood() {
    let mut world = World::new(FRAMES, HOSTS);
    world.on("2027-03-01").advance("opt-out");
    let journal = world.journal.clone();
    let mut world = World::new(&revised("looser"), HOSTS);
    world.journal = journal;
    world.on("2027-03-02");
    assert_eq!(world.stance("a1").step.to_string(), "opt-out");
    assert_eq!(world.stance("a1").value, Some("SAMEORIGIN".into()));
}

#[test]
fn a_looser_revision_applies_at_once_to_those_who_were_told_of_the_one_before() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    let journal = world.journal.clone();
    let mut world = World::new(&revised("looser"), HOSTS);
    world.journal = journal;
    world.on("2027-03-02");
    let stance = |prints: &Prints| world.view().stance(world.setting(), "a1", None, prints);
    let due = stance(&Prints { now: "p2".into(), was: Some("p1".into()) });
    assert_eq!((due.mode, due.revision, due.value), (Mode::Enforce, 2, Some("SAMEORIGIN".into())));
    // What was announced has to be what the tasks said with the value before.
    assert_eq!(stance(&Prints { now: "p3".into(), was: Some("p3-was".into()) }).mode, Mode::Observe);
}

#[test]
fn before_a_stricter_revision_is_due_the_old_value_holds() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    let journal = world.journal.clone();
    let mut world = World::new(&revised("stricter"), HOSTS);
    world.journal = journal;
    world.on("2027-03-02");
    let prints = Prints { now: "p2".into(), was: Some("p1".into()) };
    let stance = world.view().stance(world.setting(), "a1", None, &prints);
    assert_eq!((stance.mode, stance.revision, stance.value), (Mode::Enforce, 1, Some("DENY".into())));
    assert_eq!(stance.step.to_string(), "announced");
    // An edit in the same commit makes the old value's announcement void as well.
    let edited = Prints { now: "p3".into(), was: Some("p3-was".into()) };
    assert_eq!(world.view().stance(world.setting(), "a1", None, &edited).mode, Mode::Observe);
}

#[test]
fn supposing_a_date_or_a_step_shows_what_would_happen_then() {
    let mut world = World::new(FRAMES, HOSTS);
    world.assume.dates = true;
    assert!(world.on("2027-01-31").enforced().is_empty());
    assert_eq!(world.on("2027-02-10").enforced(), ALL);
    world.assume = Assume { stages: [("frames".to_owned(), "opt-out".parse().unwrap())].into(), dates: false };
    assert_eq!(world.on("2027-01-01").enforced(), ALL);
}

#[test]
fn why_names_the_place_of_everything_that_had_a_say() {
    let skip = "rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2027-05-31}}";
    let mut world = World::new(FRAMES, &hosts_with("a1", skip));
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    let stance = world.stance("a1");
    let chain: Vec<String> = stance
        .chain
        .iter()
        .map(|l| match l.at {
            Some(at) => format!("{} ({})", l.text, world.map.location(at)),
            None => l.text.clone(),
        })
        .collect();
    assert_eq!(chain[0], "observe: skipped until 2027-05-31 by alpha: legacy");
    assert!(chain[1].contains("skip by alpha") && chain[1].contains("hosts.yml:5"), "{chain:#?}");
    assert!(chain.iter().any(|l| l.starts_with("frames has reached `opt-out` (rollouts.yml:13")), "{chain:#?}");
    assert!(chain.iter().any(|l| l.contains("root advanced it to `opt-out`")), "{chain:#?}");
    assert!(chain.iter().any(|l| l.contains("owner: alpha") && l.contains("hosts.yml:5")), "{chain:#?}");
}
