//! Roles, files, accounts and facts in the plans of good playbooks.

use rectify_core::{
    compile::Job,
    diag::{Diagnostics, render},
    graph,
    plan::TaskId,
};

use crate::support::{self, inline, options};

#[test]
fn roles_bring_their_dependencies_handlers_and_files() {
    let text = "
- hosts: web
  roles:
    - {role: app, tags: [app], when: http_port == 80}
    - app_base
";
    let files = [
        ("roles/app/meta/main.yml", "dependencies: [app_base]\n"),
        (
            "roles/app/tasks/main.yml",
            "- copy: {src: app.conf, dest: /etc/app.conf}\n  notify: 'app : restart'\n- import_tasks: more.yml\n",
        ),
        ("roles/app/tasks/more.yml", "- template: {src: a.j2, dest: /etc/a}\n  notify: topic\n"),
        ("roles/app/handlers/main.yml", "- name: restart\n  listen: topic\n  service: {name: app, state: restarted}\n"),
        ("roles/app/files/app.conf", "conf\n"),
        ("roles/app/templates/a.j2", "{{ inventory_hostname }}\n"),
        ("roles/app_base/tasks/main.yml", "- copy: {src: tree/, dest: /srv}\n"),
        ("roles/app_base/files/tree/one", "1\n"),
        ("roles/app_base/files/tree/below/two", "2\n"),
    ];
    let compiled = inline("roles", text, &files).compile("web1", options());
    let told: Vec<String> = compiled
        .plan
        .tasks
        .iter()
        .map(|t| {
            let files: Vec<String> = t
                .files
                .iter()
                .map(|(src, refs)| format!("{src}: {:?}", refs.iter().map(|r| r.below.as_str()).collect::<Vec<_>>()))
                .collect();
            let when: Vec<&str> = t.when.iter().map(|e| e.text.as_str()).collect();
            let topics = t.handler.as_ref().map(|h| h.topics.join("|")).unwrap_or_default();
            format!("{} {:?} {when:?} {:?} {files:?} {topics}", t.role.clone().unwrap(), t.module, t.tags)
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"app_base "copy" ["http_port == 80"] ["app"] ["tree/: [\"\", \"below\", \"below/two\", \"one\"]"] "#,
            r#"app "copy" ["http_port == 80"] ["app"] ["app.conf: [\"\"]"] "#,
            r#"app "template" ["http_port == 80"] ["app"] ["a.j2: [\"\"]"] "#,
            // Without condition and tags it is another use of the role.
            r#"app_base "copy" [] [] ["tree/: [\"\", \"below\", \"below/two\", \"one\"]"] "#,
            r#"app "service" [] ["app"] [] restart|app : restart|topic"#,
        ]
    );
    assert_eq!(compiled.plan.blobs.len(), 4);
    assert_eq!(compiled.blobs.keys().collect::<Vec<_>>(), compiled.plan.blobs.keys().collect::<Vec<_>>());
}

#[test]
fn the_same_role_twice_runs_once_unless_it_allows_more() {
    let files = [
        ("roles/once/tasks/main.yml", "- debug: {msg: x}\n"),
        ("roles/often/tasks/main.yml", "- debug: {msg: x}\n"),
        ("roles/often/meta/main.yml", "allow_duplicates: true\n"),
    ];
    let text = "- {hosts: web, roles: [once, once, {role: once, colour: red}, often, often]}\n";
    let plan = inline("twice", text, &files).compile("web1", options()).plan;
    let roles: Vec<&str> = plan.tasks.iter().filter_map(|t| t.role.as_deref()).collect();
    assert_eq!(roles, ["once", "once", "often", "often"]);
}

#[test]
fn a_source_may_differ_between_hosts_and_items() {
    let files = [("files/web1-a", "1"), ("files/web1-b", "2"), ("files/web2-a", "3"), ("files/web2-b", "3")];
    let text = "
- hosts: web
  tasks:
    - copy: {src: '{{ inventory_hostname }}-{{ item }}', dest: '/etc/{{ item }}'}
      loop: [a, b]
";
    let read = inline("sources", text, &files);
    let keys = |host: &str| read.compile(host, options()).plan.tasks[0].files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys("web1"), ["web1-a", "web1-b"]);
    assert_eq!(keys("web2"), ["web2-a", "web2-b"]);
    assert_eq!(read.compile("web2", options()).plan.blobs.len(), 1, "the same content travels once");
}

