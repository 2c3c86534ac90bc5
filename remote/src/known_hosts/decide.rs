//! The decision on an offered host key, as OpenSSH takes it.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::{Certificate, PublicKey, public::KeyData};

use super::certificate::{self, CertificateFault};
use super::names::{file_name, folded};
use super::parse::Marker;
use super::store::{Entry, KnownHosts, KnownKey, Place};

/// Who is being contacted, for looking it up.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The host name that is connected to (after `HostName`), or its address.
    pub host: &'a str,
    /// The port that is connected to.
    pub port: u16,
    /// `HostKeyAlias`: looked up instead of host and port, and wanted in certificates.
    pub alias: Option<&'a str>,
    /// The address, if `CheckHostIP` is on and the connection is direct.
    pub address: Option<IpAddr>,
}

impl<'a> Target<'a> {
    /// A host without alias whose address is not looked up.
    pub fn new(host: &'a str, port: u16) -> Self {
        Self { host, port, alias: None, address: None }
    }

    /// The name in certificates: the alias or the host in lower case; an address in its shortest form.
    fn principal(&self) -> String {
        match self.alias {
            Some(alias) => alias.to_ascii_lowercase(),
            None => folded(self.host),
        }
    }

    /// The name in the files.
    pub(super) fn filed(&self) -> String {
        match self.alias {
            Some(_) => self.principal(),
            None => file_name(&self.principal(), self.port),
        }
    }

    /// The name without port, which is asked when nothing is known under the one with it.
    pub(super) fn bare(&self) -> Option<String> {
        let filed = self.filed();
        Some(self.principal()).filter(|bare| *bare != filed)
    }

    fn filed_address(&self) -> Option<String> {
        let address = self.address.filter(|address| !address.is_loopback())?;
        let name = file_name(&address.to_string(), self.port);
        Some(name).filter(|name| *name != self.filed())
    }
}

/// What a server offered, and proved to possess.
#[derive(Debug, Clone, Copy)]
pub enum Offered<'a> {
    /// A key.
    Key(&'a PublicKey),
    /// A key in a certificate.
    Certificate(&'a Certificate),
}

/// On what the trust rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedBy {
    /// The key itself is listed.
    Key,
    /// The authority that signed its certificate is.
    Authority,
}

/// Whether to believe that the server is the one that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Trusted {
        /// The line that says so.
        at: Place,
        /// How.
        by: TrustedBy,
    },
    /// Nothing is known about this host on this port.
    Unknown {
        /// Other keys that are known for the same host on port 22; empty if there are none.
        elsewhere: Vec<KnownKey>,
    },
    /// The host is known by other keys only. This may be an attack.
    Changed {
        /// The keys that are known; never empty. They may all be of another algorithm than the offered one.
        known: Vec<KnownKey>,
    },
    /// The key, or the authority that signed its certificate, is revoked for this host.
    Revoked {
        /// The line that says so.
        at: Place,
        /// Whether the key or the authority is revoked.
        what: TrustedBy,
    },
    /// A known authority signed the certificate, but it does not hold, and the key in it is not known by itself.
    BadCertificate {
        /// The line of the authority.
        at: Place,
        /// Why it does not hold.
        fault: CertificateFault,
    },
    /// The key is known for the host, but its address is known by other keys only.
    AddressDiffers {
        /// The address, as it would be filed.
        address: String,
        /// Its keys; never empty.
        known: Vec<KnownKey>,
    },
}

impl Decision {
    /// Whether the connection may go on without asking anybody.
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted { .. })
    }
}

impl KnownHosts {
    /// Judges what the server offered, at the present time.
    ///
    /// That the server possesses the key is not checked here: the key exchange did. Only [`Decision::Unknown`] may be
    /// turned into trust (`StrictHostKeyChecking accept-new`).
    pub fn decide(&self, target: &Target<'_>, offered: Offered<'_>) -> Decision {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.decide_at(target, offered, now)
    }

    /// As [`decide`](Self::decide), at the time `now` in seconds since 1970.
    pub fn decide_at(&self, target: &Target<'_>, offered: Offered<'_>, now: u64) -> Decision {
        let filed = self.about(&target.filed());
        let bare = target.bare().map(|name| self.about(&name)).unwrap_or_default();
        let address = target.filed_address().map(|name| (self.about(&name), name));
        let key = match offered {
            Offered::Key(key) => key.key_data(),
            Offered::Certificate(certificate) => certificate.public_key(),
        };
        let everywhere = filed.iter().chain(&bare).chain(address.iter().flat_map(|(entries, _)| entries));
        if let Some(revoked) = self.revoked(everywhere.copied(), key, offered) {
            return revoked;
        }
        match offered {
            Offered::Key(_) => {
                let decision = self.judge_key(&filed, &bare, key);
                self.with_address(decision, address, key)
            }
            Offered::Certificate(certificate) => self.judge_certificate(target, &filed, &bare, certificate, now),
        }
    }

