//! Inventories as Ansible reads them: hosts, groups and variables.
//!
//! ```text
//! sources ──► read::{ini, yaml_file, script} ──► Step ──► build ──► Inventory ◄── vars_files (group_vars/, host_vars/)
//!                                                                     │
//!                                          pattern ◄── vars ◄─────────┴──► show (--list, --graph, --host)
//! ```
//!
//! The outside world is a [`Files`]; problems go to a [`crate::diag::Diagnostics`], each with its place. Where Ansible warns about a
//! source that it cannot read and goes on without it, this is an error: a fleet with a missing part is not the fleet that was meant.
//!
//! ```no_run
//! use rectify_core::diag::{Diagnostics, SourceMap};
//! use rectify_core::inventory::{Files, Options, load};
//!
//! fn web_hosts(files: &dyn Files) -> Vec<String> {
//!     let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
//!     let options = Options { sources: vec!["inventory/hosts.ini".into()], ..Options::default() };
//!     let inventory = load(files, &options, &mut map, &mut found);
//!     let picked = inventory.select("web:&production:!web3", None).expect("a good pattern");
//!     for host in &picked.hosts {
//!         let port = inventory.var(host, "ansible_port").map(|v| (v.value.clone(), map.location(v.at)));
//!         # let _ = port;
//!     }
//!     picked.hosts.iter().map(|h| h.to_string()).collect()
//! }
//! ```

mod build;
mod connection;
mod files;
mod glob;
mod model;
mod pattern;
mod python;
mod read;
mod show;
mod sources;
mod vars;
mod vars_files;

pub use connection::{CONNECTION, Connection, connection_names};
pub use files::{Files, ScriptOutput};
pub use model::{Group, Host, Inventory, LOCALHOST, Var, Vars};
pub use pattern::{Limit, PatternError, Selection};
pub use read::literal_value;
pub use show::View;
pub use sources::{Options, load};

#[cfg(test)]
mod tests;
