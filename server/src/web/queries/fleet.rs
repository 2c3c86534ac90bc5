//! The fleet: hosts, their states, and where they stand with settings.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;

use super::{OPEN, PAGE, anywhere, ids, member};
use crate::web::{
    PageError,
    db::{Bind, Columns as _, Db, Edge, Slice},
};

/// Which hosts are asked for; empty is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::web) struct Filter {
    /// A part of the name.
    pub(in crate::web) name: String,
    pub(in crate::web) group: String,
    pub(in crate::web) owner: String,
    pub(in crate::web) state: String,
}

impl Filter {
    pub(in crate::web) fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// `$1` to `$4`. Lists are texts: whoever is in one leaves a trace when it is taken out.
    const WHERE: &str = "($1 = '' OR LOWER(name) LIKE $1 ESCAPE '\\') AND ($2 = '' OR REPLACE(groups, $2, '') <> groups) \
                         AND ($3 = '' OR REPLACE(owners, $3, '') <> owners) AND ($4 = '' OR state = $4)";

    fn binds(&self) -> Vec<Bind> {
        let Filter { name, group, owner, state } = self;
        vec![anywhere(name).into(), member(group).into(), member(owner).into(), state.as_str().into()]
    }
}

/// A host in a list.
#[derive(Debug, Clone)]
pub(in crate::web) struct HostRow {
    pub(in crate::web) id: i64,
    pub(in crate::web) name: String,
    pub(in crate::web) owners: Vec<String>,
    pub(in crate::web) groups: Vec<String>,
    pub(in crate::web) state: String,
    pub(in crate::web) since: i64,
    pub(in crate::web) last_look: Option<i64>,
    pub(in crate::web) last_good: Option<i64>,
    pub(in crate::web) last_run: Option<String>,
}

impl HostRow {
    pub(super) const COLUMNS: &str = "id, name, owners, groups, state, since, last_look, last_good, last_run";

    pub(super) fn of(row: &AnyRow) -> Result<Self, PageError> {
        Ok(HostRow {
            id: row.int("id")?,
            name: row.text("name")?,
            owners: row.list("owners")?,
            groups: row.list("groups")?,
            state: row.text("state")?,
            since: row.int("since")?,
            last_look: row.maybe_int("last_look")?,
            last_good: row.maybe_int("last_good")?,
            last_run: row.maybe_text("last_run")?,
        })
    }
}

/// How many hosts are in which state; the filter's own state does not count.
pub(in crate::web) async fn states(db: &Db, filter: &Filter) -> Result<BTreeMap<String, i64>, PageError> {
    let sql = format!("SELECT state, COUNT(*) AS n FROM hosts WHERE {} GROUP BY state", Filter::WHERE);
    let any = Filter { state: String::new(), ..filter.clone() };
    db.all(&sql, &any.binds()).await?.iter().map(|row| Ok((row.text("state")?, row.int("n")?))).collect()
}

/// A page of hosts by name.
pub(in crate::web) async fn hosts(db: &Db, filter: &Filter, edge: Option<&Edge>) -> Result<Slice<HostRow>, PageError> {
    let (condition, order, name) = match edge {
        Some(Edge::Before(name)) => ("name < $5", "DESC", name.as_str()),
        Some(Edge::After(name)) => ("name > $5", "ASC", name.as_str()),
        None => ("name > $5", "ASC", ""),
    };
    let sql = format!(
        "SELECT {} FROM hosts WHERE {} AND {condition} ORDER BY name {order} LIMIT {}",
        HostRow::COLUMNS,
        Filter::WHERE,
        PAGE + 1
    );
    let binds: Vec<Bind> = filter.binds().into_iter().chain([name.into()]).collect();
    let rows: Result<Vec<HostRow>, PageError> = db.all(&sql, &binds).await?.iter().map(HostRow::of).collect();
    Ok(Slice::cut(rows?, PAGE, edge))
}

/// A host's id, groups and state, for counting.
pub(in crate::web) async fn members(db: &Db, filter: &Filter) -> Result<Vec<(i64, Vec<String>, String)>, PageError> {
    let sql = format!("SELECT id, groups, state FROM hosts WHERE {}", Filter::WHERE);
    let rows = db.all(&sql, &filter.binds()).await?;
    rows.iter().map(|row| Ok((row.int("id")?, row.list("groups")?, row.text("state")?))).collect()
}

/// All groups and all owners that any host names.
pub(in crate::web) async fn names(db: &Db) -> Result<(BTreeSet<String>, BTreeSet<String>), PageError> {
    let (mut groups, mut owners) = (BTreeSet::new(), BTreeSet::new());
    for row in db.all("SELECT DISTINCT groups, owners FROM hosts", &[]).await? {
        groups.extend(row.list("groups")?);
        owners.extend(row.list("owners")?);
    }
    Ok((groups, owners))
}

