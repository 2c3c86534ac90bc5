//! Who is told what, and how often.

use super::*;
use crate::store::testing::both;

const OPS: &str = "mailto:ops@example.org";
const ALPHA: &str = "mailto:alpha@example.org";

#[test]
fn the_same_on_many_hosts_is_one_message_and_owners_hear_of_their_own() {
    both(|store| async move {
        let office = Bureau::new();
        hosts(&store, &[("web1", &["alpha"]), ("web2", &["alpha"]), ("db1", &["beta"]), ("lone", &[])]).await;
        for (host, line) in [(1, "same"), (2, "same"), (3, "same"), (4, "other")] {
            Moved::state(host, "r1", "fine", "drifted").add(&store).await;
            Moved::item(host, "r1", "path:/etc/motd", line).add(&store).await;
        }
        assert_eq!(office.tick(&store, ten()).await, Told { transitions: 8, messages: 3 });
        let all = waiting(&store).await;
        let ops = &all[OPS][0];
        assert_eq!(ops.letter.subject, "4 hosts drifted");
        insta::assert_snapshot!("operators", ops.letter.text);
        let alpha = &all[ALPHA][0].letter;
        assert_eq!(alpha.subject, "2 hosts drifted: /etc/motd");
        assert!(alpha.text.contains("names \"alpha\" as the owner") && alpha.text.contains("+same"), "{}", alpha.text);
        for hidden in ["db1", "lone", "+other"] {
            assert!(!alpha.text.contains(hidden) && !alpha.html.contains(hidden), "{hidden}: {}", alpha.text);
        }
        let groups = ops.facts["notice"]["groups"].as_array().unwrap();
        assert_eq!((groups.len(), &groups[0]["hosts_total"]), (2, &serde_json::json!(3)));
        assert_eq!(groups[0]["kind"], "drifted");
        // Once.
        assert_eq!(office.tick(&store, ten() + minutes(5)).await, Told::default());
        assert_eq!(waiting(&store).await.values().map(Vec::len).sum::<usize>(), 3);
    });
}

#[test]
fn an_address_that_is_an_operators_and_an_owners_gets_one_message() {
    both(|store| async move {
        let office = Bureau::told_at(&["alpha@example.org", "stdout:"]);
        hosts(&store, &[("web1", &["alpha", "gamma"])]).await;
        Moved::state(1, "r1", "fine", "failing").add(&store).await;
        let look = "INSERT INTO looks (host, at, run, state, took, trouble) VALUES (1, 5, 'r1', 'failing', 1, 'apt is locked')";
        sqlx::query(look).execute(store.pool()).await.unwrap();
        assert_eq!(office.tick(&store, ten()).await.messages, 2);
        let all = waiting(&store).await;
        let told = &all[ALPHA][0];
        assert_eq!((told.name.as_str(), told.letter.subject.as_str()), ("operators", "web1 fails"));
        assert!(told.letter.text.contains("web1: apt is locked"), "{}", told.letter.text);
        assert!(told.letter.text.contains("gamma was not told of 1 transition"), "{}", told.letter.text);
        assert_ne!(told.id, all["stdout:"][0].id, "each address has an id of its own");
    });
}

#[test]
fn two_servers_tell_nobody_twice() {
    both(|store| async move {
        hosts(&store, &[("web1", &["alpha"])]).await;
        Moved::state(1, "r1", "fine", "unreachable").add(&store).await;
        let one = |_| {
            let store = store.clone();
            tokio::spawn(async move { Bureau::new().tick(&store, ten()).await.messages })
        };
        let mut messages = 0;
        for told in (0..6).map(one).collect::<Vec<_>>() {
            messages += told.await.unwrap();
        }
        assert_eq!(messages, 2, "the operators and alpha");
    });
}

#[test]
fn policy_that_waits_holds_and_first_looks_are_nobodys_news() {
    both(|store| async move {
        let office = Bureau::new();
        hosts(&store, &[("web1", &["alpha"])]).await;
        for (old, new) in
            [("new", "fine"), ("fine", "pending"), ("pending", "fine"), ("fine", "held"), ("held", "fine")]
        {
            Moved::state(1, "r1", old, new).add(&store).await;
        }
        assert_eq!(office.tick(&store, ten()).await, Told { transitions: 5, messages: 0 });
    });
}

#[test]
fn what_was_corrected_is_not_said_to_be_fine_too() {
    both(|store| async move {
        let office = Bureau::new();
        hosts(&store, &[("web1", &[]), ("web2", &[]), ("web3", &[]), ("web4", &[])]).await;
        let corrected = |host, old| {
            let states = (old, "fine");
            Moved { kind: "corrected", states, ..Moved::item(host, "r2", "path:/etc/motd", "x") }
        };
        corrected(1, "drift").add(&store).await;
        Moved::state(1, "r2", "drifted", "fine").add(&store).await;
        Moved::state(2, "r2", "unreachable", "fine").add(&store).await;
        // What an operator has just applied, and what had drifted before it was lost.
        corrected(3, "pending").add(&store).await;
        Moved::state(3, "r2", "pending", "fine").add(&store).await;
        Moved::state(4, "r2", "unreachable", "drifted").add(&store).await;
        office.tick(&store, ten()).await;
        assert_eq!(subjects(&store, OPS).await, ["web1 was corrected, web2 is fine again, web4 recovered"]);
    });
}

