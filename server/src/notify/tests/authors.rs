//! Who did it, where that is known.

use super::*;
use crate::store::testing::both;

const OPS: &str = "mailto:ops@example.org";
const MOTD: &str = "path:/etc/motd";

async fn told(store: &Store) -> Message {
    Bureau::new().tick(store, ten()).await;
    waiting(store).await.remove(OPS).unwrap().remove(0)
}

#[test]
fn one_line_says_who_made_a_change_and_nothing_is_said_where_nobody_knows() {
    both(|store| async move {
        hosts(&store, &[("web1", &[])]).await;
        Moved::state(1, "r1", "fine", "drifted").add(&store).await;
        Moved::item(1, "r1", MOTD, "x").by("alice", 30).add(&store).await;
        // Long before the last look that did not see it.
        Moved::item(1, "r1", "path:/etc/issue", "y").by("carol", 300).add(&store).await;
        let nothing = Some(serde_json::json!([{"source": "audit", "what": "this host has no audit log"}]));
        Moved { who: nothing, ..Moved::item(1, "r1", "path:/etc/hosts", "z") }.add(&store).await;
        let said = told(&store).await;
        insta::assert_snapshot!("who", said.letter.text);
        let html = &said.letter.html;
        assert!(html.contains("<p class=\"quiet\">audit: changed it, by alice, with"), "{html}");
        for silent in ["carol", "no audit log"] {
            assert!(!html.contains(silent), "{html}");
        }
        let changes = &said.facts["notice"]["groups"][0]["changes"];
        let who = &changes[0]["who"][0];
        assert_eq!((&who["account"], &who["at"]), (&"alice".into(), &"2027-03-01T09:30:00Z".into()), "{who}");
        assert_eq!((&changes[0]["thing"], &changes[1]["who"]), (&MOTD.into(), &serde_json::json!([])));
    });
}

#[test]
fn the_same_change_by_different_people_is_one_paragraph_that_names_hosts_only_where_they_differ() {
    both(|store| async move {
        let all: Vec<String> = (1..=12).map(|n| format!("web{n:02}")).collect();
        hosts(&store, &all.iter().map(|name| (name.as_str(), &[][..])).collect::<Vec<_>>()).await;
        for host in 1..=12 {
            let moved = Moved::item(host, "r1", MOTD, "same");
            // Three by alice, eight at other times, and one of which nothing is known.
            match host {
                1..=3 => moved.by("alice", 30),
                12 => moved,
                _ => moved.by("alice", 30 - host),
            }
            .add(&store)
            .await;
            Moved::item(host, "r1", "path:/etc/issue", "same").by("bob", 20).add(&store).await;
        }
        let said = told(&store).await;
        assert_eq!(said.letter.subject, "12 hosts drifted: /etc/motd and 1 more");
        assert_eq!(said.facts["notice"]["groups"].as_array().unwrap().len(), 1, "one paragraph");
        insta::assert_snapshot!("whom", said.letter.text);
        let motd = &said.facts["notice"]["groups"][0]["changes"][0];
        assert_eq!(
            (&motd["who"][0]["hosts"], &motd["who_more"]),
            (&serde_json::json!(["web01", "web02", "web03"]), &4.into())
        );
    });
}

#[test]
fn who_had_done_it_is_said_of_a_correction_too() {
    both(|store| async move {
        hosts(&store, &[("web1", &[])]).await;
        let corrected = Moved { kind: "corrected", states: ("drift", "fine"), ..Moved::item(1, "r2", MOTD, "x") };
        corrected.by("alice", 30).add(&store).await;
        let said = told(&store).await.letter.text;
        assert!(said.contains("\n  audit: changed it, by alice, with /usr/bin/vim, 2027-03-01 09:30 UTC\n"), "{said}");
    });
}
