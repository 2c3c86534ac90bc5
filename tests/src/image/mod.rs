//! Host images: built once from a recipe, kept under the hash of that recipe, read-only from then on.
//!
//! A recipe is a folder in `tests/images`. Its hash covers every file in it, `lib.sh`, and the recipe it builds on, so that an
//! edited recipe is a new image. Builds are exclusive between processes (a lock file) and atomic (built aside, then renamed).

mod cache;
mod tools;

use std::path::PathBuf;

use anyhow::Result;

/// The images that hosts can be booted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Image {
    /// Debian 12 with apache2, PHP, fetch tools, cron, and a local package repository.
    Debian,
    /// An RPM host in RHEL's layout: rpm, dnf, httpd, a local package repository; no trace of dpkg.
    Rpm,
    /// The Debian image as the disk of a virtual machine, with a kernel of its own and auditd.
    Vm,
}

impl Image {
    /// Every image.
    pub const ALL: [Image; 3] = [Image::Debian, Image::Rpm, Image::Vm];

    /// The recipe's folder name, which is also the inventory group of its hosts.
    pub fn name(self) -> &'static str {
        match self {
            Image::Debian => "debian",
            Image::Rpm => "rpm",
            Image::Vm => "vm",
        }
    }

    /// Returns the image's folder, building it first if it is not there yet (a minute or two; see the log beside it).
    ///
    /// # Errors
    /// Not root, a missing Debian package (named), or a recipe that failed (with the end of its log).
    pub fn ensure(self) -> Result<PathBuf> {
        cache::ensure(self)
    }

    /// The image that this one is made from, if any.
    fn base(self) -> Option<Image> {
        match self {
            Image::Vm => Some(Image::Debian),
            Image::Debian | Image::Rpm => None,
        }
    }
}

/// Fails unless everything is installed that booting hosts needs, naming all missing Debian packages at once.
///
/// # Errors
/// Not root, or packages missing.
pub fn require_tools(images: &[Image]) -> Result<()> {
    tools::require_root()?;
    tools::require(tools::BOOT)?;
    for image in images {
        tools::require(tools::to_boot(*image))?;
    }
    Ok(())
}
