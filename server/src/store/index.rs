//! Takes runs into the database.

use std::collections::{HashMap, HashSet};

use rectify_core::text::chain;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    Ending, Head, HeadHost, RunFolder, Store, StoreError, listed,
    looks::{Look, Looks},
    names::Names,
    rows, values,
};
use crate::drift;

/// What [`Store::catch_up`] did.
#[derive(Debug, Default)]
pub struct Caught {
    /// How many runs were taken in.
    pub taken: usize,
    /// The runs that could not be, and why; they are tried again the next time.
    pub trouble: Vec<(String, String)>,
    /// Why hosts that were renamed or forgotten may be here by their old names, if they may.
    pub names: Option<String>,
}

impl Store {
    /// Takes in every run whose folder is here and that the index lacks, the oldest first; those that still run are left alone. A run that cannot be
    /// taken in is named, and the others go on.
    ///
    /// # Errors
    /// A database that cannot be written. The folders stay, and are taken in later.
    pub async fn catch_up(&self) -> Result<Caught, StoreError> {
        let mut caught = Caught::default();
        let folders = RunFolder::all(self.folder())?;
        let known = self.known(&folders).await?;
        let mut lacking = Vec::new();
        // What is removed at this moment, or is no run after all, has neither file.
        for folder in folders.into_iter().filter(|f| !known.contains(f.run()) && f.exists() && !f.is_running()) {
            match folder.head() {
                Ok(head) => lacking.push((head, folder)),
                Err(e) => caught.trouble.push((folder.run().to_owned(), chain(&e))),
            }
        }
        lacking.sort_by(|(a, _), (b, _)| (a.began, &a.run).cmp(&(b.began, &b.run)));
        for (head, folder) in &lacking {
            match self.take_in(head, folder).await {
                Ok(taken) => caught.taken += usize::from(taken),
                Err(e @ (StoreError::File { .. } | StoreError::Query { .. })) => {
                    caught.trouble.push((head.run.clone(), chain(&e)));
                }
                Err(e) => return Err(e),
            }
        }
        match self.keep_names().await {
            Err(e @ StoreError::File { .. }) => caught.names = Some(chain(&e)),
            kept => kept?,
        }
        Ok(caught)
    }

    /// Notes that a run begins, so that it is seen while it goes on.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn begun(&self, head: &Head) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        insert(&mut write, head, &self.place(head)).await.map_err(|e| self.error(e))?;
        write.commit().await.map_err(|e| self.error(e))
    }

    /// Takes a run into the index, all of it or nothing; whether it was not there already. A run that broke off is taken in as far as it came.
    ///
    /// # Errors
    /// A folder that cannot be read or is damaged, and a database that cannot be written.
    pub async fn take_in(&self, head: &Head, folder: &RunFolder) -> Result<bool, StoreError> {
        let mut run = read(head, folder)?;
        let mut write = self.alone().await?;
        // Who renames a host writes it down before others get their turn.
        let present = Names::read(self.folder())?.present(head.began, head.hosts.iter().map(|host| host.name.as_str()));
        let hosts = called(head, &mut run, &present);
        let taken = put(&mut write, head, &hosts, &self.place(head), &run).await.map_err(|e| self.error(e))?;
        let Some(ids) = taken else { return Ok(false) };
        // The events know them by the names that they had then.
        let then = present.into_iter().filter_map(|(then, now)| Some((then, *ids.get(&now)?))).collect();
        let mut events = folder.events()?;
        drift::take_in(&mut write, head, &then, &mut events).await?;
        write.commit().await.map_err(|e| self.error(e))?;
        Ok(true)
    }

    /// Where the events of a run of this record lie on this machine.
    fn place(&self, head: &Head) -> String {
        let place = self.folder().join("runs").join(&head.run);
        std::path::absolute(&place).unwrap_or(place).display().to_string()
    }

    /// Those of these runs that were taken in.
    pub(super) async fn known(&self, folders: &[RunFolder]) -> Result<HashSet<String>, StoreError> {
        let mut known = HashSet::new();
        for some in folders.chunks(rows(1)) {
            let names = values(1, some.len());
            let text = format!("SELECT id FROM runs WHERE ended IS NOT NULL AND id IN {names}");
            let query = listed(text, some.iter().map(|folder| folder.run()));
            for row in query.fetch_all(self.pool()).await.map_err(|e| self.error(e))? {
                known.insert(row.try_get(0).map_err(|e| self.error(e))?);
            }
        }
        Ok(known)
    }
}

