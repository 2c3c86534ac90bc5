//! One line of a known hosts file: `[@marker] names type base64 [comment]`.

use russh::keys::ssh_key::{Algorithm, PublicKey, public::KeyData};

use super::fault::LineFault;
use super::names::Names;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// This is the host's key.
    Key,
    /// Certificates signed by this key are good for these hosts.
    Authority,
    /// This key must never be accepted for these hosts, nor certificates that it signed.
    Revoked,
}

/// A line that says something.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) marker: Marker,
    pub(super) names: Names,
    pub(super) key: KeyData,
}

const BLANK: [u8; 2] = [b' ', b'\t'];

/// Parses a line without its line feed. `None`: empty or a comment.
pub(super) fn parse(line: &[u8]) -> Result<Option<Line>, LineFault> {
    let mut rest = line.trim_ascii_start();
    if rest.is_empty() || rest[0] == b'#' {
        return Ok(None);
    }
    let mut marker = Marker::Key;
    if rest[0] == b'@' {
        (marker, rest) = self::marker(rest)?;
    }
    let (names, rest) = word(rest);
    let (kind, rest) = word(rest);
    let (blob, _comment) = word(rest);
    if kind.is_empty() || kind[0] == b'#' || blob.is_empty() {
        return Err(LineFault::NoKey);
    }
    let names = Names::parse(text(names)?)?;
    Ok(Some(Line { marker, names, key: key(text(kind)?, text(blob)?.trim_end_matches('\r'))? }))
}

/// Takes the marker off the line. Stricter than OpenSSH on one point: a `@revoked` followed by a tab counts.
fn marker(line: &[u8]) -> Result<(Marker, &[u8]), LineFault> {
    let (name, rest) = word(line);
    if rest.first() == Some(&b'@') {
        return Err(LineFault::Marker);
    }
    let unseen_by_openssh = line.get(name.len()) == Some(&b'\t') && line.contains(&b' ');
    match name {
        b"@revoked" => Ok((Marker::Revoked, rest)),
        b"@cert-authority" if unseen_by_openssh => Err(LineFault::MarkerTab),
        b"@cert-authority" => Ok((Marker::Authority, rest)),
        _ => Err(LineFault::Marker),
    }
}

/// The first word, and what follows the blanks after it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|c| BLANK.contains(c)).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let skip = rest.iter().position(|c| !BLANK.contains(c)).unwrap_or(rest.len());
    (word, &rest[skip..])
}

fn text(bytes: &[u8]) -> Result<&str, LineFault> {
    std::str::from_utf8(bytes).map_err(|_| LineFault::NotText)
}

fn key(kind: &str, blob: &str) -> Result<KeyData, LineFault> {
    match Algorithm::new(kind) {
        Err(_) | Ok(Algorithm::Other(_)) => return Err(LineFault::KeyType),
        // `rsa-sha2-256` names a signature, not a key.
        Ok(Algorithm::Rsa { hash: Some(_) }) => return Err(LineFault::KeyType),
        Ok(_) => {}
    }
    let key = PublicKey::from_openssh(&format!("{kind} {blob}")).map_err(|_| LineFault::Key)?;
    Ok(key.key_data().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn fault(line: &str) -> LineFault {
        parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn every_shape_of_a_good_line() {
        for (line, marker) in [
            (format!("h {KEY}"), Marker::Key),
            (format!("  h\t{}\tcomment with spaces", KEY.replace(' ', "\t")), Marker::Key),
            (format!("h {KEY}\r"), Marker::Key),
            (format!("@revoked * {KEY}"), Marker::Revoked),
            (format!("@revoked\t* {KEY}"), Marker::Revoked),
            (format!("@cert-authority *.example {KEY} ca"), Marker::Authority),
        ] {
            assert_eq!(parse(line.as_bytes()).unwrap().unwrap().marker, marker, "{line:?}");
        }
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        for line in ["", "   ", "\t", "\r", "# h ssh-ed25519 AAAA", "  #"] {
            assert!(parse(line.as_bytes()).unwrap().is_none(), "{line:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(fault("h"), LineFault::NoKey);
        assert_eq!(fault("h ssh-ed25519"), LineFault::NoKey);
        assert_eq!(fault("h # ssh-ed25519 AAAA"), LineFault::NoKey);
        assert_eq!(fault("h ssh-ed25519 AAAA"), LineFault::Key);
        assert_eq!(fault(&format!("h {}", KEY.replace("ssh-ed25519", "ssh-rsa"))), LineFault::Key);
        assert_eq!(fault("h ssh-future AAAA"), LineFault::KeyType);
        assert_eq!(fault(&format!("@trusted h {KEY}")), LineFault::Marker);
        assert_eq!(fault(&format!("@revoked @cert-authority h {KEY}")), LineFault::Marker);
        assert_eq!(fault(&format!("@cert-authority\th {KEY}")), LineFault::MarkerTab);
        assert_eq!(parse(b"\xff\xfe ssh-ed25519 AAAA").unwrap_err(), LineFault::NotText);
    }
}
