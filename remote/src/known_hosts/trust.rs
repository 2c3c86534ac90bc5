//! First contact, for a whole inventory at once: what was scanned becomes a table, what a person approves is filed.
//!
//! Who scans fills [`ScannedKey`]s, one per host and algorithm.

use std::collections::HashMap;
use std::path::Path;

use russh::keys::ssh_key::{Algorithm, Fingerprint, PublicKey};

use super::decide::{Decision, Offered, Target};
use super::fault::KnownHostsError;
use super::names::folded;
use super::store::{KnownHosts, KnownKey, Place, fingerprint};
use super::write::{self, NewKey};

/// A key that a server offered to somebody who had not yet decided to trust it.
#[derive(Debug, Clone)]
pub struct ScannedKey {
    /// The host name that was connected to (after `HostName`), or its address.
    pub host: String,
    /// The port that was connected to.
    pub port: u16,
    /// `HostKeyAlias`, if one is set.
    pub alias: Option<String>,
    /// The key. The key exchange must have proved that the server possesses it.
    pub key: PublicKey,
}

impl ScannedKey {
    fn target(&self) -> Target<'_> {
        Target { host: &self.host, port: self.port, alias: self.alias.as_deref(), address: None }
    }

    /// Name and port under which it is filed.
    fn filed(&self) -> (String, u16) {
        match &self.alias {
            Some(alias) => (alias.to_ascii_lowercase(), 22),
            None => (folded(&self.host), self.port),
        }
    }
}

/// How a scanned key stands to what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing is known about the host.
    New,
    /// The host is known by another key that it also offered; this one is additional.
    Additional,
    /// The key is listed here.
    Known(Place),
    /// The host is known by other keys.
    Changed(Vec<KnownKey>),
    /// The key is revoked here. It cannot be approved.
    Revoked(Place),
}

/// A row of the table.
#[derive(Debug, Clone)]
pub struct TrustRow {
    /// What was scanned.
    pub scanned: ScannedKey,
    /// The type of the key.
    pub algorithm: Algorithm,
    /// The fingerprint, which prints as `SHA256:…`.
    pub fingerprint: Fingerprint,
    /// How it stands to what is known.
    pub state: KeyState,
    /// How many other hosts of the table offer the very same key: clones that were never given keys of their own.
    pub shared_with: usize,
}

/// All scanned keys, by host, port and algorithm.
#[derive(Debug, Clone, Default)]
pub struct TrustTable {
    /// The rows.
    pub rows: Vec<TrustRow>,
}

/// What became of the approved rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Keys written.
    pub added: usize,
    /// Hosts whose other keys were removed.
    pub renewed: usize,
}

impl TrustTable {
    /// Compares what was scanned with what is known. A key that was scanned twice for a host gives one row.
    pub fn new(known: &KnownHosts, scanned: impl IntoIterator<Item = ScannedKey>) -> Self {
        let mut keys: Vec<ScannedKey> = scanned.into_iter().collect();
        keys.sort_by_cached_key(|key| {
            (key.filed(), key.key.algorithm().as_str().to_owned(), fingerprint(key.key.key_data()).to_string())
        });
        keys.dedup_by(|a, b| a.filed() == b.filed() && a.key.key_data() == b.key.key_data());
        let mut offered_by: HashMap<Fingerprint, usize> = HashMap::new();
        for key in &keys {
            *offered_by.entry(fingerprint(key.key.key_data())).or_default() += 1;
        }
        let mut rows = Vec::with_capacity(keys.len());
        for of_host in keys.chunk_by(|a, b| a.filed() == b.filed()) {
            let decisions: Vec<_> =
                of_host.iter().map(|key| known.decide(&key.target(), Offered::Key(&key.key))).collect();
            let vouched = decisions.iter().any(Decision::is_trusted);
            for (key, decision) in of_host.iter().zip(decisions) {
                let fingerprint = fingerprint(key.key.key_data());
                rows.push(TrustRow {
                    algorithm: key.key.algorithm(),
                    fingerprint,
                    state: state(key, decision, vouched),
                    shared_with: offered_by[&fingerprint] - 1,
                    scanned: key.clone(),
                });
            }
        }
        Self { rows }
    }

    /// The rows that a person has to look at: everything but what is known.
    pub fn open(&self) -> impl Iterator<Item = &TrustRow> {
        self.rows.iter().filter(|row| !matches!(row.state, KeyState::Known(_)))
    }

    /// Writes the rows for which `approve` says yes into `file`; revoked keys never.
    ///
    /// An approved changed key removes the host's other keys from `file` (not from other files), but for those in
    /// approved or known rows. All or nothing.
    pub fn apply(
        &self,
        file: &Path,
        hash_names: bool,
        approve: impl Fn(&TrustRow) -> bool,
    ) -> Result<Applied, KnownHostsError> {
        let mut keys = Vec::new();
        let mut renewed: Vec<(String, u16)> = Vec::new();
        for row in self.open().filter(|row| !matches!(row.state, KeyState::Revoked(_)) && approve(row)) {
            keys.push(new_key(row));
            if matches!(row.state, KeyState::Changed(_)) && !renewed.contains(&row.scanned.filed()) {
                renewed.push(row.scanned.filed());
            }
        }
        let known = |row: &&TrustRow| matches!(row.state, KeyState::Known(_)) && renewed.contains(&row.scanned.filed());
        keys.extend(self.rows.iter().filter(known).map(new_key));
        let added = write::replace(file, &keys, &renewed, hash_names)?;
        Ok(Applied { added, renewed: renewed.len() })
    }
}

