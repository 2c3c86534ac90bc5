//! A plan in which only some tasks may change the host, and all others are rehearsed.
//!
//! The plan stays whole: order, conditions, handlers and transactions are those of any apply. What is rehearsed notifies nobody, fails for nobody, and
//! whoever reads its result is rehearsed too: a result of something that did not happen is no ground to change a host. Where a task failed in the look,
//! what is rehearsed fails as it did there, and so keeps what depends on it from changing the host.

use std::collections::BTreeSet;

use rectify_core::{
    arg::Arg,
    plan::{Expr, Place, Plan, ScopeId, Section, Task, TaskId},
};

use super::Allowed;

/// Modules that only steer the run.
const STEERING: [&str; 3] = ["meta", "include_tasks", "include_vars"];

/// Lets only the tasks change the host that `allowed` names. `is_pure` says whether a module changes nothing by itself.
///
/// Handlers run if a task notifies them that may change the host, unless they belong to a setting that may not. A transaction is closed for real if one
/// of its tasks may change something.
pub fn restrict(plan: &mut Plan, allowed: &Allowed, is_pure: impl Fn(&str) -> bool) {
    let ends: BTreeSet<TaskId> = plan.blocks.iter().filter_map(|b| b.transaction.as_ref()).map(|t| t.end).collect();
    let acts = |task: &Task| {
        !is_pure(&task.module)
            && !STEERING.contains(&task.module.as_str())
            && task.check_mode != Some(false)
            && !ends.contains(&task.id)
    };
    let may = |task: &Task| {
        let setting = task.rollout.as_ref().map(|rollout| rollout.setting.as_str());
        let follows = task.handler.is_some() && setting.is_none();
        follows || allowed.has(setting, &task.origin.to_string())
    };
    let mut rehearsed: BTreeSet<TaskId> = plan.tasks.iter().filter(|t| acts(t) && !may(t)).map(|t| t.id).collect();
    let words: Vec<BTreeSet<String>> = plan.tasks.iter().map(|task| words(plan, task)).collect();
    let mut unreal: BTreeSet<String> = plan.tasks.iter().filter(|t| rehearsed.contains(&t.id)).flat_map(sets).collect();
    loop {
        let before = (rehearsed.len(), unreal.len());
        for (task, words) in plan.tasks.iter().zip(&words) {
            if words.is_disjoint(&unreal) {
                continue;
            }
            if acts(task) {
                rehearsed.insert(task.id);
            }
            unreal.extend(sets(task));
        }
        if before == (rehearsed.len(), unreal.len()) {
            break;
        }
    }
    let open: BTreeSet<TaskId> =
        plan.tasks.iter().filter(|t| acts(t) && !rehearsed.contains(&t.id)).filter_map(|t| end_of(plan, t)).collect();
    rehearsed.extend(ends.difference(&open));
    for task in plan.tasks.iter_mut().filter(|task| rehearsed.contains(&task.id)) {
        task.check_mode = Some(true);
        task.notify.clear();
        if !allowed.failing {
            // Its predecessors may not have happened either.
            task.ignore_errors = Some(Expr { text: "true".into(), origin: task.origin.clone() });
        }
    }
}

/// The names under which a task leaves something to others.
fn sets(task: &Task) -> Vec<String> {
    let mut names: Vec<String> = task.register.iter().cloned().collect();
    if let (true, Arg::Map(args)) = (task.module == "set_fact", &task.args) {
        names.extend(args.keys().filter(|name| *name != "cacheable").cloned());
    }
    names
}

