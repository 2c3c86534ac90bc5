//! One thing, property by property.

use super::stream::{World, events, hash, look, task, told};
use crate::{
    drift::{Cause, Happened, Key, Tells, unwanted},
    event::{Event, Failure, HostEvent, Outcome, RunEvent, SkipReason, Status, Trace},
    module::Because,
    plan::{Mode, TaskId},
};

const MOTD: &str = "path:/etc/motd";

fn mode(seen: &str, wanted: &str) -> super::stream::Task {
    task(MOTD, "mode", Some(seen), Some(wanted))
}

#[test]
fn the_table_of_causes() {
    let mut world = World::default();
    world.check(100, &[mode("0600", "0644")]);
    assert_eq!(world.cause(MOTD, "mode"), Cause::New);
    world.apply(200, &[mode("0600", "0644").ended(Outcome::Changed)]);
    assert_eq!(world.cause(MOTD, "mode"), Cause::Fine);
    world.check(300, &[mode("0666", "0644")]);
    assert_eq!(world.cause(MOTD, "mode"), Cause::Drift);
    let drift = &world.known[&Key::new(MOTD, "mode")];
    assert_eq!(
        (drift.before, drift.since, drift.looks),
        (Some(202), 303, 1),
        "between the begin of one look and the end of the other"
    );
    world.check(400, &[mode("0666", "0644")]);
    assert_eq!((world.known[&Key::new(MOTD, "mode")].looks, world.known[&Key::new(MOTD, "mode")].since), (2, 303));
    world.check(500, &[mode("0666", "0600")]);
    assert_eq!(world.cause(MOTD, "mode"), Cause::Both);
    world.check(600, &[mode("0644", "0600")]);
    assert_eq!(world.cause(MOTD, "mode"), Cause::Pending);
    let fixed = told(&world.check(700, &[mode("0600", "0600")]));
    assert_eq!(fixed, [("mode".into(), Happened { old: Cause::Pending, new: Cause::Fine, corrected: None })]);
}

#[test]
fn what_an_apply_puts_right_is_told_with_its_cause_also_where_no_look_had_seen_it() {
    let mut world = World::default();
    world.check(100, &[mode("0644", "0644")]);
    let told = told(&world.apply(200, &[mode("0666", "0644").ended(Outcome::Changed)]));
    let corrected = Happened { old: Cause::Fine, new: Cause::Fine, corrected: Some(Cause::Drift) };
    assert_eq!(told, [("mode".into(), corrected)]);
}

#[test]
fn several_tasks_on_one_property_count_together() {
    let mut world = World::default();
    let content = |seen: &str, wanted: &str| task(MOTD, "content", Some(seen), Some(wanted));
    world.apply(100, &[content("0", "1").ended(Outcome::Changed), content("1", "2").ended(Outcome::Changed)]);
    assert_eq!(world.known[&Key::new(MOTD, "content")].left, Some(Some("2".into())));
    // In a check the second sees what the first would have done.
    world.check(200, &[content("0", "1"), content("1", "2")]);
    let known = &world.known[&Key::new(MOTD, "content")];
    assert_eq!((known.cause, known.seen.as_deref(), known.wanted.as_deref()), (Cause::Drift, Some("0"), Some("2")));
    // One of them fails: what there is now, the next look will see.
    let failed = Outcome::Failed { failure: Failure::new("no") };
    world.apply(300, &[content("0", "1").ended(Outcome::Changed), content("1", "2").ended(failed)]);
    assert_eq!(world.cause(MOTD, "content"), Cause::Drift);
}

#[test]
fn what_was_rolled_back_is_not_left_behind() {
    let mut world = World::default();
    let mut all = events(Mode::Apply, 100, &[mode("0666", "0644").ended(Outcome::Changed)]);
    let back = HostEvent::RolledBack { tasks: vec![TaskId(0)], because: TaskId(0) };
    all.insert(4, Event { seq: 9, at: 104, what: RunEvent::Host { host: "h".into(), what: back } });
    world.take(&look(&all));
    assert_eq!(world.cause(MOTD, "mode"), Cause::New);
}

