//! The journal and the evidence on disk: read whole, verified, and appended to. The journal is never written otherwise; the evidence is folded when
//! it has grown long.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rectify_core::rollout::{BrokenLine, Entry, Evidence, Journal, Look, Record};
use rustix::fs::{FlockOperation, flock};

/// How large a file may be, bytes; a journal of ten years is far below.
const MAX: u64 = 256 << 20;

/// How large the evidence grows, bytes, before it is folded: some ten looks at a dozen settings on two thousand hosts.
const LONG: u64 = 32 << 20;

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Lines that cannot be used.
    #[error("{} has lines that cannot be used: {}", path.display(), lines(broken))]
    Broken {
        /// The file.
        path: PathBuf,
        /// The lines.
        broken: Vec<BrokenLine>,
    },
}

fn lines(broken: &[BrokenLine]) -> String {
    let shown: Vec<String> = broken.iter().take(10).map(ToString::to_string).collect();
    let more = if broken.len() > 10 { format!("; and {} more", broken.len() - 10) } else { String::new() };
    format!("{}{more}", shown.join("; "))
}

/// The files beside a rollouts file: `NAME.jsonl` is the journal, `NAME.evidence.jsonl` the evidence.
#[derive(Debug, Clone)]
pub struct Store {
    journal: PathBuf,
    evidence: PathBuf,
    by: String,
}

impl Store {
    /// Beside this rollouts file; what is written is put down to the account `by`.
    pub fn beside(rollouts: &Path, by: impl Into<String>) -> Self {
        Store {
            journal: rollouts.with_extension("jsonl"),
            evidence: rollouts.with_extension("evidence.jsonl"),
            by: by.into(),
        }
    }

    /// Where the journal is.
    pub fn journal_path(&self) -> &Path {
        &self.journal
    }

    /// Reads the journal; one that does not exist is empty.
    ///
    /// # Errors
    /// A file that cannot be read, and every line that cannot be used.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let text = read(&self.journal)?;
        Journal::parse(&text).map_err(|broken| StoreError::Broken { path: self.journal.clone(), broken })
    }

    /// Reads the evidence; a file that does not exist is none.
    ///
    /// # Errors
    /// A file that cannot be read, and every line that cannot be used.
    pub fn evidence(&self) -> Result<Evidence, StoreError> {
        let text = read(&self.evidence)?;
        Evidence::parse(&text).map_err(|broken| StoreError::Broken { path: self.evidence.clone(), broken })
    }

    /// Writes down what happened; it is on the disk when this returns.
    ///
    /// # Errors
    /// A file that cannot be written. Then nothing of the record stands in it.
    pub fn write(&self, at: Timestamp, what: Entry) -> Result<Record, StoreError> {
        let record = Record { id: id(at), at, by: self.by.clone(), what };
        append(&self.journal, &record.to_line())?;
        Ok(record)
    }

    /// Keeps what a run saw.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn look(&self, looks: &[Look]) -> Result<(), StoreError> {
        let text: String = looks.iter().map(Look::to_line).collect();
        if text.is_empty() {
            return Ok(());
        }
        let length = append(&self.evidence, &text)?;
        if length > LONG { self.fold() } else { Ok(()) }
    }

    /// Puts what the looks came to in their place. The file is a new one then, so this is left to its owner.
    fn fold(&self) -> Result<(), StoreError> {
        let path = &self.evidence;
        let error = |source| StoreError::File { doing: "folding", path: path.clone(), source };
        let file = locked(path).map_err(error)?;
        let old = file.metadata().map_err(error)?;
        if old.uid() != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        let folded = self.evidence()?.folded();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder).map_err(error)?;
        new.as_file().set_permissions(old.permissions()).map_err(error)?;
        new.write_all(folded.as_bytes()).and_then(|()| new.as_file().sync_data()).map_err(error)?;
        new.persist(path).map_err(|e| error(e.error))?;
        Ok(())
    }
}

/// Unique, and sorts by time: milliseconds since 1970, then 64 random bits.
fn id(at: Timestamp) -> String {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's keyed hash is keyed from the system's random numbers.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:012x}{random:016x}", at.as_millisecond())
}

fn read(path: &Path) -> Result<String, StoreError> {
    let error = |source| StoreError::File { doing: "reading", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(e) => return Err(error(e)),
    };
    if file.metadata().map_err(error)?.len() > MAX {
        return Err(error(std::io::Error::other("it is larger than 256 MiB: move it away, and begin a new one")));
    }
    let mut text = String::new();
    file.take(MAX).read_to_string(&mut text).map_err(error)?;
    Ok(text)
}

