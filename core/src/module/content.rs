//! Pieces that module states are made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use crate::digest;

/// A file's content as part of a state: compared by its hash, shown by its lines.
///
/// It serializes as `{"$content": {"sha256": …, "size": …, "text": …}}`, which the comparison turns into a line diff. `text`
/// is absent for what is not UTF-8 or is longer than [`Content::SHOWN`].
#[derive(Clone)]
pub struct Content {
    sha256: String,
    size: u64,
    bytes: Option<Arc<[u8]>>,
}

impl Content {
    /// Text longer than this many bytes is reported by its size and hash.
    pub const SHOWN: u64 = 1 << 20;

    /// Content that is held in memory.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Content { sha256: digest::sha256(&bytes), size: bytes.len() as u64, bytes: Some(bytes) }
    }

    /// Content that is known only by its hash (lower-case hexadecimal SHA-256) and size, such as a large file.
    pub fn hashed(sha256: String, size: u64) -> Self {
        Content { sha256, size, bytes: None }
    }

    /// Lower-case hexadecimal SHA-256.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes, if they are held.
    pub fn bytes(&self) -> Option<&Arc<[u8]>> {
        self.bytes.as_ref()
    }

    /// The text, if it is held, is UTF-8 and not too long to show.
    pub fn text(&self) -> Option<&str> {
        let bytes = self.bytes.as_deref().filter(|b| b.len() as u64 <= Self::SHOWN)?;
        std::str::from_utf8(bytes).ok().filter(|t| !t.contains('\0'))
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for Content {}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes, {})", self.size, self.sha256.get(..12).unwrap_or_default())
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            sha256: &'a str,
            size: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
        }
        let mut outer = to.serialize_struct("Content", 1)?;
        outer.serialize_field("$content", &Shown { sha256: &self.sha256, size: self.size, text: self.text() })?;
        outer.end()
    }
}

/// An account or group as a playbook names it: by name, or by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Owner {
    /// By number.
    Id(u32),
    /// By name.
    Name(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Owner::Id(id) => write!(f, "{id}"),
            Owner::Name(name) => f.write_str(name),
        }
    }
}
