//! Rounds on a fleet without hosts, by a clock that goes when it is told to, on both databases.

mod closing;
mod ending;
mod turns;
mod weeks;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use sqlx::Row as _;
use tokio::sync::watch;

use super::{
    Ask, Commands, Cron, Freeze, Item, Missed, Mode, Outcome, Parts, Policy, Schedule, Server,
    testing::{FakeClock, FakeFleet, Steps},
};
use crate::store::{
    Store,
    testing::{block_on, both, postgres},
};

const BEGIN: &str = "2026-11-22T02:29:00Z";
/// A window, minutes, in which the four hosts of the schedule `spread` have turns of their own.
const WINDOW: i64 = 20;

/// Due at every full hour, `default` for everything, and `frames` corrected.
fn schedule(name: &str) -> Schedule {
    Schedule {
        name: name.into(),
        playbooks: vec!["site.yml".into()],
        limit: None,
        tags: Vec::new(),
        cron: Cron::new("30 * * * *", TimeZone::UTC).unwrap(),
        window: SignedDuration::ZERO,
        missed: Missed::RunOnce,
        policy: Policy { default: Mode::Report, settings: [("frames".to_owned(), Mode::Correct)].into() },
        maintenance: Vec::new(),
        freezes: Vec::new(),
        budget: 50.0,
        forks: std::num::NonZeroUsize::new(50).unwrap(),
    }
}

/// What it takes to make servers, and what they said.
#[derive(Clone)]
struct Stand {
    store: Store,
    fleet: FakeFleet,
    clock: FakeClock,
    said: Arc<Mutex<Vec<String>>>,
    lines: Arc<watch::Sender<usize>>,
}

impl Stand {
    fn new(store: Store, fleet: FakeFleet) -> Self {
        let lines = Arc::new(watch::Sender::new(0));
        Stand { store, fleet, clock: FakeClock::at(BEGIN), said: Arc::default(), lines }
    }

    async fn server(&self, schedules: &[Schedule], halt: &watch::Sender<bool>) -> Server {
        let (said, lines) = (self.said.clone(), self.lines.clone());
        let parts = Parts {
            store: self.store.clone(),
            fleet: Arc::new(self.fleet.clone()),
            clock: self.clock.shared(),
            schedules: schedules.to_vec(),
            say: Arc::new(move |line: &str| {
                said.lock().unwrap().push(line.to_owned());
                lines.send_modify(|n| *n += 1);
            }),
            halt: halt.subscribe(),
            pulse: crate::notify::metrics::Pulse::default(),
        };
        Server::new(parts, false).await.unwrap()
    }

    async fn once(&self, schedules: &[Schedule]) -> Outcome {
        let halt = watch::Sender::new(false);
        self.server(schedules, &halt).await.once().await.unwrap()
    }

    /// Lets the schedules know of each other's time, and goes on to the next full half hour.
    async fn first(&self, schedules: &[Schedule]) -> Outcome {
        assert_eq!(self.once(schedules).await, Outcome::default(), "nothing is due yet");
        self.clock.advance(SignedDuration::from_mins(1));
        self.once(schedules).await
    }

    /// The schedules in the record, and when they are due.
    async fn known(&self) -> Vec<String> {
        let query = sqlx::query("SELECT id, due FROM schedules ORDER BY id");
        let rows = query.fetch_all(self.store.pool()).await.unwrap();
        let due = |row: &sqlx::any::AnyRow| Timestamp::from_microsecond(row.get(1)).unwrap();
        rows.iter().map(|row| format!("{} {}", row.get::<String, _>(0), due(row))).collect()
    }

