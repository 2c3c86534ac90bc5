//! Hosts that have another name now.

use jiff::Timestamp;

use super::*;
use crate::store::{
    By, RecordSettings, RenameError, RunFilter,
    testing::{
        run::{self as went, began},
        two,
    },
};

const EVA: By<'_> = By::at_terminal("eva");

/// Some minutes after a run began.
fn after(run: &str) -> Timestamp {
    Timestamp::from_microsecond(began(run) + 600_000_000).unwrap()
}

async fn rename(store: &Store, old: &str, new: &str, behind: &str) -> Result<bool, RenameError> {
    store.rename_host(old, new, EVA, after(behind)).await
}

/// Hosts and their states.
async fn hosts(store: &Store) -> Vec<String> {
    texts(store, "SELECT name || ' ' || state || ' ' || last_run FROM hosts ORDER BY name").await
}

/// The runs that looked at a host, and how they found it.
async fn looks(store: &Store, host: &str) -> Vec<String> {
    let query = "SELECT l.run || ' ' || l.state FROM looks l JOIN hosts h ON h.id = l.host WHERE h.name = ";
    texts(store, &format!("{query}'{host}' ORDER BY l.at")).await
}

/// What is known of all items.
async fn items(store: &Store) -> Vec<String> {
    let query = "SELECT h.name || ' ' || i.thing || ' ' || i.cause || ' ' || COALESCE(i.remembered, '?') || ' ' || i.looks \
                 FROM items i JOIN hosts h ON h.id = i.host WHERE i.property = 'mode' ORDER BY h.name, i.thing";
    texts(store, query).await
}

fn of(thing: &'static str, seen: &'static str, wanted: &'static str) -> Item<'static> {
    (thing, MODE, Some(seen), Some(wanted))
}

/// A run in which hosts were reached, found as wanted, or not.
async fn reached(store: &Store, id: &str, hosts: &[(&str, bool)]) {
    let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
    let head = head(id, &names);
    let all: Vec<_> =
        hosts.iter().map(|(_, there)| if *there { Ok(vec![Outcome::Unchanged]) } else { Err("no route") }).collect();
    take(store, &went::events(&head, &all), &head).await;
}

/// The same record without its index, as it is made again from the folders.
async fn again(store: &Store) -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for entry in ["runs", "hosts.jsonl"] {
        let from = store.folder().join(entry);
        let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(folder.path()).status();
        assert!(copied.unwrap().success());
    }
    let again = Store::open(&RecordSettings::in_folder(folder.path())).await.unwrap();
    assert_eq!(again.catch_up().await.unwrap().trouble, []);
    (again, folder)
}

#[test]
fn a_host_keeps_its_history_under_its_new_name() {
    both(|store| async move {
        run(&store, "run-1", Mode::Apply, &[("a", vec![mode("0666", "0644")]), ("x", vec![mode("0644", "0644")])])
            .await;
        for text in [
            "INSERT INTO holds (host, author, began, until, reason) VALUES ('a', 'eva', 0, 9, 'x')",
            "INSERT INTO rounds (id, schedule, due, state) VALUES ('s@1', 's', 1, 'done')",
            "INSERT INTO jobs (round, host, at, state) VALUES ('s@1', 'a', 1, 'looked')",
        ] {
            sqlx::query(text).execute(store.pool()).await.unwrap();
        }
        assert!(!rename(&store, "a", "b", "run-1").await.unwrap());
        assert_eq!(looks(&store, "b").await, ["run-1 fine"]);
        let named = "SELECT host FROM holds UNION ALL SELECT host FROM jobs";
        assert_eq!(texts(&store, named).await, ["b", "b"]);
        let log = "SELECT author || ' ' || action || ' ' || object || ' ' || detail FROM actions";
        assert_eq!(texts(&store, log).await, ["eva rename b {\"from\":\"a\"}"]);
        // What the last run left is known by the new name.
        run(&store, "run-2", Mode::Check, &[("b", vec![mode("0600", "0644")])]).await;
        assert_eq!(hosts(&store).await, ["b drifted run-2", "x fine run-1"]);
        assert_eq!(items(&store).await, ["b path:/etc/motd drift 0644 1", "x path:/etc/motd fine 0644 0"]);
        // The old name is free for another host.
        run(&store, "run-3", Mode::Check, &[("a", vec![mode("0600", "0644")])]).await;
        assert_eq!(items(&store).await[0], "a path:/etc/motd new ? 1");
        let (again, _folder) = again(&store).await;
        assert_eq!((hosts(&again).await, items(&again).await), (hosts(&store).await, items(&store).await));
        assert_eq!(transitions(&again).await, transitions(&store).await);
    });
}

