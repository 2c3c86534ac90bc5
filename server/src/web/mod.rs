//! The page: what is known of the fleet, for people with a browser.
//!
//! ```text
//! browser ─► headers ─► host ─► identify ─► same_origin ─► admit ─► pages    ─► queries ─► index
//!                      (guard: who, from where, with which token)  └► actions ─► Commands (the running server) · journal
//! ```
//!
//! It reads the index, and of one run the folder. It works without JavaScript; with it, what goes on is shown as it happens. Everything that came
//! from hosts is escaped by the templates; [`answer::html`] is the one way out.

mod actions;
mod answer;
mod assets;
mod db;
mod error;
mod guard;
mod office;
mod pages;
mod queries;
mod settings;
mod show;
mod story;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

pub use guard::hash_password;
pub(crate) use guard::same;
pub use settings::{LISTEN, OidcSettings, ProxySettings, Role, SettingsError, WebSettings};

use self::{
    db::Db,
    error::PageError,
    guard::{Limits, Provider, Users, Visitor},
    office::Office,
    settings::Site,
    show::Frame,
    story::Stories,
};
use crate::{
    schedule::{Clock, Commands},
    store::Store,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a form may be, bytes.
const LONGEST_FORM: usize = 64 << 10;

/// What the page is made from.
pub struct Parts {
    /// The record.
    pub store: Store,
    /// Where it is found and who may do what.
    pub settings: WebSettings,
    /// Where it listens; with port 0 in the settings, the port that it got.
    pub address: SocketAddr,
    /// Where the server that runs schedules is asked; without one nobody can act.
    pub commands: Option<Commands>,
    /// The file that describes the settings of rollouts.
    pub rollouts: Option<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).field("address", &self.address).finish_non_exhaustive()
    }
}

/// The page. Clones share everything.
#[derive(Clone)]
pub struct Page(Arc<Inner>);

struct Inner {
    db: Db,
    site: Site,
    users: Option<Users>,
    provider: Option<Provider>,
    limits: Limits,
    stories: Stories,
    commands: Option<Commands>,
    rollouts: Option<PathBuf>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("url", &self.0.site.url).finish_non_exhaustive()
    }
}

impl Page {
    /// A page of these parts.
    ///
    /// # Errors
    /// Settings that do not fit together, accounts or a secret that cannot be read.
    pub fn new(parts: Parts) -> Result<Self, SettingsError> {
        let db = Db::new(parts.store.clone());
        Self::with(db, parts)
    }

    fn with(db: Db, parts: Parts) -> Result<Self, SettingsError> {
        let site = parts.settings.site(parts.address)?;
        let users = parts.settings.users.as_deref().map(Users::new);
        if let Some(users) = &users {
            users.check().map_err(SettingsError)?;
        }
        let provider = parts.settings.oidc.as_ref().map(|oidc| Provider::new(oidc, &site.url));
        Ok(Page(Arc::new(Inner {
            db,
            users,
            provider: provider.transpose().map_err(SettingsError)?,
            site,
            limits: Limits::default(),
            stories: Stories::new(parts.store.folder()),
            commands: parts.commands,
            rollouts: parts.rollouts,
            clock: parts.clock,
        })))
    }

    /// Where browsers find it, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.0.site.url
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn site(&self) -> &Site {
        &self.0.site
    }

    fn users(&self) -> Option<&Users> {
        self.0.users.as_ref()
    }

    fn provider(&self) -> Option<&Provider> {
        self.0.provider.as_ref()
    }

    fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn stories(&self) -> &Stories {
        &self.0.stories
    }

    fn commands(&self) -> Option<&Commands> {
        self.0.commands.as_ref()
    }

    /// Now: microseconds since 1970, UTC.
    fn now(&self) -> i64 {
        self.0.clock.now().as_microsecond()
    }

    fn frame(&self, visitor: &Visitor, title: impl Into<String>, part: &'static str) -> Frame {
        let who = visitor.who.clone();
        Frame { title: title.into(), part, who, now: self.now(), refresh: 0 }
    }

    /// What is known of settings, if their file is.
    async fn office(&self) -> Result<Option<Office>, PageError> {
        let Some(path) = self.0.rollouts.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || Office::read(&path)).await;
        read.map_err(|e| PageError::Failed(e.to_string()))?.map(Some)
    }

    /// The schedules that looked at a host of late; all, where none did. The first is the likeliest.
    async fn schedules_of(&self, host: i64) -> Result<Vec<String>, PageError> {
        let known = queries::schedules::names(self.db()).await?;
        let mut lately: Vec<String> = Vec::new();
        for schedule in queries::host::looks(self.db(), host).await?.into_iter().filter_map(|look| look.schedule) {
            if known.contains(&schedule) && !lately.contains(&schedule) {
                lately.push(schedule);
            }
        }
        Ok(if lately.is_empty() { known } else { lately })
    }
}

/// What is shown to whoever may read.
fn views() -> Router<Page> {
    Router::new()
        .route("/", get(pages::fleet))
        .route("/hosts/{host}", get(pages::host))
        .route("/settings", get(pages::settings))
        .route("/settings/{setting}", get(pages::setting))
        .route("/runs", get(pages::runs))
        .route("/runs/{run}", get(pages::run))
        .route("/schedules", get(pages::schedules))
        .route("/schedules/{schedule}", get(pages::schedule))
        .route("/notices", get(pages::notices))
        .route("/actions", get(pages::actions))
}

/// What operators may do.
fn acts() -> Router<Page> {
    Router::new()
        .route("/hosts/{host}/check", post(actions::check_host))
        .route("/hosts/{host}/correct", get(actions::ask_correct).post(actions::correct))
        .route("/hosts/{host}/hold", post(actions::hold))
        .route("/hosts/{host}/release", post(actions::release))
        .route("/settings/{setting}/object", post(actions::object))
        .route("/schedules/{schedule}/check", post(actions::check_schedule))
        .route("/notices/retry", post(actions::retry_all))
        .route("/notices/{notice}/retry", post(actions::retry))
        .route("/logout", post(guard::log_out))
}

/// Everything of the page. What else a server answers (metrics, health) is merged with it and guards itself.
pub fn router(page: Page) -> Router {
    let inside = views().merge(acts()).route_layer(middleware::from_fn_with_state(page.clone(), guard::admit));
    let doors = Router::new()
        .route("/login", get(guard::login_page).post(guard::log_in))
        .route("/login/oidc", get(guard::oidc_begin))
        .route("/login/back", get(guard::oidc_back));
    let known = inside
        .merge(doors)
        .route_layer(middleware::from_fn_with_state(page.clone(), guard::same_origin))
        .route_layer(middleware::from_fn_with_state(page.clone(), guard::identify));
    known
        .route("/assets/{file}", get(assets::asset))
        .fallback(nowhere)
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(guard::headers))
                .layer(middleware::from_fn_with_state(page.clone(), guard::host))
                .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::GATEWAY_TIMEOUT, PATIENCE))
                .layer(RequestBodyLimitLayer::new(LONGEST_FORM)),
        )
        .with_state(page)
}

async fn nowhere() -> Response {
    PageError::Missing("there is no such page".into()).into_response()
}

/// Answers until `shutdown` is over; then what is being answered is answered to its end.
///
/// # Errors
/// A listener that breaks.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}
