//! Forgets hosts that are gone.

use jiff::Timestamp;
use serde_json::json;
use sqlx::AnyConnection;

use super::{
    By, Store, StoreError, done,
    names::{Names, Note},
    rename::id,
};
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
    /// Forgets everything that is known of a host, holds included, but for the folders of the runs that it was in, and writes that into the log of actions; says whether
    /// anything was known. Those runs do not bring it back, whenever they are taken in. One that is looked at again is new.
    ///
    /// # Errors
    /// A record that cannot be written: then nothing is forgotten.
    pub async fn forget_host(&self, name: &str, by: By<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let mut write = self.alone().await?;
        let Some(host) = id(&mut write, name).await.map_err(|e| self.error(e))? else { return Ok(false) };
        rows(&mut write, host).await.map_err(|e| self.error(e))?;
        let holds = sqlx::query("DELETE FROM holds WHERE host = $1").bind(name);
        holds.execute(&mut *write).await.map_err(|e| self.error(e))?;
        done(&mut write, by, now, ("forget", name), &json!({})).await.map_err(|e| self.error(e))?;
        let note = Note { at: now.as_microsecond(), host: name.to_owned(), now: None, since: None };
        Names::add(self.folder(), &note)?;
        write.commit().await.map_err(|e| self.error(e))?;
        drift::forget_contents(self).await?;
        Ok(true)
    }
}

/// Removes the rows that know a host by its number.
pub(super) async fn rows(write: &mut AnyConnection, host: i64) -> Result<(), sqlx::Error> {
    for (table, column) in TABLES {
        let text = format!("DELETE FROM {table} WHERE {column} = $1");
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(host).execute(&mut *write).await?;
    }
    Ok(())
}
