//! The fleet at a glance: hosts or groups, and where they stand with settings.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    response::Html,
};
use serde::Deserialize;

use super::{At, query};
use crate::web::{
    Page, PageError,
    answer::{encoded, html},
    guard::Visitor,
    queries::{
        self,
        fleet::{Filter, HostRow, SettingRow, Standing},
    },
    show::{Badge, Frame, When},
};

/// From how many hosts on groups are shown first.
const MANY: i64 = 60;
/// How many settings have a column of their own, unless all are asked for.
const COLUMNS: usize = 10;

/// The states in the order in which they matter.
const STATES: [&str; 7] = ["failing", "unreachable", "drifted", "held", "pending", "new", "fine"];

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    q: String,
    group: String,
    owner: String,
    state: String,
    by: String,
    columns: String,
    after: Option<String>,
    before: Option<String>,
}

impl Asked {
    fn filter(&self) -> Filter {
        let Asked { q, group, owner, state, .. } = self.clone();
        Filter { name: q.trim().to_owned(), group, owner, state }
    }

    /// The same with some pairs put otherwise.
    fn with(&self, pairs: &[(&str, &str)]) -> String {
        let mut all =
            vec![("q", self.q.as_str()), ("group", &self.group), ("owner", &self.owner), ("state", &self.state)];
        all.extend([("by", self.by.as_str()), ("columns", &self.columns)]);
        for (key, value) in pairs {
            all.retain(|(known, _)| known != key);
            all.push((key, value));
        }
        format!("/?{}", query(&all))
    }
}

/// A state, how many hosts are in it, and where these are shown.
struct Count {
    badge: Badge,
    n: i64,
    link: String,
    chosen: bool,
}

/// What a host does with a setting, and what of it is not as wanted.
struct Cell {
    badge: Option<Badge>,
    why: String,
    open: Vec<Badge>,
}

struct HostLine {
    name: String,
    path: String,
    badge: Badge,
    since: Option<When>,
    look: Option<When>,
    cells: Vec<Cell>,
}

struct GroupLine {
    name: String,
    link: String,
    hosts: usize,
    states: Vec<Badge>,
    cells: Vec<Vec<Badge>>,
}

struct Column {
    id: String,
    path: String,
}

#[derive(Template)]
#[template(path = "page/fleet.html")]
struct FleetPage {
    frame: Frame,
    asked: Asked,
    all: i64,
    counts: Vec<Count>,
    groups: Vec<String>,
    owners: Vec<String>,
    columns: Vec<Column>,
    hidden: usize,
    link_columns: String,
    by_group: bool,
    link_hosts: String,
    link_groups: String,
    lines: Vec<HostLine>,
    group_lines: Vec<GroupLine>,
    first: Option<String>,
    earlier: Option<String>,
    later: Option<String>,
}

/// `GET /`.
pub(in crate::web) async fn fleet(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let (db, filter) = (page.db(), asked.filter());
    let states = queries::fleet::states(db, &filter).await?;
    let all: i64 = states.values().sum();
    let (groups, owners) = queries::fleet::names(db).await?;
    let settings = queries::fleet::settings(db).await?;
    let shown = if asked.columns == "all" { settings.len() } else { settings.len().min(COLUMNS) };
    let (shown, hidden) = settings.split_at(shown);
    let by_group = match asked.by.as_str() {
        "group" => true,
        "host" => false,
        _ => all > MANY && filter.is_empty() && asked.after.is_none() && asked.before.is_none() && !groups.is_empty(),
    };
    let frame = page.frame(&visitor, "Fleet", "fleet");
    let mut drawn = FleetPage {
        counts: counts(&states, &asked),
        all,
        groups: groups.into_iter().collect(),
        owners: owners.into_iter().collect(),
        columns: shown.iter().map(|s| Column { id: s.id.clone(), path: encoded(&s.id) }).collect(),
        hidden: hidden.len(),
        link_columns: asked.with(&[("columns", if hidden.is_empty() { "" } else { "all" })]),
        by_group,
        link_hosts: asked.with(&[("by", "host")]),
        link_groups: asked.with(&[("by", "group")]),
        lines: Vec::new(),
        group_lines: Vec::new(),
        first: None,
        earlier: None,
        later: None,
        asked,
        frame,
    };
    if by_group {
        drawn.group_lines = group_lines(&page, &filter, shown, &drawn.asked).await?;
    } else {
        by_host(&page, &filter, shown, &mut drawn).await?;
    }
    html(&drawn)
}