    async fn rounds(&self) -> Vec<(String, String, Option<String>)> {
        let rows = sqlx::query("SELECT id, state, why FROM rounds ORDER BY due, id")
            .fetch_all(self.store.pool())
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    async fn jobs(&self, round: &str) -> Vec<(String, String)> {
        let query = sqlx::query("SELECT host, state FROM jobs WHERE round = $1 ORDER BY host").bind(round.to_owned());
        let rows = query.fetch_all(self.store.pool()).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Waits until everything that was due has been done.
    async fn idle(&self) {
        let now = self.clock.shared().now().as_microsecond();
        loop {
            let query = sqlx::query(
                "SELECT (SELECT COUNT(*) FROM schedules WHERE due <= $1) + (SELECT COUNT(*) FROM rounds WHERE state = 'waiting') \
                 + (SELECT COUNT(*) FROM jobs WHERE state = 'waiting' AND at <= $2)",
            );
            let left = query.bind(now).bind(now).fetch_one(self.store.pool()).await.unwrap();
            if left.get::<i64, _>(0) == 0 {
                return;
            }
        }
    }

    /// Waits until so many hosts are worked on.
    async fn busy(&self, hosts: usize) {
        while self.fleet.with(|world| world.working.len() < hosts) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until no host is worked on.
    async fn rest(&self) {
        while self.fleet.with(|world| !world.working.is_empty()) {
            tokio::task::yield_now().await;
        }
    }

    /// Once hosts wait for their turns, has time go on minute by minute, hosts hanging until all turns of a window have come; never returns.
    async fn turns_come(&self, window: SignedDuration) {
        self.clock.doze_until_row(&self.store, "SELECT host FROM jobs WHERE state = 'waiting'").await;
        let all = self.fleet.with(|world| world.hosts.keys().cloned().collect());
        self.fleet.hanging.send_replace(all);
        let end = self.clock.shared().now() + window;
        while self.clock.shared().now() < end {
            self.clock.advance(SignedDuration::from_mins(1));
            self.begun().await;
        }
        self.fleet.hanging.send_replace(BTreeSet::new());
        std::future::pending().await
    }

    /// Waits until every host whose turn has come is worked on, or was.
    async fn begun(&self) {
        let now = self.clock.shared().now().as_microsecond();
        loop {
            let query = sqlx::query("SELECT host FROM jobs WHERE state = 'waiting' AND at <= $1").bind(now);
            let hosts = query.fetch_all(self.store.pool()).await.unwrap();
            let begun = |host: String| self.fleet.with(|world| world.working.contains(&host));
            if hosts.iter().all(|row| begun(row.get(0))) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Waits until a line has been said that has this in it.
    async fn heard(&self, part: &str) {
        let mut lines = self.lines.subscribe();
        while !self.said().contains(part) {
            lines.changed().await.unwrap();
        }
    }

    fn corrected(&self) -> Vec<String> {
        self.fleet.with(|world| world.corrections.iter().map(|(host, _)| host.clone()).collect())
    }
}

fn fleet() -> FakeFleet {
    FakeFleet::of(&[("a", &["frames", "tls", ""]), ("b", &[]), ("c", &["tls"]), ("d", &[])])
}

#[test]
fn a_round_looks_at_all_and_corrects_what_the_policy_names() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let outcome = stand.first(&[schedule("nightly")]).await;
        assert_eq!(outcome, Outcome { rounds: 1, open: true, ..Outcome::default() });
        assert_eq!(stand.fleet.with(|w| w.looks.clone()), ["a", "b", "c", "d"]);
        assert_eq!(stand.corrected(), ["a"]);
        let left = stand.fleet.with(|w| w.hosts["a"].clone());
        assert_eq!(left, [None, Some("tls".to_owned())].into(), "what is only reported stays");
        let rounds = stand.rounds().await;
        assert_eq!(rounds, [("nightly@2026-11-22T02:30:00Z".to_owned(), "done".to_owned(), None)]);
        let row = sqlx::query("SELECT hosts, drifted, corrected, ended FROM rounds")
            .fetch_one(stand.store.pool())
            .await
            .unwrap();
        let numbers: Vec<i64> = (0..4).map(|n| row.get(n)).collect();
        assert_eq!(numbers[..3], [4, 2, 1]);
        assert_eq!(numbers[3], stand.clock.shared().now().as_microsecond());
        assert!(stand.said().contains("4 hosts, 2 not as declared, 1 corrected"), "{}", stand.said());
        // Nothing is left of its lease, and nothing is due again.
        assert_eq!(stand.once(&[schedule("nightly")]).await, Outcome::default());
        let leases =
            sqlx::query("SELECT COUNT(*) FROM leases WHERE until > 0").fetch_one(stand.store.pool()).await.unwrap();
        assert_eq!(leases.get::<i64, _>(0), 0);
    });
}

#[test]
fn a_budget_is_kept_before_anything_is_corrected() {
    both(|store| async move {
        let fleet = FakeFleet::of(&[("a", &["frames"]), ("b", &["frames"]), ("c", &["frames"]), ("d", &[])]);
        let stand = Stand::new(store, fleet);
        let outcome = stand.first(&[schedule("nightly")]).await;
        assert!(outcome.open && stand.corrected().is_empty());
        let (_, state, why) = stand.rounds().await.remove(0);
        assert_eq!(state, "stopped");
        assert!(why.unwrap().starts_with("3 of 4 hosts would be corrected, more than the budget of 50 %"));
        // Half of them is not more than half.
        stand.fleet.with(|world| world.hosts.get_mut("a").unwrap().clear());
        stand.clock.advance(SignedDuration::from_hours(1));
        stand.once(&[schedule("nightly")]).await;
        assert_eq!(stand.corrected(), ["b", "c"]);
    });
}

#[test]
fn holds_hours_and_freezes_bind_corrections_and_not_looks() {
    both(|store| async move {
        let stand = Stand::new(store, FakeFleet::of(&[("a", &["frames"]), ("b", &[]), ("c", &["frames"]), ("d", &[])]));
        let frozen =
            Freeze { from: "2026-11-22".parse().unwrap(), to: "2026-11-22".parse().unwrap(), reason: "a fair".into() };
        let freeze = Schedule { freezes: vec![frozen], ..schedule("frozen") };
        stand.first(&[freeze]).await;
        assert_eq!((stand.fleet.with(|w| w.looks.len()), stand.corrected().len()), (4, 0));
        assert!(stand.rounds().await[0].2.as_ref().unwrap().ends_with("a fair"));
        stand.fleet.with(|world| world.frozen = Some("the rollouts are frozen".into()));
        stand.clock.set(BEGIN.parse().unwrap());
        stand.first(&[schedule("rollouts")]).await;
        assert!(stand.corrected().is_empty() && stand.said().contains("the rollouts are frozen"));
        stand.fleet.with(|world| world.frozen = None);
        // One is held here, one by its own operators.
        let hold = "INSERT INTO holds (host, author, began, until, reason) VALUES ('a', 'eva', 0, $1, 'it moves')";
        let until: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        sqlx::query(hold).bind(until.as_microsecond()).execute(stand.store.pool()).await.unwrap();
        stand.fleet.with(|world| world.held = ["c".to_owned()].into());
        stand.clock.set(BEGIN.parse().unwrap());
        stand.first(&[schedule("held")]).await;
        assert!(stand.corrected().is_empty());
        let states: Vec<String> = stand.jobs("held@2026-11-22T02:30:00Z").await.into_iter().map(|(_, s)| s).collect();
        assert_eq!(states, ["held", "looked", "held", "looked"]);
        assert!(stand.said().contains("a is not corrected: held by eva until"), "{}", stand.said());
        // Both are over by the next round.
        stand.fleet.with(|world| world.held.clear());
        stand.clock.advance(SignedDuration::from_hours(1));
        stand.once(&[schedule("held")]).await;
        assert_eq!(stand.corrected(), ["a", "c"]);
    });
}

#[test]
fn a_host_that_is_not_reached_is_not_corrected_and_a_project_that_is_wrong_stops_the_round() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        stand.fleet.with(|world| world.unreachable = ["a".to_owned()].into());
        let outcome = stand.first(&[schedule("nightly")]).await;
        assert_eq!(outcome, Outcome { rounds: 1, open: true, unreachable: true, ..Outcome::default() });
        assert!(stand.corrected().is_empty());
        stand.fleet.with(|world| world.trouble = Some("reading site.yml: no such file".into()));
        stand.clock.advance(SignedDuration::from_hours(1));
        let outcome = stand.once(&[schedule("nightly")]).await;
        assert!(outcome.broken && !outcome.unfinished);
        assert_eq!(stand.rounds().await[1].2.as_deref(), Some("reading site.yml: no such file"));
        // The schedule goes on.
        stand.fleet.with(|world| world.trouble = None);
        stand.clock.advance(SignedDuration::from_hours(1));
        assert!(!stand.once(&[schedule("nightly")]).await.broken);
    });
}

