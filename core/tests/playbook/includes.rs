//! Files whose names depend on the host: what is known beforehand is settled, the rest travels with the plan.

use rectify_core::plan::Plan;
use serde_json::{Value, json};

use crate::support::{inline, options};

const ROLE: &[(&str, &str)] = &[
    (
        "roles/app/tasks/main.yml",
        "- include_tasks: \"setup-{{ ansible_facts.os_family }}.yml\"\n- debug: {msg: after}\n",
    ),
    ("roles/app/tasks/setup-Debian.yml", "- {name: on debian, debug: {msg: x}}\n"),
    ("roles/app/tasks/setup-RedHat.yml", "- {name: on redhat, debug: {msg: x}}\n- {name: more, debug: {msg: x}}\n"),
    ("roles/app/tasks/other.yml", "- {name: never, debug: {msg: x}}\n"),
];

/// The tasks with their conditions.
fn told(plan: &Plan) -> Vec<String> {
    let told = plan.tasks.iter().map(|t| {
        let when: Vec<&str> = t.when.iter().map(|e| e.text.as_str()).collect();
        format!("{} {when:?}", t.name)
    });
    told.collect()
}

fn edges(plan: &Plan, task: usize) -> Vec<u32> {
    plan.tasks[task].needs.iter().map(|e| e.on.0).collect()
}

#[test]
fn a_name_with_a_fact_is_every_file_that_fits_and_the_host_takes_one() {
    let plan = inline("inc_fact", "- {hosts: web, roles: [app]}\n", ROLE).compile("web1", options()).plan;
    assert_eq!(
        told(&plan),
        [
            "include_tasks []",
            r#"on debian ["included_1.file == 'setup-Debian.yml'"]"#,
            r#"on redhat ["included_1.file == 'setup-RedHat.yml'"]"#,
            r#"more ["included_1.file == 'setup-RedHat.yml'"]"#,
            "debug []",
        ]
    );
    assert_eq!(plan.tasks[0].choices.keys().collect::<Vec<_>>(), ["setup-Debian.yml", "setup-RedHat.yml"]);
    assert!(plan.plays[0].gather_facts);
    assert_eq!((edges(&plan, 1), edges(&plan, 4)), (vec![0], vec![3]));
}

#[test]
fn a_name_that_the_inventory_settles_is_one_file_on_each_host() {
    let files = [
        ("port-80.yml", "- {name: eighty, debug: {msg: x}}\n"),
        ("port-8080.yml", "- {name: other, debug: {msg: x}}\n"),
    ];
    let text = "- hosts: web\n  tasks:\n    - include_tasks: 'port-{{ http_port }}.yml'\n      tags: [t]\n    - debug: {msg: after}\n";
    let read = inline("inc_known", text, &files);
    let plan = |host: &str| told(&read.compile(host, options()).plan);
    assert_eq!(plan("web1"), ["eighty []", "debug []"]);
    assert_eq!(plan("web2"), ["other []", "debug []"]);
    let found = inline("inc_missing", text, &files[..1]).problems(options());
    assert!(found.contains("the name comes to `port-8080.yml`, and there is no such file"), "{found}");
    assert!(found.contains("on web2") && found.contains("it could be `port-80.yml`"), "{found}");
}

