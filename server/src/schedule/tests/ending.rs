//! Servers that are ended at any step, and two that share the work.

use super::*;

#[test]
fn a_server_that_is_ended_at_any_step_goes_on_when_it_runs_again() {
    both(|store| async move {
        let names = ended_at_every_step(store, SignedDuration::ZERO).await;
        for step in [
            "round written",
            "round claimed",
            "jobs written",
            "looked",
            "looks marked",
            "decided",
            "decision written",
            "corrected",
            "corrections marked",
            "ended",
        ] {
            assert!(names.contains(&step), "{step} is not among {names:?}");
        }
    });
}

#[test]
fn a_server_that_is_ended_while_runs_go_on_side_by_side_goes_on_too() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&crate::store::RecordSettings::in_folder(folder.path())).await.unwrap();
        // Which step comes when is not the same every time; that there are more of them than without a window is.
        assert!(ended_at_every_step(store, SignedDuration::from_mins(6)).await.len() > 15);
    });
}

/// Ends a server at each step of a round in turn, and returns these. With a window, the hosts have their turns one after the other, and hang until the last has come.
async fn ended_at_every_step(store: Store, window: SignedDuration) -> Vec<&'static str> {
    let mut names = Vec::new();
    for step in 0.. {
        let stand = Stand::new(store.clone(), fleet());
        // Some hours later than the one before: what that one left behind has expired.
        stand.clock.advance(SignedDuration::from_hours(3 * i64::try_from(step).unwrap()));
        let name = format!("s{step}");
        let schedules = [Schedule { window, ..schedule(&name) }];
        stand.once(&schedules).await;
        stand.clock.advance(SignedDuration::from_mins(1));
        let due = stand.clock.shared().now();
        let steps = Steps::end_at(step);
        let halt = watch::Sender::new(false);
        let server = stand.server(&schedules, &halt).await.with_steps(steps.clone());
        let mut running = tokio::spawn(server.once());
        let ended = tokio::select! {
            name = steps.reached() => Some(name),
            done = &mut running => { done.unwrap().unwrap(); None }
            () = stand.turns_come(window) => None,
        };
        if ended.is_some() {
            running.abort();
            let _ = running.await;
            stand.rest().await;
        }
        stand.fleet.hanging.send_replace(BTreeSet::new());
        // Leases of one that is gone expire, and all turns have come.
        stand.clock.advance(window + SignedDuration::from_secs(61));
        tokio::select! {
            _ = stand.once(&schedules) => {}
            () = stand.turns_come(window) => {}
        }
        let at = format!("ended at step {step}: {ended:?}");
        let id = crate::schedule::rows::round_id(&name, due);
        let rounds = stand.rounds().await;
        let mine: Vec<_> = rounds.iter().filter(|(round, ..)| round.starts_with(&format!("{name}@"))).collect();
        assert!(matches!(&mine[..], [(round, state, _)] if *round == id && state == "done"), "{at}: {mine:?}");
        let jobs = stand.jobs(&id).await;
        let states: Vec<&str> = jobs.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(states, ["corrected", "looked", "looked", "looked"], "{at}");
        stand.fleet.with(|world| {
            assert_eq!(world.hosts["a"].len(), 2, "{at}: it is corrected");
            assert_eq!(world.twice, [""; 0], "{at}");
            // At most the step in the middle of which it was ended is done again.
            assert!(world.corrections.len() <= 2 && world.looks.len() <= 8, "{at}");
            assert!(window.is_zero() || ended.is_some() || world.most > 1, "{at}: they never ran side by side");
        });
        match ended {
            Some(name) => names.push(name),
            None => break,
        }
    }
    names
}

#[test]
fn two_servers_on_one_database_share_the_work_and_no_host_has_both() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let settings = tokio::task::spawn_blocking(postgres).await.unwrap();
        let settings = crate::store::RecordSettings { folder: folder.path().join("record"), ..settings };
        let store = Store::open(&settings).await.unwrap();
        let hosts: Vec<String> = (0..40).map(|n| format!("h{n:02}")).collect();
        let open: Vec<(&str, &[&str])> = hosts.iter().map(|host| (host.as_str(), &["frames"][..])).collect();
        let stand = Stand::new(store, FakeFleet::of(&open));
        // Four schedules over the same hosts, all due at the same time, in runs side by side.
        let all = |budget| {
            ["w", "x", "y", "z"].map(|name| Schedule { budget, window: SignedDuration::from_mins(5), ..schedule(name) })
        };
        let schedules = all(100.0);
        stand.once(&schedules).await;
        let (first, second) = (watch::Sender::new(false), watch::Sender::new(false));
        let servers = [stand.server(&schedules, &first).await, stand.server(&schedules, &second).await];
        let shut = stand.fleet.gate.clone().write_owned().await;
        let [one, two] = servers.map(|server| tokio::spawn(server.run()));
        stand.clock.advance(SignedDuration::from_mins(1));
        stand.heard("begins").await;
        stand.busy(1).await;
        // One is gone in the middle of its work; what it had is taken over when its leases have expired.
        one.abort();
        let _ = one.await;
        drop(shut);
        loop {
            stand.clock.advance(SignedDuration::from_secs(5));
            let rounds = stand.rounds().await;
            if rounds.len() == 4 && rounds.iter().all(|(_, state, _)| state == "done") {
                break;
            }
        }
        second.send_replace(true);
        two.await.unwrap();
        let rounds = stand.rounds().await;
        assert_eq!(
            rounds.iter().map(|(_, state, _)| state.as_str()).collect::<Vec<_>>(),
            ["done"; 4],
            "{}",
            stand.said()
        );
        stand.fleet.with(|world| {
            assert_eq!(world.twice, [""; 0]);
            assert!(world.hosts.values().all(BTreeSet::is_empty), "all are corrected");
        });
        stand.store.close().await;
    });
}
