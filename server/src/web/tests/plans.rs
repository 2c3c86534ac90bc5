//! How the databases answer what the page asks: by their indexes, and in time.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use sqlx::{AssertSqlSafe, Row as _};
use tower::ServiceExt as _;

use super::{
    seed::{self, EVIL},
    site::{ADDRESS, Still},
};
use crate::{
    store::{Kind, Store, testing::both},
    web::{
        Page, Parts, WebSettings,
        answer::encoded,
        db::{Bind, Db, Statements},
        router,
    },
};

/// A page on this record, and what it asks.
fn listening(store: &Store) -> (Router, Statements) {
    let (db, asked) = Db::listening(store.clone());
    let clock = Arc::new(Still(Mutex::new(seed::now())));
    let (settings, address) = (WebSettings::default(), ADDRESS.parse().unwrap());
    let parts = Parts { store: store.clone(), settings, address, commands: None, rollouts: None, clock };
    (router(Page::with(db, parts).unwrap()), asked)
}

async fn get(router: &Router, path: &str) -> u16 {
    let request = Request::get(path).header("host", ADDRESS).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    axum::body::to_bytes(answer.into_body(), 64 << 20).await.unwrap();
    status
}

/// Every kind of view, of host number `n` among `hosts` and of the run of hour `n` among `hours`.
fn views(n: i64, hosts: i64, hours: i64) -> Vec<(&'static str, String)> {
    let id = 1 + n * 37 % hosts;
    let kind = ["db", "web", "app"][usize::try_from(id % 3).unwrap()];
    let host = format!("{kind}{:04}.example.org", id);
    let run = format!("r{}", 100_001 + n * 61 % hours);
    let before = seed::now() - n * 40 * seed::HOUR;
    vec![
        ("fleet by group", format!("/?by=group&owner={}", if n % 2 == 0 { "" } else { "team3" })),
        ("fleet by host", format!("/?by=host&columns=all&after={host}")),
        ("fleet back", format!("/?by=host&before={host}")),
        ("fleet filtered", format!("/?by=host&q={n}&group=web&state=drifted")),
        ("host", format!("/hosts/{host}")),
        ("host long ago", format!("/hosts/{host}?before={before}~x")),
        ("settings", "/settings".to_owned()),
        (
            "setting",
            format!("/settings/{}", ["motd", "ssh.root", "mounts", "sysctl.net"][usize::try_from(n % 4).unwrap()]),
        ),
        ("setting of one mode", format!("/settings/motd?mode=enforce&after={host}")),
        ("runs", format!("/runs?before={before}~x&schedule=hourly")),
        ("run", format!("/runs/{run}")),
        ("run of one state", format!("/runs/{run}?state=drifted&after={host}")),
        ("schedules", "/schedules".to_owned()),
        ("schedule", format!("/schedules/hourly?before={before}")),
        ("notices", format!("/notices?state=delivered&before={before}~x")),
        ("actions", format!("/actions?before={before}~x")),
    ]
}

/// The plan of a statement, a step a line.
async fn plan(store: &Store, sql: &str, binds: &[Bind]) -> Vec<String> {
    let (explain, column) = match store.kind() {
        Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        Kind::Postgres => ("EXPLAIN", "QUERY PLAN"),
    };
    let mut query = sqlx::query(AssertSqlSafe(format!("{explain} {sql}")));
    for bind in binds {
        query = match bind {
            Bind::Int(n) => query.bind(*n),
            Bind::Text(text) => query.bind(text.clone()),
        };
    }
    let rows = query.fetch_all(store.pool()).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
    rows.iter().map(|row| row.get::<String, _>(column)).collect()
}

/// The tables that grow with every look, and what statements call them.
const LARGE: [&str; 5] = ["looks", "items", "transitions", "l", "i"];

