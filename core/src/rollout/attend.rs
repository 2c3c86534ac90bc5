//! A plan, and where its host stands: what each task of a setting does there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    fingerprint::fingerprint,
    model::{Rollouts, Setting},
    stance::{Prints, Stance},
};
use crate::{
    plan::{Plan, Scope, ScopeId},
    playbook::magic::ROLLOUT_VALUE,
};

/// The fingerprints of every setting that a plan has tasks of.
pub fn prints(plan: &Plan, rollouts: &Rollouts) -> BTreeMap<String, Prints> {
    let print = |setting: &Setting| {
        let now = fingerprint(plan, &setting.id, setting.revision.value.as_ref())?;
        let was = (setting.revision.number > 1)
            .then(|| fingerprint(plan, &setting.id, setting.revision.was.as_ref()))
            .flatten();
        Some((setting.id.clone(), Prints { now, was }))
    };
    rollouts.settings.values().filter_map(print).collect()
}

/// Tells the tasks of a plan where their host stands, and the value that holds there.
///
/// A task of a setting without a stance keeps the mode that it has: it is observed.
pub fn attend(plan: &mut Plan, stances: &BTreeMap<String, Stance>) {
    let mut scopes: BTreeMap<(String, Option<ScopeId>), ScopeId> = BTreeMap::new();
    for task in &mut plan.tasks {
        let Some(rollout) = &mut task.rollout else { continue };
        let Some(stance) = stances.get(&rollout.setting) else { continue };
        rollout.mode = stance.mode;
        rollout.why = stance.reason.to_string();
        let next = ScopeId(u32::try_from(plan.scopes.len()).unwrap_or(u32::MAX));
        let key = (rollout.setting.clone(), task.scope);
        task.scope = Some(*scopes.entry(key).or_insert_with(|| {
            let value = stance.value.clone().unwrap_or(Value::Null);
            let vars = Map::from_iter([(ROLLOUT_VALUE.to_owned(), value)]);
            plan.scopes.push(Scope { parent: task.scope, vars, params: Map::new() });
            next
        }));
    }
}