#[test]
fn the_helper_runs_as_the_account_that_can_become_all_others() {
    let accounts = |test: &str, play: &str, task: &str| {
        let text = format!(
            "- hosts: db\n  {play}\n  tasks:\n    - debug: {{msg: x}}\n    - debug: {{msg: x}}\n      {task}\n"
        );
        let compiled = inline(test, &text, &[]).compile("db1", options());
        let tasks: Vec<Option<String>> = compiled.plan.tasks.iter().map(|t| t.become_user.clone()).collect();
        (compiled.access.become_user, tasks)
    };
    let s = |text: &str| Some(text.to_owned());
    assert_eq!(accounts("become_none", "order: listed", "name: x"), (None, vec![None, None]));
    assert_eq!(accounts("become_root", "become: true", "name: x"), (s("root"), vec![None, None]));
    assert_eq!(
        accounts(
            "become_postgres",
            "{become: true, become_user: postgres}".trim_matches(['{', '}']).replace(", ", "\n  ").as_str(),
            "name: x"
        ),
        (s("postgres"), vec![None, None])
    );
    // The inventory says who logs in, so a task without `become` can leave root again.
    assert_eq!(accounts("become_mixed", "become: true", "become: false"), (s("root"), vec![None, s("deploy")]));
    assert_eq!(
        accounts("become_other", "become: true", "become_user: '{{ ansible_user }}'"),
        (s("root"), vec![None, s("deploy")])
    );
}

#[test]
fn facts_are_gathered_only_where_something_reads_them() {
    let gathers = |test: &str, text: &str| {
        let files = [("templates/t.j2", "{{ ansible_fqdn }}")];
        inline(test, text, &files)
            .compile("db1", options())
            .plan
            .plays
            .iter()
            .map(|p| p.gather_facts)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        gathers("facts_none", "- {hosts: db, tasks: [{debug: {msg: '{{ ansible_user }} {{ domain }}'}}]}"),
        [false]
    );
    assert_eq!(
        gathers("facts_when", "- {hosts: db, tasks: [{debug: {msg: x}, when: ansible_os_family == 'Debian'}]}"),
        [true]
    );
    assert_eq!(gathers("facts_file", "- {hosts: db, tasks: [{template: {src: t.j2, dest: /x}}]}"), [true]);
    assert_eq!(
        gathers("facts_off", "- {hosts: db, gather_facts: false, tasks: [{debug: {msg: '{{ ansible_fqdn }}'}}]}"),
        [false]
    );
    let later = "
- {hosts: db, tasks: [{debug: {msg: x}}]}
- {hosts: db, gather_facts: false, tasks: [{debug: {msg: '{{ ansible_fqdn }}'}}]}
";
    assert_eq!(gathers("facts_later", later), [true, false]);
}

#[test]
fn only_what_is_read_travels() {
    let plan = inline("pruned", "- {hosts: web, tasks: [{debug: {msg: '{{ domain }}'}}]}", &[])
        .compile("web1", options())
        .plan;
    assert_eq!(plan.inventory_vars["domain"], "example.org");
    assert!(!plan.inventory_vars.contains_key("http_port"));
    let text = "- {hosts: web, tasks: [{debug: {msg: \"{{ hostvars['db1'].ansible_user }} {{ groups.web }}\"}}]}";
    let plan = inline("all_vars", text, &[]).compile("web1", options()).plan;
    assert_eq!(plan.inventory_vars["hostvars"]["db1"]["ansible_user"], "deploy");
    assert_eq!(plan.inventory_vars["groups"]["web"], serde_json::json!(["web1", "web2"]));
}

#[test]
fn free_text_is_read_as_ansible_reads_it() {
    let text = r#"
- hosts: web
  tasks:
    - command: echo "a b"  c=d creates=/x {{ domain }} chdir='/tmp x'
    - shell: |
        for i in 1 2; do echo "$i" key=value; done
    - file: path=/a state=directory mode=0750
"#;
    let plan = inline("free_text", text, &[]).compile("web1", options()).plan;
    let args: Vec<String> = plan.tasks.iter().map(|t| t.args.to_value().to_string()).collect();
    assert_eq!(
        args,
        [
            r#"{"creates":"/x","chdir":"/tmp x","cmd":"echo \"a b\"  c=d  {{ domain }}"}"#,
            r#"{"cmd":"for i in 1 2; do echo \"$i\" key=value; done"}"#,
            r#"{"path":"/a","state":"directory","mode":"0750"}"#,
        ]
    );
}

