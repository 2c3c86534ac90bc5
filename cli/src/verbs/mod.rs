//! The verbs that run no playbook.

pub(crate) mod announce;
pub(crate) mod facts;
pub(crate) mod graph;
#[expect(unreachable_pub, reason = "the tests of the inventory compile it too")]
pub(crate) mod inventory;
pub(crate) mod lint;
pub(crate) mod modules;
pub(crate) mod rollout;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod trust;
pub(crate) mod vault;
