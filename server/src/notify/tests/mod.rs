//! From transitions to messages, on both databases.

mod authors;
mod delivery;
mod telling;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rectify_core::{
    diag::Span,
    event::Diff,
    rollout::{Contact, Person},
};
use sqlx::Row as _;

use super::*;
use crate::channels::Message;

/// Ten o'clock on some day.
fn ten() -> Timestamp {
    "2027-03-01T10:00:00Z".parse().unwrap()
}

fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

/// Who is told, and how.
struct Bureau {
    settings: NotifySettings,
    people: BTreeMap<String, Person>,
    templates: Templates,
}

impl Bureau {
    /// One operator, and the owners alpha and beta.
    fn new() -> Self {
        let person = |name: &str| {
            let contacts = vec![Contact::parse(&format!("{name}@example.org")).unwrap()];
            (name.to_owned(), Person { name: name.to_owned(), contacts, at: Span::default() })
        };
        Bureau {
            settings: NotifySettings { operators: vec!["ops@example.org".parse().unwrap()], ..Default::default() },
            people: [person("alpha"), person("beta")].into(),
            templates: Templates::load(None).unwrap(),
        }
    }

    fn told_at(operators: &[&str]) -> Self {
        let operators = operators.iter().map(|a| a.parse().unwrap()).collect();
        Bureau { settings: NotifySettings { operators, ..Default::default() }, ..Bureau::new() }
    }

    fn desk(&self) -> Desk<'_> {
        let (settings, people, templates) = (&self.settings, &self.people, &self.templates);
        Desk { settings, people, templates, domain: "example.org", pace: PACE }
    }

    async fn tick(&self, store: &Store, now: Timestamp) -> Told {
        tick(store, &self.desk(), now).await.unwrap()
    }
}

/// Puts hosts into the record: their ids count from 1.
async fn hosts(store: &Store, owners: &[(&str, &[&str])]) {
    for (id, (name, owners)) in (1i64..).zip(owners) {
        let add = sqlx::query("INSERT INTO hosts (id, name, owners) VALUES ($1, $2, $3)");
        let owners = serde_json::json!(owners).to_string();
        add.bind(id).bind((*name).to_owned()).bind(owners).execute(store.pool()).await.unwrap();
    }
}

/// Puts a transition into the record.
#[derive(Clone)]
struct Moved<'a> {
    host: i64,
    run: &'a str,
    kind: &'a str,
    states: (&'a str, &'a str),
    thing: Option<&'a str>,
    diff: Option<Diff>,
    who: Option<serde_json::Value>,
    at: Timestamp,
}

impl<'a> Moved<'a> {
    fn state(host: i64, run: &'a str, old: &'a str, new: &'a str) -> Self {
        Moved { host, run, kind: "state", states: (old, new), thing: None, diff: None, who: None, at: ten() }
    }

    fn item(host: i64, run: &'a str, thing: &'a str, line: &str) -> Self {
        let diff = Diff::Text { unified: format!("@@ -1 +1 @@\n-old\n+{line}\n"), added: 1, removed: 1 };
        let states = ("fine", "drift");
        Moved { kind: "item", states, thing: Some(thing), diff: Some(diff), ..Moved::state(host, run, "", "") }
    }

    fn at(self, at: Timestamp) -> Self {
        Moved { at, ..self }
    }

    /// What the host knows of who did it: the account, so many minutes before ten.
    fn by(self, account: &str, before: i64) -> Self {
        let at = (ten() - minutes(before)).as_microsecond();
        let audit = serde_json::json!({"source": "audit", "at": at, "account": account, "program": "/usr/bin/vim", "what": "changed it"});
        Moved { who: Some(serde_json::json!([audit])), ..self }
    }

    async fn add(self, store: &Store) {
        let row = sqlx::query("SELECT COUNT(*) FROM transitions").fetch_one(store.pool()).await.unwrap();
        let id = format!("{}/{}/{}", self.run, self.host, row.get::<i64, _>(0));
        let add = sqlx::query(
            "INSERT INTO transitions (id, host, at, run, kind, old, new, thing, property, setting, cause, difference, before, traces) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'content', 'motd', $9, $10, $11, $12)",
        );
        let add = add.bind(id).bind(self.host).bind(self.at.as_microsecond()).bind(self.run.to_owned());
        let add = add.bind(self.kind.to_owned()).bind(self.states.0.to_owned()).bind(self.states.1.to_owned());
        let add = add.bind(self.thing.map(str::to_owned)).bind(self.thing.map(|_| "drift".to_owned()));
        let add = add.bind(self.diff.map(|d| serde_json::json!(d).to_string()));
        let add = add.bind((ten() - minutes(60)).as_microsecond()).bind(self.who.map(|who| who.to_string()));
        add.execute(store.pool()).await.unwrap();
    }
}

/// What waits in the outbox: by address, the messages in the order in which they were put in.
async fn waiting(store: &Store) -> BTreeMap<String, Vec<Message>> {
    let mut all: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    let rows =
        sqlx::query("SELECT channel, body FROM outbox ORDER BY at, subject").fetch_all(store.pool()).await.unwrap();
    for row in rows {
        let message = serde_json::from_str(&row.get::<String, _>("body")).unwrap();
        all.entry(row.get("channel")).or_default().push(message);
    }
    all
}

/// The subjects that an address was told.
async fn subjects(store: &Store, address: &str) -> Vec<String> {
    let all = waiting(store).await.remove(address).unwrap_or_default();
    all.into_iter().map(|m| m.letter.subject).collect()
}
