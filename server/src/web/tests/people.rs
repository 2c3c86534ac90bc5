//! People who log in, and the server that they ask.

use std::sync::{Arc, Mutex};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, phc::PasswordHash},
};
use axum::http::{Request, StatusCode, header};

use super::{
    seed,
    site::{ADDRESS, Answer, Site},
};
use crate::{
    schedule::{Ask, Begun, Commands, Refused},
    web::{WebSettings, answer::encoded},
};

/// Everybody's password.
pub(super) const PASSWORD: &str = "correct horse & battery";

/// The accounts `eva` (operator) and `tom` (reader), with hashes that are quick to look at.
pub(super) fn accounts() -> String {
    let quick = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash: PasswordHash = quick.hash_password(PASSWORD.as_bytes()).unwrap();
    format!("eva:operator:{hash}\ntom:reader:{hash}\n")
}

/// What was asked of the server, by whom.
pub(super) type Asked = Arc<Mutex<Vec<(String, Ask)>>>;

/// A server that does what it is asked, or refuses all of it.
pub(super) fn server(refuses: Option<&'static str>) -> (Commands, Asked) {
    let (commands, mut from) = Commands::channel();
    let asked = Asked::default();
    let heard = asked.clone();
    tokio::spawn(async move {
        while let Some(command) = from.recv().await {
            heard.lock().unwrap().push((command.author, command.ask));
            let answer = refuses.map_or(Ok(Begun { round: None }), |why| Err(Refused(why.into())));
            let _ = command.answer.send(answer);
        }
    });
    (commands, asked)
}

/// A page with accounts on a record with a few hosts.
pub(super) async fn closed(settings: WebSettings) -> (Site, Asked, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, accounts()).unwrap();
    let (commands, asked) = server(None);
    let site = Site::new(WebSettings { users: Some(users), ..settings }, Some(commands)).await;
    seed::crowd(&site.store, 20, 2).await;
    seed::stories(&site.store).await;
    (site, asked, folder)
}

/// A browser: a cookie, and what the forms of the last page carried.
#[derive(Debug, Default, Clone)]
pub(super) struct Browser {
    pub(super) cookie: String,
    pub(super) csrf: String,
}

/// The value of the field `name` of the first form that has one.
pub(super) fn field(text: &str, name: &str) -> Option<String> {
    let after = text.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
    Some(after.split('"').next()?.to_owned())
}

impl Browser {
    fn keep(&mut self, answer: &Answer) {
        if let Some(pair) = answer.header("set-cookie").split(';').next().filter(|pair| !pair.is_empty()) {
            self.cookie = pair.to_owned();
        }
        if let Some(csrf) = field(&answer.text, "csrf") {
            self.csrf = csrf;
        }
    }

    pub(super) async fn get(&mut self, site: &Site, path: &str) -> Answer {
        let mut request = Request::get(path);
        if !self.cookie.is_empty() {
            request = request.header(header::COOKIE, &self.cookie);
        }
        let answer = site.ask(request, "").await;
        self.keep(&answer);
        answer
    }

    /// Sends a form as a browser does from a page of the site.
    pub(super) async fn post(&mut self, site: &Site, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value)));
        let body: Vec<String> = [format!("csrf={}", self.csrf)].into_iter().chain(pairs).collect();
        let origin = format!("http://{ADDRESS}");
        let request = Request::post(path).header(header::ORIGIN, origin).header(header::COOKIE, &self.cookie);
        let answer = site.ask(request, &body.join("&")).await;
        self.keep(&answer);
        answer
    }

    /// Somebody who has logged in.
    pub(super) async fn of(site: &Site, name: &str) -> Self {
        let mut browser = Browser::default();
        browser.get(site, "/login").await;
        let answer = browser.post(site, "/login", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser.get(site, "/hosts/bastion.example.org").await;
        browser
    }
}

/// What the log of actions says: author, action, object, outcome.
pub(super) async fn log(site: &Site) -> Vec<String> {
    use sqlx::Row as _;
    let sql = "SELECT author, action, object, outcome FROM actions WHERE id <> 'a1' ORDER BY at, id";
    let rows = sqlx::query(sql).fetch_all(site.store.pool()).await.unwrap();
    let text = |row: &sqlx::any::AnyRow, n| row.get::<String, usize>(n);
    rows.iter().map(|r| format!("{} {} {} {}", text(r, 0), text(r, 1), text(r, 2), text(r, 3))).collect()
}
