//! Forgets hosts that are gone.

use sqlx::Row as _;

use super::{Store, StoreError};
use crate::drift;

/// The tables that know a host by its number; its own comes last.
const TABLES: [(&str, &str); 7] = [
    ("looks", "host"),
    ("items", "host"),
    ("covers", "host"),
    ("transitions", "host"),
    ("stances", "host"),
    ("flapping", "host"),
    ("hosts", "id"),
];

impl Store {
    /// Forgets everything that is known of a host, holds included, but for the folders of the runs that it was in; whether anything was. One that is
    /// looked at again is new.
    ///
    /// # Errors
    /// A database that cannot be written: then nothing is forgotten.
    pub async fn forget_host(&self, name: &str) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let found = sqlx::query("SELECT id FROM hosts WHERE name = $1").bind(name).fetch_optional(&mut *write).await;
        let Some(row) = found.map_err(|e| self.error(e))? else { return Ok(false) };
        let id: i64 = row.try_get(0).map_err(|e| self.error(e))?;
        for (table, column) in TABLES {
            let text = format!("DELETE FROM {table} WHERE {column} = $1");
            let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id);
            query.execute(&mut *write).await.map_err(|e| self.error(e))?;
        }
        let holds = sqlx::query("DELETE FROM holds WHERE host = $1").bind(name);
        holds.execute(&mut *write).await.map_err(|e| self.error(e))?;
        write.commit().await.map_err(|e| self.error(e))?;
        drift::forget_contents(self).await?;
        Ok(true)
    }
}
