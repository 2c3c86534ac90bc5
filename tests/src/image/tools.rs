//! Which Debian package brings which tool, so that a missing one is named.

use std::path::Path;

use anyhow::{Result, bail};

use super::Image;

/// A program and the Debian package that brings it.
pub(super) type Tool = (&'static str, &'static str);

/// What setting up any fleet needs.
pub(super) const BOOT: &[Tool] = &[
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("flock", "util-linux"),
    ("mount", "mount"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("systemd-nspawn", "systemd-container"),
];

/// What booting a host of this image needs besides.
pub(super) fn to_boot(image: Image) -> &'static [Tool] {
    match image {
        Image::Debian | Image::Rpm => &[],
        Image::Vm => &[("qemu-system-x86_64", "qemu-system-x86"), ("mke2fs", "e2fsprogs")],
    }
}

/// What building this image needs.
pub(super) fn to_build(image: Image) -> &'static [Tool] {
    match image {
        Image::Debian => &[("mmdebstrap", "mmdebstrap"), ("dpkg-deb", "dpkg"), ("apt-ftparchive", "apt-utils")],
        Image::Rpm => &[("mmdebstrap", "mmdebstrap"), ("rpmbuild", "rpm"), ("createrepo_c", "createrepo-c")],
        Image::Vm => &[("mke2fs", "e2fsprogs")],
    }
}

/// Fails naming every package of which a tool is missing.
pub(super) fn require(tools: &[Tool]) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| {
        std::env::split_paths(&path)
            .chain(["/usr/sbin", "/sbin"].map(Into::into))
            .any(|folder| Path::new(&folder).join(program).is_file())
    };
    let mut missing: Vec<_> = tools.iter().filter(|(program, _)| !found(program)).map(|t| t.1).collect();
    missing.dedup();
    if !missing.is_empty() {
        bail!(
            "the test fleet needs Debian packages that are not installed: apt-get install {} (or run .ci/setup)",
            missing.join(" ")
        );
    }
    Ok(())
}

/// Fails unless this process is root.
pub(super) fn require_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the test fleet boots hosts in namespaces: run these tests as root");
    }
    Ok(())
}
