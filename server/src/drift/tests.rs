mod renamed;
mod who;

use std::collections::BTreeMap;

use rectify_core::{
    drift::{Cause, Key},
    event::{
        Diff, Event, HostEvent, Kept, Outcome, Property, PropertyChange, RunEvent, TaskInfo, TaskReport, Thing, Trace,
        lines_of,
    },
    plan::{Mode, Origin, TaskId},
};
use sqlx::{AssertSqlSafe, Row as _};

use super::{forget_contents, known_contents, open_items};
use crate::store::{
    Head, Recorder, Store,
    testing::{both, run::head},
};

/// What a run saw and wanted of an item: a thing, a property, two values.
type Item<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

/// A check of hosts, or an apply that makes all as wanted.
fn events(head: &Head, hosts: &[Vec<Item<'_>>]) -> Vec<Event> {
    let mut out = vec![RunEvent::Started {
        run: head.run.clone(),
        mode: head.mode,
        playbooks: head.playbooks.clone(),
        hosts: head.hosts.iter().map(|h| h.name.clone()).collect(),
        version: head.version.clone(),
    }];
    for (host, items) in head.hosts.iter().map(|h| &h.name).zip(hosts) {
        let task = |n: usize| TaskInfo {
            id: TaskId(u32::try_from(n).unwrap()),
            name: format!("task {n}"),
            module: "file".into(),
            role: None,
            play: "site".into(),
            origin: Origin { file: "site.yml".into(), line: 10, column: 3 },
            handler: false,
            rollout: None,
        };
        out.push(RunEvent::Connecting { host: host.clone() });
        out.push(RunEvent::Connected { host: host.clone(), tasks: (0..items.len()).map(task).collect() });
        for (n, item) in items.iter().enumerate() {
            let TaskInfo { id, name, .. } = task(n);
            let started = HostEvent::TaskStarted { task: id, name };
            let finished = HostEvent::TaskFinished { task: id, report: Box::new(report(head.mode, *item)) };
            out.extend([started, finished].map(|what| RunEvent::Host { host: host.clone(), what }));
        }
        out.push(RunEvent::HostFinished { host: host.clone() });
    }
    out.push(RunEvent::Finished);
    (0..).zip(out).map(|(seq, what)| Event { seq, at: head.began + i64::try_from(seq).unwrap(), what }).collect()
}

fn report(mode: Mode, (thing, property, seen, wanted): Item<'_>) -> TaskReport {
    let outcome = match mode {
        _ if seen == wanted => Outcome::Unchanged,
        Mode::Check => Outcome::WouldChange,
        Mode::Apply => Outcome::Changed,
    };
    let [seen, wanted] = [seen, wanted].map(|side| side.map(str::to_owned));
    let mut report = TaskReport::of(outcome);
    let diff = Diff::Value { before: seen.clone(), after: wanted.clone() };
    let mut traces = Vec::new();
    if seen != wanted {
        report.changes.push(PropertyChange { property: property.into(), diff });
        let what = "changed".to_owned();
        traces.push(Trace { source: "file".into(), at: Some(7), account: None, program: None, what });
    }
    let thing = Thing { thing: thing.into(), properties: vec![Property::new(property, seen, wanted)], traces };
    report.kept = Some(Kept { things: vec![thing], lines: BTreeMap::new() });
    report
}

async fn take(store: &Store, events: &[Event], head: &Head) {
    let mut recorder = Recorder::begin(store.folder(), head).unwrap();
    for event in events {
        recorder.take(event).unwrap();
    }
    recorder.finish().unwrap();
    let caught = store.catch_up().await.unwrap();
    assert_eq!(caught.trouble, vec![], "{caught:?}");
}

async fn run(store: &Store, id: &str, mode: Mode, hosts: &[(&str, Vec<Item<'_>>)]) {
    let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
    let head = Head { mode, ..head(id, &names) };
    let items: Vec<_> = hosts.iter().map(|(_, items)| items.clone()).collect();
    take(store, &events(&head, &items), &head).await;
}

async fn texts(store: &Store, query: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_all(store.pool()).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn transitions(store: &Store) -> Vec<String> {
    texts(
        store,
        "SELECT kind || ' ' || old || ' ' || new || ' ' || COALESCE(property, '') FROM transitions ORDER BY at, id",
    )
    .await
}

const MODE: &str = "mode";

fn mode(seen: &'static str, wanted: &'static str) -> Item<'static> {
    ("path:/etc/motd", MODE, Some(seen), Some(wanted))
}

#[test]
fn a_host_moves_is_told_of_and_is_corrected() {
    both(|store| async move {
        run(&store, "run-1", Mode::Apply, &[("a", vec![mode("0666", "0644")]), ("b", vec![mode("0644", "0644")])])
            .await;
        run(&store, "run-2", Mode::Check, &[("a", vec![mode("0600", "0644")]), ("b", vec![mode("0644", "0644")])])
            .await;
        let open = open_items(&store, &["a".into(), "b".into()]).await.unwrap();
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(
            (&*open[0].host, open[0].known.cause, &open[0].known.left),
            ("a", Cause::Drift, &Some(Some("0644".into())))
        );
        assert_eq!(
            open[0].known.difference,
            Some(Diff::Value { before: Some("0600".into()), after: Some("0644".into()) })
        );
        assert_eq!((open[0].known.traces.len(), open[0].known.before.is_some()), (1, true));
        assert!(open[0].known.before < Some(open[0].known.since));
        let state = "SELECT name || ' ' || state FROM hosts ORDER BY name";
        assert_eq!(texts(&store, state).await, ["a drifted", "b fine"]);
        assert_eq!(
            texts(&store, "SELECT state FROM looks WHERE run = 'run-2' ORDER BY host").await,
            ["drifted", "fine"]
        );
        run(&store, "run-3", Mode::Apply, &[("a", vec![mode("0600", "0644")])]).await;
        assert_eq!(texts(&store, state).await, ["a fine", "b fine"]);
        let told = transitions(&store).await;
        let told: Vec<&str> = told.iter().map(|t| t.trim_end()).filter(|t| !t.starts_with("state new")).collect();
        assert_eq!(
            told,
            ["item fine drift mode", "state fine drifted", "corrected drift fine mode", "state drifted fine"]
        );
    });
}

#[test]
fn a_policy_that_moves_is_pending_and_what_a_restricted_run_does_not_look_at_stays() {
    both(|store| async move {
        let other: Item<'_> = ("unit:ssh.service", "active", Some("active"), Some("active"));
        run(&store, "run-1", Mode::Check, &[("a", vec![mode("0644", "0644"), other])]).await;
        run(&store, "run-2", Mode::Check, &[("a", vec![mode("0644", "0600")])]).await;
        assert_eq!(texts(&store, "SELECT state FROM hosts").await, ["pending"]);
        let rows = "SELECT property || ' ' || cause || ' ' || run FROM items ORDER BY property";
        assert_eq!(texts(&store, rows).await, ["active fine run-1", "mode pending run-2"]);
        let restricted = Head { partial: true, ..head("run-3", &["a"]) };
        take(&store, &events(&restricted, &[vec![other]]), &restricted).await;
        assert_eq!(texts(&store, "SELECT state FROM hosts").await, ["pending"], "the mode is still as it was seen");
        assert_eq!(texts(&store, "SELECT cover FROM covers").await.len(), 2, "no set without items is kept");
    });
}

#[test]
fn what_the_playbooks_do_not_want_any_more_is_open_no_longer() {
    both(|store| async move {
        let other: Item<'_> = ("unit:ssh.service", "active", Some("active"), Some("active"));
        run(&store, "run-1", Mode::Check, &[("a", vec![mode("0644", "0644"), other])]).await;
        run(&store, "run-2", Mode::Check, &[("a", vec![mode("0666", "0644"), other])]).await;
        let without = async |id: &str, change: &dyn Fn(&mut Head)| {
            let mut head = head(id, &["a"]);
            change(&mut head);
            take(&store, &events(&head, &[vec![other]]), &head).await;
            texts(&store, "SELECT state FROM hosts").await.remove(0)
        };
        assert_eq!(without("run-3", &|head| head.partial = true).await, "drifted", "its task was not asked for");
        assert_eq!(without("run-4", &|head| head.playbooks = vec!["other.yml".into()]).await, "drifted");
        assert_eq!(without("run-5", &|_| {}).await, "fine");
        assert_eq!(texts(&store, "SELECT thing FROM items").await, ["unit:ssh.service"]);
    });
}

#[test]
fn a_run_that_comes_late_overwrites_nothing_newer() {
    both(|store| async move {
        run(&store, "run-1", Mode::Check, &[("a", vec![mode("0644", "0644")])]).await;
        run(&store, "run-3", Mode::Check, &[("a", vec![mode("0666", "0644")])]).await;
        let all = "SELECT thing || cause || since || looks || run FROM items";
        let before = (texts(&store, all).await, transitions(&store).await);
        run(&store, "run-2", Mode::Check, &[("a", vec![mode("0600", "0600")])]).await;
        assert_eq!((texts(&store, all).await, transitions(&store).await), before);
        assert_eq!(texts(&store, "SELECT state FROM hosts").await, ["drifted"]);
    });
}

#[test]
fn a_look_that_finds_nothing_new_writes_no_items() {
    both(|store| async move {
        let items = || vec![mode("0644", "0644"), ("user:joe", "uid", Some("7"), Some("7"))];
        run(&store, "run-1", Mode::Check, &[("a", items())]).await;
        run(&store, "run-2", Mode::Check, &[("a", items())]).await;
        assert_eq!(texts(&store, "SELECT DISTINCT run FROM items").await, ["run-1"]);
        // And yet it is known when the last look was.
        run(&store, "run-3", Mode::Check, &[("a", vec![mode("0600", "0644"), items()[1]])]).await;
        let open = open_items(&store, &["a".into()]).await.unwrap();
        let second = head("run-2", &[]).began;
        assert!(open[0].known.before.is_some_and(|before| before >= second), "{open:?}");
    });
}

#[test]
fn lines_are_kept_once_for_the_fleet_and_forgotten_with_their_items() {
    both(|store| async move {
        let content = |text: &str| format!("sha256:{}", rectify_core::digest::sha256(text.as_bytes()));
        let (old, lost, new) = ("a\nm\n", "a\n", "a\nm\nn\n");
        let look = async |id: &str, seen: &str, wanted: &str| {
            let (seen_as, wanted_as) = (content(seen), content(wanted));
            let item: Item<'_> = ("path:/x", "content", Some(&seen_as), Some(&wanted_as));
            let head = head(id, &["a", "b"]);
            let mut all = events(&head, &[vec![item], vec![item]]);
            for event in &mut all {
                if let RunEvent::Host { what: HostEvent::TaskFinished { report, .. }, .. } = &mut event.what {
                    let lines = [seen, wanted].map(|text| (content(text), lines_of(text)));
                    report.kept.as_mut().unwrap().lines = lines.into();
                }
            }
            take(&store, &all, &head).await;
        };
        look("run-1", old, old).await;
        let hosts = ["a".to_owned(), "b".to_owned()];
        assert_eq!(known_contents(&store, &hosts).await.unwrap()["b"], [content(old)].into());
        // The managed line is gone, and another is wanted.
        look("run-2", lost, new).await;
        let open = open_items(&store, &hosts).await.unwrap();
        assert!(open.iter().all(|item| item.known.cause == Cause::Both), "{open:?}");
        // The line is gone and is wanted back elsewhere: nothing but drift, as the lines of all three are known.
        look("run-3", lost, "m\na\n").await;
        let open = open_items(&store, &hosts).await.unwrap();
        assert!(open.iter().all(|item| item.known.cause == Cause::Drift), "{open:?}");
        assert_eq!(texts(&store, "SELECT hash FROM contents").await.len(), 4);
        assert_eq!(forget_contents(&store).await.unwrap(), 1, "what nobody wants any more");
    });
}

#[test]
fn what_a_hostile_host_says_can_be_kept() {
    both(|store| async move {
        let long = "x\0".repeat(4000);
        let item: Item<'_> = (&long, &long, Some("a\0b"), Some(&long));
        run(&store, "run-1", Mode::Check, &[("a", vec![item])]).await;
        run(&store, "run-2", Mode::Check, &[("a", vec![item])]).await;
        let open = open_items(&store, &["a".into()]).await.unwrap();
        assert_eq!((open.len(), open[0].known.looks), (1, 2), "the same item both times");
        assert_eq!(open[0].known.seen.as_deref(), Some("a\u{fffd}b"));
        assert_ne!(open[0].key, Key::new("", ""));
    });
}

#[test]
fn a_host_that_changes_all_the_time_is_said_to_flap_once() {
    both(|store| async move {
        for n in 1..=7 {
            let seen = if n % 2 == 0 { "0666" } else { "0644" };
            run(&store, &format!("run-{n}"), Mode::Check, &[("a", vec![mode(seen, "0644")])]).await;
        }
        run(&store, "run-40", Mode::Check, &[("a", vec![mode("0644", "0644")])]).await;
        let flaps = "SELECT new || ' ' || run FROM transitions WHERE kind = 'flapping' ORDER BY at";
        assert_eq!(texts(&store, flaps).await, ["flapping run-6", "quiet run-40"]);
    });
}

/// Two thousand hosts with a hundred items: printed, not asserted. `cargo test -p rectify-server --lib measured -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn two_thousand_hosts_measured() {
    both(|store| async move {
        let things: Vec<String> = (0..100).map(|n| format!("path:/etc/{n}")).collect();
        let names: Vec<String> = (0..2000).map(|n| format!("web{n}")).collect();
        for (n, (id, seen)) in ["run-1", "run-2", "run-3"].into_iter().zip(["0644", "0644", "0600"]).enumerate() {
            let items = |host: usize| {
                let one = |t: &'_ String| (t.clone(), if n == 2 && host.is_multiple_of(10) { seen } else { "0644" });
                things.iter().map(one).collect::<Vec<_>>()
            };
            let all: Vec<Vec<(String, &str)>> = (0..2000).map(items).collect();
            let hosts: Vec<Vec<Item<'_>>> =
                all.iter().map(|h| h.iter().map(|(t, s)| (&**t, MODE, Some(*s), Some("0644"))).collect()).collect();
            let head = head(id, &names.iter().map(String::as_str).collect::<Vec<_>>());
            let events = events(&head, &hosts);
            let began = std::time::Instant::now();
            let mut fold = rectify_core::drift::Fold::default();
            let looks = events.iter().filter_map(|e| fold.take(e)).count();
            let folded = began.elapsed();
            let mut write = store.write().await.unwrap();
            let ids = (0..).zip(&names).map(|(id, name)| (name.clone(), id)).collect();
            if n == 0 {
                for (id, name) in (0..2000_i64).zip(&names) {
                    sqlx::query("INSERT INTO hosts (id, name) VALUES ($1, $2)")
                        .bind(id)
                        .bind(name)
                        .execute(&mut *write)
                        .await
                        .unwrap();
                }
            }
            let began = std::time::Instant::now();
            super::take_in(&mut write, &head, &ids, &mut events.into_iter()).await.unwrap();
            write.commit().await.unwrap();
            let message =
                format!("{:?} {id}: {looks} looks, fold {folded:?}, all {:?}\n", store.kind(), began.elapsed());
            std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).unwrap();
        }
    });
}
