//! The files that came with the plan, by their SHA-256.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
};

use rectify_core::{
    digest::hex,
    module::{HostError, HostResult},
};
use rustix::{
    fs::{self, CWD, MemfdFlags, Mode, OFlags, memfd_create},
    io::Errno,
};
use sha2::{Digest, Sha256};

use super::{
    files::replace::{Source, fresh_name},
    text::{io_about, sanitize},
};

/// Blobs together larger than this many bytes are kept on the disk, so that the helper's memory stays bounded.
const IN_MEMORY: usize = 8 << 20;

/// Where blobs are kept on the disk, first choice first: by default these outlive no run and are private.
const SPOOLS: [&str; 3] = ["/var/tmp", "/tmp", "/run"];

/// Collects blobs piece by piece and checks each against its hash.
///
/// The helper fills one from the controller's frames and hands it to [`Live::new`](super::Live::new). What does not fit
/// into memory goes to a file without a name, readable by nobody else and gone with the helper.
#[derive(Default)]
pub struct Blobs {
    complete: BTreeMap<String, Kept>,
    open: BTreeMap<String, (Kept, Sha256)>,
    in_memory: usize,
}

enum Kept {
    Memory(Vec<u8>),
    Spooled(File),
}

impl Blobs {
    /// None yet.
    pub fn new() -> Self {
        Blobs::default()
    }

    /// Takes the next piece of the blob with this hash (lower-case hexadecimal SHA-256). Pieces of one blob come in order,
    /// those of several may alternate. A blob that is there already is passed over.
    ///
    /// # Errors
    /// A blob whose last piece is there and whose hash is another one is dropped and refused; so is one that cannot be kept.
    pub fn piece(&mut self, sha256: &str, bytes: &[u8], last: bool) -> HostResult<()> {
        if self.complete.contains_key(sha256) {
            return Ok(());
        }
        let (mut kept, mut hash) =
            self.open.remove(sha256).unwrap_or_else(|| (Kept::Memory(Vec::new()), Sha256::new()));
        hash.update(bytes);
        if let Kept::Memory(held) = &mut kept
            && self.in_memory + bytes.len() > IN_MEMORY
        {
            let spooled =
                spool(held).map_err(|e| io_about("keeping the file with the hash", sanitize(sha256.as_bytes()), e))?;
            self.in_memory -= held.len();
            kept = Kept::Spooled(spooled);
        }
        match &mut kept {
            Kept::Memory(held) => {
                held.extend_from_slice(bytes);
                self.in_memory += bytes.len();
            }
            Kept::Spooled(file) => file.write_all(bytes).map_err(|e| keeping(sha256, &e))?,
        }
        if !last {
            self.open.insert(sha256.to_owned(), (kept, hash));
            return Ok(());
        }
        if hex(&hash.finalize()) != sha256 {
            if let Kept::Memory(held) = &kept {
                self.in_memory -= held.len();
            }
            return Err(HostError::Unsupported(format!(
                "a file that came with the plan does not have its hash {}: it was damaged on the way",
                sanitize(sha256.as_bytes())
            )));
        }
        self.complete.insert(sha256.to_owned(), kept);
        Ok(())
    }

    fn find(&self, sha256: &str) -> HostResult<&Kept> {
        self.complete.get(sha256).ok_or_else(|| {
            HostError::Unsupported(format!("no file with the hash {} came with the plan", sanitize(sha256.as_bytes())))
        })
    }

    /// The whole blob.
    pub(super) fn get(&self, sha256: &str) -> HostResult<Arc<[u8]>> {
        match self.find(sha256)? {
            Kept::Memory(held) => Ok(held.as_slice().into()),
            Kept::Spooled(file) => {
                let mut bytes = Vec::new();
                fresh(file).and_then(|mut f| f.read_to_end(&mut bytes)).map_err(|e| keeping(sha256, &e))?;
                Ok(bytes.into())
            }
        }
    }

    /// The blob as the content of a file to come.
    pub(super) fn source(&self, sha256: &str) -> HostResult<Source<'_>> {
        match self.find(sha256)? {
            Kept::Memory(held) => Ok(Source::Bytes(held)),
            Kept::Spooled(file) => Ok(Source::File(fresh(file).map_err(|e| keeping(sha256, &e))?)),
        }
    }
}

fn keeping(sha256: &str, error: &std::io::Error) -> HostError {
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    io_about("keeping the file with the hash", sanitize(sha256.as_bytes()), errno)
}

/// The same file with a position of its own, so that several threads can read it.
fn fresh(file: &File) -> std::io::Result<File> {
    use std::os::fd::AsRawFd;
    match File::open(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Ok(file) => Ok(file),
        // No /proc: one after the other then.
        Err(_) => {
            let mut clone = file.try_clone()?;
            clone.seek(SeekFrom::Start(0))?;
            Ok(clone)
        }
    }
}

/// A private file without a name that begins with `held`.
fn spool(held: &[u8]) -> Result<File, Errno> {
    let mut problem = Errno::NOSPC;
    for folder in SPOOLS {
        match nameless(Path::new(folder)).and_then(|mut file| {
            file.write_all(held).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
            Ok(file)
        }) {
            Ok(file) => return Ok(file),
            Err(e) => problem = e,
        }
    }
    // A machine without a folder to write to: memory after all.
    let mut file = File::from(memfd_create("rectify-blob", MemfdFlags::CLOEXEC).map_err(|_| problem)?);
    file.write_all(held).map_err(|_| problem)?;
    Ok(file)
}

fn nameless(folder: &Path) -> Result<File, Errno> {
    let private = Mode::RUSR | Mode::WUSR;
    match fs::openat(CWD, folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, private) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let path = folder.join(fresh_name("blob".as_ref()));
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
            let file = fs::openat(CWD, &path, flags, private)?;
            fs::unlink(&path)?;
            Ok(File::from(file))
        }
        other => other.map(File::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes))
    }

    #[test]
    fn pieces_of_several_blobs_may_alternate() {
        let (a, b) = (sha(b"onetwo"), sha(b""));
        let mut blobs = Blobs::new();
        blobs.piece(&a, b"one", false).unwrap();
        blobs.piece(&b, b"", true).unwrap();
        assert!(blobs.get(&a).is_err(), "not there before its last piece");
        blobs.piece(&a, b"two", true).unwrap();
        assert_eq!(&*blobs.get(&a).unwrap(), b"onetwo");
        assert_eq!(&*blobs.get(&b).unwrap(), b"");
    }

    #[test]
    fn a_damaged_blob_is_refused() {
        let mut blobs = Blobs::new();
        let error = blobs.piece(&sha(b"x"), b"y", true).unwrap_err().to_string();
        assert!(error.contains("damaged on the way"), "{error}");
        assert!(blobs.get(&sha(b"x")).is_err());
    }

    #[test]
    fn large_blobs_leave_memory_and_come_back_whole() {
        let piece = vec![7u8; 3 << 20];
        let whole = piece.repeat(4);
        let hash = sha(&whole);
        let mut blobs = Blobs::new();
        for i in 0..4 {
            blobs.piece(&hash, &piece, i == 3).unwrap();
        }
        assert!(matches!(blobs.find(&hash).unwrap(), Kept::Spooled(_)));
        assert!(blobs.in_memory <= IN_MEMORY);
        assert_eq!(sha(&blobs.get(&hash).unwrap()), hash);
        assert_eq!(sha(&blobs.get(&hash).unwrap()), hash, "a second reader begins at the start");
    }
}
