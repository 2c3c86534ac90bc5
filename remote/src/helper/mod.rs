//! Getting the helper to run on a host: look for it, send it if it is missing, become it.
//!
//! ```text
//! controller                                              host
//!   exec: login shell ─► [sudo|doas|su ─►] sh: `read` one line, `eval` it
//!   script, frames in advance  ─────────►  helper there? hash and self-test right? ── yes ─► `go`, exec: frames
//!                              ◄─────────  `need ARCH xz gzip raw`: what it unpacks ── no
//!   `SIZE xz`, helper, frames  ─────────►  temporary file, hash, self-test, rename, exec
//! ```
//!
//! Everything happens after the change of user, so what runs as root was looked up, checked and stored by root.
//!
//! What a helper binary has to do: with `--self-test`, print `rectify-host ok` and exit with 0; with `--self-hash`,
//! print the SHA-256 of its own file; without an argument, speak frames on its standard input and output and exit
//! when its input ends.

mod bootstrap;
mod images;
mod privilege;
mod script;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    bootstrap::{begin, nonce},
    privilege::Launch,
};
pub use self::{
    images::{Image, Images},
    privilege::{Become, Method},
};

/// How to start the helper.
#[derive(Debug, Clone)]
pub struct Start {
    /// The helpers that can be sent.
    pub images: Images,
    /// The account to change to.
    pub r#become: Option<Become>,
    /// Directories to look for the helper and to put it in, instead of the usual ones. Absolute, without `:`.
    pub directories: Vec<String>,
    /// The frames that the helper is to get first; they go out before anything is known about the host, and before
    /// anybody reads what it sends: what is large goes through the exchange's sender instead.
    pub opening: Vec<Vec<u8>>,
}

impl Start {
    /// A start as the account that logs in, in the usual directories.
    pub fn new(images: Images) -> Self {
        Self { images, r#become: None, directories: Vec::new(), opening: Vec::new() }
    }
}
