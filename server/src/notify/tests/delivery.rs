//! The outbox with receivers that misbehave.

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicUsize, Ordering},
};

use super::*;
use crate::{
    channels::{
        Channels, HookSettings, MailSettings,
        testing::{HookServer, MailServer, Out},
    },
    store::{By, testing::both},
};

/// Ways with a web hook that is waited for for a second.
fn channels(mail: Option<&MailSettings>) -> Arc<Channels> {
    let hook = HookSettings { secret_file: None, timeout: Some(1) };
    Arc::new(Channels::new(mail, Some(&hook), Box::new(std::io::sink())).unwrap())
}

/// One host that drifts, told to these.
async fn told(store: &Store, operators: &[&str]) -> Bureau {
    let office = Bureau::told_at(operators);
    hosts(store, &[("web1", &[])]).await;
    Moved::state(1, "r1", "fine", "drifted").add(store).await;
    Moved::item(1, "r1", "path:/etc/motd", "new").add(store).await;
    assert_eq!(office.tick(store, ten()).await.messages, operators.len());
    office
}

#[test]
fn a_message_arrives_by_mail_by_hook_and_on_the_output() {
    both(|store| async move {
        let (mail, hook, out) = (MailServer::start(|_| "250 ok"), HookServer::start(|| 204), Out::default());
        told(&store, &["ops@example.org", &hook.url(), "stdout:"]).await;
        let channels = Arc::new(Channels::new(Some(&mail.settings()), None, Box::new(out.clone())).unwrap());
        let done = deliver(&store, &channels, ten()).await.unwrap();
        assert_eq!(done, Delivered { delivered: 3, ..Delivered::default() });
        assert_eq!(out.text().lines().next(), Some("web1 drifted: /etc/motd"));
        assert!(out.text().contains("\n      +new\n"), "{}", out.text());
        let mails = mail.taken();
        let wanted =
            ["Subject: web1 drifted: /etc/motd", "List-Id: <drift.example.org>", "To: operators <ops@example.org>"];
        for wanted in wanted {
            assert!(mails[0].contains(wanted), "{wanted} in {}", mails[0]);
        }
        let (id, body) = &hook.taken()[0];
        assert!(id.ends_with("@example.org"), "{id}");
        assert_eq!(body["notice"]["groups"][0]["changes"][0]["thing"], "path:/etc/motd");
        assert_eq!(body["notice"]["groups"][0]["hosts"][0]["name"], "web1");
        // Once.
        let again = deliver(&store, &channels, ten() + minutes(600)).await.unwrap();
        assert_eq!((again, mail.taken().len(), hook.taken().len()), (Delivered::default(), 1, 1));
    });
}

#[test]
fn a_hook_that_never_answers_keeps_nobody_waiting_and_is_tried_again_later_and_later() {
    both(|store| async move {
        let answers = Arc::new(AtomicU16::new(0));
        let said = Arc::clone(&answers);
        let (silent, other) = (HookServer::start(move || said.load(Ordering::SeqCst)), HookServer::start(|| 200));
        let office = told(&store, &[&silent.url(), &other.url()]).await;
        let done = deliver(&store, &channels(None), ten()).await.unwrap();
        assert_eq!((done.delivered, done.failed.len(), other.taken().len()), (1, 1, 1));
        assert!(done.failed[0].1.contains("took longer than 1 s"), "{done:?}");
        // What is for it waits with the first, also what is put in later.
        Moved::state(1, "r2", "drifted", "fine").at(ten() + minutes(1)).add(&store).await;
        office.tick(&store, ten() + minutes(1)).await;
        let then = ten() + minutes(1);
        let done = deliver(&store, &channels(None), then).await.unwrap();
        assert_eq!((done.delivered, done.failed.len()), (1, 1), "one attempt for both");
        assert_eq!(
            deliver(&store, &channels(None), then + minutes(1)).await.unwrap(),
            Delivered::default(),
            "two minutes"
        );
        // By a program that was just started.
        answers.store(200, Ordering::SeqCst);
        let done = deliver(&store, &channels(None), then + minutes(2)).await.unwrap();
        assert_eq!(done.delivered, 2);
        let subjects: Vec<_> = silent.taken().into_iter().map(|(_, body)| body["subject"].clone()).collect();
        assert_eq!(subjects, ["web1 drifted: /etc/motd", "web1 is fine again"], "in order");
    });
}

