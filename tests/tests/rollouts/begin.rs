//! March: who asks for it has it, and everybody is told of the day.

use std::collections::BTreeSet;

use crate::world::{PLAYBOOK, World};
use rectify_tests::mailbox::{Mail, read};

/// Only the host that asked for it changes; what would happen later can be looked at and leaves no trace.
pub(crate) fn opt_in(world: &mut World) {
    world.at("2027-03-02 08:00");
    world.says(
        "apply",
        0,
        &["opted in", "opt-in (not asked for)", "skipped until 2027-04-12 by beta: a scanner reads the old text"],
    );
    assert_eq!(world.noticed(), BTreeSet::from(["web1"]));
    let ahead = world.says("check --as-of 2027-03-30", 2, &["opt-out 50%", "its turn comes with `opt-out`"]);
    assert!(!ahead.contains("was not told"), "{ahead}");
    world.says("check --stage login-notice=mandatory", 2, &["mandatory: skip ignored"]);
    assert_eq!(world.noticed(), BTreeSet::from(["web1"]));
    assert!(world.journal().is_empty());
}

/// Every owner is told of their own hosts, once, however often it takes. Returns the letter to gamma.
pub(crate) fn announcement(world: &mut World) -> String {
    world.at("2027-03-08 09:00");
    world.says(
        "rollout advance login-notice",
        3,
        &[
            "stays at `opt-in`",
            "alpha was not told: web2",
            "beta was not told: db1, db2",
            "gamma was not told: app1, app2",
        ],
    );
    world.says("announce login-notice --preview", 0, &["To: alpha <alpha@example.org>", "nothing was sent"]);
    assert!(world.server.taken().is_empty() && world.journal().is_empty());

    world.server.rules("refuse gamma@example.org\n");
    world.says(
        "announce login-notice",
        3,
        &["failed gamma <gamma@example.org>", "no such mailbox", "2 messages sent, 1 failed"],
    );
    let mails = world.server.taken();
    assert_eq!(to(&mails), ["alpha", "beta"]);
    letters(&mails);
    world.at("2027-03-08 09:10").server.rules("later gamma@example.org\n");
    world.says("announce login-notice", 3, &["delivered before alpha", "try again later", "0 messages sent, 1 failed"]);
    assert!(world.server.taken().is_empty());
    world.says(
        "rollout advance login-notice",
        3,
        &["the announcement to gamma has not reached mailto:gamma@example.org"],
    );
    world.at("2027-03-08 09:20").server.rules("");
    world.says(
        "announce login-notice",
        0,
        &["delivered before alpha", "delivered before beta", "1 message sent, 0 failed"],
    );
    let last = world.server.taken();
    assert_eq!(to(&last), ["gamma"]);
    about(&last[0], "gamma", "app1", &["web", "db"]);
    assert!(last[0].parts().0.contains("Where:  app1\n"), "app2 skips it: {:?}", last[0]);
    assert!(last[0].parts().0.contains("skipped: app2 until 2027-12-31 (a test compares it)"), "{:?}", last[0]);
    world.says("announce login-notice", 0, &["0 messages sent, 0 failed"]);
    assert!(world.server.taken().is_empty());
    let counts = ["announced", "failed", "delivered"].map(|kind| world.count(kind));
    assert_eq!(counts, [3, 2, 3], "one line for each message, and one for each attempt");

    world.at("2027-03-08 09:30");
    world.says("rollout advance login-notice", 0, &["has reached `announced` (before: `opt-in`)"]);
    pages(world);
    last[0].parts().0.to_owned()
}

/// To whom these mails went, by owner.
pub(crate) fn to(mails: &[Mail]) -> Vec<&str> {
    let owner = |mail: &Mail| mail.envelope.iter().map(String::len).sum::<usize>();
    assert!(mails.iter().all(|mail| mail.envelope.len() == 1 && owner(mail) > 0), "{mails:?}");
    mails.iter().map(|mail| mail.envelope[0].strip_suffix("@example.org").unwrap()).collect()
}

