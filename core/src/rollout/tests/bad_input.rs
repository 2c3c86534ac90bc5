use super::*;

fn problems(rollouts: &str, hosts: &str) -> String {
    World::read(rollouts, hosts).1
}

#[test]
fn what_is_wrong_with_a_rollouts_file_is_said_with_its_line() {
    for (from, to, said) in [
        ("announced: 2027-01-10", "announced: 2026-12-10", "`announced` is dated before `opt-in`"),
        ("opt-in: 2027-01-01", "mandatory: 2027-01-01", "duplicate"),
        ("announced: 2027-01-10", "announced: soon", "expected a date such as 2027-03-01"),
        ("announced: 2027-01-10", "anounced: 2027-01-10", "write `announced`"),
        ("100%: 2027-02-10", "90%: 2027-02-10", "the last cohort is not `100%`"),
        ("50%: 2027-02-04", "2%: 2027-02-04", "`opt-out 2%` stands after `opt-out 5%`"),
        ("5%: 2027-02-01", "5: 2027-02-01", "`5` is no cohort"),
        ("    impact: Pages of other sites that embed yours show a blank frame.\n", "", "lacks impact"),
        ("owner: security", "owner: security\n    notice: {opt-out: a while}", "expected a number of days"),
        ("owner: security", "owner: security\n    links: [example.org]", "expected a link"),
        ("owner: security", "owner: security\n    revision: {number: 2}", "needs `direction` and `why`"),
        ("settings:", "timezone: Europe/Lodnon\nsettings:", "write `Europe/London`"),
        ("settings:", "freezes: [{from: 2027-02-01, to: 2027-01-01, reason: x}]\nsettings:", "ends before it begins"),
        ("  frames:", "  Frames!:", "cannot name a setting"),
        ("  frames:", "  all:", "cannot name a setting"),
    ] {
        let text = FRAMES.replace(from, to);
        assert_ne!(text, FRAMES, "{from} is not in the text");
        let told = problems(&text, HOSTS);
        assert!(told.contains(said), "{to}: expected {said:?} in\n{told}");
        assert!(told.contains("rollouts.yml:"), "{told}");
    }
}

#[test]
fn what_is_wrong_with_a_claim_is_said_with_its_line() {
    let good = "reason: legacy, owner: alpha, until: 2027-05-31";
    for (vars, said) in [
        ("rollout_opt_in: [framse]", "no setting is named `framse`"),
        ("rollout_opt_in: {frames: true}", "neither a list of settings nor `all`"),
        ("rollout_skip: [frames]", "not a mapping of settings"),
        ("rollout_skip: {frames: {owner: alpha, until: 2027-05-31}}", "lacks reason"),
        ("rollout_skip: {frames: {reason: legacy, owner: alpha}}", "lacks until"),
        ("rollout_skip: {frames: {reason: legacy, owner: alpha, until: soon}}", "is no date"),
        ("rollout_skip: {frames: {reason: legacy, owner: alpha, until: 2037-01-01}}", "more than 365 days"),
        (&format!("rollout_skip: {{frames: {{{good}, exception: true}}}}"), "needs `approver: security`"),
        (&format!("rollout_skip: {{frames: {{{good}, approver: alpha}}}}"), "approved by its own owner"),
        (&format!("rollout_skip: {{frames: {{{good}, untill: x}}}}"), "unknown key `untill`"),
        ("contacts: {alpha: not-an-address}", "is no address"),
    ] {
        let hosts = HOSTS.replace("a1: {", &format!("a1: {{{vars}, "));
        let told = problems(FRAMES, &hosts);
        assert!(told.contains(said), "{vars}: expected {said:?} in\n{told}");
        assert!(told.contains("hosts.yml:5"), "{told}");
    }
}

#[test]
fn days_are_those_of_the_files_zone_also_when_the_clocks_change() {
    let file = format!("timezone: Europe/Berlin\n{FRAMES}").replace("mandatory: 2027-04-01", "mandatory: 2027-03-28");
    let mut world = World::new(&file, HOSTS);
    // Summer time begins at 01:00 UTC on 2027-03-28; its day begins at 23:00 UTC the day before.
    world.assume.dates = true;
    world.on("2027-03-27T22:59:59Z");
    assert_eq!(world.stance("a1").step.to_string(), "opt-out");
    world.on("2027-03-27T23:00:00Z");
    assert_eq!(world.stance("a1").step.to_string(), "mandatory");
}
