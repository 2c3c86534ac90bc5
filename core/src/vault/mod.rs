//! Ansible Vault: the format of encrypted files and values, and the passwords that open them.
//!
//! ```text
//! $ANSIBLE_VAULT;1.2;AES256;label      hex( hex(salt) \n hex(hmac) \n hex(ciphertext) ), 80 letters a line
//!
//! password ──PBKDF2-HMAC-SHA256, 10,000 rounds──► key · key of the HMAC · counter     AES-256-CTR, PKCS #7, HMAC-SHA256
//! ```
//!
//! A [`Keyring`] holds the passwords and remembers what it opened: that is how the rest of the program knows what is secret.

mod cipher;
mod envelope;
mod files;
mod keyring;

pub use envelope::{Envelope, is_vaulted};
pub use files::{note, register};
pub(crate) use files::{plain, problem};
pub(crate) use keyring::has_encrypted;
pub use keyring::{Keyring, Password};

/// The label of a password that was given without one.
pub const DEFAULT_LABEL: &str = "default";

/// Why an encrypted text could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It is not what it claims to be.
    #[error("it is no Ansible Vault that can be read: {0}")]
    Format(&'static str),
    /// No password was given at all.
    #[error("it is encrypted{}, and no vault password was given", of(label))]
    NoPassword {
        /// The vault id that it names.
        label: Option<String>,
    },
    /// None of the passwords is the right one.
    #[error("it is encrypted{}, and none of the vault passwords opens it (tried: {})", of(label), tried.join(", "))]
    WrongPassword {
        /// The vault id that it names.
        label: Option<String>,
        /// The labels of the passwords that were tried.
        tried: Vec<String>,
    },
    /// What was encrypted is no text, where a text is needed.
    #[error("what is encrypted is not UTF-8 text")]
    NotText,
}

fn of(label: &Option<String>) -> String {
    label.as_ref().map_or_else(String::new, |label| format!(" for the vault id `{label}`"))
}

#[cfg(test)]
mod tests;
