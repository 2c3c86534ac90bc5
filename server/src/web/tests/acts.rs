//! What operators do: each action is written down, then done, and says what became of it.

use axum::http::StatusCode;
use sqlx::AssertSqlSafe;

use super::{
    people::{Browser, closed, field, log, server},
    seed,
    site::Site,
};
use crate::{
    rollouts,
    schedule::{Ask, Item},
    web::WebSettings,
};

const HOST: &str = "/hosts/bastion.example.org";

async fn change(site: &Site, sql: &str) {
    let mut write = site.store.write().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
}

#[tokio::test]
async fn an_operator_looks_holds_and_releases() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    let page = eva.get(&site, HOST).await;
    assert!(page.text.contains("Check now") && page.text.contains("<option>hourly</option>"), "{}", page.text);
    let name = "bastion.example.org".to_owned();
    for (path, fields, told) in [
        ("check", &[("schedule", "hourly")][..], "The check is begun"),
        ("hold", &[("hours", "2"), ("reason", "we look for something")], "The host is held"),
        ("release", &[], "The hold is ended"),
    ] {
        let answer = eva.post(&site, &format!("{HOST}/{path}"), fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text);
        let next = eva.get(&site, answer.header("location")).await;
        assert!(next.text.contains(told), "{path}: {}", next.text);
    }
    let answer = eva.post(&site, "/schedules/hourly/check", &[]).await;
    assert_eq!(answer.header("location"), "/schedules/hourly?told=check");
    let until = jiff::Timestamp::from_microsecond(seed::now() + 2 * seed::HOUR).unwrap();
    let by_eva = |ask: Ask| ("eva".to_owned(), ask);
    assert_eq!(
        *asked.lock().unwrap(),
        [
            by_eva(Ask::CheckHost { schedule: "hourly".into(), host: name.clone() }),
            by_eva(Ask::Hold { host: name.clone(), until, reason: "we look for something".into() }),
            by_eva(Ask::Release { host: name }),
            by_eva(Ask::Check { schedule: "hourly".into() }),
        ]
    );
    let mut log = log(&site).await;
    log.sort();
    assert_eq!(
        log,
        [
            "eva check bastion.example.org done",
            "eva check hourly done",
            "eva hold bastion.example.org done",
            "eva login page done",
            "eva release bastion.example.org done",
        ]
    );
    let shown = eva.get(&site, "/actions").await;
    assert!(shown.text.contains("we look for something") && shown.text.contains("127.0.0.1"), "{}", shown.text);
}

#[tokio::test]
async fn what_was_seen_is_corrected_and_nothing_else() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    let page = eva.get(&site, &format!("{HOST}/correct?setting=motd")).await;
    assert!(page.text.contains("+Call 112 when it burns.") && page.text.contains("0644"), "{}", page.text);
    assert!(!page.text.contains("package curl") && !page.text.contains("user deploy"), "another setting's");
    let digest = field(&page.text, "digest").unwrap();
    let fields = [("schedule", "hourly"), ("setting", "motd"), ("digest", digest.as_str())];

    // It moves between the look and the click.
    change(
        &site,
        "UPDATE items SET seen = '0777' WHERE host = 900001 AND thing = 'path:/etc/motd' AND property = 'mode'",
    )
    .await;
    let answer = eva.post(&site, &format!("{HOST}/correct"), &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("Nothing was done") && asked.lock().unwrap().is_empty());
    assert!(log(&site).await.iter().any(|line| line == "eva refused /hosts/bastion.example.org/correct refused"));

    // What is shown now has a digest of its own; one for another setting or another host is of no use.
    let digest = field(&answer.text, "digest").unwrap();
    for (path, setting) in [(HOST, "users"), ("/hosts/web0001.example.org", "motd")] {
        let fields = [("schedule", "hourly"), ("setting", setting), ("digest", digest.as_str())];
        assert_eq!(eva.post(&site, &format!("{path}/correct"), &fields).await.status, StatusCode::CONFLICT, "{path}");
    }
    let fields = [("schedule", "hourly"), ("setting", "motd"), ("digest", digest.as_str())];
    let answer = eva.post(&site, &format!("{HOST}/correct"), &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let text = |t: &str| Some(t.to_owned());
    let item = |property: &str, seen: &str, wanted: &str| Item {
        thing: "path:/etc/motd".into(),
        property: property.into(),
        seen: text(seen),
        wanted: text(wanted),
    };
    let items = vec![item("content", "sha256:aa", "sha256:bb"), item("mode", "0777", "0644")];
    let wanted = Ask::Correct { schedule: "hourly".into(), host: "bastion.example.org".into(), items };
    assert_eq!(*asked.lock().unwrap(), [("eva".to_owned(), wanted)]);
}

