//! The helpers that this program carries, one per architecture.

use rectify_remote::helper::Image;

/// A helper, as the build put it in.
#[derive(Debug)]
pub(crate) struct Helper {
    /// `uname -m` of the hosts that it runs on.
    pub(crate) arch: &'static str,
    /// Lower-case hexadecimal SHA-256 of the unpacked helper.
    pub(crate) sha256: &'static str,
    /// Size of the unpacked helper in bytes.
    pub(crate) size: usize,
    /// The helper, packed with xz.
    pub(crate) xz: &'static [u8],
}

impl Helper {
    /// The helper, to be sent.
    pub(crate) fn image(&self) -> Image {
        Image::from_xz(self.xz, self.sha256, self.size)
    }
}

include!(concat!(env!("OUT_DIR"), "/helpers.rs"));