#[test]
fn a_host_that_had_drifted_and_moves_further_is_told_of() {
    both(|store| async move {
        let office = Bureau::new();
        hosts(&store, &[("web1", &[])]).await;
        Moved::item(1, "r2", "unit:ssh.service", "stopped").add(&store).await;
        office.tick(&store, ten()).await;
        assert_eq!(subjects(&store, OPS).await, ["web1 drifted: unit ssh.service"]);
        // The same thing once more: that it is not as wanted is known.
        Moved { states: ("drift", "drift"), ..Moved::item(1, "r3", "unit:ssh.service", "failed") }.add(&store).await;
        assert_eq!(office.tick(&store, ten() + minutes(5)).await.messages, 0);
        let untold = sqlx::query("SELECT COUNT(*) FROM transitions WHERE told IS NULL").fetch_one(store.pool()).await;
        assert_eq!(untold.unwrap().get::<i64, _>(0), 0, "and it waits for nothing");
    });
}

#[test]
fn at_once_is_at_most_once_a_minute_and_a_digest_waits_for_its_time() {
    both(|store| async move {
        let mut office = Bureau::new();
        hosts(&store, &[("web1", &[])]).await;
        let now = ten();
        Moved::state(1, "r1", "fine", "drifted").add(&store).await;
        assert_eq!(office.tick(&store, now).await.messages, 1);
        Moved::state(1, "r2", "drifted", "fine").at(now + minutes(1)).add(&store).await;
        assert_eq!(office.tick(&store, now + SignedDuration::from_secs(59)).await, Told::default());
        assert_eq!(office.tick(&store, now + minutes(1)).await.messages, 1);
        // A clock that was put back silences nobody.
        Moved::state(1, "r3", "fine", "drifted").at(now - minutes(60)).add(&store).await;
        assert_eq!(office.tick(&store, now - minutes(60)).await.messages, 1);
        office.settings.digest = Some("1h".parse().unwrap());
        let later = now + minutes(70);
        for run in ["r4", "r5"] {
            Moved::state(1, run, "fine", "failing").at(later).add(&store).await;
        }
        assert_eq!(office.tick(&store, later).await.messages, 1, "it was due at eleven");
        Moved::state(1, "r6", "failing", "fine").at(later + minutes(1)).add(&store).await;
        assert_eq!(office.tick(&store, later + minutes(49)).await, Told::default());
        assert_eq!(office.tick(&store, later + minutes(50)).await.messages, 1, "twelve o'clock");
        // A full hour on which there is nothing to tell is over all the same.
        office.tick(&store, later + minutes(110)).await;
        Moved::state(1, "r7", "fine", "failing").at(later + minutes(111)).add(&store).await;
        assert_eq!(office.tick(&store, later + minutes(111)).await, Told::default());
    });
}

#[test]
fn flapping_is_said_once_then_nothing_until_it_was_quiet() {
    both(|store| async move {
        let office = Bureau::new();
        hosts(&store, &[("web1", &["alpha"]), ("web2", &[])]).await;
        let mut now = ten();
        let flapping = |run, old, new| Moved { kind: "flapping", ..Moved::state(1, run, old, new) };
        Moved::state(1, "r1", "fine", "drifted").add(&store).await;
        flapping("r1", "quiet", "flapping").add(&store).await;
        office.tick(&store, now).await;
        let said = ["web1 is flapping"];
        assert_eq!(subjects(&store, OPS).await, said);
        assert_eq!(subjects(&store, ALPHA).await, said);
        for run in ["r2", "r3"] {
            now += minutes(10);
            Moved::state(1, run, "drifted", "fine").at(now).add(&store).await;
            assert_eq!(office.tick(&store, now).await, Told { transitions: 1, messages: 0 }, "silence");
        }
        now += minutes(10);
        Moved::state(2, "r4", "fine", "drifted").at(now).add(&store).await;
        assert_eq!(office.tick(&store, now).await.messages, 1, "others are told of as before");
        now += minutes(24 * 60);
        flapping("r5", "flapping", "quiet").at(now).add(&store).await;
        office.tick(&store, now).await;
        assert_eq!(subjects(&store, ALPHA).await, ["web1 is flapping", "web1 is quiet again"]);
        now += minutes(10);
        Moved::state(1, "r6", "fine", "drifted").at(now).add(&store).await;
        assert_eq!(office.tick(&store, now).await.messages, 2, "it is told of again");
    });
}

