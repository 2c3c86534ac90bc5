//! Which account each task runs as, and which one the helper has to be started as.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{job::CompileOptions, render::Static, vars::HostNames};
use crate::{
    diag::Diagnostic,
    playbook::{Become, Flag, TaskDef},
};

/// The account of a task: `None` is the one that logs in.
pub(crate) type Account = Option<String>;

/// Reads a flag; a template must come to true or false beforehand.
pub(crate) fn flag(flag: &Flag, known: &Static) -> Option<bool> {
    match flag {
        Flag::Fixed(on) => Some(*on),
        Flag::Template(text, _) => truth(&known.value(text)?),
    }
}

/// A value as Ansible's arguments take it for true or false.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => match n.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(s) => match s.trim().to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" | "1" | "y" | "t" => Some(true),
            "no" | "off" | "false" | "0" | "n" | "f" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The account that a task asks for. The inventory's `ansible_become…` win over the playbook, as all connection variables do.
pub(crate) fn account(
    task: &TaskDef,
    names: &HostNames<'_>,
    options: &CompileOptions,
    known: &Static,
) -> Result<Account, Box<Diagnostic>> {
    let var = |name: &str| names.extra.get(name).or_else(|| names.inventory.get(name));
    let asked: &Become = &task.r#become;
    let on = match (var("ansible_become").and_then(truth), &asked.on) {
        (Some(on), _) => on,
        (None, None) => options.r#become,
        (None, Some(asked)) => match (flag(asked, known), asked) {
            (Some(on), _) => on,
            (None, Flag::Template(_, span)) => {
                let problem = Diagnostic::error("dynamic-become", "`become` depends on what only the host knows");
                return Err(Box::new(problem.at(*span, "").help("use a variable of the playbook or the inventory")));
            }
            (None, Flag::Fixed(_)) => false,
        },
    };
    if !on {
        return Ok(None);
    }
    let inventory = ["ansible_become_user", "ansible_sudo_user"].into_iter().find_map(var).and_then(Value::as_str);
    let user = match (inventory, &asked.user) {
        (Some(user), _) => user.to_owned(),
        (None, Some(user)) => match known.value(user) {
            Some(Value::String(user)) => user,
            _ => user.clone(),
        },
        (None, None) => options.become_user.clone().unwrap_or_else(|| "root".into()),
    };
    Ok(Some(user))
}

/// The account that the helper runs as, given those of all tasks: the one that all share, else root, who can become any.
pub(crate) fn helper(accounts: &BTreeSet<Account>) -> Account {
    let mut all = accounts.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => only.clone(),
        (None, _) => None,
        _ => Some("root".into()),
    }
}
