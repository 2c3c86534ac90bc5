//! The helpers that this program carries, one per architecture.

use std::io::Read;

use flate2::read::GzDecoder;

/// A helper, as the build put it in.
#[derive(Debug)]
pub(crate) struct Helper {
    /// `uname -m` of the hosts that it runs on.
    pub(crate) arch: &'static str,
    /// Lower-case hexadecimal SHA-256 of the unpacked helper.
    pub(crate) sha256: &'static str,
    /// Size of the unpacked helper in bytes.
    pub(crate) size: usize,
    /// The helper, packed with gzip.
    pub(crate) gz: &'static [u8],
}

impl Helper {
    /// The helper itself.
    ///
    /// # Errors
    /// If the packed bytes are damaged.
    pub(crate) fn unpack(&self) -> std::io::Result<Vec<u8>> {
        let mut raw = Vec::with_capacity(self.size);
        GzDecoder::new(self.gz).read_to_end(&mut raw)?;
        Ok(raw)
    }
}

include!(concat!(env!("OUT_DIR"), "/helpers.rs"));
