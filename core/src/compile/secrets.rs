//! What is encrypted among a host's variables, and what of a plan must not be shown.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    arg::Arg,
    diag::Diagnostics,
    plan::Plan,
    vault::{self, Keyring, has_encrypted},
};

/// The inventory's words for how a host is reached that a plan is made with.
pub(crate) const LOGIN: [&str; 6] = [
    "ansible_user",
    "ansible_ssh_user",
    "ansible_become",
    "ansible_become_user",
    "ansible_sudo_user",
    "ansible_become_method",
];

/// The variables that hold passwords, encrypted or not.
const PASSWORDS: [&str; 9] = [
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
    "ansible_su_pass",
    "ansible_ssh_private_key_passphrase",
    "ansible_private_key_passphrase",
];

/// Puts plain text in the place of what is encrypted. What cannot be opened is a problem if it is needed, and left out if not.
pub(crate) fn open(
    keyring: &Keyring,
    vars: &mut Map<String, Value>,
    needed: impl Fn(&str) -> bool,
    found: &mut Diagnostics,
) {
    let names: Vec<String> = vars.iter().filter(|(_, value)| has_encrypted(value)).map(|(n, _)| n.clone()).collect();
    for name in names {
        if open_one(keyring, vars, &name, needed(&name), found) {
            vars.shift_remove(&name);
        }
    }
}

/// As [`open`], for one variable; whether it could not be opened.
pub(crate) fn open_one(
    keyring: &Keyring,
    vars: &mut Map<String, Value>,
    name: &str,
    needed: bool,
    found: &mut Diagnostics,
) -> bool {
    let Some(value) = vars.get_mut(name).filter(|value| has_encrypted(value)) else { return false };
    // The variables of all hosts: this one may need any of them, and none in particular.
    if let ("hostvars", Value::Object(hosts)) = (name, &mut *value) {
        keyring.reveal_vars(hosts);
        return false;
    }
    let Err((text, why)) = keyring.reveal_all(value) else { return false };
    if needed {
        found.push(vault::problem(keyring, &format!("the variable `{name}`"), &text, &why));
    }
    true
}

/// The texts of a plan that are shown nowhere.
pub(crate) fn of_plan(keyring: &Keyring, plan: &Plan) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let plays = plan.plays.iter().flat_map(|play| [&play.defaults, &play.vars]);
    let scopes = plan.scopes.iter().map(|scope| &scope.vars);
    let included = plan.tasks.iter().flat_map(|task| task.choices.values());
    for vars in [&plan.inventory_vars, &plan.extra_vars].into_iter().chain(plays).chain(scopes).chain(included) {
        keyring.within(vars, &mut out);
        out.extend(PASSWORDS.iter().filter_map(|name| vars.get(*name)?.as_str()).map(str::to_owned));
    }
    for task in &plan.tasks {
        args(keyring, &task.args, &mut out);
        task.environment.values().for_each(|arg| args(keyring, arg, &mut out));
        task.r#loop.iter().for_each(|looped| args(keyring, &looped.over, &mut out));
    }
    out
}

fn args(keyring: &Keyring, arg: &Arg, out: &mut BTreeSet<String>) {
    match arg {
        Arg::Template(text) if keyring.secrets().contains(text) => {
            out.insert(text.clone());
        }
        Arg::Scalar(scalar) if keyring.secrets().contains(&scalar.text) => {
            out.insert(scalar.text.clone());
        }
        Arg::List(items) => items.iter().for_each(|item| args(keyring, item, out)),
        Arg::Map(map) => map.values().for_each(|item| args(keyring, item, out)),
        _ => {}
    }
}