/// The file, locked for whoever writes. Who waited for the lock may hold a file that was replaced meanwhile: then once more.
fn locked(path: &Path) -> std::io::Result<File> {
    loop {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        let own = file.metadata()?;
        match std::fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => return Ok(file),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
}

/// Appends whole lines in one write under a lock, waits for the disk, and says how long the file is then. A line that an earlier writer left
/// without its end (its machine went down) is ended first, so that two records never run together.
fn append(path: &Path, lines: &str) -> Result<u64, StoreError> {
    let error = |source| StoreError::File { doing: "writing", path: path.to_owned(), source };
    let mut file = locked(path).map_err(error)?;
    let length = file.metadata().map_err(error)?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1)).map_err(error)?;
        file.read_exact(&mut last).map_err(error)?;
    }
    let whole = if last == [b'\n'] { lines.to_owned() } else { format!("\n{lines}") };
    let written = file.write_all(whole.as_bytes()).and_then(|()| file.sync_data());
    if let Err(source) = written {
        // A full disk takes half a line: it is taken back, so that the file stays readable.
        let _ = file.set_len(length);
        return Err(error(source));
    }
    Ok(length + whole.len() as u64)
}

#[cfg(test)]
mod tests {
    use rectify_core::rollout::HostLook;

    use super::*;

    fn entry(n: usize) -> Entry {
        Entry::Answered { of: format!("o{n}"), answer: "x".repeat(300) }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::beside(&folder.path().join("rollouts.yml"), "root");
        assert!(store.journal().unwrap().records().is_empty());
        let record = store.write(Timestamp::now(), entry(1)).unwrap();
        assert_eq!(store.journal().unwrap().records(), [record]);
        assert!(folder.path().join("rollouts.jsonl").exists());
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollouts.yml");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let store = Store::beside(&path, format!("writer{writer}"));
                scope.spawn(move || (0..50).for_each(|n| drop(store.write(Timestamp::now(), entry(n)).unwrap())));
            }
        });
        assert_eq!(Store::beside(&path, "root").journal().unwrap().records().len(), 400);
    }

    #[test]
    fn a_line_without_its_end_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::beside(&folder.path().join("rollouts.yml"), "root");
        store.write(Timestamp::now(), entry(1)).unwrap();
        let mut text = std::fs::read_to_string(store.journal_path()).unwrap();
        text.truncate(text.len() - 1);
        std::fs::write(store.journal_path(), text).unwrap();
        store.write(Timestamp::now(), entry(2)).unwrap();
        assert_eq!(store.journal().unwrap().records().len(), 2);
    }

    #[test]
    fn a_broken_line_is_named_by_file_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::beside(&folder.path().join("rollouts.yml"), "root");
        store.write(Timestamp::now(), entry(1)).unwrap();
        let mut file = OpenOptions::new().append(true).open(store.journal_path()).unwrap();
        file.write_all(b"=======\n").unwrap();
        let told = store.journal().unwrap_err().to_string();
        assert!(told.contains("rollouts.jsonl") && told.contains("line 2"), "{told}");
    }

    /// A look at `hosts` hosts that would change, `minute` minutes after 1970.
    fn look(minute: i64, hosts: usize) -> Look {
        let seen =
            HostLook { change: Some("0123456789abcdef".into()), print: Some("0".repeat(32)), ..HostLook::default() };
        let hosts = (0..hosts).map(|n| (format!("web{n}.example.org"), seen.clone())).collect();
        let at = Timestamp::from_second(minute * 60).unwrap();
        Look { at, run: "r".into(), setting: "banner".into(), revision: 1, apply: false, hosts }
    }

    #[test]
    fn evidence_that_has_grown_long_is_folded_and_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::beside(&folder.path().join("rollouts.yml"), "root");
        let each = look(1, 2000).to_line().len() as u64;
        let times = i64::try_from(LONG / each).unwrap() + 3;
        let mut longest = 0;
        for minute in 0..times {
            store.look(&[look(minute, 2000)]).unwrap();
            longest = longest.max(std::fs::metadata(&store.evidence).unwrap().len());
        }
        let length = std::fs::metadata(&store.evidence).unwrap().len();
        assert!(longest <= LONG + each && length < LONG / 4, "{longest}, {length}");
        let evidence = store.evidence().unwrap();
        let known = evidence.host("banner", 1, "web7.example.org").unwrap();
        assert_eq!((known.times, known.since), (u32::try_from(times).unwrap(), Some(Timestamp::UNIX_EPOCH)));
        assert_eq!(known.last, look(times - 1, 0).at);
    }

    #[test]
    fn who_looks_while_it_is_folded_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollouts.yml");
        std::thread::scope(|scope| {
            for writer in 0..4u32 {
                let store = Store::beside(&path, "root");
                scope.spawn(move || {
                    for n in 0..20 {
                        let mut look = look(n, 1);
                        look.setting = format!("s{writer}");
                        store.look(&[look]).unwrap();
                        store.fold().unwrap();
                    }
                });
            }
        });
        let evidence = Store::beside(&path, "root").evidence().unwrap();
        for writer in 0..4 {
            assert_eq!(evidence.host(&format!("s{writer}"), 1, "web0.example.org").unwrap().times, 20);
        }
    }
}
