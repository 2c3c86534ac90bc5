//! The page in a browser.

use std::{path::Path, sync::Arc};

use tokio::net::TcpListener;

use super::{
    seed,
    site::{ROLLOUTS, Still},
};
use crate::{
    store::{RecordSettings, Store},
    web::{Page, Parts, WebSettings, router, serve},
};

/// A page that listens, on a record with a fleet.
async fn listening(folder: &Path, settings: WebSettings) -> (TcpListener, axum::Router) {
    let store = Store::open(&RecordSettings::in_folder(folder.join("record"))).await.unwrap();
    seed::crowd(&store, 240, 30).await;
    seed::stories(&store).await;
    let rollouts = folder.join("rollouts.yml");
    std::fs::write(&rollouts, ROLLOUTS).unwrap();
    let listener = TcpListener::bind(settings.address()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Arc::new(Still(std::sync::Mutex::new(seed::now())));
    let parts = Parts { store, settings, address, commands: None, rollouts: Some(rollouts), clock };
    (listener, router(Page::new(parts).unwrap()))
}

/// For whoever wants to look at it: `RECTIFY_PAGE_LISTEN=127.0.0.1:8470 cargo test -p rectify-server --lib serve_for_a_person -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it serves until it is ended"]
async fn serve_for_a_person() {
    let listen = std::env::var("RECTIFY_PAGE_LISTEN").unwrap_or("127.0.0.1:8470".into());
    let folder = tempfile::tempdir().unwrap();
    let settings = WebSettings { listen: Some(listen.parse().unwrap()), ..WebSettings::default() };
    let (listener, router) = listening(folder.path(), settings).await;
    serve(listener, router, std::future::pending()).await.unwrap();
}
