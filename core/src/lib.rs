//! What rectify means, without I/O: inventory, playbook, template, plan, module contract, events.
//!
//! Nothing in this crate opens a file, a socket or a process, and nothing in it prints. The outside world comes in
//! through traits: [`module::Observe`] and [`module::Operate`] for a managed host.

pub mod arg;
#[cfg(feature = "controller")]
pub mod compile;
pub mod diag;
pub mod digest;
#[cfg(feature = "controller")]
pub mod drift;
pub mod event;
#[cfg(feature = "controller")]
pub mod graph;
pub mod hold;
#[cfg(feature = "controller")]
pub mod inventory;
pub mod mask;
pub mod module;
pub mod plan;
#[cfg(feature = "controller")]
pub mod playbook;
#[cfg(feature = "controller")]
pub mod rollout;
pub mod small;
pub mod template;
pub mod text;
#[cfg(feature = "controller")]
pub mod vault;
pub mod wire;
pub mod yaml;
