//! YAML as Ansible reads it, with the place of every node.
//!
//! ```text
//! text ──► granit-parser events ──► build: tags, anchors, merges, duplicate keys ──► Node ──► typed extraction or JSON
//!              ▲                │
//!              └── recover ◄────┘ syntax error: report it, blank the lines it spoils, read on
//! ```
//!
//! Plain scalars are resolved by the rules of YAML 1.1 as PyYAML has them (`yes` is true, `0644` is octal, `22:22` is sexagesimal),
//! but every scalar also keeps its text as written. Dates stay strings.
//!
//! ```
//! use rectify_core::{diag::{Diagnostics, SourceMap}, yaml};
//!
//! let mut map = SourceMap::new();
//! let mut found = Diagnostics::new();
//! let file = map.add("vars.yml", "mode: 0644\nversion: 1.10\n");
//! let parsed = yaml::parse(&map, file, &mut found);
//! let root = &parsed.docs[0];
//! assert_eq!(root.get("mode").and_then(|n| n.as_int()), Some(0o644));
//! assert_eq!(root.get("version").and_then(|n| n.as_str()), Some("1.10"));
//! assert_eq!(map.location(root.get("version").unwrap().span).to_string(), "vars.yml:2:10");
//! ```

mod build;
mod emit;
mod finish;
mod inner;
mod json;
mod node;
mod recover;
pub mod resolve;
mod syntax;

pub use emit::emit;
pub use json::{KEY_UNSAFE, KEY_VAULT};
pub use node::{Kind, Node, Scalar, Style, Tag};
pub use recover::{MAX_BYTES, Parsed, parse};
pub use resolve::Resolved;

#[cfg(test)]
mod tests;