#[tokio::test]
async fn a_message_that_was_given_up_is_tried_anew() {
    let (site, _asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    let page = eva.get(&site, "/notices?state=given%20up").await.text;
    assert!(page.contains("mailbox gone") && page.contains("action=\"/notices/x3/retry\""), "{page}");
    assert!(!page.contains("/notices/retry"), "one has a button of its own, and needs none for all");
    let answer = eva.post(&site, "/notices/x3/retry", &[]).await;
    assert_eq!(answer.header("location"), "/notices?told=retry", "{}", answer.text);
    let page = eva.get(&site, "/notices?told=retry").await.text;
    assert!(page.contains("It is tried anew") && !page.contains("x3/retry"), "{page}");
    for path in ["/notices/x3/retry", "/notices/x1/retry", "/notices/none/retry", "/notices/retry"] {
        assert_eq!(eva.post(&site, path, &[]).await.status, StatusCode::CONFLICT, "{path}");
    }
    assert!(log(&site).await.contains(&"eva retry x3 done".to_owned()));
    change(&site, "UPDATE outbox SET dead = 5 WHERE id IN ('x2', 'x3')").await;
    assert!(eva.get(&site, "/notices").await.text.contains("Try all 2 anew"));
    assert_eq!(eva.post(&site, "/notices/retry", &[]).await.status, StatusCode::SEE_OTHER);
    assert!(log(&site).await.contains(&"eva retry all done".to_owned()));
    let mut tom = Browser::of(&site, "tom").await;
    change(&site, "UPDATE outbox SET dead = 5 WHERE id IN ('x2', 'x3')").await;
    assert!(!tom.get(&site, "/notices").await.text.contains("/retry"), "readers have no buttons");
}

#[tokio::test]
async fn what_the_server_refuses_is_said_and_written_down() {
    let (commands, asked) = server(Some("outside the maintenance hours (daily 22:00 to 04:00 UTC)"));
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, super::people::accounts()).unwrap();
    let site = Site::new(WebSettings { users: Some(users), ..WebSettings::default() }, Some(commands)).await;
    seed::stories(&site.store).await;
    let mut eva = Browser::of(&site, "eva").await;
    let answer = eva.post(&site, &format!("{HOST}/check"), &[("schedule", "hourly")]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("outside the maintenance hours"), "{}", answer.text);
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert!(log(&site).await.contains(&"eva check bastion.example.org refused".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    change(&site, "DROP TABLE actions").await;
    let answer = eva.post(&site, &format!("{HOST}/check"), &[("schedule", "hourly")]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_objection_stands_in_the_journal() {
    let (site, _asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    let page = eva.get(&site, "/settings/motd").await;
    assert!(page.text.contains("<option>team1</option>"), "{}", page.text);
    for (owner, reason) in [("nobody", "because"), ("team1", ""), ("", "because")] {
        let answer = eva.post(&site, "/settings/motd/object", &[("owner", owner), ("reason", reason)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{owner} {reason}");
    }
    let unknown = eva.post(&site, "/settings/none/object", &[("owner", "team1"), ("reason", "r")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let answer =
        eva.post(&site, "/settings/motd/object", &[("owner", "team1"), ("reason", "our pager <b>reads</b> it")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let page = eva.get(&site, answer.header("location")).await;
    assert!(page.text.contains("our pager &#60;b&#62;reads"), "{}", page.text);
    let journal = rollouts::Store::beside(&site.folder().join("rollouts.yml"), "test").journal().unwrap();
    assert_eq!(journal.records().len(), 1);
    assert_eq!(journal.records()[0].by, "eva");
    assert!(log(&site).await.contains(&"eva object motd done".to_owned()));
}
