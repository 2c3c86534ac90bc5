//! One host: how it is, what of it is not as wanted and since when, where it stands with settings, and what happened to it.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::Html,
};
use rectify_core::{drift::Key, event::Trace};
use serde::Deserialize;

use super::{earlier, moment};
use crate::{
    told::{text::kept, trace, traces},
    web::{
        Page, PageError,
        answer::{encoded, html},
        db::first,
        guard::Visitor,
        queries::{
            self,
            host::{HoldRow, ITEMS, ItemRow, LookRow, StanceRow, TIMES, TransitionRow},
        },
        show::{Badge, DiffView, Frame, When, lasted, stamp},
    },
};

/// Whoever was not looked at for so long may be gone, or have another name by now; microseconds.
const LONG: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// How many traces of an item are shown.
const TRACES: usize = 20;

/// When and by whom: who says so, and what.
fn who(kept: Option<&str>) -> Vec<(String, String)> {
    let one = |of: Trace| {
        let said = of.at.map(stamp).into_iter().chain([trace(&of)]).filter(|said| !said.is_empty());
        (of.source, said.collect::<Vec<_>>().join(", "))
    };
    traces(kept).into_iter().take(TRACES).map(one).collect()
}

/// An item that is not as wanted.
pub(in crate::web) struct ItemView {
    pub(in crate::web) row: ItemRow,
    pub(in crate::web) badge: Badge,
    /// What it is about, as people call it.
    pub(in crate::web) thing: String,
    pub(in crate::web) property: String,
    pub(in crate::web) difference: DiffView,
    pub(in crate::web) story: &'static str,
    pub(in crate::web) left: Option<String>,
    pub(in crate::web) traces: Vec<(String, String)>,
}

impl ItemView {
    pub(in crate::web) fn of(row: ItemRow) -> Self {
        let story = match row.cause.as_str() {
            "drift" => "The host moved: the last run had left it as wanted.",
            "pending" => "The policy moved: the host is as the last run left it.",
            "both" => "The host moved, and the policy too.",
            _ => "No run has left it as wanted yet: who moved is not known.",
        };
        let apart = row.known && row.remembered != row.wanted;
        let left =
            apart.then(|| row.remembered.as_deref().map_or_else(|| "(absent)".into(), |left| kept(left).into_owned()));
        ItemView {
            badge: Badge::of(&row.cause),
            thing: Key::new(&row.thing, "").to_string(),
            property: if row.property.is_empty() { "state".to_owned() } else { row.property.clone() },
            difference: DiffView::of_json(row.difference.as_deref(), row.seen.as_deref(), row.wanted.as_deref()),
            story,
            left,
            traces: who(row.traces.as_deref()),
            row,
        }
    }
}

/// The items of a setting.
struct SettingItems {
    id: String,
    path: String,
    items: Vec<ItemView>,
    /// Whether anything of it can be corrected.
    moved: bool,
}

/// Something that happened.
struct Happened {
    row: TransitionRow,
    said: String,
    badge: Badge,
    difference: Option<DiffView>,
    traces: Vec<(String, String)>,
    run: String,
}

impl Happened {
    fn of(row: TransitionRow) -> Self {
        let (thing, property) = (row.thing.as_deref().unwrap_or("something"), row.property.as_deref());
        let about = Key::new(thing, property.unwrap_or_default());
        let (word, said) = match row.kind.as_str() {
            "state" => (row.new.clone(), format!("from {} to {}", row.old, row.new)),
            "corrected" => ("corrected".to_owned(), format!("{about} is as wanted again")),
            "item" if row.old == row.new => (row.new.clone(), format!("{about} moved further")),
            "item" => (row.new.clone(), format!("{about}: from {} to {}", row.old, row.new)),
            "hold" => ("held".to_owned(), format!("hold: from {} to {}", row.old, row.new)),
            "flapping" => ("drifted".to_owned(), "it changes so often that nothing more is told of it".to_owned()),
            other => (row.new.clone(), format!("{other}: from {} to {}", row.old, row.new)),
        };
        let difference = row.difference.as_deref().map(|text| DiffView::of_json(Some(text), None, None));
        let traces = who(row.traces.as_deref());
        Happened { badge: Badge::of(&word), said, difference, traces, run: encoded(&row.run), row }
    }
}

