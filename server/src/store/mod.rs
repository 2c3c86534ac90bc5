//! The record: what every run did, on disk and in a database.
//!
//! ```text
//! RunEvent ─► Recorder ─► FOLDER/runs/RUN/{head.json, events.jsonl.gz}     the record itself
//!                                │
//!                                └─► Store::catch_up ─► database           the index: can be made again from the folders
//! ```
//!
//! The database is SQLite or PostgreSQL by the same statements: `$1` placeholders, `BIGINT`, `TEXT` and `DOUBLE PRECISION` columns, several rows by
//! [`values`], and every writer begins with [`Store::write`].

mod actions;
mod compare;
mod error;
mod events;
pub mod export;
#[cfg(test)]
mod folder_tests;
mod forget;
mod head;
mod index;
#[cfg(test)]
mod index_tests;
mod looks;
mod migrate;
mod names;
mod open;
#[cfg(test)]
mod open_tests;
mod prune;
mod query;
mod recorder;
mod rename;
mod run_folder;
mod settings;
mod sql;
#[cfg(test)]
pub(crate) mod testing;

pub use actions::By;
pub(crate) use actions::done;
pub use compare::{Compared, Item, compare};
pub use error::StoreError;
pub use events::{Ending, Events};
pub use head::{Cause, Head, HeadHost};
pub use index::Caught;
pub use open::{Kind, Store};
pub use prune::Pruned;
pub use query::{OfHosts, RunFilter, RunRow};
pub use recorder::Recorder;
pub use rename::RenameError;
pub use run_folder::{RunFolder, is_run_id};
pub use settings::{RecordSettings, StoreUrl};
pub(crate) use sql::{listed, rows, values};
