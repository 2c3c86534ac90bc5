use std::collections::BTreeSet;

use jiff::Timestamp;
use rectify_core::event::{Failure, Outcome};
use sqlx::Row as _;

use super::{
    By, Head, RecordSettings, Recorder, RunFilter, RunFolder, RunRow, Store, StoreError,
    testing::{
        block_on, both, postgres,
        run::{self, began, events, head},
        two,
    },
};

type Went<'a> = Result<Vec<Outcome>, &'a str>;

fn would() -> Outcome {
    Outcome::WouldChange
}

fn failed() -> Outcome {
    Outcome::Failed { failure: Failure::new("no such package") }
}

/// Records a run up to `until` events before its end.
fn record(store: &Store, head: &Head, hosts: &[Went<'_>], until: usize) -> RunFolder {
    let mut recorder = Recorder::begin(store.folder(), head).unwrap();
    let all = events(head, hosts);
    for event in &all[..all.len() - until] {
        recorder.take(event).unwrap();
    }
    recorder.finish().unwrap()
}

async fn all(store: &Store) -> Vec<RunRow> {
    store.runs(&RunFilter::default()).await.unwrap()
}

/// The states of hosts in looks, by name.
async fn looks(store: &Store, run: &str) -> Vec<(String, String, Option<String>)> {
    let text =
        "SELECT h.name, l.state, l.trouble FROM looks l JOIN hosts h ON h.id = l.host WHERE l.run = $1 ORDER BY h.id";
    let rows = sqlx::query(text).bind(run).fetch_all(store.pool()).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn some(hosts: &[&str]) -> Option<BTreeSet<String>> {
    Some(hosts.iter().map(|host| (*host).to_owned()).collect())
}

#[test]
fn a_run_is_taken_in_once_with_what_it_came_to() {
    both(|store| async move {
        let head = head("run-1", &["a", "b", "c", "d"]);
        let went = [
            Ok(vec![Outcome::Unchanged, Outcome::Unchanged]),
            Ok(vec![would(), would()]),
            Ok(vec![would(), failed()]),
            Err("no route"),
        ];
        record(&store, &head, &went, 0);
        for taken in [1, 0] {
            let caught = store.catch_up().await.unwrap();
            assert_eq!((caught.taken, caught.trouble), (taken, vec![]));
        }
        let runs = all(&store).await;
        assert_eq!(
            (runs.len(), runs[0].exit_code, runs[0].playbooks.as_slice()),
            (1, Some(4), &["site.yml".to_owned()][..])
        );
        assert_eq!(runs[0].of, None);
        let of_c = store.runs(&RunFilter { hosts: some(&["c"]), ..RunFilter::default() }).await.unwrap().remove(0).of;
        let of_c = of_c.unwrap();
        assert_eq!((of_c.states, of_c.would, of_c.failed, of_c.changed), ([("failing".into(), 1)].into(), 1, 1, 0));
        let of = store.runs(&RunFilter { hosts: some(&["a", "b", "c", "x"]), ..RunFilter::default() }).await.unwrap();
        let of = of[0].of.clone().unwrap();
        let states = [("fine", 2), ("failing", 1)].map(|(state, n)| (state.to_owned(), n));
        assert_eq!((of.states, of.would, of.failed, of.changed), (states.into(), 3, 1, 0));
        let said = looks(&store, "run-1").await;
        let said: Vec<_> = said.iter().map(|(h, s, t)| (h.as_str(), s.as_str(), t.as_deref())).collect();
        assert_eq!(said[0], ("a", "fine", None));
        assert_eq!(said[1].0, "b");
        assert_eq!(said[2], ("c", "failing", Some("task 1: no such package")));
        assert_eq!(said[3], ("d", "unreachable", Some("no route")));
        let settings = sqlx::query("SELECT setting, hosts, would, failed FROM run_settings")
            .fetch_all(store.pool())
            .await
            .unwrap();
        assert_eq!((settings.len(), settings[0].get::<String, _>(0)), (1, "banner".into()));
        assert_eq!([1, 2, 3].map(|n| settings[0].get::<i64, _>(n)), [3, 2, 0]);
    });
}

#[test]
fn runs_are_found_by_host_setting_and_time() {
    both(|store| async move {
        record(&store, &head("run-1", &["a"]), &[Ok(vec![would()])], 0);
        record(&store, &head("run-2", &["a", "b"]), &[Ok(vec![]), Ok(vec![Outcome::Unchanged])], 0);
        record(&store, &head("run-3", &["b"]), &[Ok(vec![])], 0);
        store.catch_up().await.unwrap();
        let found = async |filter: RunFilter| {
            let runs = store.runs(&filter).await.unwrap();
            runs.into_iter().map(|run| (run.run, run.of.map(|of| of.would))).collect::<Vec<_>>()
        };
        let names = |runs: Vec<(String, Option<i64>)>| runs.into_iter().map(|r| r.0).collect::<Vec<_>>();
        assert_eq!(names(found(RunFilter::default()).await), ["run-3", "run-2", "run-1"]);
        let of_a = found(RunFilter { hosts: some(&["a"]), ..RunFilter::default() }).await;
        assert_eq!((of_a[0].1, of_a[1].1), (Some(0), Some(1)));
        assert_eq!(names(of_a), ["run-2", "run-1"]);
        let setting = RunFilter { setting: Some("banner".into()), ..RunFilter::default() };
        assert_eq!(names(found(setting.clone()).await), ["run-2", "run-1"]);
        assert_eq!(names(found(RunFilter { hosts: some(&["b"]), ..setting }).await), ["run-2"]);
        assert_eq!(
            names(found(RunFilter { since: Some(began("run-2")), ..RunFilter::default() }).await),
            ["run-3", "run-2"]
        );
        assert_eq!(names(found(RunFilter { hosts: some(&["a", "b"]), ..RunFilter::default() }).await).len(), 3);
        let later = RunFilter { hosts: some(&["a"]), since: Some(began("run-2")), ..RunFilter::default() };
        assert_eq!(names(found(later).await), ["run-2"]);
        assert!(found(RunFilter { hosts: some(&["a' OR 1=1"]), ..RunFilter::default() }).await.is_empty());
        assert!(found(RunFilter { hosts: some(&[]), ..RunFilter::default() }).await.is_empty());
        // More than go into one statement.
        let many = (0..2000).map(|n| format!("h{n}")).chain(["b".to_owned()]).collect();
        assert_eq!(names(found(RunFilter { hosts: Some(many), ..RunFilter::default() }).await), ["run-3", "run-2"]);
    });
}

#[test]
fn a_run_that_broke_off_counts_as_far_as_it_came_and_one_that_goes_on_waits() {
    both(|store| async move {
        let broken = head("run-1", &["a", "b"]);
        record(&store, &broken, &[Ok(vec![would()]), Ok(vec![would(), would()])], 3);
        let goes_on = head("run-2", &["a"]);
        let mut recorder = Recorder::begin(store.folder(), &goes_on).unwrap();
        store.begun(&goes_on).await.unwrap();
        for event in events(&goes_on, &[Ok(vec![would()])]) {
            assert_eq!(store.catch_up().await.unwrap().taken, usize::from(event.seq == 0));
            recorder.take(&event).unwrap();
        }
        let runs = all(&store).await;
        let ends: Vec<_> = runs.iter().map(|run| (run.ended.is_some(), run.exit_code)).collect();
        assert_eq!(ends, [(false, None), (true, None)]);
        let said = looks(&store, "run-1").await;
        assert_eq!(said.iter().map(|l| l.0.as_str()).collect::<Vec<_>>(), ["a"], "b was not through");
        recorder.finish().unwrap();
        assert_eq!(store.catch_up().await.unwrap().taken, 1);
        assert_eq!(all(&store).await[0].exit_code, Some(2));
    });
}

#[test]
fn a_late_run_does_not_make_hosts_older() {
    both(|store| async move {
        let mut late = head("run-1", &["a"]);
        late.hosts[0].owners = vec!["former".into()];
        record(&store, &head("run-2", &["a"]), &[Ok(vec![failed()])], 0);
        store.catch_up().await.unwrap();
        record(&store, &late, &[Ok(vec![would()])], 0);
        assert_eq!(store.catch_up().await.unwrap().taken, 1);
        let row = sqlx::query("SELECT owners, last_run, last_look, last_good FROM hosts")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!((row.get::<String, _>(0), row.get::<String, _>(1)), (r#"["alpha"]"#.into(), "run-2".into()));
        assert!(
            row.get::<i64, _>(2) > began("run-2") && row.get::<Option<i64>, _>(3).is_some_and(|at| at < began("run-2"))
        );
    });
}

#[test]
fn a_corrupt_folder_is_named_and_the_others_go_on() {
    both(|store| async move {
        let damage = |number: &str, file: &str, text: &str| {
            let run = format!("run-{number}");
            let own = record(&store, &head(&run, &["a"]), &[Ok(vec![would()])], 0);
            std::fs::write(own.path().join(file), text).unwrap();
        };
        damage("1", "head.json", "{");
        damage("2", "events.jsonl.gz", "this is no gzip at all");
        std::fs::create_dir(store.folder().join("runs/empty")).unwrap();
        let mut other = head("run-3", &["a"]);
        let own = record(&store, &other, &[Ok(vec![would()])], 0);
        other.hosts[0].name = "b".into();
        std::fs::write(own.path().join("head.json"), serde_json::to_vec(&other).unwrap()).unwrap();
        record(&store, &head("run-4", &["a"]), &[Ok(vec![would()])], 0);
        let caught = store.catch_up().await.unwrap();
        let named: Vec<&str> = caught.trouble.iter().map(|(run, _)| run.as_str()).collect();
        assert_eq!((caught.taken, named), (1, vec!["run-1", "run-2", "run-3"]), "{caught:?}");
        assert!(caught.trouble.iter().all(|(run, why)| why.contains(run.as_str())), "{caught:?}");
        assert_eq!(all(&store).await.len(), 1);
    });
}

#[test]
fn many_that_catch_up_at_once_take_each_run_in_once() {
    both(|store| async move {
        let hosts: Vec<String> = (0..30).map(|n| format!("h{n}")).collect();
        for number in 0..12 {
            let mut names: Vec<&str> = hosts.iter().map(String::as_str).collect();
            if number % 2 == 1 {
                names.reverse();
            }
            let went: Vec<Went<'_>> = names.iter().map(|_| Ok(vec![would()])).collect();
            record(&store, &head(&format!("run-{number}"), &names), &went, 0);
        }
        let each = |_| {
            tokio::spawn({
                let store = store.clone();
                async move { store.catch_up().await.unwrap().taken }
            })
        };
        let mut taken = 0;
        for done in (0..6).map(each).collect::<Vec<_>>() {
            taken += done.await.unwrap();
        }
        assert_eq!((taken, all(&store).await.len()), (12, 12));
        let rows = sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) FROM looks").fetch_one(store.pool()).await.unwrap();
        assert_eq!(rows.get::<i64, _>(0), 12 * 30);
    });
}

#[test]
fn a_database_that_was_full_or_read_only_catches_up_later() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = Store::open(&RecordSettings::in_folder(folder.path())).await.unwrap();
        let hosts: Vec<String> = (0..2000).map(|n| format!("host-with-a-long-name-{n}")).collect();
        let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let went: Vec<Went<'_>> = names.iter().map(|_| Err("no route to this host")).collect();
        record(&store, &head("run-1", &names), &went, 0);
        for (on, off) in [
            ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"),
            ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
        ] {
            // Of a pool of connections every one has to be told.
            let tell = async |pragma: &'static str| {
                let mut held = Vec::new();
                for _ in 0..4 {
                    let mut one = store.pool().acquire().await.unwrap();
                    sqlx::raw_sql(pragma).execute(&mut *one).await.unwrap();
                    held.push(one);
                }
            };
            tell(on).await;
            let told = store.catch_up().await.unwrap_err();
            assert!(matches!(told, StoreError::Full { .. } | StoreError::ReadOnly { .. }), "{told:?}");
            assert!(all(&store).await.is_empty(), "all or nothing");
            tell(off).await;
        }
        assert_eq!(store.catch_up().await.unwrap().taken, 1);
        assert_eq!(looks(&store, "run-1").await.iter().filter(|look| look.1 == "unreachable").count(), 2000);
    });
}

