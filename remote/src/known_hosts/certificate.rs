//! Whether a host certificate speaks for a host (`PROTOCOL.certkeys` of OpenSSH).

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::{Algorithm, Certificate};

use super::store::fingerprint;

/// Why a certificate of a known authority is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It is a user certificate.
    #[error("it is not a host certificate")]
    NotForHosts,
    /// Its time has not come. Seconds since 1970.
    #[error("it is not valid before {from} (seconds since 1970)")]
    NotYetValid {
        /// First second of its validity.
        from: u64,
    },
    /// Its time is over. Seconds since 1970.
    #[error("it expired at {at} (seconds since 1970)")]
    Expired {
        /// First second after its validity.
        at: u64,
    },
    /// It is for other hosts.
    #[error("it is for {}, not for {wanted}", listed.join(", "))]
    Principal {
        /// The name under which the host was contacted.
        wanted: String,
        /// The names that it is for.
        listed: Vec<String>,
    },
    /// It demands something that no host certificate can demand.
    #[error("it has critical options, which host certificates do not have")]
    CriticalOptions,
    /// The authority signed it with a weak algorithm (SHA-1, DSA).
    #[error("it was signed with {algorithm}, which is too weak")]
    WeakSignature {
        /// The algorithm of the signature.
        algorithm: String,
    },
    /// The authority's signature is wrong.
    #[error("the signature of the authority is wrong")]
    Signature,
}

/// Checks everything but whether the authority is trusted. `now`: seconds since 1970.
pub(super) fn check(certificate: &Certificate, host: &str, now: u64) -> Result<(), CertificateFault> {
    if certificate.cert_type() != CertType::Host {
        return Err(CertificateFault::NotForHosts);
    }
    if now < certificate.valid_after() {
        return Err(CertificateFault::NotYetValid { from: certificate.valid_after() });
    }
    if now >= certificate.valid_before() {
        return Err(CertificateFault::Expired { at: certificate.valid_before() });
    }
    let listed = certificate.valid_principals();
    if !listed.is_empty() && !listed.iter().any(|name| name == host) {
        return Err(CertificateFault::Principal { wanted: host.to_owned(), listed: listed.to_vec() });
    }
    if certificate.critical_options().iter().next().is_some() {
        return Err(CertificateFault::CriticalOptions);
    }
    let algorithm = certificate.signature().algorithm();
    if matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        return Err(CertificateFault::WeakSignature { algorithm: algorithm.as_str().to_owned() });
    }
    // The signature was made by the key that the certificate names; that this key is trusted is the caller's finding.
    let authority = fingerprint(certificate.signature_key());
    certificate.validate_at(now, [&authority]).map_err(|_| CertificateFault::Signature)
}
