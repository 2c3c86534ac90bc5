//! Things that come and go, and things that report only what is not as wanted.

use super::stream::{Task, World, task, told};
use crate::{
    drift::{Cause, Flap, Happened, Key, Look, State, flapping, state},
    event::{HIDDEN, Outcome, POLICY, Property},
};

const FILE: &str = "path:/etc/motd";

/// A task on a thing with several properties.
fn several(thing: &str, properties: &[(&str, Option<&str>, Option<&str>)]) -> Task {
    let mut task = task(thing, "", None, None);
    let text = |text: Option<&str>| text.map(str::to_owned);
    let made = properties.iter().map(|(name, seen, wanted)| Property::new(*name, text(*seen), text(*wanted)));
    task.kept.as_mut().unwrap().things[0].properties = made.collect();
    let open = properties.iter().any(|(_, seen, wanted)| seen != wanted);
    task.ended(if open { Outcome::WouldChange } else { Outcome::Unchanged })
}

fn there() -> Task {
    several(FILE, &[("mode", Some("0640"), Some("0640")), ("owner", Some("root"), Some("root"))])
}

#[test]
fn a_file_that_is_gone_is_one_drift_and_not_one_for_each_property() {
    let mut world = World::default();
    world.check(100, &[there()]);
    assert_eq!(world.known.len(), 2, "that it is there goes without saying");
    // What the task leaves open would be the default again.
    let gone =
        several(FILE, &[("", None, Some("present")), ("mode", None, Some("0644")), ("owner", None, Some("root"))]);
    let told = told(&world.check(200, std::slice::from_ref(&gone)));
    assert_eq!(told, [(String::new(), Happened { old: Cause::Fine, new: Cause::Drift, corrected: None })]);
    assert_eq!(world.cause(FILE, "mode"), Cause::Fine);
    world.apply(300, &[gone.ended(Outcome::Changed)]);
    assert_eq!(world.cause(FILE, ""), Cause::Fine);
    assert_eq!(world.known[&Key::new(FILE, "mode")].left, Some(Some("0644".into())));
    world.check(400, &[there()]);
    assert_eq!(world.cause(FILE, ""), Cause::Fine);
}

#[test]
fn a_file_that_comes_back_by_itself_is_fine_again() {
    let mut world = World::default();
    world.check(100, &[there()]);
    world.check(200, &[several(FILE, &[("", None, Some("present")), ("mode", None, Some("0644"))])]);
    world.check(300, &[there()]);
    assert_eq!(world.cause(FILE, ""), Cause::Fine);
}

#[test]
fn an_account_that_must_not_be_there_and_is_added_is_drift_and_one_that_the_policy_bans_is_pending() {
    let mut world = World::default();
    world.check(100, &[task("user:eve", "", None, None)]);
    world.check(200, &[task("user:eve", "", Some("present"), None)]);
    assert_eq!(world.cause("user:eve", ""), Cause::Drift);
    let mut world = World::default();
    world.check(100, &[several("user:eve", &[("uid", Some("7"), Some("7"))])]);
    world.check(200, &[task("user:eve", "", Some("present"), None)]);
    assert_eq!(world.cause("user:eve", ""), Cause::Pending);
}

#[test]
fn what_turns_up_below_a_thing_that_names_nothing_is_drift_unless_the_policy_moved() {
    let tree = |policy: &'static str, entries: &[(&'static str, Option<&'static str>, Option<&'static str>)]| {
        let mut all = vec![(POLICY, Some(policy), Some(policy))];
        all.extend(entries);
        several("permissions:/srv", &all)
    };
    let entry = ("paths./srv/x.mode", Some("0777"), Some("0755"));
    let mut world = World::default();
    world.check(100, &[tree("p", &[])]);
    world.check(200, &[tree("p", &[entry])]);
    assert_eq!(world.cause("permissions:/srv", entry.0), Cause::Drift);
    // Still there when the policy moves: it was drift and stays so.
    world.check(300, &[tree("q", &[entry])]);
    assert_eq!(world.cause("permissions:/srv", entry.0), Cause::Drift);
    let told = told(&world.check(400, &[tree("q", &[])]));
    assert_eq!(told[0].1, Happened { old: Cause::Drift, new: Cause::Fine, corrected: None });
    assert_eq!(world.known.len(), 1, "what is as wanted is not listed");
    world.check(500, &[tree("r", &[entry])]);
    assert_eq!(world.cause("permissions:/srv", entry.0), Cause::Pending);
    let mut unknown = World::default();
    unknown.check(100, &[tree("p", &[entry])]);
    assert_eq!(unknown.cause("permissions:/srv", entry.0), Cause::New);
}

#[test]
fn a_hidden_difference_is_over_when_it_is_not_reported_any_more() {
    let mut world = World::default();
    let user = |more: &[(&'static str, Option<&'static str>, Option<&'static str>)]| {
        several("user:joe", &[&[("uid", Some("7"), Some("7"))], more].concat())
    };
    world.check(100, &[user(&[(HIDDEN, Some("differs"), Some("as declared"))])]);
    assert_eq!(world.cause("user:joe", HIDDEN), Cause::New);
    world.check(200, &[user(&[])]);
    assert!(!world.known.contains_key(&Key::new("user:joe", HIDDEN)));
}

#[test]
fn a_host_is_as_bad_as_the_worst_that_is_known_of_it() {
    let look = Look::default();
    assert_eq!(state(&look, []), State::Fine);
    assert_eq!(state(&look, [Cause::Fine, Cause::New]), State::Pending);
    assert_eq!(state(&look, [Cause::Pending, Cause::Both]), State::Drifted);
    let held = Look { held: true, ..Look::default() };
    assert_eq!((state(&held, []), state(&held, [Cause::Drift])), (State::Held, State::Drifted));
    assert_eq!(state(&Look { failed: 1, ..Look::default() }, [Cause::Drift]), State::Failing);
    assert_eq!(state(&Look { failed: 1, unreachable: true, ..Look::default() }, []), State::Unreachable);
}

#[test]
fn more_than_four_changes_in_a_day_are_flapping_until_a_quiet_day() {
    const HOUR: i64 = 3_600_000_000;
    let changes: Vec<i64> = (0..5).map(|n| n * HOUR).collect();
    assert_eq!(flapping(&changes[..4], false, 4 * HOUR), None);
    assert_eq!(flapping(&changes, false, 4 * HOUR), Some(Flap::Begins));
    assert_eq!(flapping(&changes, true, 5 * HOUR), None, "said once");
    assert_eq!(flapping(&changes, true, 27 * HOUR), None);
    assert_eq!(flapping(&changes, true, 28 * HOUR), Some(Flap::Ends));
    assert_eq!(flapping(&changes, false, 24 * HOUR), None);
}
