//! The key that a host shows.

use russh::keys::{Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

/// A host's public key, with the certificate that it came in, if it did.
#[derive(Debug, Clone)]
pub struct HostKey {
    key: PublicKey,
    certificate: Option<Certificate>,
}

impl HostKey {
    pub(crate) fn new(offered: &PublicKeyOrCertificate) -> Self {
        Self { key: offered.public_key(), certificate: offered.certificate().cloned() }
    }

    /// The key's SSH name: `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// `SHA256:` and the base64 of the key's digest, as OpenSSH prints it.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The key as one field pair of a known_hosts line: `ssh-ed25519 AAAA…`.
    pub fn openssh(&self) -> String {
        let text = self.key.to_openssh().unwrap_or_default();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Whether the host showed a certificate.
    pub fn is_certified(&self) -> bool {
        self.certificate.is_some()
    }

    /// The key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The certificate, if it came in one.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }
}
