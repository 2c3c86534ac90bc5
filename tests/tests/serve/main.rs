//! `rectify serve` on this machine: rounds by a clock that tests set, ended and begun again.

#![expect(clippy::unwrap_used, reason = "a test")]

mod stand;
mod unit;

use std::path::Path;

use stand::Stand;

/// Hosts are not as declared from the beginning: the first round makes all of them so.
const CORRECT: &str = "mode = \"correct\"\nbudget = 100\n";

#[test]
fn what_is_due_is_looked_at_and_corrected_and_then_all_is_as_declared() {
    let stand = Stand::new(CORRECT);
    let said = stand.once("2026-11-22 02:29:00");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("nothing is due; the next round is at 2026-11-22T02:30:00Z"), "{said:?}");
    assert!(stand.hosts().iter().all(Option::is_none), "nothing was touched");
    let said = stand.once("2026-11-22 02:30:10");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("is done: 4 hosts, 4 not as declared, 4 corrected"), "{said:?}");
    assert!(stand.hosts().iter().all(|text| text.as_deref() == Some("wanted\n")));
    // Behind its back; missed for days, it is run once.
    stand.change("b");
    let said = stand.once("2026-11-29 12:00:00");
    assert!(said.stderr.contains("begun late: no server ran from 2026-11-23T02:30:00Z"), "{said:?}");
    assert!(said.stderr.contains("4 hosts, 1 not as declared, 1 corrected"), "{said:?}");
    assert_eq!(stand.host("b").as_deref(), Some("wanted\n"));
    assert!(said.stderr.contains("b is now drifted (before: fine)"), "transitions are said: {said:?}");
    assert!(said.stderr.contains("b is now fine (before: drifted)"), "{said:?}");
}

#[test]
fn report_corrects_nothing_and_a_budget_stops_a_correction_of_half_the_fleet() {
    let stand = Stand::new(CORRECT);
    stand.days([22]);
    stand.schedule("mode = \"report\"\n");
    stand.change("a");
    let said = stand.once("2026-11-23 02:30:10");
    assert_eq!((said.code, stand.host("a").as_deref()), (Some(2), Some("changed\n")), "{said:?}");
    stand.schedule("mode = \"correct\"\nbudget = 25\n");
    stand.change("b");
    let said = stand.once("2026-11-24 02:30:10");
    assert_eq!((said.code, stand.host("a").as_deref()), (Some(2), Some("changed\n")), "{said:?}");
    assert!(said.stderr.contains("2 of 4 hosts would be corrected, more than the budget of 25 %"), "{said:?}");
    stand.schedule("mode = \"correct\"\nbudget = 50\n");
    let said = stand.once("2026-11-25 02:30:10");
    assert_eq!((said.code, stand.host("a").as_deref()), (Some(0), Some("wanted\n")), "{said:?}");
}

#[test]
fn a_correction_waits_for_the_second_look_and_for_its_hours() {
    let stand = Stand::new(CORRECT);
    stand.days([22]);
    stand.change("a");
    stand.schedule("mode = { correct_after = 2 }\n");
    assert_eq!(stand.once("2026-11-23 02:30:10").code, Some(2));
    assert_eq!(stand.host("a").as_deref(), Some("changed\n"), "it was seen once");
    stand.schedule("mode = { correct_after = 2 }\nmaintenance = [{ from = \"12:00\", to = \"13:00\" }]\n");
    let said = stand.once("2026-11-24 02:30:10");
    assert!(said.stderr.contains("outside the maintenance hours (daily 12:00 to 13:00 UTC)"), "{said:?}");
    assert_eq!(stand.host("a").as_deref(), Some("changed\n"));
    stand.schedule("mode = { correct_after = 2 }\n");
    assert_eq!(stand.once("2026-11-25 02:30:10").code, Some(0));
    assert_eq!(stand.host("a").as_deref(), Some("wanted\n"));
}

#[test]
fn a_host_on_which_a_task_fails_is_corrected_but_for_what_depends_on_it() {
    let stand = Stand::new(CORRECT);
    stand.write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: the file\n      copy: {dest: \"{{ folder }}/{{ inventory_hostname }}\", content: \"wanted\\n\"}\n      notify: tell\n    - name: the guard\n      command: test ! -e {{ folder }}/broken-{{ inventory_hostname }}\n      check_mode: false\n      changed_when: false\n    - name: behind it\n      copy: {dest: \"{{ folder }}/behind-{{ inventory_hostname }}\", content: \"wanted\\n\"}\n  handlers:\n    - name: tell\n      command: touch {{ folder }}/told-{{ inventory_hostname }}\n",
    );
    stand.days([22]);
    for file in ["a", "behind-a", "b", "behind-b"] {
        stand.change(file);
    }
    stand.write("out/broken-a", "");
    for host in ["a", "b"] {
        std::fs::remove_file(stand.at(&format!("out/told-{host}"))).unwrap();
    }
    let said = stand.once("2026-11-23 02:30:10");
    let has = |file: &str| stand.host(file).unwrap_or_default();
    assert_eq!((has("a"), has("behind-a")), ("wanted\n".into(), "changed\n".into()), "{said:?}");
    assert_eq!((has("b"), has("behind-b")), ("wanted\n".into(), "wanted\n".into()), "{said:?}");
    assert!(stand.host("told-a").is_some() && stand.host("told-b").is_some(), "handlers ran on both: {said:?}");
    assert!(said.stderr.contains("a is failing: what depends on the task that failed is not corrected"), "{said:?}");
    assert!(said.stderr.contains("4 hosts, 2 not as declared, 1 corrected, 1 failing"), "{said:?}");
    // Mended, the rest follows.
    std::fs::remove_file(stand.at("out/broken-a")).unwrap();
    assert_eq!(stand.once("2026-11-24 02:30:10").code, Some(0));
    assert_eq!(stand.host("behind-a").as_deref(), Some("wanted\n"));
}

