//! Writes a run down while it goes on.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use rectify_core::event::{Event, RunEvent};
use rustix::fs::{FlockOperation, flock};

use super::{
    Head, RunFolder, StoreError,
    run_folder::{EVENTS, HEAD},
};

/// How long an event may wait for others before it is written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes a run's events as they come. Nothing is kept in memory but what the compression needs (some 300 KiB).
///
/// After an error it is of no further use; what was written before stands and can be read.
#[derive(Debug)]
pub struct Recorder {
    folder: RunFolder,
    /// Locked as long as the run goes on.
    out: GzEncoder<File>,
    line: Vec<u8>,
    flushed: Instant,
    waiting: bool,
}

impl Recorder {
    /// Makes the folder of the run in the record at `folder`, readable by its owner alone, and writes its head.
    ///
    /// # Errors
    /// A head whose run has no sound id, a run that is there already, and a folder that cannot be written.
    pub fn begin(folder: &Path, head: &Head) -> Result<Self, StoreError> {
        let error = |path: &Path, source| StoreError::File { doing: "writing", path: path.to_owned(), source };
        let Some(own) = RunFolder::of(folder, &head.run) else {
            return Err(error(folder, io::Error::other(format!("{:?} is no run's id", head.run))));
        };
        let runs = folder.join("runs");
        let making = |path: &Path, source| StoreError::File { doing: "making", path: path.to_owned(), source };
        let private = |path: &Path, all| DirBuilder::new().recursive(all).mode(0o700).create(path);
        private(&runs, true).map_err(|e| making(&runs, e))?;
        if own.exists() {
            return Err(making(own.path(), io::ErrorKind::AlreadyExists.into()));
        }
        // Made under another name: who finds the folder finds it whole, and held.
        let new = runs.join(format!(".{}", head.run));
        private(&new, false).map_err(|e| making(&new, e))?;
        let begun = || -> io::Result<File> {
            let create = |name| OpenOptions::new().write(true).create_new(true).mode(0o600).open(new.join(name));
            let events = create(EVENTS)?;
            flock(&events, FlockOperation::LockExclusive)?;
            let mut file = create(HEAD)?;
            let mut text = serde_json::to_vec_pretty(head)?;
            text.push(b'\n');
            file.write_all(&text)?;
            file.sync_data()?;
            std::fs::rename(&new, own.path())?;
            Ok(events)
        };
        match begun() {
            Ok(events) => Ok(Recorder {
                folder: own,
                out: GzEncoder::new(events, Compression::new(6)),
                line: Vec::new(),
                flushed: Instant::now(),
                waiting: false,
            }),
            Err(e) => {
                // Of a run that has no events nothing is to be kept.
                let _ = std::fs::remove_dir_all(&new);
                Err(error(own.path(), e))
            }
        }
    }

    /// Where it writes to.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Takes the next event. It is on its way to the disk at the latest with the first call of this or of [`Recorder::tick`] a second later, and at
    /// once when a host or the run ends.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub fn take(&mut self, event: &Event) -> Result<(), StoreError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, event).map_err(|e| self.error(e.into()))?;
        self.line.push(b'\n');
        self.out.write_all(&self.line).map_err(|e| self.error(e))?;
        self.waiting = true;
        let ends =
            matches!(event.what, RunEvent::HostFinished { .. } | RunEvent::Unreachable { .. } | RunEvent::Finished);
        if ends || event.seq == 0 { self.flush() } else { self.tick() }
    }

    /// Writes what has waited for a second; to be called again and again, also when nothing happens.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub fn tick(&mut self) -> Result<(), StoreError> {
        if self.waiting && self.flushed.elapsed() >= PATIENCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.flushed = Instant::now();
        self.waiting = false;
        self.out.flush().map_err(|e| self.error(e))
    }

    /// Ends the file, waits for the disk, and gives back where the run is.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub fn finish(mut self) -> Result<RunFolder, StoreError> {
        self.out.try_finish().map_err(|e| self.error(e))?;
        self.out.get_ref().sync_all().map_err(|e| self.error(e))?;
        Ok(self.folder)
    }

    fn error(&self, source: io::Error) -> StoreError {
        StoreError::File { doing: "writing", path: self.folder.path().join(EVENTS), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::run;

    #[test]
    fn a_full_disk_is_said_with_the_file_and_what_stood_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (head, events) = run::check("20270101T000000Z-00001", 1, 1);
        let mut recorder = Recorder::begin(folder.path(), &head).unwrap();
        recorder.take(&events[0]).unwrap();
        let before = recorder.folder().clone();
        recorder.out = GzEncoder::new(OpenOptions::new().write(true).open("/dev/full").unwrap(), Compression::new(6));
        let told = events[1..].iter().find_map(|event| recorder.take(event).err()).unwrap();
        assert!(told.to_string().ends_with("20270101T000000Z-00001/events.jsonl.gz"), "{told}");
        assert_eq!(before.events().unwrap().collect::<Vec<_>>(), events[..1]);
    }
}
