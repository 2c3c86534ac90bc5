//! Encrypted files, and where encrypted values stand.

use super::{Keyring, VaultError, is_vaulted};
use crate::{
    diag::{Diagnostic, FileId, SourceMap, Span},
    yaml::{Kind, Node},
};

/// Shorter texts of a list of tasks are words of the language, not secrets.
const WORD: usize = 8;

/// What to do about a missing password.
const HELP: &str = "give the password with --vault-password-file, --vault-id or -J";

/// A content as it is, or decrypted if it is encrypted, and whether it was.
///
/// # Errors
/// [`VaultError`].
pub(crate) fn plain(keyring: &Keyring, content: Vec<u8>) -> Result<(Vec<u8>, bool), VaultError> {
    if !is_vaulted(&content) {
        return Ok((content, false));
    }
    Ok((keyring.open(&content)?.0.to_vec(), true))
}

/// Registers a file, decrypted if it is encrypted as a whole; the text of such a file is never shown.
///
/// # Errors
/// A file that is not UTF-8 text, or cannot be decrypted: file, vault id and why.
pub fn register(
    keyring: &Keyring,
    map: &mut SourceMap,
    name: String,
    content: Vec<u8>,
) -> Result<FileId, Box<Diagnostic>> {
    if !is_vaulted(&content) {
        return map.add_bytes(name, content);
    }
    match keyring.open(&content) {
        Ok((plain, _)) => {
            let added = map.add_bytes(name, plain.to_vec());
            let file = match &added {
                Ok(file) => *file,
                Err(problem) => problem.span().map(|s| s.file).unwrap_or_default(),
            };
            map.hide(file);
            added
        }
        Err(why) => {
            let message = format!("cannot open `{name}`: {why}");
            let file = map.add(name, String::from_utf8_lossy(&content).as_ref());
            let head = map.line_span(file, 1);
            Err(Box::new(helped(Diagnostic::error("vault", message).at(head, "encrypted as a whole"), &why)))
        }
    }
}

/// Takes note of where encrypted values stand, and of everything that an encrypted file holds.
pub fn note(keyring: &Keyring, map: &SourceMap, file: FileId, docs: &[Node]) {
    if map.is_hidden(file) {
        for doc in docs {
            match &doc.kind {
                Kind::Map(_) => keyring.keep_all(&doc.to_json(), 0),
                _ => keyring.keep_all(&doc.to_json(), WORD),
            }
        }
    }
    if map.text(file).contains("!vault") {
        docs.iter().for_each(|doc| places(keyring, doc));
    }
}

fn places(keyring: &Keyring, node: &Node) {
    match &node.kind {
        Kind::Scalar(scalar) if node.has_tag("!vault") => keyring.note_place(&scalar.text, node.span),
        Kind::Scalar(_) => {}
        Kind::Seq(items) => items.iter().for_each(|item| places(keyring, item)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| places(keyring, value)),
    }
}

/// The problem of a value that is needed and cannot be opened.
pub(crate) fn problem(keyring: &Keyring, name: &str, text: &str, why: &VaultError) -> Diagnostic {
    let problem = helped(Diagnostic::error("vault", format!("cannot open {name}: {why}")), why);
    match keyring.place(text) {
        Some(span) => problem.at(first_line(span, text), "the encrypted value"),
        None => problem,
    }
}

fn helped(problem: Diagnostic, why: &VaultError) -> Diagnostic {
    match why {
        VaultError::NoPassword { .. } | VaultError::WrongPassword { .. } => problem.help(HELP),
        VaultError::Format(_) | VaultError::NotText => problem,
    }
}

/// An encrypted value is long; its head says enough.
fn first_line(span: Span, text: &str) -> Span {
    let length = text.lines().next().map_or(0, str::len);
    Span::new(span.file, span.start as usize, span.start as usize + length)
}