/// What the run came to, by its events.
fn read(head: &Head, folder: &RunFolder) -> Result<Looks, StoreError> {
    let damaged = |why: String| StoreError::File {
        doing: "understanding the events in",
        path: folder.path().to_owned(),
        source: std::io::Error::other(format!("{why}: move the folder away if it cannot be mended")),
    };
    let mut looks = Looks::since(head.began);
    let mut events = folder.events()?;
    for event in events.by_ref() {
        looks.take(event).map_err(|illegal| damaged(illegal.to_string()))?;
    }
    match events.ending() {
        Ending::Damaged(why) => return Err(damaged(why.clone())),
        Ending::Open | Ending::Whole | Ending::BrokenOff => {}
    }
    let known: HashSet<&str> = head.hosts.iter().map(|host| host.name.as_str()).collect();
    match looks.looks.iter().find(|look| !known.contains(look.host.as_str())) {
        Some(look) => Err(damaged(format!("{:?} is not a host of this run's head", look.host))),
        None => Ok(looks),
    }
}

/// The hosts of a run by the names that they have now; its looks have them after.
fn called(head: &Head, run: &mut Looks, present: &HashMap<String, String>) -> Vec<HeadHost> {
    run.looks.retain_mut(|look| {
        let now = present.get(&look.host);
        now.inspect(|now| look.host.clone_from(now)).is_some()
    });
    let host = |host: &HeadHost| Some(HeadHost { name: present.get(&host.name)?.clone(), ..host.clone() });
    head.hosts.iter().filter_map(host).collect()
}

async fn insert(write: &mut AnyConnection, head: &Head, folder: &str) -> Result<(), sqlx::Error> {
    let text = "INSERT INTO runs (id, began, mode, cause, author, schedule, server, playbooks, version, hosts, folder) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING";
    let mode = match head.mode {
        rectify_core::plan::Mode::Check => "check",
        rectify_core::plan::Mode::Apply => "apply",
    };
    let query = sqlx::query(text).bind(&head.run).bind(head.began).bind(mode).bind(head.cause.word());
    let query = query.bind(&head.author).bind(&head.schedule).bind(&head.server).bind(list(&head.playbooks));
    query.bind(&head.version).bind(count(head.hosts.len())).bind(folder).execute(write).await.map(drop)
}

/// Writes the rows; `None` if the run was taken in before. Otherwise the ids of its hosts.
async fn put(
    write: &mut AnyConnection,
    head: &Head,
    hosts: &[HeadHost],
    folder: &str,
    run: &Looks,
) -> Result<Option<HashMap<String, i64>>, sqlx::Error> {
    insert(write, head, folder).await?;
    let text = "UPDATE runs SET ended = $2, exit_code = $3, interrupted = $4 WHERE id = $1 AND ended IS NULL";
    let code = run.finished().then(|| i64::from(run.exit_code()));
    let ends = sqlx::query(text).bind(&head.run).bind(run.last).bind(code).bind(i64::from(run.interrupted()));
    if ends.execute(&mut *write).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let mut ids = HashMap::new();
    for some in hosts.chunks(rows(4)) {
        put_hosts(write, some, &mut ids).await?;
    }
    for some in run.looks.chunks(rows(10)) {
        put_looks(write, head, some, &ids).await?;
        put_last(write, head, hosts, some, &ids).await?;
    }
    for (setting, of) in &run.settings {
        let text =
            "INSERT INTO run_settings (run, setting, hosts, changed, would, failed) VALUES ($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(text).bind(&head.run).bind(setting).bind(of.hosts);
        query.bind(of.changed).bind(of.would).bind(of.failed).execute(&mut *write).await?;
    }
    Ok(Some(ids))
}