#[test]
fn old_runs_are_forgotten_but_for_the_newest_look_at_a_host_and_what_runs() {
    both(|store| async move {
        record(&store, &head("run-1", &["a", "gone"]), &[Ok(vec![]), Ok(vec![])], 0);
        record(&store, &head("run-2", &["a"]), &[Ok(vec![would()])], 0);
        record(&store, &head("run-3", &["a"]), &[Ok(vec![would()])], 0);
        let mut other = head("run-4", &["a"]);
        other.server = "elsewhere".into();
        record(&store, &other, &[Ok(vec![])], 0);
        record(&store, &head("run-5", &["a"]), &[Ok(vec![])], 0);
        store.catch_up().await.unwrap();
        let (running, _) = run::check("run-0", 1, 1);
        let recorder = Recorder::begin(store.folder(), &running).unwrap();
        store.begun(&running).await.unwrap();
        let before = began("run-9");
        let would = store.prune(before, true).await.unwrap();
        assert_eq!(
            (would.runs.as_slice(), would.kept.as_slice()),
            (&["run-2".to_owned(), "run-3".into()][..], &["run-1".to_owned(), "run-5".into()][..])
        );
        assert!(would.bytes > 0);
        assert_eq!((all(&store).await.len(), RunFolder::all(store.folder()).unwrap().len()), (6, 6));
        assert_eq!(store.prune(before, false).await.unwrap(), would);
        let left: Vec<String> = all(&store).await.into_iter().map(|run| run.run).collect();
        assert_eq!(left, ["run-5", "run-4", "run-1", "run-0"]);
        assert_eq!(RunFolder::all(store.folder()).unwrap().len(), 4);
        assert_eq!(store.catch_up().await.unwrap().taken, 0, "nothing comes back");
        assert!(store.prune(began("run-0"), false).await.unwrap().runs.is_empty());
        drop(recorder);
    });
}