/// A setting over the whole fleet.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct SettingRow {
    pub(in crate::web) id: String,
    /// Hosts by what they do with it: off, observe, enforce.
    pub(in crate::web) modes: BTreeMap<String, i64>,
    /// Items that are not as wanted, by cause.
    pub(in crate::web) open: BTreeMap<String, i64>,
}

impl SettingRow {
    pub(in crate::web) fn hosts(&self, mode: &str) -> i64 {
        self.modes.get(mode).copied().unwrap_or_default()
    }

    pub(in crate::web) fn opened(&self, cause: &str) -> i64 {
        self.open.get(cause).copied().unwrap_or_default()
    }

    pub(in crate::web) fn all_open(&self) -> i64 {
        self.open.values().sum()
    }
}

/// All settings; those with most to tell come first. The empty id stands for items without a setting, if there are any.
pub(in crate::web) async fn settings(db: &Db) -> Result<Vec<SettingRow>, PageError> {
    let mut all: BTreeMap<String, SettingRow> = BTreeMap::new();
    for row in db.all("SELECT setting, mode, COUNT(*) AS n FROM stances GROUP BY setting, mode", &[]).await? {
        all.entry(row.text("setting")?).or_default().modes.insert(row.text("mode")?, row.int("n")?);
    }
    let sql = format!(
        "SELECT COALESCE(setting, '') AS setting, cause, COUNT(*) AS n FROM items WHERE cause IN {OPEN} GROUP BY setting, cause"
    );
    for row in db.all(&sql, &[]).await? {
        all.entry(row.text("setting")?).or_default().open.insert(row.text("cause")?, row.int("n")?);
    }
    let mut all: Vec<SettingRow> = all.into_iter().map(|(id, row)| SettingRow { id, ..row }).collect();
    all.sort_by_key(|s| (s.opened("drift") + s.opened("both") == 0, s.all_open() == 0, s.id.is_empty()));
    Ok(all)
}

/// Where a host stands with a setting.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct Standing {
    pub(in crate::web) mode: Option<String>,
    pub(in crate::web) why: String,
    pub(in crate::web) skip: bool,
    /// Items that are not as wanted, by cause.
    pub(in crate::web) open: BTreeMap<String, i64>,
}

/// Where these hosts, a page of them, stand with all settings.
pub(in crate::web) async fn standings(
    db: &Db,
    hosts: &[HostRow],
) -> Result<BTreeMap<(i64, String), Standing>, PageError> {
    let mut all: BTreeMap<(i64, String), Standing> = BTreeMap::new();
    if hosts.is_empty() {
        return Ok(all);
    }
    let numbers = hosts.iter().map(|h| h.id).chain(std::iter::repeat(-1)).take(PAGE);
    let binds: Vec<Bind> = numbers.map(Bind::Int).collect();
    let sql = format!("SELECT host, setting, mode, why, skip FROM stances WHERE host IN ({})", ids(1));
    for row in db.all(&sql, &binds).await? {
        let (mode, skip) = (Some(row.text("mode")?), row.maybe_text("skip")?.is_some());
        let standing = Standing { mode, why: row.text("why")?, skip, open: BTreeMap::new() };
        all.insert((row.int("host")?, row.text("setting")?), standing);
    }
    let sql = format!(
        "SELECT host, COALESCE(setting, '') AS setting, cause, COUNT(*) AS n FROM items WHERE host IN ({}) AND cause IN {OPEN} \
         GROUP BY host, setting, cause",
        ids(1)
    );
    for row in db.all(&sql, &binds).await? {
        let standing = all.entry((row.int("host")?, row.text("setting")?)).or_default();
        let cause = row.text("cause")?;
        // Where the policy moved as well, the host did all the same.
        let cause = if cause == "both" { "drift".to_owned() } else { cause };
        *standing.open.entry(cause).or_default() += row.int("n")?;
    }
    Ok(all)
}

/// The hosts with items that are not as wanted: host, setting, and whether the host moved (not only the policy).
pub(in crate::web) async fn opened(db: &Db) -> Result<Vec<(i64, String, bool)>, PageError> {
    let sql = format!(
        "SELECT host, COALESCE(setting, '') AS setting, CAST(MAX(CASE WHEN cause IN ('drift', 'both') THEN 1 ELSE 0 END) AS BIGINT) AS moved \
         FROM items WHERE cause IN {OPEN} GROUP BY host, setting"
    );
    let rows = db.all(&sql, &[]).await?;
    let moved = |row: &AnyRow| row.int("moved").map(|n| n == 1);
    rows.iter().map(|row| Ok((row.int("host")?, row.text("setting")?, moved(row)?))).collect()
}
