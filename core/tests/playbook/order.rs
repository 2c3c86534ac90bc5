//! What orders tasks.

use crate::support::{edges, inline, options};

fn lines(test: &str, text: &str) -> Vec<String> {
    edges(&inline(test, text, &[]).compile("web1", options()))
}

#[test]
fn listed_tasks_follow_the_one_above() {
    let text = "
- hosts: web
  gather_facts: false
  tasks:
    - {name: a, debug: {msg: x}}
    - block:
        - {name: b, debug: {msg: x}}
        - {name: c, debug: {msg: x}}
    - {name: d, debug: {msg: x}}
";
    assert_eq!(
        lines("listed", text),
        ["b <- a: listed below it", "c <- b: listed below it", "d <- c: listed below it"]
    );
}

#[test]
fn a_task_that_says_what_it_needs_leaves_the_line_and_the_next_one_waits_for_all() {
    let text = "
- hosts: web
  tasks:
    - {name: a, id: a, debug: {msg: x}}
    - {name: b, debug: {msg: x}}
    - {name: c, needs: a, debug: {msg: x}}
    - {name: d, debug: {msg: x}}
    - {name: e, needs: [], debug: {msg: x}}
";
    let wanted =
        ["b <- a: listed below it", "c <- a: named in needs", "d <- b: listed below it", "d <- c: listed below it"];
    assert_eq!(lines("branch", text), wanted);
}

#[test]
fn a_block_is_needed_and_needs_as_a_whole() {
    let text = "
- hosts: web
  tasks:
    - id: first
      block:
        - {name: a, debug: {msg: x}}
        - {name: b, debug: {msg: x}}
    - id: second
      needs: []
      block:
        - {name: c, debug: {msg: x}}
        - {name: d, debug: {msg: x}}
    - needs: [first, second]
      block:
        - {name: e, debug: {msg: x}}
        - {name: f, debug: {msg: x}}
";
    let found = lines("blocks", text);
    assert!(!found.iter().any(|l| l.starts_with("c <-")), "{found:?}");
    for edge in [
        "b <- a: listed below it",
        "d <- c: listed below it",
        "e <- b: named in needs",
        "e <- d: named in needs",
        "f <- e: listed below it",
    ] {
        assert!(found.iter().any(|l| l == edge), "{edge} in {found:?}");
    }
    assert!(!found.iter().any(|l| l.starts_with("f <- b") || l.starts_with("f <- d")), "{found:?}");
}

#[test]
fn a_free_task_of_a_listed_play_still_waits_for_what_it_uses() {
    let text = "
- hosts: web
  tasks:
    - {name: account, user: {name: app}}
    - {name: folder, file: {path: /srv/app, state: directory}}
    - {name: look, command: ls, register: out}
    - {name: file, needs: [], copy: {dest: /srv/app/x, content: a, owner: app}}
    - {name: show, needs: [], debug: {msg: '{{ out.stdout }}'}}
";
    let found = lines("free_listed", text);
    let own: Vec<_> = found.iter().filter(|l| l.starts_with("file") || l.starts_with("show")).collect();
    // The account comes before the folder in the list, so one edge says both.
    assert_eq!(own, ["file <- folder: uses /srv/app", "show <- look: reads the result out"]);
}

const GRAPH: &str = "
- hosts: web
  order: graph
  vars:
    root: /etc/{{ what }}
    what: apache2
  tasks:
    - {name: unit, service: {name: apache2, state: started}}
    - {name: site, copy: {dest: '{{ root }}/sites/x.conf', content: a, owner: www}}
    - {name: sites, file: {path: '{{ root }}/sites', state: directory}}
    - {name: account, user: {name: www}}
    - {name: server, package: {name: [apache2, curl]}}
    - {name: apart, debug: {msg: x}}
    - {name: known only there, file: {path: '/srv/{{ ansible_hostname }}', state: directory}}
";