#[test]
fn of_a_host_that_is_forgotten_nothing_is_known_and_the_others_are_as_they_were() {
    both(|store| async move {
        record(&store, &head("run-1", &["a", "gone"]), &[Ok(vec![would()]), Ok(vec![would()])], 0);
        store.catch_up().await.unwrap();
        let hold = "INSERT INTO holds (host, author, began, until, reason) VALUES ('gone', 'eva', 0, 1, 'x')";
        sqlx::query(hold).execute(store.pool()).await.unwrap();
        let before = looks(&store, "run-1").await;
        let eva = By::at_terminal("eva");
        let now = Timestamp::from_microsecond(began("run-1") + 1).unwrap();
        assert!(store.forget_host("gone", eva, now).await.unwrap());
        let after = looks(&store, "run-1").await;
        assert_eq!((before.len(), after.len()), (2, 1));
        assert!(before.contains(&after[0]));
        for table in ["hosts", "transitions", "items", "covers", "stances", "flapping"] {
            let column = if table == "hosts" { "id" } else { "host" };
            let text = format!("SELECT DISTINCT {column} FROM {table}");
            let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(store.pool()).await.unwrap();
            assert!(rows.len() <= 1, "{table}");
        }
        assert!(sqlx::query("SELECT host FROM holds").fetch_all(store.pool()).await.unwrap().is_empty());
        let log = sqlx::query("SELECT author || ' ' || action || ' ' || object FROM actions");
        assert_eq!(log.fetch_one(store.pool()).await.unwrap().get::<String, _>(0), "eva forget gone");
        assert!(!store.forget_host("gone", eva, now).await.unwrap(), "nothing is left to forget");
        assert_eq!(store.catch_up().await.unwrap().taken, 0, "its folders do not bring it back");
        // Under its old name it is new.
        record(&store, &head("run-2", &["a", "gone"]), &[Ok(vec![]), Ok(vec![])], 0);
        store.catch_up().await.unwrap();
        assert_eq!(looks(&store, "run-2").await.len(), 2);
    });
}

