//! The first field of a line: for which host names it speaks (`sshd(8)`, SSH_KNOWN_HOSTS FILE FORMAT).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::fault::LineFault;
use crate::ssh_config::pattern;

const HASH_MAGIC: &str = "|1|";
const SHA1_BYTES: usize = 20;

/// The names that a line covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Names {
    /// One name, as a salted hash.
    Hashed { salt: [u8; SHA1_BYTES], hash: [u8; SHA1_BYTES] },
    /// Comma-separated patterns, in lower case.
    Patterns(String),
}

impl Names {
    pub(super) fn parse(field: &str) -> Result<Self, LineFault> {
        if !field.starts_with('|') {
            return Ok(Self::Patterns(field.to_ascii_lowercase()));
        }
        let (salt, hash) =
            field.strip_prefix(HASH_MAGIC).and_then(|rest| rest.split_once('|')).ok_or(LineFault::HashedName)?;
        Ok(Self::Hashed { salt: decode(salt)?, hash: decode(hash)? })
    }

    /// Whether the line speaks for `name` (in lower case; `[host]:port` for another port than 22).
    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => hmac(salt, name) == *hash,
            Self::Patterns(list) => pattern::match_list(name, list) == pattern::ListMatch::Yes,
        }
    }

    /// The names, if they are a plain list without wildcards and negation: such lines can be looked up.
    pub(super) fn literal(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Patterns(list) if !list.contains(['*', '?', '!']) => Some(list.split(',')),
            _ => None,
        }
    }
}

fn decode(text: &str) -> Result<[u8; SHA1_BYTES], LineFault> {
    STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(LineFault::HashedName)
}

fn hmac(salt: &[u8], name: &str) -> [u8; SHA1_BYTES] {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("invariant: HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The hashed form of `name`, as OpenSSH writes it with `HashKnownHosts yes`.
pub(super) fn hashed(name: &str, salt: &[u8; SHA1_BYTES]) -> String {
    format!("{HASH_MAGIC}{}|{}", STANDARD.encode(salt), STANDARD.encode(hmac(salt, name)))
}

/// A host in the one form in which it is looked up and filed: lower case, an address in its shortest form.
pub(super) fn folded(host: &str) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

/// The name under which OpenSSH files a host: `host` for port 22 (and 0, unknown), else `[host]:port`.
pub(super) fn file_name(host: &str, port: u16) -> String {
    match port {
        0 | 22 => host.to_owned(),
        port => format!("[{host}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_names_match_only_their_host() {
        let field = hashed("web1.example", &[7; 20]);
        let names = Names::parse(&field).unwrap();
        assert!(names.covers("web1.example"));
        assert!(!names.covers("web2.example"));
        assert!(names.literal().is_none());
    }

    #[test]
    fn damaged_hashes_are_faults() {
        for field in ["|", "|1|", "|1|AAAA|AAAA", "|2|aaaa|bbbb", "|1|not base64!|x"] {
            assert_eq!(Names::parse(field), Err(LineFault::HashedName), "{field}");
        }
        // A second name after a hash: OpenSSH never matches such a line.
        let two = format!("{},other", hashed("a", &[1; 20]));
        assert_eq!(Names::parse(&two), Err(LineFault::HashedName));
    }

    #[test]
    fn ports_are_part_of_the_name() {
        assert_eq!(file_name("h", 22), "h");
        assert_eq!(file_name("h", 2222), "[h]:2222");
        assert!(Names::parse("[H]:22??").unwrap().covers("[h]:2222"));
    }
}
