//! The verbs that run no playbook.

pub(crate) mod announce;
pub(crate) mod diff;
pub(crate) mod drift;
pub(crate) mod export_run;
pub(crate) mod facts;
pub(crate) mod graph;
pub(crate) mod holds;
#[expect(unreachable_pub, reason = "the tests of the inventory compile it too")]
pub(crate) mod inventory;
pub(crate) mod lint;
pub(crate) mod modules;
pub(crate) mod notices;
pub(crate) mod replay;
pub(crate) mod rollout;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod show_run;
pub(crate) mod trust;
pub(crate) mod vault;
