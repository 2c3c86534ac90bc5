//! What holds of every history.

use proptest::prelude::*;

use super::stream::{Task, World, task};
use crate::{drift::Cause, event::Outcome};

type Value = Option<u8>;

/// What a look saw and wanted of the things, and whether it was an apply that put them right.
#[derive(Debug, Clone)]
struct Step {
    items: Vec<(Value, Value)>,
    apply: bool,
}

fn value() -> impl Strategy<Value = Value> {
    prop::option::of(0u8..3)
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let step = (prop::collection::vec((value(), value()), 3), any::<bool>());
    prop::collection::vec(step.prop_map(|(items, apply)| Step { items, apply }), 1..8)
}

fn text(value: Value) -> Option<String> {
    value.map(|v| v.to_string())
}

fn tasks(step: &Step) -> Vec<Task> {
    let one = |(n, (seen, wanted)): (usize, &(Value, Value))| {
        let made = task(&format!("unit:{n}"), "active", text(*seen).as_deref(), text(*wanted).as_deref());
        if step.apply && seen != wanted { made.ended(Outcome::Changed) } else { made }
    };
    step.items.iter().enumerate().map(one).collect()
}

fn walk(history: &[Step], change: &dyn Fn(&mut Vec<Task>)) -> Vec<Vec<Cause>> {
    let mut world = World::default();
    let mut all = Vec::new();
    for (n, step) in (1..).zip(history) {
        let mut tasks = tasks(step);
        change(&mut tasks);
        if step.apply {
            world.apply(n * 100, &tasks)
        } else {
            world.check(n * 100, &tasks)
        };
        all.push(world.known.values().map(|known| known.cause).collect());
    }
    all
}

proptest! {
    #[test]
    fn renaming_moving_and_reordering_tasks_changes_no_cause(history in history(), names in any::<[u8; 3]>()) {
        let renamed = walk(&history, &|tasks| {
            for (task, name) in tasks.iter_mut().zip(names) {
                task.name = format!("called {name}");
                task.line = u32::from(name);
            }
            tasks.reverse();
        });
        prop_assert_eq!(walk(&history, &|_| {}), renamed);
    }

    #[test]
    fn what_is_left_moves_only_when_an_item_is_as_wanted(history in history()) {
        let mut world = World::default();
        for (n, step) in (1..).zip(&history) {
            let before = world.clone();
            if step.apply { world.apply(n * 100, &tasks(step)) } else { world.check(n * 100, &tasks(step)) };
            for (key, now) in &world.known {
                if now.cause.is_open() {
                    prop_assert_eq!(before.known.get(key).and_then(|k| k.left.clone()), now.left.clone());
                } else {
                    prop_assert_eq!(now.left.clone(), Some(now.wanted.clone()));
                }
            }
        }
    }

    #[test]
    fn the_policy_alone_makes_no_drift_and_the_host_alone_nothing_pending(start in value(), moves in prop::collection::vec(value(), 1..6)) {
        let (mut policy, mut host) = (World::default(), World::default());
        let one = |seen: Value, wanted: Value| task("unit:x", "active", text(seen).as_deref(), text(wanted).as_deref());
        policy.check(100, &[one(start, start)]);
        host.check(100, &[one(start, start)]);
        for (n, moved) in (2..).zip(moves) {
            policy.check(n * 100, &[one(start, moved)]);
            host.check(n * 100, &[one(moved, start)]);
            prop_assert!(matches!(policy.cause("unit:x", "active"), Cause::Fine | Cause::Pending));
            prop_assert!(matches!(host.cause("unit:x", "active"), Cause::Fine | Cause::Drift));
        }
    }

    #[test]
    fn looking_again_at_what_did_not_move_tells_nothing_new(history in history()) {
        let mut world = World::default();
        for (n, step) in (1..).zip(&history) {
            let step = Step { apply: false, ..step.clone() };
            world.check(n * 100, &tasks(&step));
            let before = world.clone();
            let again = world.check(n * 100 + 50, &tasks(&step));
            prop_assert!(again.iter().all(|judged| judged.happened.is_none()));
            prop_assert!(again.iter().all(|judged| judged.now.as_ref().is_some_and(|now| now.cause.is_open())), "only open items are written again");
            for (key, now) in &world.known {
                let then = &before.known[key];
                prop_assert_eq!((now.cause, now.since, now.before), (then.cause, then.since, then.before));
            }
        }
    }
}
