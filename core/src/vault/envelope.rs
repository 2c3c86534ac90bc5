//! The text around a ciphertext.

use super::VaultError;
use crate::digest::hex;

const HEADER: &str = "$ANSIBLE_VAULT";

/// Hexadecimal digits in a line.
const WIDTH: usize = 80;

/// Whether a text is encrypted: plain ASCII that begins with the header.
pub fn is_vaulted(text: &[u8]) -> bool {
    text.starts_with(HEADER.as_bytes()) && text.is_ascii()
}

/// An encrypted text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The vault id of format 1.2.
    pub label: Option<String>,
    pub(super) salt: Vec<u8>,
    pub(super) hmac: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
}

impl Envelope {
    /// Reads an encrypted text. Blanks around lines are of no account: an inline value may be indented.
    ///
    /// # Errors
    /// [`VaultError::Format`].
    pub fn parse(text: &[u8]) -> Result<Self, VaultError> {
        let text = std::str::from_utf8(text).map_err(|_| VaultError::Format("it is not ASCII"))?;
        let mut lines = text.lines().map(str::trim);
        let mut head = lines.next().unwrap_or_default().split(';').map(str::trim);
        if head.next() != Some(HEADER) {
            return Err(VaultError::Format("the header is missing"));
        }
        if !matches!(head.next(), Some("1.1" | "1.2")) {
            return Err(VaultError::Format("only the formats 1.1 and 1.2 are known"));
        }
        if head.next() != Some("AES256") {
            return Err(VaultError::Format("only the cipher AES256 is known"));
        }
        let label = head.next().filter(|label| !label.is_empty()).map(str::to_owned);
        let body: String = lines.collect();
        let body = unhex(body.as_bytes())?;
        let mut parts = body.splitn(3, |byte| *byte == b'\n');
        let mut part = || parts.next().ok_or(VaultError::Format("it is cut short"));
        let (salt, hmac, ciphertext) = (unhex(part()?)?, unhex(part()?)?, unhex(part()?)?);
        Ok(Envelope { label, salt, hmac, ciphertext })
    }

    /// The text of it, with a line break at the end. Without a label, or with the default one, it has format 1.1, as Ansible
    /// writes it.
    pub fn format(&self) -> String {
        let body = [hex(&self.salt), hex(&self.hmac), hex(&self.ciphertext)].join("\n");
        let mut out = match self.label.as_deref().filter(|label| *label != super::DEFAULT_LABEL) {
            Some(label) => format!("{HEADER};1.2;AES256;{label}\n"),
            None => format!("{HEADER};1.1;AES256\n"),
        };
        for line in hex(body.as_bytes()).as_bytes().chunks(WIDTH) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out
    }
}

fn unhex(text: &[u8]) -> Result<Vec<u8>, VaultError> {
    const ODD: VaultError = VaultError::Format("what should be hexadecimal digits is something else");
    let digit = |c: u8| char::from(c).to_digit(16).ok_or(ODD);
    if !text.len().is_multiple_of(2) {
        return Err(ODD);
    }
    text.chunks(2).map(|pair| Ok((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}
