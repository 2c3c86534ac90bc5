//! Private keys of nistp256 whose number is short.
//!
//! OpenSSH writes the number without leading zeros (an `mpint`, RFC 4251 section 5): one key in about 500 has fewer than 32 bytes of it, and
//! ssh-key takes none below 32.

use russh::keys::{
    self, PrivateKey, decode_secret_key,
    ssh_key::{
        Algorithm, Cipher, EcdsaCurve, Error, Kdf,
        cipher::Tag,
        encoding::{self, Decode, Reader, pem::DecodePem, pem::PemLabel},
        private::{EcdsaKeypair, EcdsaPrivateKey, KeypairData},
        public::{EcdsaPublicKey, KeyData},
    },
};
use zeroize::Zeroizing;

/// What a container of OpenSSH begins with (PROTOCOL.key of OpenSSH, section 1).
const MAGIC: [u8; 15] = *b"openssh-key-v1\0";

/// The bytes of a number of nistp256.
const SIZE: usize = 32;

/// The private key in this text, opened with the passphrase if it is locked.
///
/// # Errors
/// A text that is no key, and a passphrase that is wrong or missing.
pub(super) fn decode(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, keys::Error> {
    match decode_secret_key(text, passphrase) {
        Err(keys::Error::SshKey(Error::Encoding(encoding::Error::Length))) => {
            Ok(Container::decode_pem(text)?.open(passphrase)?)
        }
        other => other,
    }
}

/// A key file: what is locked in it, and how.
struct Container {
    cipher: Cipher,
    kdf: Kdf,
    public: KeyData,
    private: Zeroizing<Vec<u8>>,
    tag: Option<Tag>,
}

impl PemLabel for Container {
    const PEM_LABEL: &'static str = "OPENSSH PRIVATE KEY";
}

impl Decode for Container {
    type Error = Error;

    fn decode(reader: &mut impl Reader) -> Result<Self, Error> {
        let mut magic = [0; MAGIC.len()];
        reader.read(&mut magic)?;
        if magic != MAGIC {
            return Err(Error::FormatEncoding);
        }
        let (cipher, kdf) = (Cipher::decode(reader)?, Kdf::decode(reader)?);
        if u32::decode(reader)? != 1 {
            return Err(encoding::Error::Length.into());
        }
        let public = reader.read_prefixed(KeyData::decode)?;
        let private = Zeroizing::new(Vec::decode(reader)?);
        let mut tag = cipher.has_tag().then(Tag::default);
        if let Some(tag) = &mut tag {
            reader.read(tag)?;
        }
        Ok(Self { cipher, kdf, public, private, tag })
    }
}

impl Container {
    fn open(mut self, passphrase: Option<&str>) -> Result<PrivateKey, Error> {
        if self.cipher.is_some() {
            let passphrase = passphrase.ok_or(Error::Encrypted)?;
            let (key, iv) = self.kdf.derive_key_and_iv(self.cipher, passphrase)?;
            self.cipher.decrypt(&key, &iv, &mut self.private, self.tag)?;
        }
        let reader = &mut &**self.private;
        // The same number twice says that the passphrase is right (PROTOCOL.key, section 3).
        if u32::decode(reader)? != u32::decode(reader)? {
            return Err(Error::Crypto);
        }
        if Algorithm::decode(reader)? != (Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }) {
            return Err(encoding::Error::Length.into());
        }
        let point = EcdsaPublicKey::decode(reader)?;
        let number = Zeroizing::new(Vec::<u8>::decode(reader)?);
        let comment = Vec::<u8>::decode(reader)?;
        if KeyData::Ecdsa(point) != self.public {
            return Err(Error::PublicKey);
        }
        let EcdsaPublicKey::NistP256(public) = point else { return Err(Error::PublicKey) };
        let mut bytes = Zeroizing::new([0; SIZE]);
        let zeros = SIZE.checked_sub(number.len()).ok_or(encoding::Error::Length)?;
        bytes[zeros..].copy_from_slice(&number);
        let private = EcdsaPrivateKey::from(*bytes);
        PrivateKey::new(KeypairData::Ecdsa(EcdsaKeypair::NistP256 { public, private }), comment)
    }
}