struct Look {
    row: LookRow,
    badge: Badge,
    run: String,
    took: String,
}

struct Stance {
    row: StanceRow,
    badge: Badge,
    path: String,
}

#[derive(Template)]
#[template(path = "page/host.html")]
struct HostPage {
    frame: Frame,
    told: Option<&'static str>,
    name: String,
    path: String,
    badge: Badge,
    since: Option<When>,
    look: Option<When>,
    good: Option<When>,
    last_run: Option<String>,
    long_ago: bool,
    owners: Vec<String>,
    groups: Vec<String>,
    flapping: Option<When>,
    hold: Option<HoldRow>,
    known: i64,
    settings: Vec<SettingItems>,
    open: usize,
    more_items: bool,
    stances: Vec<Stance>,
    looks: Vec<Look>,
    happened: Vec<Happened>,
    earlier: Option<String>,
    from_start: bool,
    schedules: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    before: Option<String>,
    told: Option<String>,
}

/// What an action that has just been done came to.
fn told(what: Option<&str>) -> Option<&'static str> {
    Some(match what? {
        "check" => "The check is begun. What it sees stands here when it is through.",
        "correct" => "The correction is begun. What came of it stands here when it is through.",
        "hold" => "The host is held: no schedule corrects it until then.",
        "release" => "The hold is ended.",
        _ => return None,
    })
}

/// `GET /hosts/{host}`.
pub(in crate::web) async fn host(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let db = page.db();
    let host = queries::host::host(db, &name).await?;
    let frame = page.frame(&visitor, host.name.clone(), "fleet");
    let (items, more_items) = first(queries::host::items(db, host.id).await?, ITEMS);
    let open = items.len();
    let before = moment(asked.before.as_deref());
    let (happened, more) = first(queries::host::timeline(db, host.id, before.as_ref()).await?, TIMES);
    let looks = queries::host::looks(db, host.id).await?;
    let path = encoded(&host.name);
    let earlier = earlier(more, &happened, |row| (row.at, &row.id), &format!("/hosts/{path}"), "");
    let schedules = if frame.operates() { page.schedules_of(host.id).await? } else { Vec::new() };
    let stances = queries::host::stances(db, host.id).await?;
    html(&HostPage {
        told: told(asked.told.as_deref()),
        badge: Badge::of(&host.state),
        since: (host.since > 0).then(|| frame.when(&host.since)),
        look: host.last_look.as_ref().map(|at| frame.when(at)),
        good: host.last_good.as_ref().map(|at| frame.when(at)),
        last_run: host.last_run.as_deref().map(encoded),
        long_ago: host.last_look.is_some_and(|at| page.now().saturating_sub(at) > LONG),
        flapping: queries::host::flapping(db, host.id).await?.as_ref().map(|at| frame.when(at)),
        hold: queries::host::hold(db, &host.name, page.now()).await?,
        known: queries::host::known(db, host.id).await?,
        settings: by_setting(items),
        open,
        more_items,
        stances: stances
            .into_iter()
            .map(|row| Stance { badge: Badge::of(&row.mode), path: encoded(&row.setting), row })
            .collect(),
        looks: looks
            .into_iter()
            .map(|row| Look { badge: Badge::of(&row.state), run: encoded(&row.run), took: lasted(row.took), row })
            .collect(),
        happened: happened.into_iter().map(Happened::of).collect(),
        earlier,
        from_start: before.is_none(),
        schedules,
        owners: host.owners,
        groups: host.groups,
        name: host.name,
        path,
        frame,
    })
}

fn by_setting(items: Vec<ItemRow>) -> Vec<SettingItems> {
    let mut all: Vec<SettingItems> = Vec::new();
    for row in items {
        let id = row.setting.clone().unwrap_or_default();
        if all.last().is_none_or(|s| s.id != id) {
            all.push(SettingItems { path: encoded(&id), id, items: Vec::new(), moved: false });
        }
        if let Some(setting) = all.last_mut() {
            setting.moved |= row.cause != "pending";
            setting.items.push(ItemView::of(row));
        }
    }
    all
}
