//! What Prometheus reads, by its own tools, and what the shipped rules and the dashboard ask for.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{Request, StatusCode, header::CONTENT_TYPE},
};
use jiff::SignedDuration;
use tower::ServiceExt as _;

use super::*;
use crate::store::testing::both;

/// A clock that stands.
struct Standing(AtomicI64);

#[async_trait]
impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }

    async fn doze(&self, _until: Timestamp) {}
}

const HOUR: i64 = 3_600_000_000;

fn now() -> Timestamp {
    "2027-03-01T10:00:00Z".parse().unwrap()
}

/// A small fleet of which every metric has something to say.
async fn fleet(store: &Store) {
    let at = now().as_microsecond();
    let insert = |text: String| async move {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(store.pool()).await.unwrap();
    };
    for host in 1..=100 {
        let state = if host > 97 { "unreachable" } else { "fine" };
        let good = if host == 100 { "NULL".to_owned() } else { (at - host * HOUR).to_string() };
        insert(format!("INSERT INTO hosts (id, name, state, last_good) VALUES ({host}, 'h{host}', '{state}', {good})"))
            .await;
    }
    for n in 0..(SETTINGS_TRIED) {
        let setting = if n == 0 { "NULL".to_owned() } else { format!("'s{n:03}'") };
        let item = "INSERT INTO items (host, thing, property, setting, task, origin, known, cause, since, looks, run)";
        insert(format!("{item} VALUES (1, 'path:/{n}', '', {setting}, 't', 'o', 1, 'drift', 0, 1, 'r')")).await;
    }
    insert(format!(
        "INSERT INTO schedules (id, definition, due, last_round) VALUES ('nightly', '', {}, 'nightly@1')",
        at - HOUR
    ))
    .await;
    insert("INSERT INTO rounds (id, schedule, due, state) VALUES ('nightly@1', 'nightly', 0, 'looking'), ('nightly@0', 'nightly', 0, 'stopped')".into()).await;
    let jobs = "INSERT INTO jobs (round, host, at, state) VALUES";
    insert(format!("{jobs} ('nightly@1', 'h3', 0, 'waiting'), ('nightly@1', 'h100', 0, 'looked'), ('nightly@0', 'h9', 0, 'waiting')")).await;
    insert("INSERT INTO flapping (host, since) VALUES (1, 0)".into()).await;
    let outbox = "INSERT INTO outbox (id, at, recipient, channel, subject, body, next_try, delivered, dead) VALUES";
    insert(format!("{outbox} ('a', {0}, '', '', '', '', 0, NULL, NULL), ('b', 0, '', '', '', '', 0, NULL, 5), ('c', 0, '', '', '', '', 0, 5, NULL)", at - 2 * HOUR)).await;
}

/// One more than have series of their own.
const SETTINGS_TRIED: usize = 203;

async fn run(store: &Store, id: &str, ended: i64, took: i64) {
    let add = "INSERT INTO runs (id, began, ended, mode, cause, author, server, playbooks, version, hosts) \
               VALUES ($1, $2, $3, 'check', 'schedule', '', '', '[]', '', 1)";
    let add = sqlx::query(add).bind(id.to_owned()).bind(ended - took).bind(ended);
    add.execute(store.pool()).await.unwrap();
}

fn metrics(store: &Store) -> (Arc<Metrics>, Arc<Standing>, Pulse) {
    let clock = Arc::new(Standing(AtomicI64::new(now().as_microsecond())));
    let pulse = Pulse::default();
    pulse.beat(now());
    (Arc::new(Metrics::new(store.clone(), clock.clone(), pulse.clone())), clock, pulse)
}

/// What a program says of an input.
fn promtool(args: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool (Debian: prometheus) is installed");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(out.status.success(), "{said}");
    said
}

