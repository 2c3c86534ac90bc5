//! The record of runs: where it is, and how what the command line runs gets into it.

mod find;
mod index;
mod pace;
mod play;

use std::{collections::BTreeSet, io::Write as _, path::PathBuf};

use rectify_core::{inventory::Inventory, plan::Mode, rollout::owners, text::chain};
use rectify_server::store::{Caught, Cause, Head, HeadHost, RecordSettings, Recorder, Store, StoreError, StoreUrl};
use serde::Deserialize;

pub(crate) use self::{
    find::find,
    index::Index,
    pace::{Pace, Wall},
    play::play,
};
use crate::{config::Config, display::text::line, exit::Expected, project::limited};

/// `[record]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordConfig {
    /// The folder of the runs, instead of the usual one; `RECTIFY_RECORD` goes before it.
    pub(crate) folder: Option<PathBuf>,
    /// The database of the index, `postgres://USER@HOST/DATABASE` or `sqlite:PATH`, instead of `index.db` in the folder.
    store: Option<StoreKey>,
}

/// What `store` says. It is judged after the file was read: what is wrong in a file is shown with its line, and this one may have a password in it.
#[derive(Debug, Clone)]
struct StoreKey(Result<StoreUrl, String>);

impl<'de> Deserialize<'de> for StoreKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(StoreKey(String::deserialize(from)?.parse()))
    }
}

impl RecordConfig {
    /// The database, if one is named.
    ///
    /// # Errors
    /// A URL that cannot be used, in words.
    pub(crate) fn store(&self) -> Result<Option<StoreUrl>, String> {
        self.store.as_ref().map(|key| key.0.clone()).transpose()
    }
}

/// The hosts of the record that a pattern chooses; a part of it that matches none is told of.
///
/// # Errors
/// What is no pattern, and a database that cannot be read.
pub(crate) async fn chosen(store: &Store, pattern: &str) -> anyhow::Result<BTreeSet<String>> {
    let known = store.hosts().await.map_err(|e| Expected::failed(chain(&e)))?;
    let names = known.iter().map(|(name, groups)| (name.as_str(), groups.as_slice()));
    let (hosts, unmatched) = limited(&Inventory::of_names(names), pattern)?;
    for part in unmatched {
        writeln!(std::io::stderr(), "warning: in the record, {}", line(&part))?;
    }
    Ok(hosts)
}

/// Where the record is: `RECTIFY_RECORD`, or what rectify.toml says, or where such things usually are.
///
/// # Errors
/// An account without a home, in words.
pub(crate) fn settings(config: &Config) -> Result<RecordSettings, String> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configured = || config.record.folder.clone();
    let folder = named("RECTIFY_RECORD").or_else(configured).or_else(|| {
        if rustix::process::geteuid().is_root() {
            return Some("/var/lib/rectify".into());
        }
        // What is no absolute path is to be ignored: XDG Base Directory Specification.
        let state = named("XDG_STATE_HOME").filter(|path| path.is_absolute());
        state.or_else(|| named("HOME").map(|home| home.join(".local/state"))).map(|state| state.join("rectify"))
    });
    match folder {
        Some(folder) => Ok(RecordSettings { folder, store: config.record.store()? }),
        None => Err("there is no place for the record of runs: set RECTIFY_RECORD, or `folder` in [record]".into()),
    }
}

/// The index, with everything that it lacked; what could not be taken in is said on stderr.
///
/// # Errors
/// No place for a record, or a database that cannot be read.
async fn open(config: &Config) -> anyhow::Result<Store> {
    let settings = settings(config).map_err(Expected::usage)?;
    let store = Store::open(&settings).await.map_err(|e| Expected::failed(chain(&e)))?;
    let said = match store.catch_up().await {
        Ok(caught) => troubles(&caught),
        // What it has can be read all the same.
        Err(e) => vec![format!("the index may lack the newest runs: {}", chain(&e))],
    };
    for what in said {
        writeln!(std::io::stderr(), "warning: {}", line(&what))?;
    }
    Ok(store)
}

/// Does something with the record's index, which is up to date as far as it can be, and closed after.
///
/// # Errors
/// A database that cannot be opened, and what the work itself fails with.
pub(crate) fn with_index<T>(config: &Config, work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = open(config).await?;
        let done = work(&store).await;
        store.close().await;
        done
    })
}

/// How a run is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    /// Where it is found again.
    pub(crate) index: Index,
    /// Why it begins.
    pub(crate) cause: Cause,
    /// The account, or the schedule's name.
    pub(crate) author: String,
    /// The schedule that it belongs to.
    pub(crate) schedule: Option<String>,
    /// The words that chose the inventory: ` -i hosts.ini`.
    pub(crate) inventory: String,
    /// Whether only some of the tasks were asked for.
    pub(crate) partial: bool,
}

impl Keep {
    /// A run that somebody typed.
    ///
    /// # Errors
    /// There is no place for a record, in words.
    pub(crate) fn typed(config: &Config, inventory: String) -> Result<Self, String> {
        let author = crate::account::account();
        Ok(Keep {
            index: Index::new(settings(config)?),
            cause: Cause::Operator,
            author,
            schedule: None,
            inventory,
            partial: false,
        })
    }

    /// Begins to write a run down; the index hears of it beside the run.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn begin(&self, head: Head) -> Result<Recorder, StoreError> {
        let recorder = Recorder::begin(&self.index.settings().folder, &head)?;
        self.index.begun(head);
        Ok(recorder)
    }

    /// What is known of the run when it begins.
    pub(crate) fn head(&self, run: &str, mode: Mode, playbooks: &[String], hosts: &[String], from: &Inventory) -> Head {
        let host = |name: &String| HeadHost {
            name: name.clone(),
            owners: owners(from, name).into_iter().map(|(owner, _)| owner).collect(),
            groups: from.group_names(name).into_iter().filter(|g| *g != "ungrouped").map(str::to_owned).collect(),
        };
        Head {
            run: run.to_owned(),
            began: crate::run::now(),
            mode,
            cause: self.cause,
            author: self.author.clone(),
            schedule: self.schedule.clone(),
            server: Head::this_server(),
            playbooks: playbooks.to_vec(),
            version: env!("CARGO_PKG_VERSION").into(),
            inventory: self.inventory.clone(),
            partial: self.partial,
            hosts: hosts.iter().map(host).collect(),
        }
    }
}

/// What is said of what could not be taken into the index.
pub(crate) fn troubles(caught: &Caught) -> Vec<String> {
    let run = |(run, why): &(String, String)| format!("run {run} cannot be taken into the index: {why}");
    let names =
        caught.names.iter().map(|why| format!("hosts may be in the index by names that they had before: {why}"));
    caught.trouble.iter().map(run).chain(names).collect()
}
