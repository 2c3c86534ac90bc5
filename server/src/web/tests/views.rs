//! What every view shows, and that nothing of it is taken for markup.

use super::{
    seed::{self, EVIL},
    site::Site,
};
use crate::web::answer::encoded;

/// Every view, with a word that it has to say.
fn views() -> Vec<(String, &'static str)> {
    let evil = encoded(EVIL);
    [
        ("/", "Groups"),
        ("/?by=host", "app0002.example.org"),
        ("/?by=host&q=bast", "bastion.example.org"),
        ("/?by=host&state=drifted&columns=all", "drifted"),
        ("/?by=host&group=bastion&owner=team1", "bastion.example.org"),
        ("/hosts/bastion.example.org", "The host moved"),
        ("/settings", "motd"),
        ("/settings/motd", "whom to call"),
        ("/settings/ssh.root", "Where hosts stand"),
        ("/settings/motd?mode=enforce", "bastion"),
        ("/runs", "running"),
        ("/runs?cause=schedule&mode=check&schedule=hourly", "hourly"),
        ("/runs/r-told", "no route to host"),
        ("/runs/r-live", "hosts are through"),
        ("/runs/r100001", "not on this machine"),
        ("/runs/r100001?state=drifted", "drifted"),
        ("/schedules", "hourly"),
        ("/schedules/hourly", "budget"),
        ("/schedules/nightly", "None yet"),
        ("/notices", "given up"),
        ("/notices?state=failing", "failing"),
        ("/actions", "read-only"),
    ]
    .into_iter()
    .map(|(path, word)| (path.to_owned(), word))
    .chain([
        (format!("/hosts/{evil}"), "held"),
        (format!("/settings/{evil}"), "off"),
        (format!("/?by=host&q={evil}"), "failing"),
    ])
    .collect()
}

#[tokio::test]
async fn every_view_says_what_it_is_about_and_escapes_what_hosts_say() {
    let site = Site::seeded().await;
    for (path, word) in views() {
        let answer = site.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.text.contains(word), "{path} lacks {word:?}: {}", answer.text);
        for markup in ["<script>", "<img", "<b>", "</pre><script", "onerror=alert(2)>", "\u{202e}", "\"'&\\u"] {
            assert!(!answer.text.contains(markup), "{path} has {markup:?}: {}", answer.text);
        }
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn a_hash_is_cut_to_what_tells_it_from_others() {
    let text = Site::seeded().await.get("/hosts/bastion.example.org").await.text;
    assert!(text.contains("sha256 0a0a0a0a0a0a<") && !text.contains(&"0a".repeat(7)), "{text}");
}

#[tokio::test]
async fn where_the_policy_moved_too_the_host_counts_as_drifted_once() {
    let row = Site::seeded().await.get("/?by=host&q=bast&columns=all").await.text;
    assert!(row.contains("2 drift</span>") && !row.contains("both"), "{row}");
}

#[tokio::test]
async fn a_host_that_nobody_looks_at_any_more_says_what_to_do() {
    let site = Site::seeded().await;
    let page = async || site.get("/hosts/bastion.example.org").await.text;
    assert!(!page().await.contains("rectify runs rename"));
    *site.clock.0.lock().unwrap() += 8 * 24 * seed::HOUR;
    let text = page().await;
    assert!(
        text.contains("<code>rectify runs rename OLD NEW</code>") && text.contains("rectify runs forget"),
        "{text}"
    );
}

#[tokio::test]
async fn a_secret_in_the_address_of_a_web_hook_is_not_shown() {
    let text = Site::seeded().await.get("/notices").await.text;
    assert!(text.contains("https://hooks.example.org/…") && !text.contains("T0KEN"), "{text}");
}

#[tokio::test]
async fn the_history_of_a_host_says_who_moved_what_has_been_corrected_since() {
    let text = Site::seeded().await.get("/hosts/bastion.example.org").await.text;
    let history = text.split("id=\"history\"").nth(1).unwrap().split("id=\"looks\"").next().unwrap();
    let corrected = history.split_once("/etc/motd  content is as wanted again").unwrap().1;
    let entry = corrected.split("</li>").next().unwrap();
    let said = "<dt>audit</dt><dd>2026-11-21 16:28 UTC, changed /etc/motd, by trudy, with /usr/bin/nano</dd>";
    assert!(entry.contains(said), "{entry}");
    assert!(entry.contains("(was drift)") && !history.contains("from fine to drift ("), "{history}");
    assert!(entry.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{entry}");
}
