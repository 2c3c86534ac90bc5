//! The database's schema, brought up to date.

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{Kind, StoreError};

/// The migrations, oldest first: their place, from 1, is the schema's number. What was released is never changed.
const MIGRATIONS: &[&str] =
    &[include_str!("../../migrations/0001_record.sql"), include_str!("../../migrations/0002_serve.sql")];

/// The schema that this program knows.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("invariant: a handful of migrations")
}

/// The schema that the database has: 0 if it has none.
///
/// # Errors
/// A database that cannot be read, or whose schema a newer program made.
pub(super) async fn version(connection: &mut AnyConnection, kind: Kind, at: &str) -> Result<i64, StoreError> {
    let there = match kind {
        Kind::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'",
        Kind::Postgres => {
            "SELECT COUNT(*) FROM pg_tables WHERE schemaname = CURRENT_SCHEMA() AND tablename = 'schema_versions'"
        }
    };
    let error = |e| StoreError::of(at, e);
    let row = sqlx::query(there).fetch_one(&mut *connection).await.map_err(error)?;
    if row.try_get::<i64, _>(0).map_err(error)? == 0 {
        return Ok(0);
    }
    let row = sqlx::query("SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM schema_versions");
    let found = row.fetch_one(&mut *connection).await.map_err(error)?.try_get::<i64, _>(0).map_err(error)?;
    if found > known() {
        return Err(StoreError::Newer { at: at.to_owned(), found, known: known() });
    }
    Ok(found)
}

/// Runs what the database lacks, all or nothing. Several programs may do so at once: one does, the others find it done.
///
/// # Errors
/// A database that cannot be written, or whose schema a newer program made.
pub(super) async fn migrate(connection: &mut AnyConnection, kind: Kind, at: &str) -> Result<(), StoreError> {
    let error = |e| StoreError::of(at, e);
    let begin = kind.begin();
    let mut write = connection.begin_with(begin).await.map_err(error)?;
    if kind == Kind::Postgres {
        // Held until the transaction ends. The number is ours by nothing but being unlikely elsewhere.
        let lock = sqlx::query("SELECT CAST(pg_advisory_xact_lock(7239401846) AS TEXT)");
        lock.fetch_all(&mut *write).await.map_err(error)?;
    }
    let found = version(&mut write, kind, at).await?;
    let made = "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY)";
    sqlx::raw_sql(made).execute(&mut *write).await.map_err(error)?;
    for (number, statements) in (1i64..).zip(MIGRATIONS).filter(|(number, _)| *number > found) {
        sqlx::raw_sql(AssertSqlSafe(*statements)).execute(&mut *write).await.map_err(error)?;
        let done = sqlx::query("INSERT INTO schema_versions (version) VALUES ($1)").bind(number);
        done.execute(&mut *write).await.map_err(error)?;
    }
    write.commit().await.map_err(error)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_migration_is_run_in_its_order() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let texts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert_eq!(texts, super::MIGRATIONS);
    }
}