#[test]
fn a_host_that_was_looked_at_by_its_new_name_already_is_one_with_both() {
    both(|store| async move {
        let old = vec![
            of("path:/1", "x", "0644"),
            of("path:/2", "x", "0644"),
            of("path:/3", "x", "0644"),
            of("path:/4", "x", "y"),
        ];
        run(&store, "run-1", Mode::Apply, &[("a", old)]).await;
        run(&store, "run-2", Mode::Check, &[("a", vec![of("path:/1", "0600", "0644")])]).await;
        // By the new name: as before, policy moved, put right, not looked at.
        let new = vec![of("path:/1", "0600", "0644"), of("path:/2", "0644", "0600"), of("path:/3", "0644", "0644")];
        run(&store, "run-3", Mode::Check, &[("b", new.clone())]).await;
        assert_eq!(items(&store).await[4..6], ["b path:/1 new ? 1", "b path:/2 new ? 1"]);
        assert!(rename(&store, "a", "b", "run-3").await.unwrap());
        let known =
            ["b path:/1 drift 0644 2", "b path:/2 pending 0644 1", "b path:/3 fine 0644 0", "b path:/4 fine y 0"];
        assert_eq!(items(&store).await, known);
        assert_eq!(looks(&store, "b").await, ["run-1 fine", "run-2 drifted", "run-3 pending"]);
        let open = open_items(&store, &["b".into()]).await.unwrap();
        assert_eq!(
            (open[0].known.since / 1000, open[0].known.before),
            (began("run-2") / 1000, Some(began("run-1") + 2))
        );
        assert_eq!(open[1].known.before, Some(began("run-1") + 2), "between which two looks");
        // It is one timeline: the host did not begin anew.
        let states = "SELECT old || ' ' || new FROM transitions WHERE kind = 'state' ORDER BY at";
        assert_eq!(texts(&store, states).await, ["new fine", "fine drifted", "drifted pending"]);
        run(&store, "run-4", Mode::Check, &[("b", new)]).await;
        assert_eq!(hosts(&store).await, ["b drifted run-4"]);
        for table in ["looks", "items", "covers", "transitions"] {
            let strays = format!("SELECT '{table}' FROM {table} WHERE host NOT IN (SELECT id FROM hosts)");
            assert!(texts(&store, &strays).await.is_empty(), "{table}");
        }
        // Made again, it knew what was left when it looked by the new name.
        let (again, _folder) = again(&store).await;
        assert_eq!(hosts(&again).await, ["b drifted run-4"]);
        assert_eq!(items(&again).await, items(&store).await);
        assert_eq!(looks(&again, "b").await, ["run-1 fine", "run-2 drifted", "run-3 drifted", "run-4 drifted"]);
    });
}

#[test]
fn looks_by_a_name_that_nobody_had_are_nobodys() {
    both(|store| async move {
        // Added before it was renamed, and taken out after.
        reached(&store, "run-1", &[("a", true), ("b", false)]).await;
        reached(&store, "run-2", &[("b", true), ("a", false)]).await;
        reached(&store, "run-3", &[("a", false)]).await;
        assert!(rename(&store, "a", "b", "run-3").await.unwrap());
        assert_eq!(looks(&store, "b").await, ["run-1 fine", "run-2 fine"]);
        assert_eq!(hosts(&store).await, ["b fine run-2"]);
        let (again, _folder) = again(&store).await;
        assert_eq!((hosts(&again).await, looks(&again, "b").await), (hosts(&store).await, looks(&store, "b").await));
    });
    both(|store| async move {
        // Named too early: it was never reached by the new name.
        reached(&store, "run-1", &[("b", false)]).await;
        reached(&store, "run-2", &[("b", false), ("a", true)]).await;
        assert!(rename(&store, "a", "b", "run-2").await.unwrap());
        assert_eq!(hosts(&store).await, ["b fine run-2"]);
        assert_eq!(looks(&store, "b").await, ["run-1 unreachable", "run-2 fine"]);
    });
}

