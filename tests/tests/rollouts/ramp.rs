//! To the day: an objection, a notice period, and a cohort that goes wrong.

use std::collections::BTreeSet;

use crate::begin::to;
use crate::world::World;
use rectify_tests::mailbox::Mail;

/// Neither an objection nor a date is passed over, and everything that is lacking is named.
pub(crate) fn objection_and_notice(world: &mut World) {
    world.at("2027-03-15 09:00");
    world.says(
        "rollout object login-notice --as beta --reason | the scanner of db1 is not ready",
        0,
        &["does not advance until somebody answers"],
    );
    world.says(
        "rollout advance login-notice",
        3,
        &[
            "stays at `announced`",
            "its day is 2027-03-29",
            "beta objects: the scanner of db1 is not ready",
            "gamma was told of 2027-03-29, which has not come: app1",
        ],
    );

    let first = first_messages(world);
    world.at("2027-03-22 12:00");
    world.says("announce --due", 0, &["2 messages sent, 0 failed"]);
    let subject = "Reminder on 2027-03-29: Whoever logs in reads who may";
    follow(&world.server.taken(), &first, &[("beta", subject), ("gamma", subject)]);
    world.says("announce --due", 0, &["nothing is due"]);
    world.at("2027-03-28 22:30");
    // It is the next day in Berlin since half an hour: the clocks there were changed this morning.
    world.says("announce --due", 0, &["4 messages sent, 0 failed"]);
    let (later, today) = (subject.replace("03-29", "04-05"), "Today: Whoever logs in reads who may");
    let mails = world.server.taken();
    follow(&mails, &first, &[("alpha", &later), ("beta", &later), ("beta", today), ("gamma", today)]);
    world.says("announce --due", 0, &["nothing is due"]);
    assert!(world.server.taken().is_empty());

    world.at("2027-03-29 07:00");
    let refused = world.says("rollout advance login-notice", 3, &["stays at `announced`", "beta objects"]);
    assert_eq!(refused.matches("\n  - ").count(), 1, "the objection and nothing else: {refused}");
    world.says("rollout advance login-notice --force", 5, &["--force"]);
    let id = world.objections().pop().unwrap();
    world.says(
        &format!("rollout answer {id} | it is ready since Friday"),
        0,
        &["the objection of beta to login-notice is answered"],
    );
    world.says(
        "rollout advance login-notice",
        0,
        &["has reached `opt-out 50%`", "the next apply changes 2 hosts: app1, db1"],
    );
}

/// The Message-IDs of the announcements, by owner.
fn first_messages(world: &World) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let told = world.journal().into_iter().filter(|r| r["kind"] == "announced");
    told.map(|r| (text(&r["owner"]), format!("<{}>", text(&r["message_id"])))).collect()
}

/// These owners, whose hosts are in the cohort, have one message more in the thread that they have.
fn follow(mails: &[Mail], first: &[(String, String)], expected: &[(&str, &str)]) {
    let subjects = mails.iter().map(|mail| mail.header("subject"));
    assert_eq!(to(mails).into_iter().zip(subjects).collect::<Vec<_>>(), expected);
    for (mail, (owner, _)) in mails.iter().zip(expected) {
        let first = &first.iter().find(|(of, _)| of == owner).unwrap().1;
        assert!(mail.header("in-reply-to") == first && mail.header("references") == first, "{mail:?}");
        assert_ne!(mail.header("message-id"), first);
    }
}

/// The first cohort fails on a host: the second waits until it does not any more.
pub(crate) fn a_cohort_goes_wrong(world: &mut World) {
    world.at("2027-03-29 08:00").host("app1").sh("rm /etc/issue.net && mkdir -p /etc/issue.net/in-the-way").unwrap();
    world.says("apply", 3, &["app1"]);
    assert_eq!(world.noticed(), BTreeSet::from(["web1", "db1"]), "the others of this cohort, and nobody of the next");

    world.at("2027-04-05 08:00");
    world.run("check");
    world.says(
        "rollout advance login-notice",
        3,
        &["stays at `opt-out 50%`", "failed on 1 of 3 hosts, 0 % are allowed: app1"],
    );
    world.host("app1").sh("rm -r /etc/issue.net").unwrap();
    world.at("2027-04-05 08:10");
    world.says("apply", 0, &["opt-out 50%", "its turn comes with `opt-out`"]);
    assert_eq!(world.noticed(), BTreeSet::from(["web1", "db1", "app1"]));
    world.says(
        "rollout advance login-notice --to opt-out",
        0,
        &["has reached `opt-out`", "the next apply changes 1 host: web2"],
    );
    world.says("rollout why web2 login-notice", 0, &["enforce: opt-out", "has reached `opt-out`", "rollouts.yml:"]);
    world.at("2027-04-05 08:30");
    world.says("apply", 0, &["opt-out"]);
    assert_eq!(world.noticed(), BTreeSet::from(["web1", "web2", "db1", "app1"]));

    world.at("2027-04-05 08:40");
    world.says("announce --due", 0, &["3 messages sent, 0 failed"]);
    let summaries = world.server.taken();
    assert_eq!(to(&summaries), ["alpha", "beta", "gamma"]);
    for mail in &summaries {
        assert!(mail.header("subject").starts_with("Done: "), "{mail:?}");
        assert!(
            mail.parts().0.contains("2027-04-05)") || mail.parts().0.contains("2027-03-29)"),
            "when it changed: {mail:?}"
        );
    }
    world.says("announce --due", 0, &["nothing is due"]);
    let warned = world.says("rollout status", 0, &["db2: the skip of login-notice by beta"]);
    assert!(warned.contains("warning:"), "two weeks before the end of a skip: {warned}");
}