/// Makes the rows of hosts that have none, and says all ids.
async fn put_hosts(
    write: &mut AnyConnection,
    hosts: &[HeadHost],
    ids: &mut HashMap<String, i64>,
) -> Result<(), sqlx::Error> {
    let text = format!("SELECT id, name FROM hosts WHERE name IN {}", values(1, hosts.len()));
    let query = listed(text, hosts.iter().map(|host| &host.name));
    for row in query.fetch_all(&mut *write).await? {
        ids.insert(row.try_get(1)?, row.try_get(0)?);
    }
    let new: Vec<&HeadHost> = hosts.iter().filter(|host| !ids.contains_key(&host.name)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let last = sqlx::query("SELECT CAST(COALESCE(MAX(id), 0) AS BIGINT) FROM hosts").fetch_one(&mut *write).await?;
    let first = last.try_get::<i64, _>(0)? + 1;
    let text = format!("INSERT INTO hosts (id, name, owners, groups) VALUES {}", values(new.len(), 4));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for (id, host) in (first..).zip(new) {
        ids.insert(host.name.clone(), id);
        query = query.bind(id).bind(&host.name).bind(list(&host.owners)).bind(list(&host.groups));
    }
    query.execute(write).await.map(drop)
}

async fn put_looks(
    write: &mut AnyConnection,
    head: &Head,
    looks: &[Look],
    ids: &HashMap<String, i64>,
) -> Result<(), sqlx::Error> {
    let text = format!(
        "INSERT INTO looks (host, at, run, state, took, changed, would, failed, findings, trouble) VALUES {}",
        values(looks.len(), 10)
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for look in looks {
        query = query.bind(id(ids, look)).bind(look.at).bind(&head.run).bind(look.state).bind(look.took);
        query = query.bind(look.changed.cast_signed()).bind(look.would.cast_signed()).bind(look.failed.cast_signed());
        query = query.bind(count(look.findings)).bind(&look.trouble);
    }
    query.execute(write).await.map(drop)
}

/// Says on the hosts when they were last looked at, and who owns them since; what a later run said stays.
async fn put_last(
    write: &mut AnyConnection,
    head: &Head,
    hosts: &[HeadHost],
    looks: &[Look],
    ids: &HashMap<String, i64>,
) -> Result<(), sqlx::Error> {
    let newer = |column: &str, value: &str| {
        format!(
            "{column} = CASE WHEN hosts.last_look IS NULL OR hosts.last_look <= excluded.last_look THEN {value} ELSE hosts.{column} END"
        )
    };
    let text = format!(
        "INSERT INTO hosts (id, name, owners, groups, last_look, last_good, last_run) VALUES {} ON CONFLICT (id) DO UPDATE SET {}, {}, {}, \
         last_good = CASE WHEN hosts.last_good IS NULL OR hosts.last_good < excluded.last_good \
         THEN COALESCE(excluded.last_good, hosts.last_good) ELSE hosts.last_good END, {}",
        values(looks.len(), 7),
        newer("owners", "excluded.owners"),
        newer("groups", "excluded.groups"),
        newer("last_run", "excluded.last_run"),
        newer("last_look", "excluded.last_look"),
    );
    let of: HashMap<&str, &HeadHost> = hosts.iter().map(|host| (host.name.as_str(), host)).collect();
    let mut query = sqlx::query(AssertSqlSafe(text));
    for look in looks {
        let (owners, groups) =
            of.get(look.host.as_str()).map_or_else(Default::default, |host| (list(&host.owners), list(&host.groups)));
        query = query.bind(id(ids, look)).bind(&look.host).bind(owners).bind(groups);
        query = query.bind(look.at).bind(look.good.then_some(look.at)).bind(&head.run);
    }
    query.execute(write).await.map(drop)
}

/// The row of a look's host.
fn id(ids: &HashMap<String, i64>, look: &Look) -> i64 {
    *ids.get(&look.host).expect("invariant: a run with other hosts than its head is damaged")
}

fn list(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("invariant: texts are JSON")
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
