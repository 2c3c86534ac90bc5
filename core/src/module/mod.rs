//! The contract between a module, a host and the engine.
//!
//! ```text
//!             observe(&dyn Observe)            apply(&Change, &dyn Operate)
//!   host ───────────────────────────► State ─┐        ▲
//!                                            ├ compare ┤   the engine's part: the outcome, the order, the diff
//!   arguments ──────── desired() ───► State ─┘        │
//!                                                     └─► observe again
//! ```
//!
//! A [`Resource`] says what it sees, what it wants and how to get there. An [`Action`] has no state to converge to (a
//! command, a question, a message): it runs. Neither says "changed", neither knows whether this is a dry run, and neither
//! touches the operating system except through the host that it is handed.

mod action;
mod blocked;
mod content;
mod erased;
mod error;
mod host;
mod managed;
mod packages;
mod registry;
mod relations;
mod resource;
mod units;

pub use action::{Action, Declared, Evaluated, Ran, Report};
pub use blocked::Blocked;
pub use content::{Content, Owner};
pub use erased::{Action as ErasedAction, Instance, Resource as ErasedResource, Seen};
pub use error::{Because, HostError, HostResult, ModuleError};
pub use host::{
    Command, DirEntry, Effects, FileKind, Group, GroupChange, Meta, Observe, Operate, Output, User, UserChange,
    WriteAttrs,
};
pub use managed::Managed;
pub use packages::{
    InstalledPackage, Manager, PackageChange, PackageDb, PackageRequest, PackageSpec, PackageStatus, Transaction,
};
pub use registry::{ActionModule, Module, Registry, ResourceModule};
pub use relations::{Entity, Extent, Relations};
pub use resource::{Change, ChangeKind, Finding, Resource, Severity};
pub use units::{Unit, UnitAction};
