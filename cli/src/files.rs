//! The real machine, for readers of files.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use rectify_core::{
    digest,
    inventory::{Files, ScriptOutput},
    playbook::{FileInfo, FileKind},
    vault::{self, Keyring},
};
use sha2::{Digest, Sha256};

/// The largest file that is read as text, in bytes.
const MAX_FILE: u64 = 64 << 20;
/// The most that an inventory script may print, in bytes; one byte more is kept so that the reader notices.
const MAX_STDOUT: u64 = (256 << 20) + 1;
const MAX_STDERR: u64 = 64 << 10;

/// The machine this program runs on, and what opens encrypted files on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    keyring: Arc<Keyring>,
}

impl Disk {
    /// With these vault passwords.
    #[cfg_attr(test, allow(dead_code, reason = "the tests of the inventory compile this file too"))]
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Disk { keyring }
    }
}

impl Files for Disk {
    fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            let text = format!("larger than {} MiB", MAX_FILE >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(bytes)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_executable(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }

    fn run_script(&self, path: &Path, args: &[&str]) -> io::Result<ScriptOutput> {
        // From the root: a bare name would be looked up in PATH.
        let mut child = Command::new(std::path::absolute(path)?)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        // Both pipes at once, or a script that fills one while we wait for the other stands still.
        let errors = thread::spawn(move || stderr.map(|pipe| bounded(pipe, MAX_STDERR)).unwrap_or_default());
        let stdout = stdout.map(|pipe| bounded(pipe, MAX_STDOUT)).unwrap_or_default();
        let stderr = errors.join().unwrap_or_default();
        let status = child.wait()?;
        Ok(ScriptOutput { stdout, stderr, status: status.code() })
    }
}

/// The beginning of a stream, read to its end.
fn bounded(mut pipe: impl Read, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let kept = pipe.by_ref().take(limit).read_to_end(&mut bytes);
    if kept.is_ok() {
        // A writer that is cut off would die of it and hide its own message.
        io::copy(&mut pipe, &mut io::sink()).ok();
    }
    bytes
}

impl rectify_core::playbook::Files for Disk {
    fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn is_vaulted(&self, path: &Path) -> io::Result<bool> {
        let mut head = Vec::new();
        fs::File::open(path)?.take(16).read_to_end(&mut head)?;
        Ok(vault::is_vaulted(&head) && vault::is_vaulted(&Files::read(self, path)?))
    }

    fn info(&self, path: &Path) -> Option<FileInfo> {
        use std::os::unix::fs::PermissionsExt;
        let meta = fs::metadata(path).ok()?;
        let kind = match () {
            () if meta.is_file() => FileKind::File,
            () if meta.is_dir() => FileKind::Folder,
            () => FileKind::Other,
        };
        Some(FileInfo { kind, mode: meta.permissions().mode() & 0o7777, size: meta.len() })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Files::read(self, path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let name = |entry: fs::DirEntry| {
            entry.file_name().into_string().map_err(|name| {
                // What is copied as a whole must not lose a file in silence.
                let text = format!("the name {name:?} in it is not UTF-8");
                io::Error::new(io::ErrorKind::InvalidData, text)
            })
        };
        fs::read_dir(folder)?.map(|entry| name(entry?)).collect()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
    }

    fn digest(&self, path: &Path) -> io::Result<(String, u64)> {
        let mut file = fs::File::open(path)?;
        let mut hash = Sha256::new();
        let (mut size, mut piece) = (0, vec![0; 64 << 10]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                n => {
                    hash.update(&piece[..n]);
                    size += n as u64;
                }
            }
        }
        Ok((digest::hex(&hash.finalize()), size))
    }
}
