//! When hosts have their turns, and what goes on side by side.

use super::*;

#[test]
fn hosts_have_their_turns_within_the_window() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&crate::store::RecordSettings::in_folder(folder.path())).await.unwrap();
        let stand = Stand::new(store, fleet());
        let spread = Schedule { window: SignedDuration::from_mins(30), ..schedule("spread") };
        let (halt, schedules) = (watch::Sender::new(false), [spread]);
        let server = stand.server(&schedules, &halt).await;
        let running = tokio::spawn(server.run());
        stand.clock.doze_until_row(&stand.store, "SELECT due FROM schedules").await;
        let mut turns = Vec::new();
        for _ in 0..40 {
            stand.clock.advance(SignedDuration::from_mins(1));
            stand.idle().await;
            turns.push(stand.fleet.with(|w| w.looks.len()));
        }
        halt.send_replace(true);
        running.await.unwrap();
        let (first, last) = (turns.iter().position(|n| *n > 0).unwrap(), turns.iter().position(|n| *n == 4).unwrap());
        assert!(first < last && last <= 31, "{turns:?}");
    });
}

#[test]
fn a_host_that_hangs_holds_up_the_end_of_its_round_and_no_other_host() {
    both(|store| async move {
        let fleet = FakeFleet::of(&[("a", &["frames"]), ("b", &["frames"]), ("c", &["frames"]), ("d", &["frames"])]);
        let stand = Stand::new(store, fleet);
        let spread = Schedule { window: SignedDuration::from_mins(WINDOW), budget: 75.0, ..schedule("spread") };
        let (halt, schedules) = (watch::Sender::new(false), [spread]);
        let running = tokio::spawn(stand.server(&schedules, &halt).await.run());
        stand.clock.doze_until_row(&stand.store, "SELECT due FROM schedules").await;
        stand.fleet.hanging.send_replace(["a", "b", "c", "d"].map(String::from).into());
        stand.clock.advance(SignedDuration::from_mins(1));
        stand.heard("begins").await;
        // The first whose turn comes.
        while stand.fleet.with(|world| world.working.is_empty()) {
            stand.clock.advance(SignedDuration::from_mins(1));
            stand.begun().await;
        }
        let first = stand.fleet.with(|world| world.working.clone());
        assert_eq!(first.len(), 1, "they have turns of their own");
        stand.fleet.hanging.send_replace(first.clone());
        for _ in 0..WINDOW {
            stand.clock.advance(SignedDuration::from_mins(1));
            stand.begun().await;
        }
        while stand.fleet.with(|world| world.looks.len()) < 3 {
            tokio::task::yield_now().await;
        }
        stand.fleet.with(|world| assert_eq!((&world.working, world.corrections.len()), (&first, 0)));
        let query = "SELECT id FROM rounds WHERE state = 'looking'";
        assert!(
            sqlx::query(query).fetch_optional(stand.store.pool()).await.unwrap().is_some(),
            "nothing is decided yet"
        );
        // With it all four would be corrected, and that is over the budget: it counts.
        stand.fleet.hanging.send_replace(BTreeSet::new());
        stand.heard("4 of 4 hosts would be corrected, more than the budget of 75 %").await;
        halt.send_replace(true);
        running.await.unwrap();
        stand.fleet.with(|world| assert_eq!((world.looks.len(), world.corrections.len()), (4, 0)));
    });
}

#[test]
fn a_server_that_ends_lets_all_runs_come_to_their_end_and_begins_no_other() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let spread = [Schedule { window: SignedDuration::from_mins(WINDOW), ..schedule("spread") }];
        let halt = watch::Sender::new(false);
        let running = tokio::spawn(stand.server(&spread, &halt).await.run());
        stand.clock.doze_until_row(&stand.store, "SELECT due FROM schedules").await;
        stand.fleet.hanging.send_replace(["a", "b", "c", "d"].map(String::from).into());
        stand.clock.advance(SignedDuration::from_mins(1));
        stand.heard("begins").await;
        while stand.fleet.with(|world| world.working.len()) < 2 {
            stand.clock.advance(SignedDuration::from_mins(1));
            stand.begun().await;
        }
        halt.send_replace(true);
        stand.clock.advance(SignedDuration::from_mins(WINDOW));
        stand.fleet.hanging.send_replace(BTreeSet::new());
        running.await.unwrap();
        let of = |jobs: Vec<(String, String)>| jobs.into_iter().filter(|(_, state)| state == "looked").count();
        let id = "spread@2026-11-22T02:30:00Z";
        let (looked, said) = (of(stand.jobs(id).await), stand.said());
        assert_eq!((looked, stand.fleet.with(|world| world.looks.len())), (2, 2), "{said}");
        assert!(said.contains("not over: the server ends; it goes on when one runs again"), "{said}");
        stand.once(&spread).await;
        assert!(matches!(&stand.rounds().await[0], (_, state, _) if state == "done"), "{}", stand.said());
        assert_eq!(
            (stand.fleet.with(|w| w.looks.len()), stand.corrected()),
            (4, vec!["a".to_owned()]),
            "each was looked at once"
        );
    });
}

#[test]
fn what_came_of_a_host_is_written_while_another_of_its_run_hangs_and_is_not_done_again() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let (schedules, halt) = ([schedule("hourly")], watch::Sender::new(false));
        stand.fleet.hanging.send_replace(["b".to_owned()].into());
        let running = tokio::spawn(stand.server(&schedules, &halt).await.run());
        stand.clock.advance(SignedDuration::from_mins(1));
        let looked = "SELECT COUNT(*) FROM jobs WHERE state = 'looked' HAVING COUNT(*) = 3";
        stand.clock.doze_until_row(&stand.store, looked).await;
        let id = "hourly@2026-11-22T02:30:00Z";
        let states = |jobs: Vec<(String, String)>| jobs.into_iter().map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(states(stand.jobs(id).await), ["looked", "waiting", "looked", "looked"]);
        stand.fleet.with(|world| assert_eq!((world.working.len(), world.corrections.len()), (4, 0), "one run has all"));
        assert!(matches!(&stand.rounds().await[..], [(_, state, _)] if state == "looking"), "nothing is decided yet");
        // Whoever goes on with the round looks at the one that is left, and decides over all.
        running.abort();
        let _ = running.await;
        stand.rest().await;
        stand.fleet.hanging.send_replace(BTreeSet::new());
        stand.clock.advance(SignedDuration::from_secs(61));
        stand.once(&schedules).await;
        assert_eq!(states(stand.jobs(id).await), ["corrected", "looked", "looked", "looked"], "{}", stand.said());
        stand.fleet.with(|world| {
            world.looks.sort();
            assert_eq!(world.looks, ["a", "b", "c", "d"], "each was looked at once");
        });
    });
}
