//! What was told to whom, and who did what on this page.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    response::Html,
};
use serde::Deserialize;

use super::{earlier, moment, query, schedule::said};
use crate::web::{
    Page, PageError,
    answer::{encoded, html},
    db::first,
    guard::Visitor,
    queries::{
        self, PAGE,
        log::{ActionRow, NoticeRow},
    },
    show::{Badge, Frame, When},
};

/// The states of notices in the order in which they matter.
const STATES: [&str; 4] = ["failing", GIVEN_UP, "waiting", "delivered"];
const GIVEN_UP: &str = "given up";

struct Notice {
    row: NoticeRow,
    /// Of one that was given up.
    path: Option<String>,
    badge: Badge,
    at: When,
    delivered: Option<When>,
    next: Option<When>,
}

struct Count {
    badge: Badge,
    n: i64,
    link: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "page/notices.html")]
struct NoticesPage {
    frame: Frame,
    told: bool,
    /// How many were given up, where it is more than one.
    given_up: Option<i64>,
    counts: Vec<Count>,
    notices: Vec<Notice>,
    earlier: Option<String>,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    state: String,
    before: Option<String>,
    told: Option<String>,
}

/// `GET /notices`.
pub(in crate::web) async fn notices(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let frame = page.frame(&visitor, "Notifications", "notices");
    let known = queries::log::notice_counts(page.db()).await?;
    let counts = STATES.iter().map(|state| {
        let n = known.iter().find(|(of, _)| of == state).map_or(0, |(_, n)| *n);
        let chosen = asked.state == *state;
        let link = format!("/notices?{}", query(&[("state", if chosen { "" } else { state })]));
        Count { badge: Badge::of(state), n, link, chosen }
    });
    let before = moment(asked.before.as_deref());
    let (rows, more) = first(queries::log::notices(page.db(), &asked.state, before.as_ref()).await?, PAGE);
    let rest = query(&[("state", &asked.state)]);
    let earlier = earlier(more, &rows, |row| (row.at, &row.id), "/notices", &rest);
    let notice = |row: NoticeRow| {
        let open = matches!(row.state.as_str(), "waiting" | "failing");
        Notice {
            badge: Badge::of(&row.state),
            path: (row.state == GIVEN_UP).then(|| encoded(&row.id)),
            at: frame.when(&row.at),
            delivered: row.delivered.as_ref().map(|at| frame.when(at)),
            next: open.then(|| frame.when(&row.next_try)),
            row,
        }
    };
    let notices = rows.into_iter().map(notice).collect();
    let given_up = known.iter().find(|(of, n)| of == GIVEN_UP && *n > 1).map(|(_, n)| *n);
    let told = asked.told.as_deref() == Some("retry");
    html(&NoticesPage { counts: counts.collect(), told, given_up, notices, earlier, frame })
}

struct Action {
    row: ActionRow,
    detail: String,
    badge: Badge,
    at: When,
}

#[derive(Template)]
#[template(path = "page/actions.html")]
struct ActionsPage {
    frame: Frame,
    closed: bool,
    actions: Vec<Action>,
    earlier: Option<String>,
}

/// `GET /actions`.
pub(in crate::web) async fn actions(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let frame = page.frame(&visitor, "Actions", "actions");
    let before = moment(asked.before.as_deref());
    let (rows, more) = first(queries::log::actions(page.db(), before.as_ref()).await?, PAGE);
    let earlier = earlier(more, &rows, |row| (row.at, &row.id), "/actions", "");
    let action = |row: ActionRow| Action {
        badge: Badge::of(&row.outcome),
        at: frame.when(&row.at),
        detail: serde_json::from_str(&row.detail).map_or_else(|_| row.detail.clone(), |detail| said(&detail)),
        row,
    };
    let actions = rows.into_iter().map(action).collect();
    html(&ActionsPage { closed: page.site().settings.is_closed(), actions, earlier, frame })
}