#[test]
fn every_number_is_right_and_promtool_finds_nothing_to_say() {
    both(|store| async move {
        fleet(&store).await;
        let (metrics, ..) = metrics(&store);
        let begun = now().as_microsecond();
        run(&store, "before", begun - 1, 5).await;
        run(&store, "quick", begun + 1, 2_000_000).await;
        run(&store, "slow", begun + 1, 100_000_000).await;
        let text = metrics.text().await;
        for line in [
            "rectify_hosts{state=\"fine\"} 97.0",
            "rectify_hosts{state=\"unreachable\"} 3.0",
            "rectify_hosts{state=\"held\"} 0.0",
            "rectify_hosts_flapping 1.0",
            "rectify_hosts_stale{over=\"1d\"} 75.0",
            "rectify_hosts_stale{over=\"never\"} 1.0",
            "rectify_look_age_seconds{percentile=\"50\"} 180000.0",
            "rectify_look_age_seconds{percentile=\"100\"} 356400.0",
            "rectify_open_items{setting=\"(none)\",cause=\"drift\"} 1.0",
            "rectify_open_items{setting=\"s199\",cause=\"drift\"} 1.0",
            "rectify_open_items{setting=\"(others)\",cause=\"drift\"} 3.0",
            "rectify_schedule_hosts{schedule=\"nightly\"} 2.0",
            "rectify_schedule_hosts_never_seen{schedule=\"nightly\"} 1.0",
            "rectify_schedule_look_age_seconds{schedule=\"nightly\"} 10800.0",
            "rectify_rounds{state=\"looking\"} 1.0",
            "rectify_rounds{state=\"stopped\"} 1.0",
            "rectify_jobs{state=\"waiting\"} 1.0",
            "rectify_outbox{state=\"pending\"} 1.0",
            "rectify_outbox{state=\"dead\"} 1.0",
            "rectify_outbox_oldest_age_seconds 7200.0",
            "rectify_store_up 1.0",
            "rectify_run_duration_seconds_count{mode=\"check\"} 2",
            "rectify_run_duration_seconds_sum{mode=\"check\"} 102.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        assert!(!text.contains("s200"), "the settings that have series are bounded");
        assert_eq!(promtool(&["check", "metrics"], &text), "");
        // Each run is counted once.
        run(&store, "tick", begun + 2, 1).await;
        let text = metrics.text().await;
        assert!(text.contains("rectify_run_duration_seconds_count{mode=\"check\"} 3"), "{text}");
    });
}

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|w| w.starts_with("rectify_")).map(str::to_owned).collect()
}

#[test]
fn rules_and_dashboard_ask_for_nothing_that_is_not_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib");
    let rules = root.join("prometheus/alerts.yml");
    let said = promtool(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(said.contains("SUCCESS: 13 rules found"), "{said}");
    let dashboard = std::fs::read_to_string(root.join("grafana/rectify.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut queries) = (BTreeSet::new(), Vec::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty() && panel["gridPos"]["w"].as_u64().unwrap() <= 24);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            queries.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    // As recording rules they are parsed by Prometheus itself.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    let recorded: Vec<_> =
        queries.iter().enumerate().map(|(n, q)| serde_json::json!({"record": format!("q{n}"), "expr": q})).collect();
    std::fs::write(&file, serde_json::json!({"groups": [{"name": "g", "rules": recorded}]}).to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
    both(|store| {
        let (queries, rules) = (queries.clone(), std::fs::read_to_string(&rules).unwrap());
        async move {
            fleet(&store).await;
            let there = names(&metrics(&store).0.text().await);
            for query in &queries {
                let asked = names(query);
                assert!(!asked.is_empty() && asked.is_subset(&there), "{query}: {:?}", asked.difference(&there));
            }
            let asked: BTreeSet<String> = rules.lines().filter(|l| l.contains("expr:")).flat_map(names).collect();
            assert!(!asked.is_empty() && asked.is_subset(&there), "{:?}", asked.difference(&there));
        }
    });
}

async fn get(metrics: &Arc<Metrics>, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router(Arc::clone(metrics), None).oneshot(request).await.unwrap();
    let (status, kind) = (answer.status(), answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn a_server_is_ready_while_its_scheduler_lives_and_its_record_can_be_read() {
    both(|store| async move {
        let (metrics, clock, pulse) = metrics(&store);
        assert_eq!(get(&metrics, "/readyz").await.0, StatusCode::OK);
        let (status, kind, body) = get(&metrics, "/metrics").await;
        assert_eq!(
            (status, kind.as_str()),
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        assert!(body.ends_with("# EOF\n"));
        clock.0.fetch_add(SignedDuration::from_secs(61).as_micros().try_into().unwrap(), Ordering::Relaxed);
        let (status, _, body) = get(&metrics, "/readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the scheduler gives no sign of life\n")
        );
        pulse.beat(clock.now());
        assert_eq!(get(&metrics, "/readyz").await.0, StatusCode::OK);
        store.close().await;
        let (status, _, body) = get(&metrics, "/readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the record cannot be read\n")
        );
        let (status, _, text) = get(&metrics, "/metrics").await;
        assert!(status == StatusCode::OK && text.contains("rectify_store_up 0.0"), "{text}");
        assert!(text.contains("rectify_build{version=") && !text.contains("rectify_hosts"), "{text}");
        assert_eq!(get(&metrics, "/healthz").await.0, StatusCode::OK);
    });
}