#[test]
fn what_comes_from_hosts_is_shown_and_never_obeyed_nor_without_end() {
    both(|store| async move {
        let office = Bureau::new();
        let evil = "<script>alert(1)</script>\u{1b}[2J\r\nBcc: x@evil\u{202e}{{ 7 * 7 }}";
        let names: Vec<String> = (0..300).map(|n| format!("h{n:03}{evil}")).collect();
        let all: Vec<(&str, &[&str])> = names.iter().map(|n| (n.as_str(), &[][..])).collect();
        hosts(&store, &all).await;
        for host in 1..=300 {
            Moved::state(host, "r1", "fine", "drifted").add(&store).await;
            let long = if host <= 60 { format!("{host}{}", "x".repeat(10_000)) } else { evil.to_owned() };
            Moved::item(host, "r1", evil, &long).by(&format!("{evil}{}", long.repeat(3)), host).add(&store).await;
        }
        office.tick(&store, ten()).await;
        let told = &waiting(&store).await[OPS][0];
        let letter = &told.letter;
        assert!(letter.subject.chars().count() <= 150 && !letter.subject.contains(['\n', '\r']), "{}", letter.subject);
        for harmful in ['\u{1b}', '\u{202e}', '\r'] {
            assert!(
                !letter.text.contains(harmful) && !letter.html.contains(harmful) && !letter.subject.contains(harmful)
            );
        }
        assert!(!letter.html.contains("<script>") && letter.html.contains("&lt;script&gt;"));
        assert!(letter.text.contains("{{ 7 * 7 }}"), "what a host says is no template");
        assert!(letter.text.contains("And 21 more of this kind"), "{}", &letter.text[letter.text.len() - 300..]);
        let size = serde_json::json!(told).to_string().len();
        assert!(size < 1_000_000, "{size} bytes");
    });
}

#[test]
fn a_round_that_was_stopped_and_a_configuration_that_is_wrong_are_told_once() {
    both(|store| async move {
        let office = Bureau::new();
        let add = "INSERT INTO rounds (id, schedule, due, state, why, ended) VALUES ($1, 'nightly', $2, $3, $4, $2)";
        let why = "60 of 100 hosts would be corrected, and the budget is 25 %";
        for (id, at, state) in [
            ("nightly@1", ten(), "stopped"),
            ("nightly@2", ten(), "done"),
            ("nightly@0", ten() - minutes(60 * 72), "stopped"),
        ] {
            let add = sqlx::query(add).bind(id.to_owned()).bind(at.as_microsecond()).bind(state.to_owned());
            add.bind(why.to_owned()).execute(store.pool()).await.unwrap();
        }
        for _ in 0..2 {
            office.tick(&store, ten()).await;
            let (key, text) = ("reload/1", "rectify.toml: line 3: `cron` is no expression\nThe old one stays.");
            alarm(&store, &office.desk(), key, "The configuration is wrong", text, ten()).await.unwrap();
        }
        let all = waiting(&store).await;
        assert_eq!(subjects(&store, OPS).await, ["Schedule nightly stopped", "The configuration is wrong"]);
        assert!(all[OPS][0].letter.text.contains(&format!("nightly@1: {why}")), "{}", all[OPS][0].letter.text);
        assert!(all[OPS][1].letter.html.contains("<p>The old one stays.</p>"), "{}", all[OPS][1].letter.html);
        assert_eq!(all.len(), 1, "operators alone");
    });
}

#[test]
fn what_happened_long_ago_is_told_to_nobody() {
    both(|store| async move {
        let office = Bureau::new();
        hosts(&store, &[("web1", &[])]).await;
        Moved::state(1, "r1", "fine", "drifted").at(ten() - minutes(60 * 49)).add(&store).await;
        assert_eq!(office.tick(&store, ten()).await, Told::default());
        assert_eq!(office.tick(&store, ten() + minutes(2)).await, Told::default());
    });
}

#[test]
fn who_hears_of_what_can_be_chosen() {
    both(|store| async move {
        let mut office = Bureau::new();
        office.settings.only.owners = Some([Kind::Failing].into());
        office.settings.only.operators = Some([Kind::Drifted].into());
        hosts(&store, &[("web1", &["alpha"]), ("web2", &["alpha"])]).await;
        Moved::state(1, "r1", "fine", "drifted").add(&store).await;
        Moved::state(2, "r1", "fine", "failing").add(&store).await;
        office.tick(&store, ten()).await;
        assert_eq!(subjects(&store, OPS).await, ["web1 drifted"]);
        assert_eq!(subjects(&store, ALPHA).await, ["web2 fails"]);
    });
}

#[test]
fn a_template_that_cannot_be_used_keeps_nothing_from_people() {
    both(|store| async move {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notice.txt"), "{{ no_such_thing }}").unwrap();
        let office = Bureau { templates: Templates::load(Some(folder.path())).unwrap(), ..Bureau::new() };
        hosts(&store, &[("web1", &[])]).await;
        Moved::state(1, "r1", "fine", "drifted").add(&store).await;
        office.tick(&store, ten()).await;
        let text = &waiting(&store).await[OPS][0].letter.text;
        assert!(text.contains("web1 drifted") && text.contains("cannot be used: the template notice.txt"), "{text}");
    });
}