#[test]
fn tasks_and_tags_are_listed() {
    let text = "
- {name: one, hosts: web, tags: [p], tasks: [{name: a, debug: {msg: x}, tags: [t]}]}
- {name: two, hosts: 'all:!web', tasks: [{debug: {msg: x}}]}
";
    let read = inline("listed_tasks", text, &[]);
    let mut found = Diagnostics::new();
    let job = Job::new(&read.playbook, &read.inventory, options(), &mut found);
    insta::assert_json_snapshot!(job.list());
    assert_eq!(job.hosts(), ["web1", "web2", "db1"]);
}

#[test]
fn problems_of_many_hosts_are_said_once() {
    let text = "- {hosts: all, tasks: [{debug: {msg: '{{ nowhere }} {{ http_port }}'}}]}\n";
    let read = inline("merged", text, &[]);
    let mut found = Diagnostics::new();
    let problems = Job::new(&read.playbook, &read.inventory, options(), &mut found).compile_all().unwrap_err();
    let shown = render(&read.map, &problems, false);
    assert_eq!(shown.matches("is not defined").count(), 2, "{shown}");
    assert!(shown.contains("on db1") && !shown.contains("on 3 hosts"), "{shown}");
}

#[test]
fn drawings_keep_hostile_names_in_their_place() {
    let text = "
- name: 'a \"play\" | with <marks>'
  hosts: web
  order: graph
  tasks:
    - {name: \"quote \\\" and \\\\ and \\e[31m\", id: a, package: {name: apache2}, notify: 'h \"x\"'}
    - {name: 'brackets ](}; and a name that is much longer than what fits into a box of a drawing', needs: a, service: {name: other}}
  handlers:
    - {name: 'h \"x\"', service: {name: apache2, state: restarted}}
";
    let read = inline("drawn", text, &[]);
    let mut graphs = graph::group([&read.compile("web1", options()).plan, &read.compile("web2", options()).plan]);
    assert_eq!(graphs.len(), 1, "both hosts do the same");
    for play in &mut graphs[0].plays {
        play.nodes.iter_mut().for_each(|n| n.origin.file = "site.yml".into());
    }
    insta::assert_snapshot!("text", graph::text(&graphs[0]));
    insta::assert_snapshot!("dot", graph::dot(&graphs[0]));
    insta::assert_snapshot!("mermaid", graph::mermaid(&graphs[0]));
    assert_eq!(graphs[0].json()["hosts"], serde_json::json!(["web1", "web2"]));
    assert_eq!(graphs[0].node(TaskId(1)).unwrap().needs.len(), 1);
}

#[test]
fn every_problem_is_shown_whatever_else_is_wrong() {
    let shown = support::read("broken/nested_everything.yml").problems(options());
    assert!(shown.contains("[unknown-argument]") && shown.contains("[undefined-variable]"), "{shown}");
}

#[test]
fn templates_that_a_template_includes_travel_with_it() {
    let files = [
        ("roles/app/tasks/main.yml", "- template: {src: main.j2, dest: /etc/x}\n"),
        (
            "roles/app/templates/main.j2",
            "{% extends 'base.j2' %}{% block b %}{% include 'parts/a.j2' %}{% endblock %}\n",
        ),
        ("roles/app/templates/base.j2", "<{% block b %}{% endblock %}>{% include 'none.j2' ignore missing %}\n"),
        ("roles/app/templates/parts/a.j2", "{% for n in [1] %}{% include 'parts/b.j2' %}{% endfor %}\n"),
        ("roles/app/templates/parts/b.j2", "{{ n }} {{ http_port }}\n"),
    ];
    let compiled = inline("templates", "- {hosts: web, roles: [app]}\n", &files).compile("web1", options());
    let task = &compiled.plan.tasks[0];
    assert_eq!(task.templates.keys().collect::<Vec<_>>(), ["base.j2", "parts/a.j2", "parts/b.j2"]);
    assert!(task.templates.values().all(|hash| compiled.blobs.contains_key(hash)));
    assert_eq!(compiled.plan.inventory_vars["http_port"], 80, "what they read travels too");
    let found = inline("templates_none", "- {hosts: web, roles: [app]}\n", &files[..2]).problems(options());
    assert!(found.contains("the template `base.j2`, which is included, does not exist"), "{found}");
}