/// What every letter of an owner says: their host, and nobody else's.
fn about(mail: &Mail, owner: &str, host: &str, others: &[&str]) {
    let (text, html) = mail.parts();
    assert_eq!(mail.header("to"), format!("{owner} <{owner}@example.org>"));
    for part in [text, html] {
        for words in [host, "2027-03-29", "-Debian GNU/Linux 12", "+Authorised use only.", "until: 2027-09-25", "--as"]
        {
            assert!(part.contains(words), "{words}: {part}");
        }
        for other in others {
            assert!(!part.contains(&format!("{other}1")) && !part.contains(&format!("{other}2")), "{other}: {part}");
        }
    }
}

fn letters(mails: &[Mail]) {
    about(&mails[0], "alpha", "web2", &["db", "app"]);
    about(&mails[1], "beta", "db1", &["web", "app"]);
    let (alpha, beta) = (mails[0].parts().0, mails[1].parts().0);
    assert!(alpha.contains("nothing changes on: web1"), "it has it already: {alpha}");
    assert!(beta.contains("skipped: db2 until 2027-04-12 (a scanner reads the old text)"), "{beta}");
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!(ids.len(), 2);
    for mail in mails {
        assert_eq!(mail.header("subject"), "Your hosts change on 2027-03-29: Whoever logs in reads who may");
        assert_eq!(mail.header("list-id"), "<rollouts.example.org>");
        assert_eq!(mail.header("auto-submitted"), "auto-generated");
        assert!(mail.header("date").starts_with("Mon, 08 Mar 2027 09:00"), "{}", mail.header("date"));
        assert!(mail.header("in-reply-to").is_empty() && mail.header("references").is_empty());
        assert!(mail.header("message-id").ends_with("@example.org>"), "{}", mail.header("message-id"));
    }
}

/// Feed and calendar, as other programs read them.
fn pages(world: &World) {
    let feed = read("feed", &world.path("pages/feed.atom"));
    assert!(feed["version"] == "atom10" && feed["broken"] == false, "{feed}");
    assert_eq!(feed["entries"].as_array().unwrap().len(), 1, "{feed}");
    let entry = &feed["entries"][0];
    assert_eq!(entry["title"], "Whoever logs in reads who may is announced: `opt-out 50%` on 2027-03-29");
    assert_eq!(entry["link"], "https://changes.example.org/login-notice.html");
    let calendar = read("calendar", &world.path("pages/calendar.ics"));
    assert_eq!(calendar["errors"], serde_json::json!([]));
    let events = calendar["events"].as_array().unwrap();
    let days: Vec<&str> = events.iter().map(|event| event["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2027-03-08", "2027-03-29", "2027-04-05", "2027-05-10"]);
    assert_eq!(events[3]["summary"], "mandatory: Whoever logs in reads who may");
    for page in ["index.html", "login-notice.html", "login-notice.md"] {
        let text = std::fs::read_to_string(world.path("pages").join(page)).unwrap();
        assert!(text.contains("Whoever logs in reads who may"), "{text}");
        assert!(
            ["web1", "db1", "app1"].iter().all(|host| !text.contains(host)),
            "whose hosts change is told to owners: {text}"
        );
    }
}

/// Tasks that were edited are not those of which people were told.
pub(crate) fn what_was_announced_is_what_counts(world: &mut World) {
    world.at("2027-03-10 09:00").write("site.yml", &PLAYBOOK.replace("use only", "use only, for now"));
    world.says("rollout status", 0, &["what beta was told has changed since: the announcement is void: db1"]);
    world.write("site.yml", PLAYBOOK);
    let whole = world.says("rollout status", 0, &["next: `opt-out 50%`, which lacks:"]);
    assert!(!whole.contains("void"), "{whole}");
}