#[test]
fn two_records_share_a_postgres() {
    two(|one, two| async move {
        record(&one, &head("run-1", &["a"]), &[Ok(vec![])], 0);
        record(&two, &head("run-2", &["a"]), &[Ok(vec![])], 0);
        assert_eq!((one.catch_up().await.unwrap().taken, two.catch_up().await.unwrap().taken), (1, 1));
        assert_eq!((all(&one).await.len(), all(&two).await), (2, all(&one).await));
    });
}

#[test]
fn a_postgres_that_was_restarted_or_cannot_be_written_is_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let settings = RecordSettings { folder: folder.path().into(), ..postgres() };
    block_on(async {
        let store = Store::open(&settings).await.unwrap();
        record(&store, &head("run-1", &["a"]), &[Ok(vec![])], 0);
        let name = sqlx::query("SELECT CAST(current_database() AS TEXT)").fetch_one(store.pool()).await.unwrap();
        let name: String = name.get(0);
        let alter = |value: &str| {
            sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}"))
        };
        sqlx::raw_sql(alter("on")).execute(store.pool()).await.unwrap();
        let again = Store::open(&settings).await.unwrap();
        let told = again.catch_up().await.unwrap_err();
        assert!(matches!(told, StoreError::ReadOnly { .. }) && told.to_string().contains("standby"), "{told:?}");
        assert!(all(&again).await.is_empty());
        // All connections but the one that says so end, as when the server starts anew.
        let end = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(alter("off")).execute(store.pool()).await.unwrap();
        sqlx::query(end).fetch_one(store.pool()).await.unwrap();
        assert_eq!(again.catch_up().await.unwrap().taken, 1);
    });
}