    fn revoked<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry>,
        key: &KeyData,
        offered: Offered<'_>,
    ) -> Option<Decision> {
        let authority = match offered {
            Offered::Key(_) => None,
            Offered::Certificate(certificate) => Some(certificate.signature_key()),
        };
        for entry in entries {
            let what = if entry.is(Marker::Revoked, key) {
                TrustedBy::Key
            } else if authority.is_some_and(|authority| entry.is(Marker::Revoked, authority)) {
                TrustedBy::Authority
            } else {
                continue;
            };
            return Some(Decision::Revoked { at: self.place(entry), what });
        }
        None
    }

    /// OpenSSH: any listed key of the host may match; if keys are listed and none does, of whatever algorithm, the host
    /// has changed; if none is listed for the name with its port, the bare name may vouch for it.
    fn judge_key(&self, filed: &[&Entry], bare: &[&Entry], key: &KeyData) -> Decision {
        if let Some(entry) = filed.iter().find(|entry| entry.is(Marker::Key, key)) {
            return Decision::Trusted { at: self.place(entry), by: TrustedBy::Key };
        }
        let known = self.plain_keys(filed);
        if !known.is_empty() {
            return Decision::Changed { known };
        }
        match bare.iter().find(|entry| entry.is(Marker::Key, key)) {
            Some(entry) => Decision::Trusted { at: self.place(entry), by: TrustedBy::Key },
            None => Decision::Unknown { elsewhere: self.plain_keys(bare) },
        }
    }

    fn plain_keys(&self, entries: &[&Entry]) -> Vec<KnownKey> {
        entries.iter().filter(|entry| entry.line.marker == Marker::Key).map(|entry| self.known_key(entry)).collect()
    }

    /// OpenSSH: a certificate that does not convince is looked at as the bare key in it.
    fn judge_certificate(
        &self,
        target: &Target<'_>,
        filed: &[&Entry],
        bare: &[&Entry],
        certificate: &Certificate,
        now: u64,
    ) -> Decision {
        let signed_by = certificate.signature_key();
        let authority = filed.iter().chain(bare).find(|entry| entry.is(Marker::Authority, signed_by));
        let fault = match authority {
            None => None,
            Some(entry) => {
                let at = self.place(entry);
                match certificate::check(certificate, &target.principal(), now) {
                    Ok(()) => return Decision::Trusted { at, by: TrustedBy::Authority },
                    Err(fault) => Some((at, fault)),
                }
            }
        };
        match (self.judge_key(filed, bare, certificate.public_key()), fault) {
            (Decision::Unknown { .. }, Some((at, fault))) => Decision::BadCertificate { at, fault },
            (decision, _) => decision,
        }
    }

    /// `CheckHostIP`: the address must not be known by other keys only.
    fn with_address(&self, decision: Decision, address: Option<(Vec<&Entry>, String)>, key: &KeyData) -> Decision {
        let Some((entries, address)) = address.filter(|_| decision.is_trusted()) else {
            return decision;
        };
        let known = self.plain_keys(&entries);
        if known.is_empty() || entries.iter().any(|entry| entry.is(Marker::Key, key)) {
            return decision;
        }
        Decision::AddressDiffers { address, known }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF3qlmXtoEiTWiAXksKO9+DwbNKdesUPFhLN+F+vZaZt";

    fn known(text: &str) -> KnownHosts {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), text.as_bytes());
        known
    }

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).unwrap()
    }

    #[test]
    fn an_address_known_by_another_key_is_said() {
        let known = known(&format!("h {A}\n10.0.0.7 {B}\n10.0.0.8 {A}\n"));
        let key = key(A);
        let from = |address: &str| {
            let target = Target { address: Some(address.parse().unwrap()), ..Target::new("h", 22) };
            known.decide_at(&target, Offered::Key(&key), 0)
        };
        assert!(matches!(from("10.0.0.7"), Decision::AddressDiffers { address, .. } if address == "10.0.0.7"));
        assert!(from("10.0.0.8").is_trusted());
        assert!(from("10.0.0.9").is_trusted(), "an unknown address is no contradiction");
        assert!(from("127.0.0.1").is_trusted(), "loopback is never looked up");
    }

    #[test]
    fn a_key_revoked_for_the_bare_name_is_revoked_on_every_port() {
        let known = known(&format!("@revoked h {A}\n"));
        let decision = known.decide_at(&Target::new("h", 2222), Offered::Key(&key(A)), 0);
        assert!(matches!(decision, Decision::Revoked { what: TrustedBy::Key, .. }), "{decision:?}");
    }

    #[test]
    fn messages_can_name_the_lines() {
        let known = known(&format!("# comment\n\nh {A}\ngarbage\n"));
        let decision = known.decide_at(&Target::new("h", 22), Offered::Key(&key(B)), 0);
        let Decision::Changed { known: old } = decision else { panic!("{decision:?}") };
        assert_eq!(old[0].at.to_string(), "known_hosts:3");
        assert!(old[0].fingerprint.to_string().starts_with("SHA256:"));
        assert_eq!(known.warnings()[0].to_string(), "known_hosts:4: line ignored: no key");
    }
}
