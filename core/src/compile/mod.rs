//! From a playbook and a host to the host's [`Plan`](crate::plan::Plan).
//!
//! ```text
//! Playbook ─┐                    ┌─► variables: what the inventory adds, what is undefined
//! Fleet    ─┼─► Job ─► compile ──┼─► rendered: arguments and files that are known beforehand
//! Options  ─┘   (once)  (per     ├─► edges: order, needs, results, resources ─► selection by tags
//!                        host)   └─► Plan + blobs + how to get there
//! ```

mod become_user;
mod cache;
mod cycle;
mod edges;
mod fleet;
mod included;
mod includes;
mod job;
mod magic_vars;
mod order;
mod owns;
mod reach;
mod render;
mod resources;
mod secrets;
mod select;
mod task;
mod vars;

pub(crate) use cache::Cache;
pub use fleet::{Fleet, Selected};
pub use job::{Access, Blob, CompileOptions, Compiled, Job, Listed, merge};
pub(crate) use order::StaticEdges;
pub(crate) use render::{Static, texts};
pub(crate) use resources::unrolled;
pub use select::Selection;
pub(crate) use vars::{Read, note_reads};
