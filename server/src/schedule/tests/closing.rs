//! What comes in the way of corrections that are under way.

use super::*;

/// A round whose correction hangs on its first host.
struct Hung {
    stand: Stand,
    halt: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

impl Hung {
    async fn begin(store: Store) -> Self {
        let stand = Stand::new(store, FakeFleet::of(&[("a", &["frames"]), ("b", &["frames"]), ("c", &["frames"])]));
        stand.fleet.slow.send_replace(["a".to_owned()].into());
        let (halt, schedules) = (watch::Sender::new(false), [Schedule { budget: 100.0, ..schedule("nightly") }]);
        let server = stand.server(&schedules, &halt).await;
        let running = tokio::spawn(server.run());
        stand.clock.doze_until_row(&stand.store, "SELECT due FROM schedules").await;
        stand.clock.advance(SignedDuration::from_mins(1));
        while stand.fleet.with(|world| world.closed.is_none()) {
            tokio::task::yield_now().await;
        }
        Hung { stand, halt, running }
    }

    /// Once the run has heard that no further host begins, lets the first one come to its end; then waits for the end of the round.
    async fn end(self) -> Stand {
        let mut closed = self.stand.fleet.with(|world| world.closed.take()).unwrap();
        self.stand.clock.advance(SignedDuration::from_secs(5));
        closed.wait_for(|closed| *closed).await.unwrap();
        self.stand.fleet.slow.send_replace(BTreeSet::new());
        self.stand.heard("the round of 2026-11-22T02:30:00Z is done").await;
        self.halt.send_replace(true);
        self.running.await.unwrap();
        self.stand
    }
}

#[test]
fn when_a_freeze_begins_or_the_hours_end_no_further_host_is_corrected() {
    both(|store| async move {
        let hung = Hung::begin(store).await;
        hung.stand.fleet.with(|world| world.frozen = Some("the hours are over".into()));
        let stand = hung.end().await;
        assert_eq!(stand.corrected(), ["a"], "what has begun comes to its end");
        let jobs = stand.jobs("nightly@2026-11-22T02:30:00Z").await;
        let states: Vec<&str> = jobs.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(states, ["corrected", "looked", "looked"]);
        assert!(stand.said().contains("2 hosts not corrected: the hours are over"), "{}", stand.said());
    });
}

#[test]
fn a_host_that_is_put_on_hold_before_its_turn_is_left_alone_and_the_others_are_not() {
    both(|store| async move {
        let hung = Hung::begin(store).await;
        let hold = "INSERT INTO holds (host, author, began, until, reason) VALUES ('b', 'eva', 0, $1, 'it moves')";
        sqlx::query(hold).bind(i64::MAX).execute(hung.stand.store.pool()).await.unwrap();
        let stand = hung.end().await;
        assert_eq!(stand.corrected(), ["a", "c"]);
        let jobs = stand.jobs("nightly@2026-11-22T02:30:00Z").await;
        let states: Vec<&str> = jobs.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(states, ["corrected", "held", "corrected"]);
    });
}