#[test]
fn what_did_not_look_or_is_not_wanted_here_tells_nothing() {
    let observed = SkipReason::Rollout { setting: "s".into(), why: "opt-in".into(), would: Some(Status::WouldChange) };
    for outcome in [
        Outcome::MayChange { because: Because::default() },
        Outcome::Skipped { reason: observed },
        Outcome::Skipped { reason: SkipReason::Ended },
        // `changed_when: false`
        Outcome::Unchanged,
    ] {
        let mut world = World::default();
        world.check(100, &[mode("0644", "0644")]);
        let before = world.clone();
        world.check(200, &[mode("0666", "0644").ended(outcome)]);
        assert_eq!(world.known, before.known);
    }
    // A later task that may change the thing makes what the first saw worthless.
    let mut world = World::default();
    let may = Outcome::MayChange { because: Because::default() };
    world.check(100, &[mode("0644", "0644"), mode("0644", "0644").ended(may)]);
    assert!(world.known.is_empty());
}

#[test]
fn a_run_that_is_taken_in_late_overwrites_nothing_newer() {
    let mut world = World::default();
    world.check(100, &[mode("0644", "0644")]);
    world.check(300, &[mode("0666", "0644")]);
    let before = world.clone();
    world.check(200, &[mode("0644", "0644")]);
    assert_eq!(world.known, before.known);
}

#[test]
fn lines_of_a_content_are_judged_each_for_itself() {
    let content = |seen: &str, wanted: &str| {
        task(MOTD, "content", Some(&hash(seen)), Some(&hash(wanted))).with_lines(&[seen, wanted])
    };
    let mut world = World::default();
    world.check(100, &[content("a\nm\nb\n", "a\nm\nb\n")]);
    // A managed line is taken away; it would be put back at the end.
    world.check(200, &[content("a\nb\n", "a\nb\nm\n")]);
    assert_eq!(world.cause(MOTD, "content"), Cause::Drift);
    // The policy wants one more.
    world.check(300, &[content("a\nb\n", "a\nb\nm\nnew\n")]);
    assert_eq!(world.cause(MOTD, "content"), Cause::Both);
    // Without the lines nothing can be said but that both moved.
    let mut blind = World::default();
    blind.check(100, &[task(MOTD, "content", Some(&hash("x")), Some(&hash("x")))]);
    blind.check(200, &[task(MOTD, "content", Some(&hash("y")), Some(&hash("z")))]);
    assert_eq!(blind.cause(MOTD, "content"), Cause::Both);
}

#[test]
fn what_no_task_wants_any_more_is_open_no_longer() {
    let other = || task("unit:x", "active", Some("active"), Some("active"));
    let mut world = World::default();
    world.check(100, &[mode("0644", "0644"), other()]);
    world.check(200, &[mode("0666", "0644"), other()]);
    let covers = [world.known[&Key::new(MOTD, "mode")].cover.clone()].into();
    let seen = |at: i64, tasks: &[super::stream::Task]| look(&events(Mode::Check, at, tasks));
    let without = seen(300, &[other()]);
    let gone = unwanted(&world.known, &without, &covers);
    assert_eq!(told(&gone), [("mode".into(), Happened { old: Cause::Drift, new: Cause::Fine, corrected: None })]);
    // Of other playbooks, with a task that could not look, before it was looked at, or seen: nothing is known to be over.
    assert!(unwanted(&world.known, &without, &Default::default()).is_empty());
    let failed = other().ended(Outcome::Failed { failure: Failure::new("no") });
    assert!(unwanted(&world.known, &seen(300, &[failed]), &covers).is_empty());
    assert!(unwanted(&world.known, &seen(150, &[other()]), &covers).is_empty());
    assert!(unwanted(&world.known, &seen(300, &[mode("0666", "0644")]), &covers).is_empty());
}