#[test]
fn a_host_on_which_a_task_failed_is_corrected_as_far_as_that_lets_it() {
    both(|store| async move {
        let stand =
            Stand::new(store, FakeFleet::of(&[("a", &["frames"]), ("b", &["frames"]), ("c", &["tls"]), ("d", &[])]));
        stand.fleet.with(|world| world.failing = ["a", "c", "d"].map(String::from).into());
        let outcome = stand.first(&[schedule("nightly")]).await;
        assert!(outcome.failing && outcome.open, "{outcome:?}");
        let corrected = stand.fleet.with(|world| world.corrections.clone());
        let corrected: Vec<_> = corrected.iter().map(|(host, allowed)| (host.as_str(), allowed.failing)).collect();
        assert_eq!(corrected, [("a", true), ("b", false)]);
        let states: Vec<String> =
            stand.jobs("nightly@2026-11-22T02:30:00Z").await.into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, ["failed", "corrected", "failed", "failed"]);
        let said = stand.said();
        assert!(said.contains("a is failing: what depends on the task that failed is not corrected"), "{said}");
        assert!(said.contains("4 hosts, 3 not as declared, 1 corrected, 3 failing"), "{said}");
        // It counts for the budget like any other.
        stand.fleet.with(|world| {
            ["a", "b", "d"].map(|host| world.hosts.insert(host.into(), [Some("frames".to_owned())].into()))
        });
        stand.clock.advance(SignedDuration::from_hours(1));
        stand.once(&[schedule("nightly")]).await;
        assert!(stand.said().contains("3 of 4 hosts would be corrected"), "{}", stand.said());
    });
}

