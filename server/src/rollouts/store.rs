//! The journal and the evidence on disk: read whole, verified, and only ever appended to.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rectify_core::rollout::{BrokenLine, Entry, Evidence, Journal, Look, Record};
use rustix::fs::{FlockOperation, flock};

/// How large a file may be, bytes; a journal of ten years is far below.
const MAX: u64 = 256 << 20;

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
        if text.is_empty() { Ok(()) } else { append(&self.evidence, &text) }
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
    let mut text = String::new();
    file.take(MAX).read_to_string(&mut text).map_err(error)?;
    Ok(text)
}

/// Appends whole lines in one write under a lock, and waits for the disk. A line that an earlier writer left without its end (its machine went
/// down) is ended first, so that two records never run together.
fn append(path: &Path, lines: &str) -> Result<(), StoreError> {
    let error = |source| StoreError::File { doing: "writing", path: path.to_owned(), source };
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(error)?;
    flock(&file, FlockOperation::LockExclusive).map_err(|e| error(e.into()))?;
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
    Ok(())
}

#[cfg(test)]
mod tests {
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
}
