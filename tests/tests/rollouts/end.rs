//! To the last stage: a crash, a skip that ends, and a step that does not wait.

use std::collections::BTreeSet;

use crate::begin::to;
use crate::world::{ID, World};

/// The program dies between two mails, while somebody else writes into the journal: nobody is told twice, and nobody is left out.
pub(crate) fn a_crash_between_two_mails(world: &mut World) {
    world.at("2027-04-21 09:00").server.rules("silent beta@example.org\n");
    let mut child = world.start("announce login-notice");
    world.server.wait_for_silence(&mut child);
    world.says("rollout object login-notice --as gamma --reason | app2 still compares", 0, &["does not advance"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(to(&world.server.taken()), ["alpha"]);
    world.server.rules("");
    world.says("announce login-notice", 0, &["delivered before alpha", "2 messages sent, 0 failed"]);
    let rest = world.server.taken();
    assert_eq!(to(&rest), ["beta", "gamma"]);
    // Thirty days from now: the step is dated earlier.
    assert_eq!(rest[0].header("subject"), "Nothing changes on your hosts on 2027-05-21: Whoever logs in reads who may");
    assert_eq!(rest[1].header("subject"), "Your hosts change on 2027-05-21: Whoever logs in reads who may");
    world.says("announce login-notice", 0, &["0 messages sent, 0 failed"]);
    assert!(world.server.taken().is_empty());
    assert_eq!(world.objections().len(), 1, "what somebody else wrote meanwhile is there");
    world.says("rollout status", 0, &["gamma objects: app2 still compares"]);
}

/// A skip that has ended holds for a week more and says so; then it is as if it were not there.
pub(crate) fn a_skip_expires(world: &mut World) {
    let with_all_but_skips = BTreeSet::from(["web1", "web2", "db1", "app1"]);
    world.at("2027-04-13 08:00");
    world.says("apply", 2, &["finding:", "the skip of login-notice by beta expired on 2027-04-12", "in grace"]);
    assert_eq!(world.noticed(), with_all_but_skips);
    world.at("2027-04-20 08:00");
    world.says("apply", 2, &["it counts no more: remove it", "skipped until 2027-12-31 by gamma"]);
    assert_eq!(world.noticed(), BTreeSet::from(["web1", "web2", "db1", "db2", "app1"]));
}

/// The last stage before the notice period is over: only with a reason, which everybody reads; a skip is ignored then.
pub(crate) fn forced_to_be_mandatory(world: &mut World) {
    world.at("2027-05-11 08:00");
    let id = world.objections().pop().unwrap();
    world.says(&format!("rollout answer {} | it has been changed", &id[..20]), 0, &["is answered"]);
    world.run("check");
    let lacks = "gamma was told too recently: not before 2027-05-21T09:00:";
    let refused = world.says("rollout advance login-notice", 3, &["stays at `opt-out`", lacks]);
    assert_eq!(refused.matches("\n  - ").count(), 1, "its day has come, and nothing else is lacking: {refused}");
    world.says("rollout advance login-notice --force |  ", 5, &["--force is empty"]);
    assert_eq!(world.count("advance"), 3);
    let said = ["forced: advisory 2027-4242", &format!("although: {lacks}")];
    world.says("rollout advance login-notice --force | advisory 2027-4242", 0, &said);
    let last = world.journal().pop().unwrap();
    assert!(last["forced"] == "advisory 2027-4242" && last["to"] == "mandatory", "{last}");
    assert_eq!(last["hosts"].as_object().unwrap().keys().collect::<Vec<_>>(), ["app2"]);

    world.at("2027-05-11 08:10");
    world.says("announce login-notice", 0, &["3 messages sent, 0 failed"]);
    let mails = world.server.taken();
    assert_eq!(to(&mails), ["alpha", "beta", "gamma"]);
    for mail in &mails {
        let (text, html) = mail.parts();
        let said = "This step was taken before its conditions were met: advisory 2027-4242";
        assert!(text.contains(said) && html.contains(said), "{text}");
    }
    world.says("announce login-notice", 5, &["no setting has a step to announce"]);

    world.says("apply", 2, &["mandatory: skip ignored", "the skip of gamma is ignored"]);
    assert_eq!(world.noticed().len(), 6);
    world.says("check", 2, &["the skip of gamma is ignored"]);
    let text = std::fs::read_to_string(world.path("pages/calendar.ics")).unwrap();
    assert!(!text.contains("VEVENT"), "nothing is to come: {text}");
}

/// Everybody's line is in the journal, whole and once.
pub(crate) fn many_write_at_once(world: &mut World) {
    let before = world.journal().len();
    let line = |owner: &str| format!("rollout object {ID} --as {owner} --reason no");
    let writers: Vec<_> =
        ["alpha", "beta", "gamma", "security"].iter().cycle().take(12).map(|o| world.start(&line(o))).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(world.journal().len(), before + 12);
    assert_eq!(world.objections().len(), 12);
}
