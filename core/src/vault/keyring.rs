//! The passwords of a run, and what they opened.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

use super::{Envelope, VaultError, cipher};
use crate::{diag::Span, mask::Secrets, yaml::KEY_VAULT};

/// A vault password and the vault id that it was given for.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// The vault id; [`DEFAULT_LABEL`](super::DEFAULT_LABEL) if none was given.
    pub label: String,
    /// The password.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Password({})", self.label)
    }
}

impl Password {
    /// Encrypts a text. The salt is the caller's: 32 random bytes, never used twice.
    pub fn seal(&self, text: &[u8], label: Option<&str>, salt: [u8; 32]) -> String {
        cipher::seal(text, &self.bytes, label, salt).format()
    }
}

/// Opens what is encrypted, each text once, and remembers every text that came out: those are the secrets of the run.
#[derive(Default)]
pub struct Keyring {
    passwords: Vec<Password>,
    opened: Mutex<Opened>,
    secrets: Secrets,
}

#[derive(Default)]
struct Opened {
    known: HashMap<Vec<u8>, (Arc<[u8]>, usize)>,
    places: HashMap<String, Span>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("passwords", &self.passwords).finish_non_exhaustive()
    }
}

impl Keyring {
    /// A keyring of these passwords, tried in this order; those of the vault id that a text names are tried first.
    pub fn new(passwords: Vec<Password>) -> Self {
        Keyring { passwords, ..Keyring::default() }
    }

    /// A keyring that opens nothing.
    pub fn none() -> &'static Keyring {
        static NONE: LazyLock<Keyring> = LazyLock::new(Keyring::default);
        &NONE
    }

    /// The passwords.
    pub fn passwords(&self) -> &[Password] {
        &self.passwords
    }

    /// Decrypts a text, and says which password opened it.
    ///
    /// # Errors
    /// [`VaultError`]; without the text itself.
    pub fn open(&self, text: &[u8]) -> Result<(Arc<[u8]>, &Password), VaultError> {
        if let Some((plain, by)) = self.lock().known.get(text) {
            return Ok((plain.clone(), &self.passwords[*by]));
        }
        let envelope = Envelope::parse(text)?;
        let label = envelope.label.clone();
        if self.passwords.is_empty() {
            return Err(VaultError::NoPassword { label });
        }
        let fits = |p: &Password| label.as_deref().unwrap_or(super::DEFAULT_LABEL) == p.label;
        let (first, then): (Vec<usize>, Vec<usize>) =
            (0..self.passwords.len()).partition(|p| fits(&self.passwords[*p]));
        for at in first.into_iter().chain(then) {
            if let Some(plain) = cipher::open(&envelope, &self.passwords[at].bytes)? {
                let plain: Arc<[u8]> = plain.into();
                self.lock().known.insert(text.to_vec(), (plain.clone(), at));
                return Ok((plain, &self.passwords[at]));
            }
        }
        let tried = self.passwords.iter().map(|p| p.label.clone()).collect();
        Err(VaultError::WrongPassword { label, tried })
    }

    /// Decrypts a value; it counts as secret from here on.
    ///
    /// # Errors
    /// [`VaultError`]; without the value itself.
    pub fn reveal(&self, text: &str) -> Result<String, VaultError> {
        let (plain, _) = self.open(text.as_bytes())?;
        let plain = std::str::from_utf8(&plain).map_err(|_| VaultError::NotText)?.to_owned();
        self.keep(&plain);
        Ok(plain)
    }

    /// Puts plain text in the place of every encrypted value within `value`.
    ///
    /// # Errors
    /// The first value that cannot be opened: its encrypted text, and why.
    pub fn reveal_all(&self, value: &mut Value) -> Result<(), (String, VaultError)> {
        if let Some(text) = encrypted(value) {
            *value = Value::String(self.reveal(text).map_err(|why| (text.to_owned(), why))?);
            return Ok(());
        }
        match value {
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.reveal_all(item)),
            Value::Object(map) => map.values_mut().try_for_each(|item| self.reveal_all(item)),
            _ => Ok(()),
        }
    }

    /// As [`Keyring::reveal_all`] for variables; what cannot be opened is taken out.
    pub fn reveal_vars(&self, vars: &mut Map<String, Value>) {
        vars.retain(|_, value| match value {
            Value::Object(map) if !is_encrypted(map) => {
                self.reveal_vars(map);
                true
            }
            value => self.reveal_all(value).is_ok(),
        });
    }

    /// Counts every text and number of at least so many bytes in a value as secret: it came out of an encrypted file.
    pub fn keep_all(&self, value: &Value, least: usize) {
        match value {
            Value::String(text) if text.len() >= least => self.keep(text),
            Value::Number(number) if number.to_string().len() >= least => self.keep(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.keep_all(item, least)),
            Value::Object(_) if encrypted(value).is_some() => {}
            Value::Object(map) => map.values().for_each(|item| self.keep_all(item, least)),
            _ => {}
        }
    }

    /// Remembers where an encrypted value stands, for messages.
    pub(crate) fn note_place(&self, text: &str, span: Span) {
        self.lock().places.entry(text.to_owned()).or_insert(span);
    }

    /// Where an encrypted value stands.
    pub(crate) fn place(&self, text: &str) -> Option<Span> {
        self.lock().places.get(text).copied()
    }

    /// Counts a text as secret.
    pub fn keep(&self, text: &str) {
        self.secrets.keep(text);
    }

    /// Adds to `out` the secrets that stand in some variables as they are.
    pub fn within(&self, vars: &Map<String, Value>, out: &mut BTreeSet<String>) {
        if !self.secrets.is_empty() {
            vars.values().for_each(|value| within(value, &self.secrets, out));
        }
    }

    /// Everything that is secret.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ciphertext, if a value stands for an encrypted one.
pub(crate) fn encrypted(value: &Value) -> Option<&str> {
    let map = value.as_object().filter(|map| is_encrypted(map))?;
    map.get(KEY_VAULT)?.as_str()
}

fn is_encrypted(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.get(KEY_VAULT).is_some_and(Value::is_string)
}

/// Whether an encrypted value is anywhere in it.
pub(crate) fn has_encrypted(value: &Value) -> bool {
    encrypted(value).is_some()
        || match value {
            Value::Array(items) => items.iter().any(has_encrypted),
            Value::Object(map) => map.values().any(has_encrypted),
            _ => false,
        }
}

fn within(value: &Value, secrets: &Secrets, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if secrets.contains(text) => {
            out.insert(text.clone());
        }
        Value::Number(number) if secrets.contains(&number.to_string()) => {
            out.insert(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| within(item, secrets, out)),
        Value::Object(map) => map.values().for_each(|item| within(item, secrets, out)),
        _ => {}
    }
}