fn new_key(row: &TrustRow) -> NewKey {
    let (host, port) = row.scanned.filed();
    NewKey { host, port, key: row.scanned.key.clone() }
}

/// To OpenSSH any unlisted key of a known host is a change. To a person it is not, if the host also showed a listed key
/// and no key of this algorithm is listed.
fn state(scanned: &ScannedKey, decision: Decision, vouched: bool) -> KeyState {
    match decision {
        Decision::Trusted { at, .. } => KeyState::Known(at),
        Decision::Revoked { at, .. } => KeyState::Revoked(at),
        Decision::Unknown { .. } | Decision::BadCertificate { .. } if vouched => KeyState::Additional,
        Decision::Unknown { .. } | Decision::BadCertificate { .. } => KeyState::New,
        Decision::Changed { known } | Decision::AddressDiffers { known, .. } => {
            let same_algorithm = known.iter().any(|key| key.algorithm == scanned.key.algorithm());
            match vouched && !same_algorithm {
                true => KeyState::Additional,
                false => KeyState::Changed(known),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF3qlmXtoEiTWiAXksKO9+DwbNKdesUPFhLN+F+vZaZt";
    const EC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJ1TCR7Q5ImYlTQUKJPXE8NhRQKyXhImVpsv6MNSi69t3Lu4THWWNodWj171wp6m+G4Pa0wgFDfo00xdVgqQK8o=";

    fn scanned(host: &str, key: &str) -> ScannedKey {
        ScannedKey { host: host.to_owned(), port: 22, alias: None, key: PublicKey::from_openssh(key).unwrap() }
    }

    fn words(table: &TrustTable) -> Vec<String> {
        let word = |state: &KeyState| match state {
            KeyState::New => "new",
            KeyState::Additional => "additional",
            KeyState::Known(_) => "known",
            KeyState::Changed(_) => "changed",
            KeyState::Revoked(_) => "revoked",
        };
        table
            .rows
            .iter()
            .map(|row| format!("{} {} {}", row.scanned.host, row.algorithm.as_str(), word(&row.state)))
            .collect()
    }

    fn known(text: &str) -> KnownHosts {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), text.as_bytes());
        known
    }

    #[test]
    fn every_state_has_its_row() {
        let known = known(&format!("web1 {A}\nweb2 {B}\n@revoked * {EC}\n"));
        let keys =
            [scanned("web3", A), scanned("web1", A), scanned("web2", A), scanned("web2", EC), scanned("web1", A)];
        let table = TrustTable::new(&known, keys);
        assert_eq!(
            words(&table),
            [
                "web1 ssh-ed25519 known",
                "web2 ecdsa-sha2-nistp256 revoked",
                "web2 ssh-ed25519 changed",
                "web3 ssh-ed25519 new"
            ]
        );
        assert_eq!(table.rows[0].shared_with, 2, "the same key on three hosts");
        assert_eq!(table.open().count(), 3);
    }

    #[test]
    fn another_algorithm_of_a_host_that_shows_its_known_key_is_additional() {
        let table = TrustTable::new(&known(&format!("web1 {A}\n")), [scanned("web1", A), scanned("web1", EC)]);
        assert_eq!(words(&table), ["web1 ecdsa-sha2-nistp256 additional", "web1 ssh-ed25519 known"]);
        // Without the known key there is no proof that it is the same host.
        let table = TrustTable::new(&known(&format!("web1 {A}\n")), [scanned("web1", EC)]);
        assert_eq!(words(&table), ["web1 ecdsa-sha2-nistp256 changed"]);
    }

    #[test]
    fn what_is_approved_is_trusted_afterwards_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        std::fs::write(&file, format!("web2 {B}\nweb4 {A}\n@revoked * {EC}\n")).unwrap();
        let keys = [scanned("web1", A), scanned("web2", A), scanned("web3", A), scanned("web1", EC)];
        let table = TrustTable::new(&KnownHosts::load([&file]).unwrap(), keys);
        let applied = table.apply(&file, true, |row| row.scanned.host != "web3").unwrap();
        assert_eq!(applied, Applied { added: 2, renewed: 1 });
        let again = TrustTable::new(&KnownHosts::load([&file]).unwrap(), table.rows.into_iter().map(|row| row.scanned));
        assert_eq!(
            words(&again),
            [
                "web1 ecdsa-sha2-nistp256 revoked",
                "web1 ssh-ed25519 known",
                "web2 ssh-ed25519 known",
                "web3 ssh-ed25519 new"
            ]
        );
        assert!(!std::fs::read_to_string(&file).unwrap().contains(&format!("web2 {B}")), "the old key is gone");
    }
}