#[test]
fn a_playbook_that_is_gone_stops_its_rounds_and_no_others() {
    let stand = Stand::new(CORRECT);
    let other = "[[schedules]]\nname = \"other\"\ncron = \"30 2 * * *\"\nplaybooks = [\"gone.yml\"]\n";
    stand.write("more/other.toml", other);
    stand.append("rectify.toml", "schedules = [\"more/*.toml\"]\n");
    stand.write("gone.yml", "- {hosts: all, gather_facts: false, tasks: []}\n");
    stand.once("2026-11-22 02:29:00");
    std::fs::remove_file(stand.at("gone.yml")).unwrap();
    let said = stand.once("2026-11-22 02:30:10");
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.stderr.contains("other: the round of 2026-11-22T02:30:00Z is stopped"), "{said:?}");
    assert!(said.stderr.contains("gone.yml"), "{said:?}");
    assert!(stand.hosts().iter().all(|text| text.as_deref() == Some("wanted\n")), "{said:?}");
}

#[test]
fn a_wrong_schedule_is_refused_with_its_line_and_a_reload_leaves_those_before_in_force() {
    let stand = Stand::new("mode = \"corect\"\n");
    let said = stand.once("2026-11-22 02:29:00");
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.stderr.contains("rectify.toml:6:8") && said.stderr.contains("corect"), "{said:?}");
    assert!(!Path::new(&stand.at("record")).join("index.db").exists(), "nothing was begun");

    stand.schedule(CORRECT);
    let server = stand.serve("2026-11-22 02:29:57");
    server.heard("1 schedule is in force: nightly");
    let second = stand.once("2026-11-22 02:29:00");
    assert!(second.code != Some(0) && second.stderr.contains("another server (process "), "{second:?}");
    stand.schedule("mode = \"corect\"\n");
    server.signal("HUP");
    server.heard("the schedules could not be read anew: those before stay in force");
    server.heard("rectify.toml:6:8");
    server.heard("nightly: the round of 2026-11-22T02:30:00Z is done: 4 hosts, 4 not as declared, 4 corrected");
    stand.schedule("mode = \"report\"\n\n[[schedules]]\nname = \"second\"\ncron = \"0 0 1 1 *\"\n");
    server.signal("HUP");
    server.heard("read anew: 2 schedules are in force: nightly, second");
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn a_server_that_was_killed_goes_on_where_it_was() {
    let stand = Stand::new(CORRECT);
    // A look that lasts until the test lets it go.
    stand.write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: wait\n      command: sh -c 'touch {{ folder }}/begun; while [ ! -e {{ folder }}/go ]; do sleep 0.05; done'\n      check_mode: false\n      changed_when: false\n    - name: the file\n      copy: {dest: \"{{ folder }}/{{ inventory_hostname }}\", content: \"wanted\\n\"}\n",
    );
    let server = stand.serve("2026-11-22 02:29:57");
    server.heard("the round of 2026-11-22T02:30:00Z begins: 4 hosts");
    stand.until("begun");
    server.signal("KILL");
    assert_eq!(server.ended(), None, "no word from it");
    stand.write("out/go", "");
    let server = stand.serve("2026-11-22 02:31:00");
    server.heard("the round of 2026-11-22T02:30:00Z is done: 4 hosts, 4 not as declared, 4 corrected");
    // The first signal lets what runs come to its end.
    server.signal("TERM");
    server.heard("told to end: nothing new begins");
    server.heard("ended");
    assert_eq!(server.ended(), Some(0));
    assert!(stand.hosts().iter().all(|text| text.as_deref() == Some("wanted\n")));
}

#[test]
fn the_first_signal_waits_for_hosts_that_run_and_the_second_ends_them() {
    let stand = Stand::new(CORRECT);
    stand.write(
        "site.yml",
        "- hosts: a\n  gather_facts: false\n  tasks:\n    - name: wait\n      command: sh -c 'touch {{ folder }}/begun; while [ ! -e {{ folder }}/go ]; do sleep 0.05; done'\n      check_mode: false\n      changed_when: false\n",
    );
    let server = stand.serve("2026-11-22 02:29:57");
    stand.until("begun");
    server.signal("TERM");
    server.heard("told to end: nothing new begins");
    server.signal("TERM");
    server.heard("running commands are ended");
    assert_eq!(server.ended(), Some(0), "it does not wait for `go`");
}