#[test]
fn an_address_that_is_refused_is_given_up_after_five_attempts() {
    both(|store| async move {
        let gone = HookServer::start(|| 410);
        told(&store, &[&gone.url()]).await;
        let (mut now, mut attempts, mut dead) = (ten(), 0, Vec::new());
        let channels = channels(None);
        while dead.is_empty() {
            let done = deliver(&store, &channels, now).await.unwrap();
            attempts += done.failed.len() + done.dead.len();
            (now, dead) = (now + minutes(30), done.dead);
        }
        assert_eq!(attempts, 5);
        assert!(dead[0].1.contains("410"), "{dead:?}");
        assert_eq!(deliver(&store, &channels, now + minutes(6000)).await.unwrap(), Delivered::default());
        let row = sqlx::query("SELECT trouble, dead FROM outbox").fetch_one(store.pool()).await.unwrap();
        assert!(row.get::<String, _>("trouble").contains("410") && row.get::<i64, _>("dead") > 0);
    });
}

#[test]
fn what_was_given_up_is_tried_anew_with_all_the_attempts_of_a_new_message() {
    both(|store| async move {
        let answers = Arc::new(AtomicU16::new(410));
        let said = Arc::clone(&answers);
        let (gone, other) = (HookServer::start(move || said.load(Ordering::SeqCst)), HookServer::start(|| 410));
        told(&store, &[&gone.url(), &other.url()]).await;
        let channels = channels(None);
        let all = async |mut now: Timestamp| {
            let mut attempts = 0;
            while undelivered(&store).await.unwrap().iter().any(|notice| notice.next.is_some()) {
                let done = deliver(&store, &channels, now).await.unwrap();
                (attempts, now) = (attempts + done.failed.len() + done.dead.len(), now + minutes(30));
            }
            attempts
        };
        assert_eq!(all(ten()).await, 10, "five for each");
        let later = ten() + minutes(60 * 100);
        let id = undelivered(&store).await.unwrap().remove(0).id;
        let by = By::at_terminal("eva");
        assert_eq!(retry(&store, Some("nonsense"), by, later).await.unwrap(), 0);
        assert_eq!(retry(&store, Some(&id), by, later).await.unwrap(), 1);
        assert_eq!(retry(&store, Some(&id), by, later).await.unwrap(), 0, "it is not given up any more");
        assert_eq!(all(later).await, 5, "it is younger than its patience again");
        answers.store(200, Ordering::SeqCst);
        assert_eq!(retry(&store, None, by, later).await.unwrap(), 2);
        let done = deliver(&store, &channels, later).await.unwrap();
        assert_eq!((done.delivered, done.failed.len()), (1, 1));
        let rows = sqlx::query("SELECT author, address, action, object, outcome FROM actions ORDER BY at, object");
        let rows = rows.fetch_all(store.pool()).await.unwrap();
        let text = |row: &sqlx::any::AnyRow| (0..5).map(|n| row.get::<String, _>(n)).collect::<Vec<_>>().join(" ");
        let wanted = [format!("eva terminal retry {id} done"), "eva terminal retry all done".to_owned()];
        let mut written: Vec<String> = rows.iter().map(text).collect();
        written.sort_by_key(|line| line.contains(" all "));
        assert_eq!(written, wanted);
    });
}

#[test]
fn a_mail_server_that_is_down_for_a_day_loses_nothing_and_for_four_is_given_up() {
    both(|store| async move {
        let up = MailServer::start(|_| "250 ok");
        let mut down = up.settings();
        // Nobody can listen there.
        down.server = "127.0.0.1:0".into();
        let (up, down) = (channels(Some(&up.settings())), channels(Some(&down)));
        let office = told(&store, &["ops@example.org"]).await;
        let mut now = ten();
        for _ in 0..24 {
            let done = deliver(&store, &down, now).await.unwrap();
            assert_eq!((done.delivered, done.dead.len()), (0, 0), "{done:?}");
            now += minutes(60);
        }
        assert_eq!(deliver(&store, &up, now).await.unwrap().delivered, 1);
        Moved::state(1, "r2", "drifted", "fine").at(now).add(&store).await;
        office.tick(&store, now).await;
        let (mut attempts, begun) = (0, now);
        let dead = loop {
            let done = deliver(&store, &down, now).await.unwrap();
            attempts += done.failed.len();
            if !done.dead.is_empty() {
                break now;
            }
            now += minutes(60);
        };
        assert!((72..75).contains(&dead.duration_since(begun).as_hours()) && attempts > 60, "{attempts} {dead}");
    });
}

