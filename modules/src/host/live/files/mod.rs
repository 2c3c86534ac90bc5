//! Files, folders and links.
//!
//! ```text
//! place    walks to the folder that a write lands in, and holds it open
//! look     metadata, content, listings, hashes
//! replace  a whole file, by a temporary file beside it and a rename
//! xattr    what a replaced file hands on: labels, access lists
//! change   folders, links, modes, owners, times
//! remove   a tree, without following links
//! ```

pub(super) mod change;
pub(super) mod look;
pub(super) mod place;
pub(super) mod remove;
pub(super) mod replace;
mod xattr;