#[test]
fn in_a_graph_edges_follow_from_what_tasks_touch_wherever_they_stand() {
    let found = lines("graph", GRAPH);
    let wanted = [
        "unit <- site: uses /etc/apache2/sites/x.conf",
        "site <- sites: uses /etc/apache2/sites",
        "site <- account: uses user www",
        "sites <- server: uses package apache2",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn results_and_facts_order_a_graph() {
    let text = "
- hosts: web
  order: graph
  vars: {through: '{{ out.rc }}'}
  tasks:
    - {name: reads, debug: {msg: '{{ through }}'}}
    - {name: sets, set_fact: {colour: red}}
    - {name: ls, command: ls, register: out}
    - {name: paints, debug: {msg: '{{ colour }}'}}
    - {name: retries, command: ls, register: again, until: again.rc == 0}
";
    assert_eq!(
        lines("results", text),
        ["reads <- ls: reads the result out", "paints <- sets: reads the variable colour"]
    );
}

#[test]
fn a_meta_task_and_the_end_of_a_section_divide_a_graph() {
    let text = "
- hosts: web
  order: graph
  pre_tasks:
    - {name: a, package: {name: x}, notify: h}
    - {name: b, debug: {msg: x}}
  tasks:
    - {name: c, debug: {msg: x}}
    - {name: stop, meta: end_host}
    - {name: d, debug: {msg: x}}
  handlers:
    - {name: h, debug: {msg: x}}
";
    let barrier = "a meta task or the end of a section is between them";
    let wanted: Vec<String> =
        ["flush handlers <- a", "flush handlers <- b", "c <- flush handlers", "stop <- c", "d <- stop"]
            .map(|edge| format!("{edge}: {barrier}"))
            .into();
    assert_eq!(lines("barrier", text), wanted);
}

#[test]
fn what_is_left_out_by_tags_keeps_its_edges() {
    let text = "
- hosts: web
  tasks:
    - {name: a, debug: {msg: x}, tags: [one]}
    - {name: b, debug: {msg: x}}
    - {name: c, debug: {msg: x}, tags: [one]}
    - {name: rare, debug: {msg: x}, tags: [never]}
    - {name: often, debug: {msg: x}, tags: [always]}
";
    let read = inline("tags", text, &[]);
    let mut tagged = options();
    tagged.selection.tags = vec!["one".into()];
    assert_eq!(edges(&read.compile("web1", tagged)), ["c <- a: listed below it", "often <- c: listed below it"]);
    let mut later = options();
    later.selection.start_at = Some("c*".into());
    assert_eq!(edges(&read.compile("web1", later)), ["often <- c: listed below it"]);
}

#[test]
fn ids_are_looked_up_in_the_role_first() {
    let role = "- {name: 'own', id: conf, debug: {msg: x}}\n- {name: 'user', needs: conf, debug: {msg: x}}\n";
    let text = "
- hosts: web
  order: graph
  roles: [a, b]
  tasks:
    - {name: outside, needs: only, debug: {msg: x}}
";
    let files = [
        ("roles/a/tasks/main.yml", role),
        (
            "roles/b/tasks/main.yml",
            "- {name: b own, id: conf, debug: {msg: x}}\n- {name: b only, id: only, needs: conf, debug: {msg: x}}\n",
        ),
    ];
    let found = edges(&inline("spaces", text, &files).compile("web1", options()));
    assert_eq!(
        found,
        ["user <- own: named in needs", "b only <- b own: named in needs", "outside <- b only: named in needs"]
    );
}

#[test]
fn rescue_waits_for_the_block_and_always_for_both() {
    let text = "
- hosts: web
  tasks:
    - {name: before, debug: {msg: x}}
    - block:
        - {name: one, debug: {msg: x}}
        - {name: two, debug: {msg: x}}
      always:
        - {name: end, debug: {msg: x}}
      rescue:
        - {name: help, debug: {msg: x}}
        - {name: more, debug: {msg: x}}
    - {name: after, debug: {msg: x}}
";
    let compiled = inline("rescue", text, &[]).compile("web1", options());
    assert_eq!(
        edges(&compiled),
        [
            "one <- before: listed below it",
            "two <- one: listed below it",
            "help <- two: runs if it fails",
            "more <- help: listed below it",
            "end <- more: runs after it in any case",
            "after <- end: listed below it",
        ]
    );
    let places: Vec<String> =
        compiled.plan.tasks.iter().map(|t| t.place.map(|p| format!("{:?}", p.section)).unwrap_or_default()).collect();
    assert_eq!(places, ["", "Body", "Body", "Rescue", "Rescue", "Always", ""]);
}

#[test]
fn in_any_order_rescue_waits_for_every_task_of_the_block() {
    let text = "
- hosts: web
  order: graph
  tasks:
    - id: made
      block:
        - {name: one, debug: {msg: x}}
        - block:
            - {name: two, debug: {msg: x}}
          rescue:
            - {name: inner, debug: {msg: x}}
      rescue:
        - {name: help, debug: {msg: x}}
    - {name: free, debug: {msg: x}}
    - {name: after, debug: {msg: x}, needs: made}
";
    let compiled = inline("rescue_graph", text, &[]).compile("web1", options());
    assert_eq!(
        edges(&compiled),
        [
            "inner <- two: runs if it fails",
            "help <- one: runs if it fails",
            "help <- inner: runs if it fails",
            "after <- one: named in needs",
            "after <- two: named in needs",
            "after <- inner: named in needs",
            "after <- help: named in needs",
        ]
    );
    let inner = &compiled.plan.blocks[1];
    assert_eq!(inner.within.map(|p| (p.block.0, p.section)), Some((0, rectify_core::plan::Section::Body)));
}

#[test]
fn the_end_of_a_transaction_comes_after_all_of_it_and_before_what_follows() {
    let text = "
- hosts: web
  tasks:
    - transaction: {validate: [app test, 'other {{ inventory_hostname }}']}
      when: http_port == 80
      tags: [conf]
      block:
        - {name: one, copy: {dest: /etc/a, content: x}, tags: [one]}
        - {name: two, copy: {dest: /etc/b, content: x}, needs: []}
      rescue:
        - {name: help, debug: {msg: x}}
    - {name: after, debug: {msg: x}}
";
    let read = inline("transaction", text, &[]);
    let compiled = read.compile("web1", options());
    assert_eq!(
        edges(&compiled),
        [
            "transaction <- one: runs after it in any case",
            "transaction <- two: runs after it in any case",
            "help <- transaction: runs if it fails",
            "after <- help: listed below it",
        ]
    );
    let plan = &compiled.plan;
    assert_eq!(plan.blocks[1].transaction.as_ref().unwrap().end.0, 2);
    assert_eq!(plan.tasks[2].when.len(), 0, "it ends whatever the conditions");
    assert_eq!(
        serde_json::to_value(&plan.tasks[2].args).unwrap()["Map"]["validate"]["List"].as_array().unwrap().len(),
        2
    );
    let mut with = options();
    with.selection.tags = vec!["one".into()];
    let names: Vec<String> = read.compile("web1", with).plan.tasks.into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["one", "transaction"], "a part of a transaction is one as well");
}