/// Every word that stands somewhere in a task or in the variables around it, but for what it registers itself: a name that is read is among them.
fn words(plan: &Plan, task: &Task) -> BTreeSet<String> {
    let mut text = String::new();
    let mut own = task.clone();
    own.register = None;
    own.needs.clear();
    let mut put = |json: serde_json::Result<String>| text.push_str(&json.unwrap_or_default());
    put(serde_json::to_string(&own));
    let mut scope = task.scope;
    while let Some(ScopeId(at)) = scope {
        let Some(around) = plan.scopes.get(at as usize) else { break };
        put(serde_json::to_string(&around.vars));
        put(serde_json::to_string(&around.params));
        scope = around.parent;
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The end of the transaction that a task stands in.
fn end_of(plan: &Plan, task: &Task) -> Option<TaskId> {
    let mut at: Option<Place> = task.place;
    for _ in 0..=plan.blocks.len() {
        let place = at?;
        let block = plan.blocks.get(place.block.0 as usize)?;
        match &block.transaction {
            Some(transaction) if place.section == Section::Body => return Some(transaction.end),
            _ => at = block.within,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rectify_core::plan::{
        Block, BlockId, Handler, Mode, Options, Origin, Rollout, RolloutMode, RolloutOn, Transaction,
    };

    use super::*;

    fn task(id: u32, module: &str, setting: Option<&str>) -> Task {
        let json = serde_json::json!({
            "id": id, "name": "x", "role": null, "origin": { "file": "site.yml", "line": id + 1, "column": 1 },
            "module": module, "args": {"Map": {}}, "scope": null, "when": [], "loop": null, "register": null,
            "notify": ["restart"], "handler": null, "become_user": null, "changed_when": null, "failed_when": null,
            "ignore_errors": null, "retry": null, "no_log": false, "environment": {}, "check_mode": null, "files": {},
            "needs": [], "tags": [],
        });
        let mut task: Task = serde_json::from_value(json).unwrap();
        task.rollout = setting.map(|setting| Rollout {
            setting: setting.into(),
            on: RolloutOn::Enforce,
            mode: RolloutMode::Enforce,
            why: String::new(),
        });
        task
    }

    fn plan(tasks: Vec<Task>) -> Plan {
        Plan {
            run: "r".into(),
            host: "h".into(),
            mode: Mode::Apply,
            inventory_vars: serde_json::Map::new(),
            extra_vars: serde_json::Map::new(),
            plays: Vec::new(),
            tasks,
            scopes: Vec::new(),
            blocks: Vec::new(),
            secrets: BTreeSet::new(),
            blobs: std::collections::BTreeMap::new(),
            options: Options::default(),
        }
    }

    fn when(text: &str) -> Vec<Expr> {
        vec![Expr { text: text.into(), origin: Origin { file: "site.yml".into(), line: 1, column: 1 } }]
    }

    /// The numbers of the tasks that are rehearsed.
    fn rehearsed(mut plan: Plan, allowed: &Allowed) -> Vec<u32> {
        restrict(&mut plan, allowed, |module| matches!(module, "stat" | "set_fact" | "debug"));
        let rehearsed = plan.tasks.iter().filter(|task| task.check_mode == Some(true));
        let rehearsed: Vec<&Task> = rehearsed.collect();
        assert!(rehearsed.iter().all(|task| task.notify.is_empty() && task.ignore_errors.is_some()));
        rehearsed.iter().map(|task| task.id.0).collect()
    }

    fn settings(ids: &[Option<&str>]) -> Allowed {
        let settings = ids.iter().map(|id| id.map(str::to_owned)).collect();
        Allowed { settings, ..Allowed::default() }
    }

    #[test]
    fn only_tasks_of_what_is_allowed_change_the_host() {
        let tasks = || {
            vec![task(0, "copy", Some("a")), task(1, "copy", None), task(2, "copy", Some("b")), task(3, "stat", None)]
        };
        assert_eq!(rehearsed(plan(tasks()), &settings(&[Some("a")])), [1, 2]);
        assert_eq!(rehearsed(plan(tasks()), &settings(&[None])), [0, 2]);
        assert_eq!(rehearsed(plan(tasks()), &Allowed::default()), [0, 1, 2]);
        let one = Allowed { origins: ["site.yml:3".to_owned()].into(), ..Allowed::default() };
        assert_eq!(rehearsed(plan(tasks()), &one), [0, 1]);
        // What only looks, by its own word, goes on to do so.
        let mut all = tasks();
        all[1].check_mode = Some(false);
        assert_eq!(rehearsed(plan(all), &settings(&[Some("a")])), [2]);
    }

    #[test]
    fn where_a_task_failed_in_the_look_what_is_rehearsed_fails_as_it_did() {
        let mut plan = plan(vec![task(0, "copy", Some("a")), task(1, "copy", None), task(2, "copy", Some("a"))]);
        plan.tasks[2].ignore_errors = Some(when("true").remove(0));
        let own = plan.tasks[2].ignore_errors.clone();
        let allowed = Allowed { failing: true, ..settings(&[None]) };
        restrict(&mut plan, &allowed, |_| false);
        let rehearsed: Vec<_> = plan.tasks.iter().map(|task| task.check_mode == Some(true)).collect();
        assert_eq!(rehearsed, [true, false, true]);
        assert_eq!(plan.tasks[0].ignore_errors, None, "what depends on it is skipped");
        assert_eq!(plan.tasks[2].ignore_errors, own, "its author says that it may fail");
        assert!(plan.tasks[0].notify.is_empty());
    }

    #[test]
    fn who_reads_a_result_that_is_not_real_is_rehearsed_too_by_whatever_way() {
        let mut tasks = vec![
            task(0, "command", None),
            task(1, "set_fact", None),
            task(2, "copy", Some("a")),
            task(3, "copy", Some("a")),
            task(4, "stat", None),
            task(5, "copy", Some("a")),
            task(6, "copy", Some("a")),
        ];
        tasks[0].register = Some("out".into());
        tasks[1].args = Arg::Map([("port".to_owned(), Arg::text("80"))].into_iter().collect());
        tasks[1].when = when("out.rc == 0");
        tasks[2].when = when("port == 80");
        tasks[3].when = when("outer");
        tasks[4].register = Some("there".into());
        tasks[5].when = when("there.stat.exists");
        tasks[6].scope = Some(ScopeId(1));
        let mut plan = plan(tasks);
        let scope = |parent, vars: serde_json::Value| rectify_core::plan::Scope {
            parent,
            vars: vars.as_object().cloned().unwrap(),
            params: serde_json::Map::new(),
        };
        plan.scopes = vec![
            scope(None, serde_json::json!({ "x": "{{ out.stdout }}" })),
            scope(Some(ScopeId(0)), serde_json::json!({})),
        ];
        // 3 reads another name, 5 what a look found.
        assert_eq!(rehearsed(plan, &settings(&[Some("a")])), [0, 2, 6]);
    }

    #[test]
    fn handlers_follow_those_who_notify_them_unless_their_own_setting_may_not() {
        let handler = |id, setting| {
            let mut task = task(id, "service", setting);
            task.handler = Some(Handler { topics: vec!["restart".into()] });
            task
        };
        let tasks =
            vec![task(0, "copy", Some("a")), task(1, "copy", Some("b")), handler(2, None), handler(3, Some("b"))];
        assert_eq!(rehearsed(plan(tasks), &settings(&[Some("a")])), [1, 3]);
    }

    #[test]
    fn a_transaction_is_closed_for_real_if_one_of_its_tasks_is_real() {
        let within = |mut task: Task| {
            task.place = Some(Place { block: BlockId(0), section: Section::Body });
            task
        };
        let make = || {
            let tasks = vec![
                within(task(0, "copy", Some("a"))),
                within(task(1, "copy", Some("b"))),
                task(2, "transaction", None),
            ];
            let mut plan = plan(tasks);
            plan.blocks = vec![Block { within: None, transaction: Some(Transaction { end: TaskId(2) }) }];
            plan
        };
        assert_eq!(rehearsed(make(), &settings(&[Some("a")])), [1]);
        assert_eq!(rehearsed(make(), &settings(&[None])), [0, 1, 2]);
    }
}
