//! Tasks of settings: how they are read, what was announced as a fingerprint, and how a plan is told where its host stands.

use std::collections::BTreeMap;

use rectify_core::{
    compile::Compiled,
    plan::{Mode, RolloutMode, RolloutOn},
    rollout::{Mode as Stands, Reason, Stage, Stance, StepName, attend, fingerprint},
};
use serde_json::{Value, json};

use crate::support::{inline, options};

const SITE: &str = "
- hosts: web
  vars: {banner: hello, other: 1}
  tasks:
    - name: The banner
      rollout: banner
      copy: {dest: /etc/motd, content: '{{ banner }} {{ rollout_value }}'}
    - debug: {msg: '{{ other }}'}
    - rollout: tools
      block:
        - command: /bin/true
        - rollout: {setting: tools, on: retired}
          command: /bin/false
";

fn compiled(test: &str, text: &str) -> Compiled {
    inline(&format!("rollouts-{test}"), text, &[]).compile("web1", options())
}

fn print(test: &str, text: &str) -> String {
    fingerprint(&compiled(test, text).plan, "banner", None).unwrap()
}

#[test]
fn a_task_belongs_to_the_setting_that_it_or_its_block_names() {
    let plan = compiled("belongs", SITE).plan;
    let settings: Vec<Option<(String, RolloutOn)>> =
        plan.tasks.iter().map(|t| t.rollout.as_ref().map(|r| (r.setting.clone(), r.on))).collect();
    let of = |id: &str, on| Some((id.to_owned(), on));
    assert_eq!(
        settings,
        [of("banner", RolloutOn::Enforce), None, of("tools", RolloutOn::Enforce), of("tools", RolloutOn::Retired)]
    );
    // Nobody has said where the host stands: nothing is enforced by accident.
    assert!(plan.tasks.iter().flat_map(|t| &t.rollout).all(|r| r.mode == RolloutMode::Observe));
}

#[test]
fn every_place_that_names_a_setting_is_known() {
    let read = inline("rollouts-places", SITE, &[]);
    let places: Vec<String> =
        read.playbook.settings().iter().map(|(id, at)| format!("{id}:{}", read.map.location(*at).line)).collect();
    assert_eq!(places, ["banner:6", "tools:9", "tools:12"]);
}

#[test]
fn what_was_announced_alters_with_what_the_tasks_say_and_with_nothing_else() {
    let base = print("base", SITE);
    for (what, from, to) in [
        ("name", "The banner", "The text that greets"),
        ("another task", "msg: '{{ other }}'", "msg: other"),
        ("another variable", "other: 1", "other: 2"),
        ("another setting", "/bin/true", "/bin/date"),
        ("a tag", "rollout: banner", "rollout: banner\n      tags: [motd]"),
        ("a comment and a line", "  tasks:", "  # Greets.\n\n  tasks:"),
    ] {
        assert_ne!(SITE.replace(from, to), SITE);
        assert_eq!(print("same", &SITE.replace(from, to)), base, "{what}");
    }
    for (what, from, to) in [
        ("an argument", "/etc/motd", "/etc/issue"),
        ("a variable it reads", "banner: hello", "banner: bye"),
        ("a variable of a variable", "banner: hello", "banner: '{{ other }}'"),
        ("a condition", "rollout: banner", "rollout: banner\n      when: other == 1"),
    ] {
        assert_ne!(print("other", &SITE.replace(from, to)), base, "{what}");
    }
    let plan = compiled("value", SITE).plan;
    assert_ne!(fingerprint(&plan, "banner", Some(&json!("DENY"))).unwrap(), base);
    assert_eq!(fingerprint(&plan, "no-such", None), None);
}

fn stance(mode: Stands, value: Option<Value>) -> Stance {
    Stance {
        mode,
        step: StepName::whole(Stage::OptIn),
        reason: Reason::NotAskedFor(Stage::OptIn),
        revision: 1,
        value,
        findings: Vec::new(),
        warnings: Vec::new(),
        chain: Vec::new(),
    }
}

#[test]
fn a_plan_is_told_where_its_host_stands_and_the_value_that_holds_there() {
    let mut plan = compiled("attend", SITE).plan;
    let scopes = plan.scopes.len();
    let stances = BTreeMap::from([("banner".to_owned(), stance(Stands::Enforce, Some(json!("SAMEORIGIN"))))]);
    attend(&mut plan, &stances);
    let told = plan.tasks[0].rollout.as_ref().unwrap();
    assert_eq!((told.mode, told.why.as_str()), (RolloutMode::Enforce, "opt-in (not asked for)"));
    assert_eq!(plan.scopes.len(), scopes + 1);
    let scope = &plan.scopes[plan.tasks[0].scope.unwrap().0 as usize];
    assert_eq!(scope.vars["rollout_value"], "SAMEORIGIN");
    assert_eq!(plan.tasks[2].rollout.as_ref().unwrap().mode, RolloutMode::Observe);
}

#[test]
fn what_was_announced_by_a_check_holds_in_an_apply() {
    let text = SITE.replace("rollout: banner", "rollout: banner\n      when: not ansible_check_mode");
    let read = inline("rollouts-modes", &text, &[]);
    let [check, apply] = [Mode::Check, Mode::Apply].map(|mode| {
        let plan = read.compile("web1", rectify_core::compile::CompileOptions { mode, ..options() }).plan;
        fingerprint(&plan, "banner", None).unwrap()
    });
    assert_eq!(check, apply);
}

#[test]
fn the_value_is_known_in_the_tasks_of_settings_only() {
    let text = SITE.replace("msg: '{{ other }}'", "msg: '{{ rollout_value }}'");
    let told = inline("rollouts-value", &text, &[]).problems(options());
    assert!(told.contains("`rollout_value`") && told.contains("site.yml:8"), "{told}");
}

#[test]
fn broken_settings_of_tasks_are_refused() {
    for (from, to, said) in [
        ("setting: tools, on: retired", "setting: banner", "a task belongs to one setting"),
        ("on: retired", "on: later", "expected `enforce`, `observe` or `retired`"),
        ("on: retired", "om: retired", "did you mean `on`?"),
        ("setting: tools, on: retired", "on: retired", "`rollout` names no `setting`"),
        ("rollout: banner", "rollout: '{{ other }}'", "cannot be a template"),
        (
            "  tasks:",
            "  handlers: [{name: h, rollout: banner, debug: {msg: x}}]\n  tasks:",
            "a handler cannot have `rollout`",
        ),
        ("rollout: banner", "rollout: [a, b]", "expected the id of a setting"),
    ] {
        let told = inline("rollouts-broken", &SITE.replace(from, to), &[]).problems(options());
        assert!(told.contains(said), "{to}: expected {said:?} in\n{told}");
    }
}