#[test]
fn a_correction_waits_for_as_many_looks_as_it_was_told_to() {
    both(|store| async move {
        let stand = Stand::new(store, FakeFleet::of(&[("a", &["tls"]), ("b", &[]), ("c", &["tls"])]));
        let two = Mode::CorrectAfter(std::num::NonZeroU32::new(2).unwrap());
        let mut patient = schedule("nightly");
        patient.policy.settings = [("tls".to_owned(), two)].into();
        patient.budget = 100.0;
        for (id, host, looks) in [(1i64, "a", 1i64), (2, "c", 2)] {
            let row = sqlx::query("INSERT INTO hosts (id, name) VALUES ($1, $2)").bind(id).bind(host);
            row.execute(stand.store.pool()).await.unwrap();
            let item = sqlx::query(
                "INSERT INTO items (host, thing, property, setting, task, origin, known, cause, since, looks, run) \
                 VALUES ($1, 'path:/etc/x', 'mode', 'tls', 't', 'site.yml:3', 1, 'drift', 0, $2, 'r')",
            );
            item.bind(id).bind(looks).execute(stand.store.pool()).await.unwrap();
        }
        stand.first(std::slice::from_ref(&patient)).await;
        assert_eq!(stand.corrected(), ["c"], "the other was found open once");
        let allowed = stand.fleet.with(|w| w.corrections[0].1.clone());
        assert!(allowed.settings.is_empty() && allowed.origins.contains("site.yml:3"), "only what was found so often");
    });
}

