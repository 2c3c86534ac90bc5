use super::*;

fn lines(world: &World) -> String {
    world.journal.records().iter().map(Record::to_line).collect()
}

#[test]
fn a_journal_reads_back_as_it_was_written() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.advance("opt-out 5%");
    let text = lines(&world);
    assert_eq!(Journal::parse(&text).unwrap(), world.journal);
    assert!(text.contains(r#""to":"opt-out 5%""#), "{text}");
}

#[test]
fn two_branches_merge_by_taking_both_lines_in_any_order() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-02-01").advance("announced");
    let text = lines(&world);
    let mut shuffled: Vec<&str> = text.lines().rev().collect();
    shuffled.push(text.lines().next().unwrap());
    assert_eq!(Journal::parse(&shuffled.join("\n")).unwrap(), world.journal);
}

#[test]
fn records_that_are_pushed_in_any_order_are_found_as_those_that_are_read() {
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-02-01").advance("announced");
    world.on("2027-02-02").advance("opt-out 5%");
    let all = world.journal.records();
    for turn in 0..all.len() {
        let mut journal = Journal::default();
        all.iter().cycle().skip(turn).take(all.len()).for_each(|record| journal.push(record.clone()));
        assert_eq!(journal, world.journal);
    }
    assert_eq!(world.journal.reached(world.setting()), 2);
}

#[test]
fn a_broken_line_is_an_error_with_its_number() {
    let mut world = World::new(FRAMES, HOSTS);
    world.advance("announced");
    let good = lines(&world);
    let broken = format!("{good}{{\"id\": \"x\"\n\n<<<<<<< HEAD\n");
    let numbers: Vec<usize> = Journal::parse(&broken).unwrap_err().iter().map(|b| b.line).collect();
    assert_eq!(numbers, [2, 4]);
    let twice = format!("{good}{}", good.replace("announced", "mandatory"));
    let problems = Journal::parse(&twice).unwrap_err();
    assert_eq!(problems[0].to_string(), "line 2: another line has the same id \"r00001\"");
}

#[test]
fn an_unknown_kind_of_line_is_an_error_and_not_dropped() {
    let line = r#"{"id":"a","at":"2027-01-01T00:00:00Z","by":"root","kind":"postponed"}"#;
    assert!(Journal::parse(line).unwrap_err()[0].problem.contains("postponed"));
}

#[test]
fn evidence_counts_since_when_a_host_would_change() {
    let mut world = World::new(FRAMES, HOSTS);
    for day in ["2027-01-02", "2027-01-03", "2027-01-04"] {
        world.on(day).look(false, &["a1"], &[]);
    }
    let known = world.evidence.host("frames", 1, "a1").unwrap();
    assert_eq!((known.since, known.times), (Some(time("2027-01-02")), 3));
    world.on("2027-01-05").look(false, &[], &[]);
    assert_eq!(world.evidence.host("frames", 1, "a1").unwrap().since, None);
}