#[test]
fn what_cannot_be_renamed_stays_as_it_was() {
    both(|store| async move {
        run(&store, "run-1", Mode::Check, &[("a", vec![mode("1", "1")]), ("b", vec![mode("1", "1")])]).await;
        let before = (hosts(&store).await, items(&store).await);
        let refused = async |old: &str, new: &str| rename(&store, old, new, "run-1").await.unwrap_err().to_string();
        assert!(refused("nobody", "c").await.contains("no host nobody is recorded"));
        assert!(refused("a", "a").await.contains("a is its name already"));
        for wrong in ["", "a b", "a\nb", &"a".repeat(300)] {
            assert!(refused("a", wrong).await.contains("is no name of a host"), "{wrong}");
        }
        let apart = refused("a", "b").await;
        assert!(apart.contains("two hosts side by side") && apart.contains("`rectify runs forget b`"), "{apart}");
        // Whoever works on it has it by a name.
        let held = "INSERT INTO leases (what, holder, fence, until) VALUES ('host:c', 'x', 1, 9000000000000000)";
        sqlx::query(held).execute(store.pool()).await.unwrap();
        assert!(refused("a", "c").await.contains("a schedule goes on with c"));
        sqlx::query("UPDATE leases SET until = 0").execute(store.pool()).await.unwrap();
        for text in [
            "INSERT INTO rounds (id, schedule, due, state) VALUES ('s@1', 'nightly', 1, 'looking')",
            "INSERT INTO jobs (round, host, at, state) VALUES ('s@1', 'a', 1, 'waiting')",
        ] {
            sqlx::query(text).execute(store.pool()).await.unwrap();
        }
        assert!(refused("a", "c").await.contains("a round of schedule nightly goes on with a"));
        sqlx::query("UPDATE rounds SET state = 'done'").execute(store.pool()).await.unwrap();
        let running = Recorder::begin(store.folder(), &head("run-2", &["c"])).unwrap();
        assert!(refused("a", "c").await.contains("run run-2 goes on with c"));
        drop(running);
        std::fs::remove_dir_all(store.folder().join("runs/run-2")).unwrap();
        assert_eq!((hosts(&store).await, items(&store).await), before);
        assert!(!store.folder().join("hosts.jsonl").exists());
        assert!(texts(&store, "SELECT action FROM actions").await.is_empty());
        // What the refusal names as the way out.
        assert!(store.forget_host("b", EVA, after("run-1")).await.unwrap());
        assert!(!rename(&store, "a", "b", "run-1").await.unwrap());
        let (again, _folder) = again(&store).await;
        assert_eq!(hosts(&again).await, ["b fine run-1"]);
        assert_eq!(items(&again).await, items(&store).await);
        store.catch_up().await.unwrap();
        assert_eq!(hosts(&store).await, ["b fine run-1"], "the name that was forgotten is another host's since");
    });
}

#[test]
fn a_run_of_another_machine_that_is_taken_in_late_is_the_renamed_host_s() {
    two(|one, two| async move {
        let look = |seen| vec![of("path:/1", seen, "0644")];
        run(&one, "run-2", Mode::Check, &[("a", look("0644")), ("gone", look("0644"))]).await;
        rename(&one, "a", "b", "run-4").await.unwrap();
        one.forget_host("gone", EVA, after("run-4")).await.unwrap();
        run(&two, "run-3", Mode::Check, &[("a", look("0600")), ("gone", look("0644"))]).await;
        assert_eq!(hosts(&two).await.len(), 3, "it knows nothing of it");
        assert_eq!(one.catch_up().await.unwrap().names, None);
        assert_eq!(hosts(&one).await, ["b pending run-3"]);
        assert_eq!(items(&one).await, ["b path:/1 drift 0644 1"]);
        assert_eq!(one.runs(&RunFilter::default()).await.unwrap().len(), 2);
        // A file that cannot be understood is said, and what is there stays.
        std::fs::write(one.folder().join("hosts.jsonl"), "?\n").unwrap();
        let said = one.catch_up().await.unwrap().names.unwrap();
        assert!(said.contains("hosts.jsonl") && said.contains("line 1"), "{said}");
    });
}