#[test]
fn what_moves_further_happens_each_time_and_what_only_stays_away_does_not() {
    let mut world = World::default();
    let drift = |old| vec![("mode".to_owned(), Happened { old, new: Cause::Drift, corrected: None })];
    world.check(100, &[mode("0644", "0644")]);
    assert_eq!(told(&world.check(200, &[mode("0666", "0644")])), drift(Cause::Fine));
    assert_eq!(told(&world.check(300, &[mode("0666", "0644")])), []);
    assert_eq!(told(&world.check(400, &[mode("0777", "0644")])), drift(Cause::Drift));
    // Nobody knows who moves what was never as it should be.
    let mut new = World::default();
    new.check(100, &[mode("0666", "0644")]);
    assert_eq!(told(&new.check(200, &[mode("0777", "0644")])), []);
}

#[test]
fn a_check_that_asks_for_no_traces_forgets_none_until_the_host_moves_further() {
    let traced = |seen: &str, what: &str| {
        let mut task = mode(seen, "0644");
        task.kept.as_mut().unwrap().things[0].traces.push(Trace {
            source: "audit".into(),
            at: Some(7),
            account: Some("joe".into()),
            program: None,
            what: what.into(),
        });
        task
    };
    let mut host = World::default();
    let known = |host: &World| -> Vec<String> {
        host.known.values().flat_map(|known| known.traces.iter().map(|trace| trace.what.clone())).collect()
    };
    host.check(100, &[mode("0644", "0644")]);
    host.check(200, &[traced("0666", "changed it")]);
    assert_eq!(known(&host), ["changed it"]);
    host.check(300, &[mode("0666", "0644")]);
    assert_eq!(known(&host), ["changed it"]);
    host.check(400, &[traced("0666", "and said more")]);
    assert_eq!(known(&host), ["and said more"]);
    let mut less = traced("0666", "the log has gone on");
    less.kept.as_mut().unwrap().things[0].traces[0].account = None;
    host.check(450, &[less]);
    assert_eq!(known(&host), ["and said more"]);
    // The policy moves too: what the host did is what it was.
    host.check(460, &[mode("0666", "0600")]);
    assert_eq!((host.cause(MOTD, "mode"), known(&host)), (Cause::Both, vec!["and said more".to_owned()]));
    host.check(500, &[mode("0777", "0644")]);
    assert_eq!(known(&host), [""; 0], "of another change nothing is known");
    host.check(600, &[traced("0777", "again")]);
    host.apply(700, &[mode("0777", "0644").ended(Outcome::Changed)]);
    assert_eq!(known(&host), [""; 0]);
}

#[test]
fn what_is_older_than_the_last_look_that_did_not_see_it_tells_nothing_of_a_change() {
    const MINUTE: i64 = 60_000_000;
    let by = |account: Option<&str>, program: Option<&str>, at: Option<i64>| Trace {
        source: "audit".into(),
        at,
        account: account.map(str::to_owned),
        program: program.map(str::to_owned),
        what: "changed it".into(),
    };
    let of = |trace: &Trace| Tells::of(trace, Some(100 * MINUTE));
    assert_eq!(of(&by(Some("joe"), Some("vim"), Some(101 * MINUTE))), Tells::Account);
    assert_eq!(of(&by(Some("joe"), Some("vim"), None)), Tells::Account);
    assert_eq!(of(&by(Some("joe"), Some("vim"), Some(94 * MINUTE))), Tells::Nothing, "who did the one before");
    assert_eq!(of(&by(None, Some("vim"), Some(96 * MINUTE))), Tells::Program, "its clock may be behind");
    assert_eq!((of(&by(None, None, Some(i64::MAX))), of(&by(None, None, None))), (Tells::When, Tells::Nothing));
    assert_eq!(Tells::of(&by(Some("joe"), None, Some(i64::MIN)), None), Tells::Account);
    assert_eq!(Tells::of(&by(None, None, Some(0)), Some(i64::MIN)), Tells::When);
}
