//! Flags and positionals that this machine alone can prove.

use crate::local::{Folder, Said};

/// Where the option shows.
pub(crate) enum Seen {
    /// With it, this is said; without it, it is not.
    Has(&'static str),
    /// With it, this is not said; without it, it is.
    Lacks(&'static str),
}

use Seen::{Has, Lacks};

/// A run without an option and the same with it.
pub(crate) struct Case {
    /// `VERB OPTION`, as the help names it; `run` stands for check and apply, which take the same.
    pub(crate) option: &'static str,
    without: &'static str,
    with: &'static str,
    seen: Seen,
}

pub(crate) const fn case(option: &'static str, without: &'static str, with: &'static str, seen: Seen) -> Case {
    Case { option, without, with, seen }
}

/// `check` and `apply`.
pub(crate) const RUN: &[Case] = &[
    case("run PLAYBOOK", "check -i hosts HELPER", "site.yml", Has("line of two")),
    case("run --inventory", "check site.yml HELPER", "-i hosts", Has("line of two")),
    case("run --limit", "CHECK --json", "-l web", Lacks("\"host\":\"c\"")),
    case("run --extra-vars", "CHECK", "-e word=green", Has("word green")),
    case("run --extra-vars", "CHECK", "-e @words.yml", Has("word green")),
    case("run --tags", "CHECK", "-t red", Lacks("line of two")),
    case("run --skip-tags", "CHECK", "--skip-tags blue", Lacks("line of two")),
    case("run --start-at-task", "CHECK", "--start-at-task two", Lacks("word none")),
    case("run --become", "apply who.yml -i hosts HELPER --become-user nobody", "-b", Has("I am nobody")),
    case("run --become-user", "apply who.yml -i hosts HELPER -b", "--become-user nobody", Has("I am nobody")),
    case("run --connection", "check site.yml -i nowhere HELPER", "-c local", Has("line of two")),
    case(
        "run --timeout",
        "check site.yml -i silent HELPER -e ansible_timeout=2",
        "-e {ansible_timeout:} -T 1",
        Has("within 1 s"),
    ),
    case("run --diff", "CHECK --no-diff", "--diff", Has("line of two")),
    case("run --no-diff", "CHECK", "--no-diff", Lacks("line of two")),
    case("run --json", "CHECK", "--json", Has("\"event\":\"started\"")),
    case("run --list-hosts", "CHECK --list-tasks", "--list-hosts", Has("3 hosts")),
    case("run --list-tasks", "CHECK --list-hosts", "--list-tasks", Has("two  [blue]")),
    case("run --list-tags", "CHECK --list-hosts", "--list-tags", Has("tags: blue, red")),
    case("run --verbose", "CHECK --json", "-v", Has("\"result\":{")),
    case("run --verbose", "CHECK", "-v", Has("quiet  site.yml")),
    case("run --verbose", "CHECK -v", "-v", Has("never  site.yml")),
    case("rectify --color", "CHECK", "--color always", Has("\u{1b}[")),
];

/// The verbs that contact nobody.
pub(crate) const OTHERS: &[Case] = &[
    case("graph PLAYBOOK", "graph -i hosts", "site.yml", Has("two")),
    case("graph --inventory", "graph site.yml", "-i hosts", Has("two")),
    case("graph --limit", "graph site.yml -i hosts", "-l c", Lacks("a, b")),
    case("graph --extra-vars", "graph where.yml -i hosts", "-e where=web", Has("anywhere")),
    case("graph --tags", "graph site.yml -i hosts", "-t red", Lacks("two")),
    case("graph --skip-tags", "graph site.yml -i hosts", "--skip-tags blue", Lacks("two")),
    case("graph --start-at-task", "graph site.yml -i hosts", "--start-at-task two", Lacks("one")),
    case("graph --format", "graph site.yml -i hosts", "--format dot", Has("digraph")),
    case("graph --format", "graph site.yml -i hosts", "--format mermaid", Has("flowchart")),
    case("graph --format", "graph site.yml -i hosts", "--format json", Has("\"nodes\"")),
    case("rectify --color", "graph broken.yml -i hosts", "--color always", Has("\u{1b}[")),
    case("lint PLAYBOOK", "lint -i hosts", "site.yml", Has("nothing wrong")),
    case("lint --inventory", "lint site.yml", "-i hosts", Has("nothing wrong")),
    case("lint --limit", "lint odd.yml -i hosts", "-l web", Has("nothing wrong")),
    case("lint --extra-vars", "lint odd.yml -i hosts", "-e odd=1", Has("nothing wrong")),
    case("rectify --color", "lint broken.yml -i hosts", "--color always", Has("\u{1b}[")),
    case("lint --json", "lint broken.yml -i hosts", "--json", Has("\"severity\":")),
    case("inventory --inventory", "inventory", "-i hosts", Has("hostvars")),
    case("inventory --limit", "inventory -i hosts", "-l web", Lacks("\"c\"")),
    case("inventory --extra-vars", "inventory -i hosts", "-e word=green", Has("\"word\": \"green\"")),
    case("inventory --extra-vars", "inventory -i hosts --graph --vars", "-e word=green", Has("{word = green}")),
    case(
        "inventory --extra-vars",
        "inventory -i hosts --host a --origins",
        "-e word=green",
        Has("word = \"green\"    -e"),
    ),
    case("inventory --list", "inventory -i hosts web", "--list", Has("cannot be used with")),
    case("inventory --graph", "inventory -i hosts", "--graph", Has("|--@web:")),
    case("inventory --host", "inventory -i hosts", "--host a", Lacks("_meta")),
    case("inventory --vars", "inventory -i hosts --graph", "--vars", Has("{ansible_connection = local}")),
    case("inventory --yaml", "inventory -i hosts", "--yaml", Has("all:")),
    case("inventory --origins", "inventory -i hosts --host a", "--origins", Has("hosts:")),
    case("inventory --export", "inventory -i hosts", "--export", Has("\"vars\"")),
    case("inventory --playbook-dir", "inventory -i hosts --host a", "--playbook-dir beside", Has("from beside")),
    case("inventory PATTERN", "inventory -i hosts", "web", Lacks("hostvars")),
    case("rectify --color", "inventory -i hosts --host nobody", "--color always", Has("\u{1b}[")),
    case("trust --timeout", "trust -i silent -e ansible_timeout=2", "-e {ansible_timeout:} -T 1", Has("within 1 s")),
    case("rectify --color", "trust -i nowhere", "--color always", Has("\u{1b}[")),
    case("rectify --color", "modules nonsense", "--color always", Has("\u{1b}[")),
    case("facts PATTERN", "FACTS --json", "web", Lacks("\"c\"")),
    case("facts --inventory", "facts HELPER --filter kernel", "-i hosts", Has("kernel")),
    case("facts --limit", "FACTS --json", "-l web", Lacks("\"c\"")),
    case("facts --extra-vars", "facts -i nowhere HELPER --filter kernel", "-e ansible_connection=local", Has("kernel")),
    case("facts --filter", "facts -i hosts HELPER a", "--filter kernel", Lacks("processor")),
    case("facts --subset", "facts -i hosts HELPER a", "--subset min", Lacks("memtotal_mb")),
    case("facts --json", "FACTS", "--json", Has("\"ansible_facts\": {")),
    case("facts --yaml", "FACTS", "--yaml", Has("ansible_facts:")),
    case("facts --connection", "facts -i nowhere HELPER --filter kernel", "-c local", Has("kernel")),
    case(
        "facts --timeout",
        "facts -i silent HELPER -e ansible_timeout=2",
        "-e {ansible_timeout:} -T 1",
        Has("within 1 s"),
    ),
    case("modules MODULE", "modules", "copy", Has("# copy")),
    case("completion SHELL", "completion", "bash", Has("complete -F")),
    case("rectify --version", "", "--version", Has("rectify 0")),
    case("rectify --help", "schema", "--help", Has("Usage:")),
];

/// The files that the cases name.
pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    let hosts = std::fs::read_to_string(folder.path().join("hosts")).unwrap();
    folder.write("hosts", &format!("{hosts}[all:vars]\nfolder={}\n", folder.at("")));
    folder.write("nowhere", "d ansible_host=127.0.0.1 ansible_port=9\n[all:vars]\nfolder=/tmp\n");
    folder.write(
        "site.yml",
        "- name: first
  hosts: all
  gather_facts: false
  tasks:
    - name: one
      debug: {msg: \"word {{ word | default('none') }}\"}
      tags: [red]
    - name: two
      copy: {dest: \"{{ folder }}/two\", content: \"line of two\\n\"}
      tags: [blue]
    - {name: quiet, stat: {path: /}}
    - {name: never, stat: {path: /}, when: false}
",
    );
    folder.write(
        "who.yml",
        "- hosts: a
  gather_facts: false
  tasks:
    - {command: \"true\", become: false}
    - {shell: echo I am $(id -un), register: who}
    - debug: {msg: \"{{ who.stdout }}\"}
",
    );
    folder.write("where.yml", "- hosts: \"{{ where }}\"\n  tasks: [{name: anywhere, command: \"true\"}]\n");
    folder.write("odd.yml", "- hosts: all\n  tasks: [{debug: {msg: \"{{ odd }}\"}}]\n");
    folder.write("host_vars/a.yml", "odd: 1\n");
    folder.write("host_vars/b.yml", "odd: 1\n");
    folder.write("broken.yml", "- hosts: all\n  tasks: [{nonsense: {}}]\n");
    folder.write("words.yml", "word: green\n");
    folder.write("beside/host_vars/a.yml", "place: from beside\n");
    crate::rollouts::files(&folder);
    folder
}

/// Something that takes connections and never says a word; the inventory `silent` names it three times.
fn silence(folder: &Folder) -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    folder.write(
        "silent",
        &format!("[all]\nx\ny\nz\n[all:vars]\nansible_host=127.0.0.1\nansible_port={port}\nfolder=/tmp\n"),
    );
    listener
}

pub(crate) fn run(folder: &Folder, words: &str) -> Said {
    let words = crate::rollouts::spelled(words)
        .replace("CHECK", "check site.yml -i hosts HELPER")
        .replace("FACTS", "facts -i hosts HELPER --filter kernel");
    let words = words.replace("HELPER", &format!("--helper-dir {}", folder.at("helper")));
    folder.run(&words.split_whitespace().collect::<Vec<_>>())
}

/// What is wrong with the cases, if anything.
fn wrong(cases: &[Case]) -> Vec<String> {
    let folder = folder();
    let _silence = silence(&folder);
    let mut wrong = Vec::new();
    for Case { option, without, with, seen } in cases {
        let bare = run(&folder, without).all();
        let full = run(&folder, &format!("{without} {with}")).all();
        let (word, holds) = match seen {
            Has(word) => (word, full.contains(word) && !bare.contains(word)),
            Lacks(word) => (word, bare.contains(word) && !full.contains(word)),
        };
        if !holds {
            let (full, bare) = (beginning(&full), beginning(&bare));
            wrong.push(format!("=== {option}: {word:?}\n--- {without} {with}\n{full}\n--- {without}\n{bare}"));
        }
    }
    wrong
}

fn beginning(text: &str) -> String {
    text.chars().take(4000).collect()
}

pub(crate) fn hold(cases: &[Case]) {
    let halves: Vec<Vec<String>> = std::thread::scope(|scope| {
        let parts: Vec<_> = cases.chunks(cases.len().div_ceil(3)).map(|part| scope.spawn(|| wrong(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let wrong = halves.concat();
    assert!(wrong.is_empty(), "{} options make no difference\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_flag_of_check_and_apply_makes_a_difference() {
    hold(RUN);
}

#[test]
fn every_flag_of_the_other_verbs_makes_a_difference() {
    hold(OTHERS);
}

#[test]
fn apply_changes_what_check_only_announces() {
    let folder = folder();
    for (verb, there) in [("check", false), ("apply", true)] {
        run(&folder, &format!("{verb} site.yml -i hosts HELPER"));
        assert_eq!(folder.path().join("two").exists(), there, "{verb}");
    }
}

#[test]
fn the_helper_is_kept_where_it_is_asked_to_be() {
    let folder = folder();
    assert_eq!(run(&folder, "check site.yml -i hosts -l a --helper-dir relative").code, Some(4));
    for (verb, place) in [
        ("check site.yml -i hosts", "kept/here"),
        ("facts -i hosts", "kept/there"),
        ("announce --preview FLEET", "kept/elsewhere"),
        ("drift site.yml -i hosts", "kept/beside"),
    ] {
        let said = run(&folder, &format!("{verb} -l a --helper-dir {}", folder.at(place)));
        let kept: Vec<_> = std::fs::read_dir(folder.path().join(place)).unwrap().collect();
        assert_eq!(kept.len(), 1, "{}", said.all());
    }
}

/// A task that waits for its like, for as long as `patience` says.
fn side(own: &str, other: &str) -> String {
    format!(
        "    - needs: []
      check_mode: false
      shell: |
        cd {{{{ folder }}}}; touch {own}
        for i in $(seq {{{{ patience }}}}); do test -e {other} && exit 0; sleep 0.1; done; exit 1
"
    )
}

#[test]
fn as_many_hosts_at_a_time_as_forks_says() {
    for (more, code) in [("-e patience=300", 0), ("-e patience=3 -f 1", 3)] {
        let folder = folder();
        let other = "{{ {'a': 'b', 'b': 'a'}[inventory_hostname] }}";
        let tasks = side("{{ inventory_hostname }}", other);
        folder.write("meet.yml", &format!("- hosts: web\n  gather_facts: false\n  tasks:\n{tasks}"));
        let said = run(&folder, &format!("apply meet.yml -i hosts HELPER {more}"));
        assert_eq!(said.code, Some(code), "{more}: {}", said.all());
    }
}

#[test]
fn as_many_tasks_at_a_time_as_parallel_says() {
    for (more, code) in [("-e patience=300", 0), ("-e patience=3 --parallel 1", 3)] {
        let folder = folder();
        let tasks = side("left", "right") + &side("right", "left");
        folder.write("meet.yml", &format!("- hosts: a\n  gather_facts: false\n  tasks:\n{tasks}"));
        for verb in ["apply", "drift"] {
            let said = run(&folder, &format!("{verb} meet.yml -i hosts HELPER {more}"));
            assert_eq!(said.code, Some(code), "{verb} {more}: {}", said.all());
            let _ = ["left", "right"].map(|name| std::fs::remove_file(folder.path().join(name)));
        }
    }
}

#[test]
fn as_many_hosts_are_asked_at_a_time_as_forks_says() {
    let folder = folder();
    let _silence = silence(&folder);
    for verb in ["trust", "facts HELPER", "announce HELPER --preview -p fleet/site.yml", "drift HELPER site.yml"] {
        let begun = std::time::Instant::now();
        let said = run(&folder, &format!("{verb} -i silent -T 1 -f 1"));
        assert_eq!(said.code, Some(4), "{}", said.all());
        assert!(begun.elapsed().as_secs() >= 3, "{verb}: three silent hosts, one after the other, a second each");
    }
}

#[test]
fn manual_pages_go_where_they_are_wanted() {
    let folder = folder();
    assert_eq!(run(&folder, "man pages/of/man1").code, Some(0));
    assert!(folder.path().join("pages/of/man1/rectify-check.1").exists());
}

#[test]
fn the_environment_names_an_inventory_too() {
    let folder = folder();
    let mut command = folder.command(&["inventory", "web"]);
    let said = crate::local::said(command.env("RECTIFY_INVENTORY", "hosts"));
    assert_eq!(said.stdout, "a\nb\n", "{}", said.all());
}

#[test]
fn modules_writes_its_reference_where_it_is_told_to() {
    let folder = folder();
    assert_eq!(run(&folder, "modules --reference pages").code, Some(0));
    assert!(std::fs::read_to_string(folder.path().join("pages/copy.md")).unwrap().starts_with("# copy"));
    assert_eq!(run(&folder, "modules --reference pages --check").code, Some(0));
    folder.write("pages/copy.md", "stale");
    let said = run(&folder, "modules --reference pages --check");
    assert!(said.code == Some(3) && said.stderr.contains("copy.md"), "{}", said.all());
}

#[test]
fn options_that_would_have_no_effect_are_refused() {
    let folder = folder();
    for words in [
        "inventory -i hosts --vars",
        "inventory -i hosts --origins",
        "inventory -i hosts --graph -l web",
        "inventory -i hosts --host a -l web",
        "inventory -i hosts --graph --yaml",
        "modules copy --reference pages",
        "modules --check",
        "check site.yml -i hosts --list-tasks --json",
        "trust -i hosts -b",
        "schema -v",
        "lint site.yml -i hosts -v",
    ] {
        let said = run(&folder, words);
        assert_eq!(said.code, Some(5), "{words}: {}", said.all());
    }
}
