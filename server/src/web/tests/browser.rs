//! The page in a browser.

use std::{path::Path, sync::Arc};

use sqlx::AssertSqlSafe;

use tokio::net::TcpListener;

use super::{
    people::accounts,
    seed,
    site::{ROLLOUTS, Still},
};
use crate::{
    schedule::{Ask, Begun, Command, Commands},
    store::{RecordSettings, Store},
    web::{Page, Parts, WebSettings, router, serve},
};

/// A page that listens, on a record with a fleet.
async fn listening(folder: &Path, settings: WebSettings) -> (TcpListener, axum::Router) {
    let (commands, mut from) = Commands::channel();
    let store = Store::open(&RecordSettings::in_folder(folder.join("record"))).await.unwrap();
    seed::crowd(&store, 240, 30).await;
    seed::stories(&store).await;
    let rollouts = folder.join("rollouts.yml");
    std::fs::write(&rollouts, ROLLOUTS).unwrap();
    let listener = TcpListener::bind(settings.address()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Arc::new(Still(std::sync::Mutex::new(seed::now())));
    let server = store.clone();
    tokio::spawn(async move {
        while let Some(command) = from.recv().await {
            done(&server, command).await;
        }
    });
    let parts = Parts { store, settings, address, commands: Some(commands), rollouts: Some(rollouts), clock };
    (listener, router(Page::new(parts).unwrap()))
}

/// Does what the page can see of what a server does: holds.
async fn done(store: &Store, command: Command) {
    let sql = match command.ask {
        Ask::Hold { host, until, reason } => {
            let until = until.as_microsecond();
            format!(
                "INSERT INTO holds (host, author, began, until, reason) VALUES ('{host}', 'eva', 0, {until}, '{reason}')"
            )
        }
        Ask::Release { host } => format!("DELETE FROM holds WHERE host = '{host}'"),
        _ => "SELECT 1".to_owned(),
    };
    let mut write = store.write().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
    let _ = command.answer.send(Ok(Begun { round: None }));
}

/// Every view, every action, at two widths, light and dark, with and without script; axe finds nothing wrong.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, accounts()).unwrap();
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let settings = WebSettings { listen, users: Some(users), ..WebSettings::default() };
    let (listener, router) = listening(folder.path(), settings).await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, router, async { drop(ended.await) }));
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/browser/run");
    let output = tokio::process::Command::new(run).arg(&url).output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    drop(end);
    served.await.unwrap().unwrap();
}

/// For whoever wants to look at it: `RECTIFY_PAGE_LISTEN=127.0.0.1:8470 cargo test -p rectify-server --lib serve_for_a_person -- --ignored`.
/// Its accounts are those of the tests.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it serves until it is ended"]
async fn serve_for_a_person() {
    let listen = std::env::var("RECTIFY_PAGE_LISTEN").unwrap_or("127.0.0.1:8470".into());
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, accounts()).unwrap();
    let settings = WebSettings { listen: Some(listen.parse().unwrap()), users: Some(users), ..WebSettings::default() };
    let (listener, router) = listening(folder.path(), settings).await;
    serve(listener, router, std::future::pending()).await.unwrap();
}
