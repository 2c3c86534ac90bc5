//! Modules that this host cannot do without, and modules that are no modules.

use std::path::{Path, PathBuf};

use rectify_core::module::{ModuleError, Observe};

use super::text;

/// Modules that a file system needs beside the one of its own name.
const COMPANIONS: &[(&str, &[&str])] = &[
    ("vfat", &["fat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"]),
    ("ext4", &["jbd2", "mbcache", "crc16", "crc32c_generic"]),
    ("xfs", &["libcrc32c"]),
    ("btrfs", &["libcrc32c", "xor", "raid6_pq", "zstd_compress"]),
    ("nfs", &["sunrpc", "lockd", "nfsv3", "nfsv4", "grace"]),
    ("nfs4", &["nfs", "sunrpc", "lockd", "nfsv4", "grace"]),
    ("iso9660", &["isofs", "cdrom"]),
];

/// Refuses to forbid what a file system of this host needs: it may be mounted only at the next boot, such as `/boot/efi`.
pub(super) fn check(names: &[String], host: &dyn Observe) -> Result<(), ModuleError> {
    for (file, kind_of_line) in [("/etc/fstab", "listed"), ("/proc/self/mounts", "mounted")] {
        let Some(table) = text(Path::new(file), host)? else { continue };
        for line in table.lines().filter(|l| !l.trim_start().starts_with('#')) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(place), Some(kinds)) = (fields.get(1), fields.get(2)) else { continue };
            for kind in kinds.split(',') {
                let companions = COMPANIONS.iter().find(|(fs, _)| *fs == kind).map_or(&[][..], |(_, all)| all);
                let found = names.iter().find(|n| n.as_str() == kind || companions.contains(&n.as_str()));
                if let Some(name) = found {
                    return Err(ModuleError::failed(format!(
                        "refused: {name} is needed for the file system at {place} ({kind}, {kind_of_line} in {file}); without it \
                         this host may not boot"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// Whether it is compiled into the running kernel.
pub(super) fn is_built_in(name: &str, host: &dyn Observe) -> Result<bool, ModuleError> {
    Ok(match listed("modules.builtin", host)? {
        Some(all) => all.iter().any(|n| n == name),
        None => false,
    })
}

/// The modules that one of the running kernel's lists names; `None`: there is no such list.
pub(super) fn listed(list: &str, host: &dyn Observe) -> Result<Option<Vec<String>>, ModuleError> {
    let Some(release) = host.sysctl("kernel.osrelease")? else { return Ok(None) };
    let release = release.trim();
    if release.is_empty() || release.contains('/') || release.starts_with('.') {
        return Ok(None);
    }
    let path: PathBuf = Path::new("/lib/modules").join(release).join(list);
    let Some(bytes) = host.read(&path, 16 << 20)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(text.lines().filter_map(name_in).collect()))
}

/// `kernel/fs/fat/vfat.ko.xz: kernel/fs/fat/fat.ko.xz` names `vfat`.
fn name_in(line: &str) -> Option<String> {
    let path = line.split(':').next()?;
    let file = path.rsplit('/').next()?;
    Some(file.split(".ko").next()?.replace('-', "_"))
}
