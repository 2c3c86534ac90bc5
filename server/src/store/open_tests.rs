use std::path::Path;

use sqlx::Row as _;

use super::{
    RecordSettings, Store, StoreError, StoreUrl,
    testing::{block_on, both, postgres},
};

async fn count(store: &Store, table: &'static str) -> i64 {
    let query = format!("SELECT COUNT(*) FROM {table}");
    sqlx::query(sqlx::AssertSqlSafe(query)).fetch_one(store.pool()).await.unwrap().get(0)
}

fn sqlite(path: &Path) -> RecordSettings {
    let folder = path.parent().unwrap().to_owned();
    RecordSettings { folder, store: Some(StoreUrl::Sqlite(path.to_owned())) }
}

#[test]
fn every_table_is_there_on_both() {
    both(|store| async move {
        for table in ["runs", "hosts", "looks", "items", "contents", "transitions", "stances"] {
            assert_eq!(count(&store, table).await, 0, "{table}");
        }
        for table in ["schedules", "rounds", "leases", "jobs", "holds", "outbox", "actions", "sessions"] {
            assert_eq!(count(&store, table).await, 0, "{table}");
        }
    });
}

#[test]
fn a_new_database_is_made_once_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for settings in [sqlite(&folder.path().join("x.db")), RecordSettings { folder: folder.path().into(), ..postgres() }]
    {
        block_on(async {
            let open = |_| {
                tokio::spawn({
                    let settings = settings.clone();
                    async move { Store::open(&settings).await.unwrap() }
                })
            };
            for opened in (0..8).map(open).collect::<Vec<_>>() {
                assert_eq!(count(&opened.await.unwrap(), "schema_versions").await, super::migrate::known());
            }
        });
    }
}

#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("a/record");
    block_on(async {
        let store = Store::open(&RecordSettings::in_folder(&record)).await.unwrap();
        count(&store, "runs").await;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&record), mode(&record.join("index.db"))), (0o700, 0o600));
        assert_eq!(mode(&record.join("index.db-wal")), 0o600);
    });
}

#[test]
fn a_newer_schema_is_refused_by_its_number() {
    both(|store| async move {
        let newer = sqlx::query("INSERT INTO schema_versions (version) VALUES (99)");
        newer.execute(store.pool()).await.unwrap();
        let mut connection = store.pool().acquire().await.unwrap();
        let told = super::migrate::migrate(&mut connection, store.kind(), store.at()).await.unwrap_err();
        assert!(matches!(told, StoreError::Newer { found: 99, .. }), "{told}");
        assert!(told.to_string().contains("schema 99 of a newer rectify"), "{told}");
    });
}

#[test]
fn a_database_that_is_down_is_said_at_once_and_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://u:s3cret@localhost/x?host={}", folder.path().display());
    let settings = RecordSettings { folder: folder.path().into(), store: Some(url.parse().unwrap()) };
    let told = block_on(Store::open(&settings)).unwrap_err();
    assert!(matches!(told, StoreError::Down { .. }), "{told:?}");
    assert!(!format!("{told} {told:?}").contains("s3cret"), "{told:?}");
}

#[test]
fn an_account_or_database_that_is_not_there_is_refused() {
    let there = postgres().store.unwrap().revealed();
    for (from, to) in [("localhost/t", "localhost/none"), ("//postgres@", "//nobody@")] {
        let settings =
            RecordSettings { folder: "/nonexistent".into(), store: Some(there.replace(from, to).parse().unwrap()) };
        let folder = tempfile::tempdir().unwrap();
        let settings = RecordSettings { folder: folder.path().into(), ..settings };
        let told = block_on(Store::open(&settings)).unwrap_err();
        assert!(matches!(told, StoreError::Refused { .. }), "{told:?}");
    }
}

#[test]
fn what_is_no_database_is_left_alone_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    std::fs::write(&path, "these are notes and no database, and long enough to be looked at".repeat(40)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let told = block_on(Store::open(&sqlite(&path))).unwrap_err();
    assert!(matches!(told, StoreError::Corrupt { .. }), "{told:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_full_and_a_read_only_database_say_so() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = Store::open(&sqlite(&folder.path().join("x.db"))).await.unwrap();
        let mut one = store.pool().acquire().await.unwrap();
        for (pragma, full) in [("PRAGMA max_page_count = 1", true), ("PRAGMA query_only = 1", false)] {
            sqlx::raw_sql(pragma).execute(&mut *one).await.unwrap();
            let big = sqlx::query("INSERT INTO contents VALUES ('x', $1, 0)").bind("x".repeat(1 << 20));
            let told = store.error(big.execute(&mut *one).await.unwrap_err());
            assert_eq!(matches!(told, StoreError::Full { .. }), full, "{told:?}");
            assert_eq!(matches!(told, StoreError::ReadOnly { .. }), !full, "{told:?}");
        }
    });
}

#[test]
fn two_that_write_wait_for_each_other() {
    both(|store| async move {
        let add = |n: i64| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut write = store.write().await.unwrap();
                // Reads first: what a deferred transaction of SQLite breaks on.
                let row = sqlx::query("SELECT CAST(COALESCE(MAX(used), 0) AS BIGINT) FROM contents");
                let _: i64 = row.fetch_one(&mut *write).await.unwrap().get(0);
                let add = sqlx::query("INSERT INTO contents VALUES ($1, '', $2)").bind(n.to_string()).bind(n);
                add.execute(&mut *write).await.unwrap();
                write.commit().await.unwrap();
            })
        };
        for done in (0..40).map(add).collect::<Vec<_>>() {
            done.await.unwrap();
        }
        assert_eq!(count(&store, "contents").await, 40);
    });
}