#[test]
fn selecting_a_task_of_an_open_include_selects_the_include() {
    let mut files = ROLE.to_vec();
    files[2].1 = "- {name: on redhat, debug: {msg: x}, tags: [wanted]}\n";
    let mut with = options();
    with.selection.tags = vec!["wanted".into()];
    let plan = inline("inc_tags", "- {hosts: web, roles: [app]}\n", &files).compile("web1", with).plan;
    assert_eq!(told(&plan), ["include_tasks []", r#"on redhat ["included_1.file == 'setup-RedHat.yml'"]"#]);
}

#[test]
fn tasks_are_included_once_for_each_item_of_a_list() {
    let files = [
        ("one.yml", "- {name: 'make {{ item }}', debug: {msg: x}}\n"),
        ("two.yml", "- {name: two, debug: {msg: x}}\n"),
    ];
    let text = "
- hosts: web
  tasks:
    - include_tasks: one.yml
      loop: [a, '{{ http_port }}']
    - include_tasks: '{{ file }}.yml'
      loop: [one, two]
      loop_control: {loop_var: file}
      when: http_port == 80
";
    let plan = inline("inc_loop", text, &files).compile("web1", options()).plan;
    let c = r#"["http_port == 80"]"#;
    assert_eq!(
        told(&plan),
        [
            "make {{ item }} []".to_owned(),
            "make {{ item }} []".to_owned(),
            format!("make {{{{ item }}}} {c}"),
            format!("two {c}"),
        ]
    );
    let item = |task: usize| plan.scopes[plan.tasks[task].scope.unwrap().0 as usize].vars["item"].clone();
    assert_eq!((item(0), item(1)), (json!("a"), json!("{{ http_port }}")));
}

#[test]
fn variables_of_every_file_that_fits_travel_and_are_known_names() {
    let files = [
        (
            "roles/app/tasks/main.yml",
            "- include_vars: '{{ ansible_os_family }}.yml'\n- package: {name: '{{ packages_of_app }}'}\n",
        ),
        ("roles/app/vars/Debian.yml", "packages_of_app: [a]\n"),
        ("roles/app/vars/RedHat.yml", "packages_of_app: ['{{ inventory_hostname }}']\n"),
        ("roles/app/vars/main.yml", "x: 1\n"),
    ];
    let plan = inline("vars_fact", "- {hosts: web, roles: [app]}\n", &files).compile("web1", options()).plan;
    assert_eq!(
        serde_json::to_value(&plan.tasks[0].choices).unwrap(),
        json!({"Debian.yml": {"packages_of_app": ["a"]}, "RedHat.yml": {"packages_of_app": ["{{ inventory_hostname }}"]}, "main.yml": {"x": 1}})
    );
    assert_eq!(plan.tasks[0].module, "include_vars");
}

#[test]
fn variables_come_from_a_file_a_folder_and_under_a_name() {
    let files = [
        ("vars/a.yml", "x: 1\n"),
        ("vars/all/b.yml", "y: 1\n"),
        ("vars/all/deep/c.yaml", "y: 2\nz: 3\n"),
        ("vars/all/note.txt", "no"),
    ];
    let text = "
- hosts: web
  tasks:
    - include_vars: a.yml
    - include_vars: {dir: vars/all}
    - include_vars: {file: a.yml, name: nest}
    - include_vars: {dir: all, depth: 1}
    - include_vars: '{{ http_port }}-a.yml'
      when: nest.x == 1
    - debug: {msg: '{{ x }} {{ y }} {{ z }} {{ nest.x }}'}
";
    let read = inline("vars_forms", text, &files[..]);
    let found = read.problems(options());
    assert!(found.contains("no file of variables fits `*-a.yml`"), "{found}");
    let plan = inline("vars_forms2", &text.replace("{{ http_port }}-", ""), &files).compile("web1", options()).plan;
    let vars: Vec<Value> = plan.tasks[..4].iter().map(|t| json!(t.choices.values().next())).collect();
    assert_eq!(vars, [json!({"x": 1}), json!({"y": 2, "z": 3}), json!({"nest": {"x": 1}}), json!({"y": 1})]);
}

#[test]
fn the_first_file_that_is_found_may_be_any_that_fits() {
    let files = [
        ("roles/app/vars/Debian-12.yml", "x: 12\n"),
        ("roles/app/vars/Debian.yml", "x: 1\n"),
        ("roles/app/vars/default.yml", "x: 0\n"),
        ("roles/app/templates/a-Debian.j2", "{{ x }} {{ only_on_debian }}\n"),
        ("roles/app/templates/a.j2", "{{ x }}\n"),
    ];
    let forms = [
        (
            "listed",
            "- include_vars: '{{ item }}'\n  with_first_found:\n    - '{{ ansible_distribution }}-{{ ansible_distribution_major_version }}.yml'\n    - '{{ ansible_distribution }}.yml'\n    - default.yml\n",
        ),
        (
            "mapping",
            "- include_vars: '{{ item }}'\n  with_first_found:\n    - files: ['{{ ansible_distribution }}-{{ ansible_distribution_major_version }}.yml', '{{ ansible_distribution }}.yml', default.yml]\n      paths: [../vars]\n",
        ),
        (
            "lookup",
            "- include_vars: \"{{ lookup('first_found', names) }}\"\n  vars:\n    names:\n      files: ['{{ ansible_distribution }}-{{ ansible_distribution_major_version }}.yml', '{{ ansible_distribution }}.yml', default.yml]\n      paths: ['{{ role_path }}/vars']\n",
        ),
        (
            "query",
            "- include_vars: '{{ item }}'\n  loop: \"{{ query('first_found', ['vars/' ~ ansible_distribution ~ '-' ~ ansible_distribution_major_version ~ '.yml', 'vars/' ~ ansible_distribution ~ '.yml', 'vars/default.yml']) }}\"\n",
        ),
    ];
    for (name, form) in forms {
        let mut all = files.to_vec();
        let main = format!(
            "{form}- template: {{src: '{{{{ item }}}}', dest: /etc/a}}\n  with_first_found: ['a-{{{{ ansible_distribution }}}}.j2', a.j2]\n- debug: {{msg: '{{{{ x }}}}'}}\n"
        );
        all.push(("roles/app/tasks/main.yml", &main));
        let plan =
            inline(&format!("found_{name}"), "- {hosts: web, roles: [app]}\n", &all).compile("web1", options()).plan;
        let end = |path: &String| path.rsplit('/').next().unwrap().to_owned();
        let choices: Vec<String> = plan.tasks[0].choices.keys().map(end).collect();
        assert_eq!(choices, ["Debian-12.yml", "Debian.yml", "default.yml"], "{name}");
        let found = plan.tasks[0].found.as_ref().unwrap();
        assert_eq!(found.known.len(), 3, "{name}: {found:?}");
        assert!(found.known.values().all(|path| plan.tasks[0].choices.contains_key(path)), "{name}");
        let sent: Vec<String> = plan.tasks[1].files.keys().map(end).collect();
        assert_eq!(sent, ["a-Debian.j2", "a.j2"], "{name}");
        assert_eq!(plan.blobs.len(), 2, "{name}");
    }
}

#[test]
fn files_that_fit_a_glob_are_the_items() {
    let files = [("files/a.conf", "1"), ("files/b.conf", "2"), ("files/c.txt", "3"), ("files/.d.conf", "4")];
    let text = "
- hosts: web
  tasks:
    - copy: {src: '{{ item }}', dest: '/etc/{{ item | basename }}'}
      with_fileglob: ['*.conf']
    - copy: {src: '{{ item }}', dest: '/etc/{{ item | basename }}'}
      loop: \"{{ query('fileglob', '{{ playbook_dir }}/files/*.txt') }}\"
";
    let plan = inline("globs", text, &files).compile("web1", options()).plan;
    let sent = |task: usize| plan.tasks[task].files.keys().map(|p| p.rsplit('/').next().unwrap()).collect::<Vec<_>>();
    assert_eq!((sent(0), sent(1)), (vec!["a.conf", "b.conf"], vec!["c.txt"]));
}

#[test]
fn files_of_variables_of_a_play_may_depend_on_facts() {
    let files = [("vars/Debian.yml", "x: 1\ny: 1\n"), ("vars/default.yml", "x: 0\n"), ("vars/late.yml", "y: 2\n")];
    let text = "
- hosts: web
  vars_files:
    - ['vars/{{ ansible_os_family }}.yml', vars/default.yml]
    - vars/late.yml
  tasks:
    - debug: {msg: '{{ x }} {{ y }}'}
";
    let plan = inline("vars_files", text, &files).compile("web1", options()).plan;
    let vars: Vec<Value> = plan.tasks[0].choices.values().map(|v| json!(v)).collect();
    assert_eq!(vars, [json!({"x": 1}), json!({"x": 0}), json!({})], "a later file is stronger");
    assert_eq!(plan.plays[0].vars["y"], json!(2));
    assert_eq!(edges(&plan, 1), [0]);
}

#[test]
fn a_source_that_depends_on_a_fact_is_every_file_that_fits() {
    let files = [("files/sshd-Debian.conf", "1"), ("files/sshd-RedHat.conf", "2"), ("files/other.conf", "3")];
    let text = "- hosts: web\n  tasks:\n    - copy: {src: 'sshd-{{ ansible_facts.os_family }}.conf', dest: /etc/x}\n";
    let plan = inline("src_fact", text, &files).compile("web1", options()).plan;
    assert_eq!(plan.tasks[0].files.keys().collect::<Vec<_>>(), ["sshd-Debian.conf", "sshd-RedHat.conf"]);
}

#[test]
fn files_for_systems_that_no_host_is_are_not_read() {
    let files = [
        (
            "roles/app/tasks/main.yml",
            "- include_tasks: 'setup-{{ ansible_os_family }}.yml'\n- include_tasks: arch.yml\n  when: ansible_os_family == 'Archlinux'\n",
        ),
        ("roles/app/tasks/setup-Debian.yml", "- {name: mine, debug: {msg: x}}\n"),
        ("roles/app/tasks/setup-Solaris.yml", "- pkg5: {name: apache}\n"),
        ("roles/app/tasks/arch.yml", "- pacman: {name: apache}\n"),
    ];
    let plan = inline("foreign", "- {hosts: web, roles: [app]}\n", &files).compile("web1", options()).plan;
    assert_eq!(
        told(&plan),
        [
            "include_tasks []",
            r#"mine ["included_1.file == 'setup-Debian.yml'"]"#,
            r#"include_tasks ["ansible_os_family == 'Archlinux'"]"#,
        ]
    );
}
