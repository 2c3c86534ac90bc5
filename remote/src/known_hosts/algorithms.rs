//! Which host key algorithms to ask a server for, so that what is known about it can match.

use russh::keys::ssh_key::Algorithm;

use super::decide::Target;
use super::parse::Marker;
use super::store::KnownHosts;

const CERTIFICATE_SUFFIX: &str = "-cert-v01@openssh.com";

/// What is known about a host, as far as the choice of algorithms goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownAlgorithms {
    /// The types of the known, not revoked keys, in the order of the files, each once. RSA keys are `ssh-rsa`.
    pub keys: Vec<Algorithm>,
    /// Whether an authority is known for the host: certificates are then worth asking for.
    pub authority: bool,
}

impl KnownAlgorithms {
    /// Orders the names in `preference` (as in `HostKeyAlgorithms`) as OpenSSH does: if a key of the first one's type is
    /// known nothing changes; else what can match comes first, and the order is kept otherwise. Nothing is added or dropped.
    pub fn order<S: AsRef<str>>(&self, preference: &[S]) -> Vec<String> {
        let names = || preference.iter().map(|name| name.as_ref().to_owned());
        if preference.first().is_some_and(|best| self.has_key_for(best.as_ref())) {
            return names().collect();
        }
        let (mut first, last): (Vec<_>, Vec<_>) = names().partition(|name| self.can_match(name));
        first.extend(last);
        first
    }

    fn can_match(&self, name: &str) -> bool {
        self.has_key_for(name) || (self.authority && name.ends_with(CERTIFICATE_SUFFIX))
    }

    fn has_key_for(&self, name: &str) -> bool {
        let wanted = key_type(name);
        self.keys.iter().any(|known| known.as_str() == wanted)
    }
}

/// The key type behind a host key algorithm: `rsa-sha2-512-cert-v01@openssh.com` needs an `ssh-rsa` key.
fn key_type(algorithm: &str) -> String {
    let plain = match algorithm.strip_suffix(CERTIFICATE_SUFFIX) {
        Some(plain) if plain.starts_with("sk-") => format!("{plain}@openssh.com"),
        Some(plain) => plain.to_owned(),
        None => algorithm.to_owned(),
    };
    match plain.as_str() {
        "rsa-sha2-256" | "rsa-sha2-512" => "ssh-rsa".to_owned(),
        _ => plain,
    }
}

impl KnownHosts {
    /// What is known about `target`, for [ordering](KnownAlgorithms::order) the algorithms that are offered to it.
    pub fn algorithms_for(&self, target: &Target<'_>) -> KnownAlgorithms {
        let entries = self.about(&target.filed());
        let mut known = KnownAlgorithms::default();
        for entry in &entries {
            let key = &entry.line.key;
            match entry.line.marker {
                Marker::Authority => known.authority = true,
                Marker::Key if entries.iter().any(|other| other.is(Marker::Revoked, key)) => {}
                Marker::Key if known.keys.contains(&key.algorithm()) => {}
                Marker::Key => known.keys.push(key.algorithm()),
                Marker::Revoked => {}
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFERENCE: [&str; 6] = [
        "ssh-ed25519-cert-v01@openssh.com",
        "rsa-sha2-512-cert-v01@openssh.com",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "rsa-sha2-512",
        "rsa-sha2-256",
    ];

    #[test]
    fn a_known_best_type_keeps_the_list() {
        let known = KnownAlgorithms { keys: vec![Algorithm::Rsa { hash: None }, Algorithm::Ed25519], authority: true };
        assert_eq!(known.order(&PREFERENCE), PREFERENCE);
        assert_eq!(KnownAlgorithms::default().order(&PREFERENCE), PREFERENCE);
    }

    #[test]
    fn what_is_known_comes_first() {
        let known = KnownAlgorithms { keys: vec![Algorithm::Rsa { hash: None }], authority: false };
        let ordered = known.order(&PREFERENCE);
        assert_eq!(ordered[..3], ["rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512", "rsa-sha2-256"]);
        assert_eq!(ordered[3..], ["ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", "ecdsa-sha2-nistp256"]);
    }

    #[test]
    fn an_authority_asks_for_certificates() {
        let known = KnownAlgorithms { keys: vec![], authority: true };
        assert_eq!(
            known.order(&["ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"]),
            ["ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"]
        );
    }

    #[test]
    fn security_keys_have_their_own_certificate_names() {
        assert_eq!(key_type("sk-ssh-ed25519-cert-v01@openssh.com"), "sk-ssh-ed25519@openssh.com");
    }
}
