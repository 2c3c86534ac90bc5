//! The helper binaries that this program can send.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    sync::{Arc, OnceLock},
};

use flate2::{Compression, write::GzEncoder};
use lzma_rust2::XzReader;
use rectify_core::digest::sha256;
use tokio_util::bytes::Bytes;

use crate::HelperProblem;

/// The helpers by architecture. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Images(Arc<BTreeMap<String, Image>>);

/// One helper binary. It is unpacked, and packed in another way, only when a host needs that, and then once.
#[derive(Debug)]
pub struct Image {
    sha256: String,
    size: usize,
    xz: Option<Bytes>,
    raw: OnceLock<Result<Bytes, String>>,
    gzip: OnceLock<Bytes>,
}

impl Images {
    /// Takes the binaries in, each with the name that `uname -m` gives its architecture.
    ///
    /// # Panics
    /// If an architecture's name has other characters than letters, digits and `_`.
    pub fn new(binaries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self::of(binaries.into_iter().map(|(arch, raw)| (arch, Image::new(raw))))
    }

    /// Takes images in, each with the name that `uname -m` gives its architecture.
    ///
    /// # Panics
    /// If an architecture's name has other characters than letters, digits and `_`.
    pub fn of(images: impl IntoIterator<Item = (String, Image)>) -> Self {
        let images: BTreeMap<String, Image> = images.into_iter().collect();
        for arch in images.keys() {
            assert!(arch.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "`{arch}` is no architecture's name");
        }
        Self(Arc::new(images))
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
        let sha256 = sha256(&raw);
        Self { sha256, size: raw.len(), xz: None, raw: OnceLock::from(Ok(raw.into())), gzip: OnceLock::new() }
    }

    /// A helper in xz's format; its lower-case hexadecimal SHA-256 and its size in bytes are those of what is packed in it.
    pub fn from_xz(packed: &'static [u8], sha256: &str, size: usize) -> Self {
        let xz = Some(Bytes::from_static(packed));
        Self { sha256: sha256.to_owned(), size, xz, raw: OnceLock::new(), gzip: OnceLock::new() }
    }

    /// Lower-case hexadecimal SHA-256 of the binary.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The binary as it is.
    ///
    /// # Errors
    /// It came packed, and is damaged.
    pub fn raw(&self) -> Result<Bytes, HelperProblem> {
        let unpack = || {
            let packed = self.xz.as_deref().unwrap_or_default();
            let mut raw = Vec::with_capacity(self.size);
            XzReader::new(packed, false).read_to_end(&mut raw).map_err(|e| e.to_string())?;
            if sha256(&raw) == self.sha256 { Ok(raw.into()) } else { Err("its hash is another one".to_owned()) }
        };
        let raw = self.raw.get_or_init(unpack).as_ref();
        raw.cloned().map_err(|why| HelperProblem::Start {
            reason: format!("the one that this program carries is damaged ({why}): build it anew"),
        })
    }

    /// The binary in xz's format, if it came like that.
    pub(crate) fn xz(&self) -> Option<Bytes> {
        self.xz.clone()
    }

    /// The binary in gzip's format.
    ///
    /// # Errors
    /// It came packed, and is damaged.
    pub(crate) fn gzip(&self) -> Result<Bytes, HelperProblem> {
        let raw = self.raw()?;
        let pack = || {
            let mut gzip = GzEncoder::new(Vec::with_capacity(raw.len() / 2), Compression::best());
            gzip.write_all(&raw).expect("invariant: a vector takes everything");
            gzip.finish().expect("invariant: a vector takes everything").into()
        };
        Ok(self.gzip.get_or_init(pack).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_packed_goes_as_it_came_and_a_damaged_one_is_not_packed_anew() {
        let image = Image::new(b"helper".to_vec());
        assert_eq!(image.xz(), None);
        let packed = super::super::tests::xz(b"helper");
        let same = Image::from_xz(packed, image.sha256(), 6);
        assert_eq!((same.raw().unwrap(), same.gzip().unwrap()), (image.raw().unwrap(), image.gzip().unwrap()));
        assert_eq!(same.xz().unwrap(), packed);
        for (bytes, sha256) in [(&packed[..packed.len() - 9], image.sha256()), (packed, "00")] {
            let said = Image::from_xz(bytes, sha256, 6).gzip().unwrap_err().to_string();
            assert!(said.contains("damaged"), "{said}");
        }
    }
}
