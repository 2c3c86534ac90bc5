//! The verbs that run no playbook.

pub(crate) mod graph;
pub(crate) mod inventory;
pub(crate) mod lint;
pub(crate) mod modules;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod trust;
