//! Encrypting and decrypting with one password.

use aes::Aes256;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Envelope, VaultError};

const ROUNDS: u32 = 10_000;
const KEY: usize = 32;
const BLOCK: usize = 16;

struct Keys([u8; KEY * 2 + BLOCK]);

impl Keys {
    fn new(password: &[u8], salt: &[u8]) -> Self {
        let mut keys = [0; KEY * 2 + BLOCK];
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ROUNDS, &mut keys);
        Keys(keys)
    }

    /// Encrypts, or decrypts: in counter mode it is the same.
    fn cipher(&self, text: &mut [u8]) {
        let (key, start) = (&self.0[..KEY], &self.0[KEY * 2..]);
        let mut cipher = Ctr128BE::<Aes256>::new_from_slices(key, start).expect("invariant: both have their length");
        cipher.apply_keystream(text);
    }

    fn hmac(&self, ciphertext: &[u8]) -> Hmac<Sha256> {
        let mut hmac = Hmac::new_from_slice(&self.0[KEY..KEY * 2]).expect("invariant: an HMAC takes any key");
        hmac.update(ciphertext);
        hmac
    }
}

/// Opens an envelope; `Ok(None)` if it is not this password's.
pub(super) fn open(envelope: &Envelope, password: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
    let keys = Keys::new(password, &envelope.salt);
    if keys.hmac(&envelope.ciphertext).verify_slice(&envelope.hmac).is_err() {
        return Ok(None);
    }
    let mut text = envelope.ciphertext.clone();
    keys.cipher(&mut text);
    let fill = text.last().map_or(0, |last| usize::from(*last));
    if fill == 0 || fill > BLOCK || fill > text.len() {
        return Err(VaultError::Format("its padding is wrong"));
    }
    text.truncate(text.len() - fill);
    Ok(Some(text))
}

/// Makes an envelope. The salt is the caller's: 32 random bytes, never used twice.
pub(super) fn seal(text: &[u8], password: &[u8], label: Option<&str>, salt: [u8; 32]) -> Envelope {
    let keys = Keys::new(password, &salt);
    let fill = BLOCK - text.len() % BLOCK;
    let mut ciphertext = text.to_vec();
    ciphertext.extend(std::iter::repeat_n(u8::try_from(fill).expect("invariant: at most a block"), fill));
    keys.cipher(&mut ciphertext);
    let hmac = keys.hmac(&ciphertext).finalize().into_bytes().to_vec();
    Envelope { label: label.map(str::to_owned), salt: salt.to_vec(), hmac, ciphertext }
}