#[test]
fn two_servers_deliver_each_message_once() {
    both(|store| async move {
        let hook = HookServer::start(|| 200);
        let office = told(&store, &[&hook.url()]).await;
        for n in 1..30 {
            let at = ten() + minutes(n);
            Moved::state(1, "r", "fine", "failing").at(at).add(&store).await;
            office.tick(&store, at).await;
        }
        let delivered = Arc::new(AtomicUsize::new(0));
        let serve = |_| {
            let (store, delivered) = (store.clone(), Arc::clone(&delivered));
            tokio::spawn(async move {
                let done = deliver(&store, &channels(None), ten() + minutes(60)).await.unwrap();
                delivered.fetch_add(done.delivered, Ordering::SeqCst);
            })
        };
        for server in (0..4).map(serve).collect::<Vec<_>>() {
            server.await.unwrap();
        }
        let ids: std::collections::BTreeSet<String> = hook.taken().into_iter().map(|(id, _)| id).collect();
        assert_eq!((hook.taken().len(), ids.len(), delivered.load(Ordering::SeqCst)), (30, 30, 30));
    });
}

#[test]
fn what_a_server_took_and_never_finished_is_taken_up_after_its_lease() {
    both(|store| async move {
        let hook = HookServer::start(|| 200);
        told(&store, &[&hook.url()]).await;
        let mut due = outbox::due(&store, ten().as_microsecond()).await.unwrap();
        let lease = (ten() + minutes(5)).as_microsecond();
        let mut second = due[0].clone();
        assert!(outbox::claim(&store, &mut due[0], ten().as_microsecond(), lease).await.unwrap().is_some());
        assert!(outbox::claim(&store, &mut second, ten().as_microsecond(), lease).await.unwrap().is_none());
        // It died here.
        assert_eq!(deliver(&store, &channels(None), ten() + minutes(4)).await.unwrap().delivered, 0);
        assert_eq!(deliver(&store, &channels(None), ten() + minutes(5)).await.unwrap().delivered, 1);
        // One that wakes up late has no say any more.
        outbox::failed(&store, &due[0], "late", ten().as_microsecond(), None).await.unwrap();
        let row = sqlx::query("SELECT trouble, dead, delivered FROM outbox").fetch_one(store.pool()).await.unwrap();
        assert_eq!(row.get::<Option<String>, _>("trouble"), None);
        assert!(row.get::<Option<i64>, _>("dead").is_none() && row.get::<Option<i64>, _>("delivered").is_some());
    });
}

#[test]
fn operators_without_a_way_are_refused_at_the_start_and_owners_without_one_are_said() {
    both(|store| async move {
        let office = Bureau::new();
        let told = office.settings.check(&channels(None)).unwrap_err().to_string();
        assert!(told.contains("mailto:ops@example.org") && told.contains("[mail]"), "{told}");
        hosts(&store, &[("web1", &["alpha"])]).await;
        Moved::state(1, "r1", "fine", "drifted").add(&store).await;
        office.tick(&store, ten()).await;
        let done = deliver(&store, &channels(None), ten()).await.unwrap();
        assert!(done.failed.iter().all(|(_, why)| why.contains("add [mail]")) && done.failed.len() == 2, "{done:?}");
    });
}

#[test]
fn a_teller_tells_until_it_is_told_to_end_and_says_what_did_not_arrive() {
    both(|store| async move {
        let (hook, gone) = (HookServer::start(|| 200), HookServer::start(|| 404));
        hosts(&store, &[("web1", &[])]).await;
        let now = Timestamp::now();
        Moved::state(1, "r1", "fine", "drifted").at(now).add(&store).await;
        let bureau = Bureau::told_at(&[&hook.url(), &gone.url()]);
        let office = Office {
            settings: bureau.settings,
            people: bureau.people,
            templates: bureau.templates,
            channels: channels(None),
        };
        let (lines, said) = (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::new(tokio::sync::Notify::new()));
        let (kept, notify) = (Arc::clone(&lines), Arc::clone(&said));
        let say: Say = Arc::new(move |line: &str| {
            kept.lock().unwrap().push(line.to_owned());
            notify.notify_one();
        });
        let teller = Teller::new(store, Arc::new(crate::schedule::SystemClock), say, office);
        let (halt, halted) = tokio::sync::watch::channel(false);
        let running = tokio::spawn({
            let teller = teller.clone();
            async move { teller.run(halted).await }
        });
        said.notified().await;
        halt.send(true).unwrap();
        running.await.unwrap();
        let lines = lines.lock().unwrap().clone();
        assert!(
            lines[0].starts_with("http://127.0.0.1:") && lines[0].contains("tried again: the web hook answered 404"),
            "{lines:?}"
        );
        assert_eq!(hook.taken().len(), 1);
    });
}
