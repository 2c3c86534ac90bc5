//! The modules of rectify, the hosts that they run on, and the engine that drives them.
//!
//! ```text
//! kind/      one file per module: arguments, state, observe, desired, apply
//! host/      live: the machine · rehearsal: reads through, writes into memory · fake: a rehearsal over a fixture
//! engine/    walks a host's plan: renders, observes, compares, applies, observes again, decides the outcome
//! ```
//!
//! This crate runs on managed hosts: it knows neither SSH nor the terminal, and depends on nothing that does.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on ends"))]

pub mod engine;
pub mod facts;
pub mod helper;
pub mod host;
pub mod kind;

use rectify_core::module::{ActionModule, Module, Registry, ResourceModule};

/// Every module. Adding one is its file in `kind/` and its line here.
pub const MODULES: &[&dyn Module] = &[
    &ResourceModule::<kind::apache_fragment::ApacheFragment>::NEW,
    &ResourceModule::<kind::apache_module::ApacheModule>::NEW,
    &ActionModule::<kind::apache_skips::ApacheSkips>::NEW,
    &ActionModule::<kind::assert::Assert>::NEW,
    &ActionModule::<kind::audience::Audience>::NEW,
    &ResourceModule::<kind::blockinfile::BlockInFile>::NEW,
    &ActionModule::<kind::command::Command>::NEW,
    &ActionModule::<kind::command::Shell>::NEW,
    &ResourceModule::<kind::copy::Copy>::NEW,
    &ResourceModule::<kind::cron::Cron>::NEW,
    &ActionModule::<kind::debug::Debug>::NEW,
    &ActionModule::<kind::fail::Fail>::NEW,
    &ResourceModule::<kind::file::File>::NEW,
    &ActionModule::<kind::find::Find>::NEW,
    &ResourceModule::<kind::group::Group>::NEW,
    &ResourceModule::<kind::ini_file::IniFile>::NEW,
    &ResourceModule::<kind::kernel_module::KernelModule>::NEW,
    &ResourceModule::<kind::lineinfile::LineInFile>::NEW,
    &ActionModule::<kind::log_count::LogCount>::NEW,
    &ResourceModule::<kind::package::Package>::NEW,
    &ResourceModule::<kind::package_allowlist::PackageAllowlist>::NEW,
    &ActionModule::<kind::package_facts::PackageFacts>::NEW,
    &ResourceModule::<kind::permissions::Permissions>::NEW,
    &ResourceModule::<kind::replace::Replace>::NEW,
    &ResourceModule::<kind::service::Service>::NEW,
    &ActionModule::<kind::set_fact::SetFact>::NEW,
    &ActionModule::<kind::setup::Setup>::NEW,
    &ActionModule::<kind::slurp::Slurp>::NEW,
    &ActionModule::<kind::stat::Stat>::NEW,
    &ResourceModule::<kind::sysctl::Sysctl>::NEW,
    &ResourceModule::<kind::template::Template>::NEW,
    &ResourceModule::<kind::user::User>::NEW,
];

/// The modules as the playbook's compiler and the engine look them up.
pub const REGISTRY: Registry = Registry::new(MODULES);
