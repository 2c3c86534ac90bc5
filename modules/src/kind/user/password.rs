//! An encrypted password in a state: compared, never shown.

use serde::{Serialize, Serializer};

/// An encrypted password, without the mark that locks it.
#[derive(Clone)]
pub(super) struct Hidden {
    hash: String,
    /// Whether it is to replace another.
    new: bool,
}

impl Hidden {
    /// What the account has.
    pub(super) fn seen(password: &str) -> Self {
        Hidden { hash: password.trim_start_matches('!').to_owned(), new: false }
    }

    /// What the task gives.
    pub(super) fn wanted(password: &str, seen: Option<&Hidden>) -> Self {
        let mut wanted = Hidden::seen(password);
        wanted.new = seen.is_some_and(|seen| *seen != wanted);
        wanted
    }
}

impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(if self.new { "hidden, another one" } else { "hidden" })
    }
}

/// Refuses what is no encrypted password, without saying what it is.
pub(super) fn check(password: &str) -> Result<(), String> {
    let hash = password.trim_start_matches('!');
    if password.is_empty() {
        return Err("password: an empty one would let everybody in; `!` or `*` stand for no password".into());
    }
    if hash.contains([':', '\n']) {
        return Err("password: neither a colon nor a line end can be in an encrypted password".into());
    }
    // crypt(5): `$id$…`, the extended and the old form of DES; the two words for none.
    let des = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    let known = hash.is_empty()
        || hash == "*"
        || hash.starts_with('$') && hash[1..].contains('$')
        || hash.starts_with('_') && hash.len() == 20
        || hash.len() == 13 && hash.chars().all(des);
    if known {
        return Ok(());
    }
    Err("password: this is no encrypted password: use \"{{ … | password_hash('sha512') }}\", or `!` for none".into())
}