fn counts(states: &BTreeMap<String, i64>, asked: &Asked) -> Vec<Count> {
    let known = STATES.iter().map(|s| (*s).to_owned());
    let others = states.keys().filter(|s| !STATES.contains(&s.as_str())).cloned();
    let all = known.chain(others).map(|state| (states.get(&state).copied().unwrap_or_default(), state));
    let said = all.filter(|(n, state)| *n > 0 || asked.state == *state);
    said.map(|(n, state)| {
        let chosen = asked.state == state;
        let link = asked.with(&[("state", if chosen { "" } else { &state }), ("by", if chosen { "" } else { "host" })]);
        Count { badge: Badge::of(&state), n, link, chosen }
    })
    .collect()
}

async fn by_host(page: &Page, filter: &Filter, shown: &[SettingRow], drawn: &mut FleetPage) -> Result<(), PageError> {
    let at = At { after: drawn.asked.after.clone(), before: drawn.asked.before.clone() };
    let hosts = queries::fleet::hosts(page.db(), filter, at.edge().as_ref()).await?;
    let standings = queries::fleet::standings(page.db(), &hosts.rows).await?;
    let link = |edge: &str, host: Option<&HostRow>| host.map(|h| drawn.asked.with(&[("by", "host"), (edge, &h.name)]));
    drawn.first = hosts.earlier.then(|| drawn.asked.with(&[("by", "host")]));
    drawn.earlier = hosts.earlier.then(|| link("before", hosts.rows.first())).flatten();
    drawn.later = hosts.later.then(|| link("after", hosts.rows.last())).flatten();
    let frame = &drawn.frame;
    drawn.lines = hosts
        .rows
        .into_iter()
        .map(|host| HostLine {
            path: encoded(&host.name),
            badge: Badge::of(&host.state),
            since: (host.since > 0).then(|| frame.when(&host.since)),
            look: host.last_look.as_ref().map(|at| frame.when(at)),
            cells: shown.iter().map(|s| cell(standings.get(&(host.id, s.id.clone())))).collect(),
            name: host.name,
        })
        .collect();
    Ok(())
}

fn cell(standing: Option<&Standing>) -> Cell {
    let Some(standing) = standing else { return Cell { badge: None, why: String::new(), open: Vec::new() } };
    let badge = standing.mode.as_deref().map(|mode| Badge::saying(mode, if standing.skip { "skip" } else { mode }));
    let open = standing.open.iter().map(|(cause, n)| Badge::saying(cause, format!("{n} {cause}"))).collect();
    Cell { badge, why: standing.why.clone(), open }
}

async fn group_lines(
    page: &Page,
    filter: &Filter,
    shown: &[SettingRow],
    asked: &Asked,
) -> Result<Vec<GroupLine>, PageError> {
    let mut of_host: BTreeMap<i64, Vec<(String, bool)>> = BTreeMap::new();
    for (host, setting, moved) in queries::fleet::opened(page.db()).await? {
        of_host.entry(host).or_default().push((setting, moved));
    }
    #[derive(Default)]
    struct Sum {
        hosts: usize,
        states: BTreeMap<String, usize>,
        /// By setting: hosts that moved, and hosts on which only the policy did.
        open: BTreeMap<String, (usize, usize)>,
    }
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for (id, groups, state) in queries::fleet::members(page.db(), filter).await? {
        let groups = if groups.is_empty() { vec![String::new()] } else { groups };
        for group in groups {
            let sum = sums.entry(group).or_default();
            sum.hosts += 1;
            *sum.states.entry(state.clone()).or_default() += 1;
            for (setting, moved) in of_host.get(&id).into_iter().flatten() {
                let open = sum.open.entry(setting.clone()).or_default();
                *(if *moved { &mut open.0 } else { &mut open.1 }) += 1;
            }
        }
    }
    let line = |(name, sum): (String, Sum)| {
        let states = STATES.iter().filter_map(|state| sum.states.get(*state).map(|n| (*state, *n)));
        let cells = shown.iter().map(|setting| {
            let (moved, only) = sum.open.get(&setting.id).copied().unwrap_or_default();
            let all = [("drifted", moved), ("pending", only)].into_iter().filter(|(_, n)| *n > 0);
            all.map(|(state, n)| Badge::saying(state, format!("{n} {state}"))).collect()
        });
        GroupLine {
            link: asked.with(&[("by", "host"), ("group", &name)]),
            hosts: sum.hosts,
            states: states.map(|(state, n)| Badge::saying(state, format!("{n} {state}"))).collect(),
            cells: cells.collect(),
            name,
        }
    };
    Ok(sums.into_iter().map(line).collect())
}
