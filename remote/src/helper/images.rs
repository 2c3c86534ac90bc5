//! The helper binaries that this program can send.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, OnceLock},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use tokio_util::bytes::Bytes;

/// The helpers by architecture. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Images(Arc<BTreeMap<String, Image>>);

/// One helper binary.
#[derive(Debug)]
pub struct Image {
    raw: Bytes,
    sha256: String,
    packed: OnceLock<Bytes>,
}

impl Images {
    /// Takes the binaries in, each with the name that `uname -m` gives its architecture.
    ///
    /// # Panics
    /// If an architecture's name has other characters than letters, digits and `_`.
    pub fn new(binaries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let image = |(arch, raw): (String, Vec<u8>)| {
            assert!(arch.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "`{arch}` is no architecture's name");
            (arch, Image::new(raw))
        };
        Self(Arc::new(binaries.into_iter().map(image).collect()))
    }

    /// The helper for an architecture.
    pub fn get(&self, arch: &str) -> Option<&Image> {
        self.0.get(arch)
    }

    /// The architectures that there are helpers for.
    pub fn architectures(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn hashes(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(arch, image)| (arch.clone(), image.sha256.clone())).collect()
    }
}

impl Image {
    fn new(raw: Vec<u8>) -> Self {
        let sha256 = Sha256::digest(&raw).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { raw: raw.into(), sha256, packed: OnceLock::new() }
    }

    /// Lower-case hexadecimal SHA-256 of the binary.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The binary as it is.
    pub(crate) fn raw(&self) -> Bytes {
        self.raw.clone()
    }

    /// The binary in gzip's format, packed once.
    pub(crate) fn packed(&self) -> Bytes {
        let pack = || {
            let mut gzip = GzEncoder::new(Vec::with_capacity(self.raw.len() / 2), Compression::best());
            gzip.write_all(&self.raw).expect("invariant: a vector takes everything");
            gzip.finish().expect("invariant: a vector takes everything").into()
        };
        self.packed.get_or_init(pack).clone()
    }
}
