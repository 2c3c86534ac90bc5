//! Files read and replaced as a whole.

use std::{
    fs::{self, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use crate::exit::Expected;

/// The permission bits of a file that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As they were; 0600 for a new file.
    Kept,
    /// 0600: what is in it is plain now.
    Private,
}

/// The content of a file; `-` is stdin.
///
/// # Errors
/// The system's words, with the path.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Expected> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)
    } else {
        fs::File::open(file).and_then(|mut f| f.read_to_end(&mut bytes))
    };
    read.map_err(|e| Expected::usage(format!("reading {}: {e}", file.display())))?;
    Ok(bytes)
}

/// Puts a content in the place of a file, or of what a link leads to: there is the old one or the new one, never a part.
/// `-` is stdout.
///
/// # Errors
/// The system's words, with the path; the file is then as it was.
pub(super) fn write(file: &Path, bytes: &[u8], mode: Mode) -> Result<(), Expected> {
    let trouble = |e: io::Error| Expected::usage(format!("writing {}: {e}", file.display()));
    if file == Path::new("-") {
        return io::stdout().write_all(bytes).map_err(trouble);
    }
    replace(file, bytes, mode).map_err(trouble)
}

fn replace(file: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let there = match fs::canonicalize(file) {
        Ok(path) => Some(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    let target = there.as_deref().unwrap_or(file);
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made with 0600, in the same folder, so that it can take the other's place at once.
    let mut new = tempfile::Builder::new().prefix(".rectify-vault-").tempfile_in(folder)?;
    new.write_all(bytes)?;
    if there.is_some() {
        let old = fs::metadata(target)?;
        if (old.uid(), old.gid()) != (new.as_file().metadata()?.uid(), new.as_file().metadata()?.gid()) {
            std::os::unix::fs::fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        if mode == Mode::Kept {
            new.as_file().set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
    }
    new.as_file().sync_all()?;
    new.persist(target).map_err(|e| e.error)?;
    fs::File::open(folder)?.sync_all()
}