#[test]
fn missed_rounds_are_run_once_or_skipped_and_a_clock_that_jumps_does_nothing_twice() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let skipping = Schedule { missed: Missed::Skip, ..schedule("skipping") };
        let both = [schedule("once"), skipping];
        stand.first(&both).await;
        // Down for half a day; the last round that was missed is at half past fourteen.
        stand.clock.advance(SignedDuration::from_mins(12 * 60 + 15));
        let outcome = stand.once(&both).await;
        assert_eq!(outcome.rounds, 1);
        let rounds = stand.rounds().await;
        let of = |name: &str, state: &str| (format!("{name}@2026-11-22T14:30:00Z"), state.to_owned());
        let last: Vec<_> = rounds.iter().rev().take(2).map(|(id, state, _)| (id.clone(), state.clone())).collect();
        assert_eq!(last, [of("skipping", "skipped"), of("once", "done")]);
        assert!(rounds.iter().rev().take(2).all(|(_, _, why)| why.as_ref().unwrap().contains("no server ran from")));
        // Back by an hour and a quarter: 14:30 was done, 13:30 was not.
        let looks = stand.fleet.with(|w| w.looks.len());
        stand.clock.set("2026-11-22T13:29:30Z".parse().unwrap());
        stand.once(&both).await;
        stand.clock.set("2026-11-22T13:30:00Z".parse().unwrap());
        assert_eq!(stand.once(&both).await.rounds, 2);
        stand.clock.set("2026-11-22T14:31:00Z".parse().unwrap());
        assert_eq!(stand.once(&both).await.rounds, 0, "{:?}", stand.rounds().await);
        assert_eq!(stand.fleet.with(|w| w.looks.len()), looks + 8);
        stand.clock.set("2026-11-22T15:30:00Z".parse().unwrap());
        assert_eq!(stand.once(&both).await.rounds, 2, "and it goes on as before");
    });
}

#[test]
fn what_old_rounds_did_is_forgotten_and_that_there_were_some_later() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let daily = [Schedule { cron: Cron::new("30 2 * * *", TimeZone::UTC).unwrap(), ..schedule("daily") }];
        stand.first(&daily).await;
        let first = "daily@2026-11-22T02:30:00Z";
        stand.clock.advance(SignedDuration::from_hours(24 * 7));
        stand.once(&daily).await;
        assert_eq!(stand.jobs(first).await.len(), 4, "after seven days it is still known");
        stand.clock.advance(SignedDuration::from_hours(24));
        stand.once(&daily).await;
        assert_eq!((stand.jobs(first).await.len(), stand.rounds().await.len()), (0, 3));
        stand.clock.advance(SignedDuration::from_hours(24 * 400));
        stand.once(&daily).await;
        assert_eq!(stand.rounds().await.len(), 2, "the last two");
    });
}

#[test]
fn a_schedule_does_not_overlap_itself() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let halt = watch::Sender::new(false);
        let server = stand.server(&[schedule("nightly")], &halt).await;
        let shut = stand.fleet.gate.clone().write_owned().await;
        let running = tokio::spawn(server.run());
        stand.clock.doze_until_row(&stand.store, "SELECT due FROM schedules").await;
        stand.clock.advance(SignedDuration::from_mins(1));
        stand.heard("the round of 2026-11-22T02:30:00Z begins").await;
        stand.clock.advance(SignedDuration::from_hours(1));
        stand
            .heard("the round of 2026-11-22T03:30:00Z is skipped: the round of 2026-11-22T02:30:00Z is not over")
            .await;
        drop(shut);
        stand.heard("the round of 2026-11-22T02:30:00Z is done").await;
        halt.send_replace(true);
        running.await.unwrap();
        assert_eq!(stand.fleet.with(|w| w.looks.len()), 4);
    });
}

