//! The folder of a run: `head.json`, what was known when it began, and `events.jsonl.gz`, what happened.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{Events, Head, StoreError};

/// The files in the folder.
pub(super) const HEAD: &str = "head.json";
pub(super) const EVENTS: &str = "events.jsonl.gz";

/// A head is longer with every host and its groups; this is enough for a million.
const LONGEST_HEAD: u64 = 256 << 20;

/// Whether a text can be a run's id, and with that the name of a folder: letters, digits, `-`, `_`, `.`, `@` and `:`, neither hidden nor an option.
pub fn is_run_id(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
    (1..=120).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(fine)
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunFolder {
    run: String,
    path: PathBuf,
}

impl RunFolder {
    /// The folder that a run has, or would have, in the record at `folder`; `None` for a text that is no run's id.
    pub fn of(folder: &Path, run: &str) -> Option<Self> {
        is_run_id(run).then(|| RunFolder { run: run.to_owned(), path: folder.join("runs").join(run) })
    }

    /// All of them, by id; ids begin with the time. What is no folder of a run is passed over.
    ///
    /// # Errors
    /// A record that cannot be read; one that is not there has no runs.
    pub fn all(folder: &Path) -> Result<Vec<Self>, StoreError> {
        let runs = folder.join("runs");
        let error = |source| StoreError::File { doing: "reading", path: runs.clone(), source };
        let entries = match std::fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(error(e)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(error)?;
            // A link could lead anywhere.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let own = entry.file_name().to_str().and_then(|name| RunFolder::of(folder, name));
            all.extend(own.filter(|_| is_folder));
        }
        all.sort();
        Ok(all)
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is such a run.
    pub fn exists(&self) -> bool {
        self.path.join(HEAD).is_file() || self.path.join(EVENTS).is_file()
    }

    /// What was known when the run began.
    ///
    /// # Errors
    /// A file that cannot be read, or does not say what a head says; the file is named.
    pub fn head(&self) -> Result<Head, StoreError> {
        let path = self.path.join(HEAD);
        let error = |doing, source| StoreError::File { doing, path: path.clone(), source };
        let mut text = Vec::new();
        let file = File::open(&path).map_err(|e| error("reading", e))?;
        file.take(LONGEST_HEAD).read_to_end(&mut text).map_err(|e| error("reading", e))?;
        let head: Head = serde_json::from_slice(&text).map_err(|e| error("understanding", e.into()))?;
        if head.run != self.run {
            let other = format!("it is the head of run {:?}", head.run);
            return Err(error("understanding", io::Error::other(other)));
        }
        Ok(head)
    }

    /// What happened, in order.
    ///
    /// # Errors
    /// A file that cannot be opened. What is wrong further on ends the events: see [`Events::ending`].
    pub fn events(&self) -> Result<Events, StoreError> {
        let path = self.path.join(EVENTS);
        let file = File::open(&path).map_err(|source| StoreError::File { doing: "reading", path, source })?;
        Ok(Events::new(file))
    }

    /// Whether the run goes on: who records it holds its file. A machine that went down, or a program that was killed, holds nothing any more.
    pub fn is_running(&self) -> bool {
        let Ok(file) = OpenOptions::new().read(true).open(self.path.join(EVENTS)) else { return false };
        matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(rustix::io::Errno::WOULDBLOCK))
    }

    /// How much room it takes, bytes.
    pub fn size(&self) -> u64 {
        [HEAD, EVENTS].iter().filter_map(|name| std::fs::metadata(self.path.join(name)).ok()).map(|m| m.len()).sum()
    }

    /// Removes it, the events last: what remains of a folder that is removed half is not taken in again, as it has no head.
    ///
    /// # Errors
    /// Something that cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        let error = |source| StoreError::File { doing: "removing", path: self.path.clone(), source };
        match std::fs::remove_file(self.path.join(HEAD)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(error(e)),
            _ => {}
        }
        match std::fs::remove_dir_all(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(error(e)),
            _ => Ok(()),
        }
    }
}
