//! The real disk, for tests.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use std::sync::LazyLock;

use rectify_core::{
    inventory::{self, ScriptOutput},
    playbook::{self, FileInfo, FileKind},
    vault::{Keyring, Password},
};

pub(crate) struct Disk;

/// The password of everything that the tests encrypt and that can be opened.
pub(crate) fn password() -> Password {
    Password { label: "default".into(), bytes: b"open sesame".to_vec() }
}

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(vec![password()]));

impl playbook::Files for Disk {
    fn keyring(&self) -> &Keyring {
        &KEYRING
    }

    fn info(&self, path: &Path) -> Option<FileInfo> {
        let meta = fs::metadata(path).ok()?;
        let kind = if meta.is_file() {
            FileKind::File
        } else if meta.is_dir() {
            FileKind::Folder
        } else {
            FileKind::Other
        };
        // The bits of a checkout depend on the umask of whoever made it.
        let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
        Some(FileInfo { kind, mode, size: meta.len() })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(folder)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect()
    }
}

impl inventory::Files for Disk {
    fn keyring(&self) -> &Keyring {
        &KEYRING
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        playbook::Files::list(self, dir)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn run_script(&self, _: &Path, _: &[&str]) -> io::Result<ScriptOutput> {
        Err(io::Error::other("no scripts here"))
    }
}