#[test]
fn people_ask_for_looks_corrections_and_holds() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let row = sqlx::query("INSERT INTO hosts (id, name) VALUES (1, 'a')");
        row.execute(stand.store.pool()).await.unwrap();
        let item = sqlx::query(
            "INSERT INTO items (host, thing, property, setting, task, origin, seen, wanted, known, cause, since, looks, run) \
             VALUES (1, 'path:/etc/x', 'mode', 'tls', 't', 'site.yml:3', '0600', '0644', 1, 'drift', 0, 1, 'r')",
        );
        item.execute(stand.store.pool()).await.unwrap();
        let halt = watch::Sender::new(false);
        let server = stand.server(&[schedule("nightly")], &halt).await;
        let commands: Commands = server.commands();
        let running = tokio::spawn(server.run());
        let nightly = || "nightly".to_owned();
        let ask = |ask: Ask| commands.ask("eva", ask);

        let begun = ask(Ask::Check { schedule: nightly() }).await.unwrap().round.unwrap();
        stand.clock.advance(SignedDuration::from_secs(1));
        stand.heard(&format!("{} is done", begun.replace("nightly@", "the round of "))).await;
        assert_eq!((stand.fleet.with(|w| w.looks.len()), stand.corrected().len()), (4, 0), "a look and no more");
        let begun = ask(Ask::CheckHost { schedule: nightly(), host: "b".into() }).await.unwrap().round.unwrap();
        stand.clock.advance(SignedDuration::from_secs(1));
        stand.heard(&format!("{} is done", begun.replace("nightly@", "the round of "))).await;
        assert_eq!(stand.fleet.with(|w| w.looks.split_off(4)), ["b"]);

        let seen = |seen: &str| Item {
            thing: "path:/etc/x".into(),
            property: "mode".into(),
            seen: Some(seen.into()),
            wanted: Some("0644".into()),
        };
        let correct = |items| Ask::Correct { schedule: nightly(), host: "a".into(), items };
        let refused = ask(correct(vec![seen("0640")])).await.unwrap_err().to_string();
        assert!(refused.contains("not as you saw it any more"), "{refused}");
        assert!(ask(correct(Vec::new())).await.is_err());
        let until = stand.clock.shared().now() + SignedDuration::from_hours(1);
        let hold = |until, reason: &str| Ask::Hold { host: "a".into(), until, reason: reason.into() };
        ask(hold(until, "it moves")).await.unwrap();
        assert!(ask(hold(until, " ")).await.is_err() && ask(hold(Timestamp::MAX, "x")).await.is_err());
        let refused = ask(correct(vec![seen("0600")])).await.unwrap_err().to_string();
        assert!(refused.contains("held by eva until"), "{refused}");
        ask(Ask::Release { host: "a".into() }).await.unwrap();
        assert!(ask(Ask::Release { host: "a".into() }).await.is_err(), "there is none any more");
        let begun = ask(correct(vec![seen("0600")])).await.unwrap().round.unwrap();
        stand.clock.advance(SignedDuration::from_secs(1));
        stand.heard(&format!("{} is done", begun.replace("nightly@", "the round of "))).await;
        assert!(stand.said().contains("1 host, 1 not as declared, 1 corrected"), "{}", stand.said());
        let (host, allowed) = stand.fleet.with(|w| w.corrections[0].clone());
        assert_eq!((host.as_str(), allowed.settings.len()), ("a", 0));
        assert!(allowed.has(None, "site.yml:3") && !allowed.has(Some("tls"), "site.yml:4"));
        assert!(ask(Ask::Check { schedule: "other".into() }).await.is_err());
        halt.send_replace(true);
        running.await.unwrap();
        assert!(commands.ask("eva", Ask::Check { schedule: nightly() }).await.is_err());
    });
}

#[test]
fn schedules_are_replaced_while_it_runs_and_a_record_has_one_server() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&crate::store::RecordSettings::in_folder(folder.path())).await.unwrap();
        let stand = Stand::new(store, fleet());
        let halt = watch::Sender::new(false);
        let server = stand.server(&[schedule("first")], &halt).await;
        let reload = server.reload();
        assert_eq!(stand.known().await, ["first 2026-11-22T02:30:00Z"], "before it has its first turn");
        reload.replace(vec![schedule("old")]).await;
        assert_eq!(stand.known().await[1], "old 2026-11-22T02:30:00Z", "and so are those that take its place");
        let running = tokio::spawn(server.run());
        let parts = Parts {
            store: stand.store.clone(),
            fleet: Arc::new(stand.fleet.clone()),
            clock: stand.clock.shared(),
            schedules: Vec::new(),
            say: Arc::new(|_: &str| {}),
            halt: halt.subscribe(),
            pulse: crate::notify::metrics::Pulse::default(),
        };
        let second = Server::new(parts, false).await.err().unwrap().to_string();
        assert!(
            second.contains(&format!("another server (process {}) runs on this record", std::process::id())),
            "{second}"
        );
        reload.replace(vec![schedule("new")]).await;
        stand.clock.advance(SignedDuration::from_mins(1));
        stand.heard("new: the round of 2026-11-22T02:30:00Z is done").await;
        halt.send_replace(true);
        running.await.unwrap();
        assert!(!stand.said().contains("old:") && !stand.said().contains("first:"), "{}", stand.said());
    });
}
