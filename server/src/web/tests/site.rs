//! A page on a record of its own, asked without a network.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use jiff::Timestamp;
use tower::ServiceExt as _;

use super::seed;
use crate::{
    schedule::{Clock, Commands},
    store::{RecordSettings, Store},
    web::{Page, Parts, WebSettings, router},
};

/// A clock that stands still.
#[derive(Debug)]
pub(super) struct Still(pub(super) std::sync::Mutex<i64>);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(*self.0.lock().unwrap()).unwrap()
    }

    async fn doze(&self, _until: Timestamp) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A page and its record.
pub(super) struct Site {
    pub(super) store: Store,
    pub(super) router: Router,
    pub(super) clock: Arc<Still>,
    folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Where the page of a test is found.
pub(super) const ADDRESS: &str = "127.0.0.1:8470";

impl Site {
    /// A page on an empty record.
    pub(super) async fn new(settings: WebSettings, commands: Option<Commands>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&RecordSettings::in_folder(folder.path().join("record"))).await.unwrap();
        let clock = Arc::new(Still(std::sync::Mutex::new(seed::now())));
        let rollouts = folder.path().join("rollouts.yml");
        std::fs::write(&rollouts, ROLLOUTS).unwrap();
        let parts = Parts {
            store: store.clone(),
            settings,
            address: ADDRESS.parse().unwrap(),
            commands,
            rollouts: Some(rollouts),
            clock: clock.clone(),
        };
        let page = Page::new(parts).unwrap();
        Site { store, router: router(page), clock, folder }
    }

    /// A read-only page on a record with a few hosts.
    pub(super) async fn seeded() -> Self {
        let site = Self::new(WebSettings::default(), None).await;
        seed::crowd(&site.store, 130, 3).await;
        seed::stories(&site.store).await;
        site
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Asks for a path.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path), "").await
    }

    /// Sends a request from this machine, under the page's own name unless it says otherwise.
    pub(super) async fn ask(&self, mut request: axum::http::request::Builder, body: &str) -> Answer {
        if request.headers_ref().is_none_or(|h| !h.contains_key(header::HOST)) {
            request = request.header(header::HOST, ADDRESS);
        }
        if request.extensions_ref().is_none_or(|e| e.get::<ConnectInfo<SocketAddr>>().is_none()) {
            request = request.extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        }
        if request.method_ref() == Some(&Method::POST) {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let answer = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

/// A file of settings.
pub(super) const ROLLOUTS: &str = "\
settings:
  motd:
    title: The message of the day says whom to call
    reason: Nobody knew whom to call at night.
    impact: /etc/motd is replaced.
    skip: Set the variable, with a reason.
    verify: Log in and read.
    owner: platform
    stages:
      opt-in: 2026-05-01
      announced: 2026-06-01
      opt-out: {50%: 2026-09-01, 100%: 2026-09-15}
      mandatory: 2027-03-01
";