/// The step of a plan that reads a large table from one end to the other.
fn whole(kind: Kind, plan: &[String]) -> Option<&String> {
    let large = |name: Option<&str>| name.is_some_and(|name| LARGE.contains(&name));
    plan.iter().enumerate().find_map(|(n, step)| {
        let words: Vec<&str> = step.split_whitespace().collect();
        let reads_all = match kind {
            Kind::Sqlite => words.first() == Some(&"SCAN") && large(words.get(1).copied()),
            Kind::Postgres => {
                let on = words.iter().position(|word| *word == "on").and_then(|at| words.get(at + 1).copied());
                let bound = plan.get(n + 1).is_some_and(|next| next.contains("Index Cond"));
                large(on) && (step.contains("Seq Scan") || (step.contains("Index") && step.contains("using") && !bound))
            }
        };
        reads_all.then_some(step)
    })
}

#[test]
fn no_page_reads_all_looks_items_or_transitions() {
    both(|store| async move {
        let (hosts, hours) = (250, 240);
        seed::crowd(&store, hosts, hours).await;
        seed::stories(&store).await;
        if store.kind() == Kind::Postgres {
            // Its autovacuum does this; for SQLite nobody does.
            sqlx::raw_sql("ANALYZE").execute(store.pool()).await.unwrap();
        }
        let (router, asked) = listening(&store);
        for (what, path) in views(3, hosts, hours) {
            assert_eq!(get(&router, &path).await, 200, "{what}: {path}");
        }
        assert_eq!(get(&router, &format!("/hosts/{}", encoded(EVIL))).await, 200);
        let asked = asked.lock().unwrap().clone();
        let mut large = 0;
        for (sql, binds) in &asked {
            let plan = plan(&store, sql, binds).await;
            assert_eq!(whole(store.kind(), &plan), None, "{sql}\n{binds:?}\n{}", plan.join("\n"));
            large += usize::from([" looks ", " items ", " transitions "].iter().any(|table| sql.contains(table)));
        }
        assert!(large >= 10, "the statements that matter were among them: {large} of {}", asked.len());
        // What this looks for is found where it is.
        for table in ["looks", "items", "transitions"] {
            let plan = plan(&store, &format!("SELECT COUNT(*) FROM {table} WHERE run LIKE '%x%'"), &[]).await;
            assert!(whole(store.kind(), &plan).is_some(), "{}", plan.join("\n"));
        }
    });
}

/// How many requests of each kind are measured.
const TIMES: i64 = 30;

/// The measurement of the full size, for whoever asks for it: `cargo test -p rectify-server --lib pages_answer_in_time -- --ignored`.
#[test]
#[ignore = "it takes minutes: 2,000 hosts and 90 days of hourly looks, in both databases"]
fn pages_answer_in_time() {
    let (hosts, hours) = (2_000, 90 * 24);
    both(|store| async move {
        let mut out = std::io::stderr().lock();
        let began = Instant::now();
        seed::crowd(&store, hosts, hours).await;
        seed::stories(&store).await;
        if store.kind() == Kind::Postgres {
            sqlx::raw_sql("ANALYZE").execute(store.pool()).await.unwrap();
        }
        writeln!(out, "{:?}: {} looks in {:?}", store.kind(), hosts * hours, began.elapsed()).unwrap();
        let (router, _) = listening(&store);
        let mut all: Vec<(&str, Vec<Duration>)> =
            views(0, hosts, hours).into_iter().map(|(w, _)| (w, vec![])).collect();
        for n in 0..TIMES {
            for ((_, times), (what, path)) in all.iter_mut().zip(views(n, hosts, hours)) {
                let began = Instant::now();
                assert_eq!(get(&router, &path).await, 200, "{what}: {path}");
                times.push(began.elapsed());
            }
        }
        for (what, mut times) in all {
            times.sort();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100];
            writeln!(out, "{what:>20}: half in {:?}, 95 % in {:?}", at(50), at(95)).unwrap();
            assert!(at(95) < Duration::from_millis(200), "{what}: 95 % in {:?}", at(95));
        }
    });
}
