//! Which account each task runs as, and which one the helper has to be started as.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{job::CompileOptions, render::Static, vars::HostNames};
use crate::{
    arg::truth,
    diag::Diagnostic,
    inventory::connection_names,
    playbook::{Become, Flag, TaskDef},
    template::may_be_template,
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

/// A connection variable of a host, `-e` before the inventory, templates rendered.
///
/// # Errors
/// The text of a template that is not known yet.
pub(crate) fn connection_var(names: &HostNames<'_>, name: &str) -> Result<Option<Value>, String> {
    let same = connection_names(name);
    let last = |vars: &Map<String, Value>| same.iter().rev().find_map(|n| vars.get(*n)).cloned();
    match last(names.extra).or_else(|| last(names.inventory)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if may_be_template(&text) => {
            let mut all = names.inventory.clone();
            all.extend(names.extra.clone());
            Static::new(all).value(&text).map(Some).ok_or(text)
        }
        value => Ok(value),
    }
}

/// The account that a task asks for. The inventory's `ansible_become…` win over the playbook, as all connection variables do.
pub(crate) fn account(
    task: &TaskDef,
    names: &HostNames<'_>,
    options: &CompileOptions,
    known: &Static,
) -> Result<Account, Box<Diagnostic>> {
    let var = |name: &str| match connection_var(names, name) {
        Ok(value) => Ok(value),
        Err(text) => {
            let message = format!("`{name}` is `{text}`, which is not known before any host is contacted");
            Err(Box::new(Diagnostic::error("dynamic-become", message).at(task.span, "")))
        }
    };
    let asked: &Become = &task.r#become;
    let on = match (var("ansible_become")?.as_ref().and_then(truth), &asked.on) {
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
    let user = match (var("ansible_become_user")?, &asked.user) {
        (Some(Value::String(user)), _) => user,
        (Some(other), _) => other.to_string(),
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
