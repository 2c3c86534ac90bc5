//! All known hosts files of a connection, loaded once and asked for many hosts.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::{Algorithm, Fingerprint, HashAlg, public::KeyData};

use super::decide::Target;
use super::fault::{KnownHostsError, LineWarning};
use super::parse::{self, Line, Marker};

/// A file beyond this size is refused: a hundred thousand hosts need a quarter of it.
pub(super) const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A line of a file, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A key that a file knows for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// Where it stands.
    pub at: Place,
    /// Its type.
    pub algorithm: Algorithm,
    /// Its fingerprint, which prints as `SHA256:…`.
    pub fingerprint: Fingerprint,
}

/// What the known hosts files say, all of them together, in the order in which they were given.
#[derive(Debug, Default)]
pub struct KnownHosts {
    files: Vec<PathBuf>,
    entries: Vec<Entry>,
    /// Entries by each of their names, where these are plain; the others have to be tried one by one.
    by_name: HashMap<String, Vec<usize>>,
    others: Vec<usize>,
    warnings: Vec<LineWarning>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: Line,
    file: usize,
    number: usize,
}

impl KnownHosts {
    /// Reads the files in this order. One that does not exist is empty; one that cannot be read is an error.
    pub fn load<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Self, KnownHostsError> {
        let mut known = Self::default();
        for file in files {
            if let Some(text) = read(file.as_ref())? {
                known.add(file.as_ref(), &text);
            }
        }
        Ok(known)
    }

    /// Takes in the content of one more file. `file` is only its name. Lines that make no sense become [warnings](Self::warnings).
    pub fn add(&mut self, file: &Path, content: &[u8]) {
        let file_index = self.files.len();
        self.files.push(file.to_owned());
        for (number, line) in (1..).zip(content.split(|c| *c == b'\n')) {
            match parse::parse(line) {
                Ok(None) => {}
                Ok(Some(line)) => self.index(Entry { line, file: file_index, number }),
                Err(fault) => self.warnings.push(LineWarning { file: file.to_owned(), line: number, fault }),
            }
        }
    }

    fn index(&mut self, entry: Entry) {
        let at = self.entries.len();
        match entry.line.names.literal() {
            Some(names) => {
                for name in names {
                    let places = self.by_name.entry(name.to_owned()).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                }
            }
            None => self.others.push(at),
        }
        self.entries.push(entry);
    }

    /// The lines that were left out.
    pub fn warnings(&self) -> &[LineWarning] {
        &self.warnings
    }

    /// What is listed for `target` under its own name, in the order of the files, with what each line means.
    pub fn listed(&self, target: &Target<'_>) -> Vec<(Marker, KnownKey)> {
        self.about(&target.filed()).into_iter().map(|entry| (entry.line.marker, self.known_key(entry))).collect()
    }

    /// How many lines count.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no line counts.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries that speak for `name`, in the order of the files.
    pub(super) fn about(&self, name: &str) -> Vec<&Entry> {
        let mut found = self.by_name.get(name).cloned().unwrap_or_default();
        found.extend(self.others.iter().copied().filter(|at| self.entries[*at].line.names.covers(name)));
        found.sort_unstable();
        found.into_iter().map(|at| &self.entries[at]).collect()
    }

    pub(super) fn place(&self, entry: &Entry) -> Place {
        Place { file: self.files[entry.file].clone(), line: entry.number }
    }

    pub(super) fn known_key(&self, entry: &Entry) -> KnownKey {
        let key = &entry.line.key;
        KnownKey { at: self.place(entry), algorithm: key.algorithm(), fingerprint: fingerprint(key) }
    }
}

impl Entry {
    pub(super) fn is(&self, marker: Marker, key: &KeyData) -> bool {
        self.line.marker == marker && self.line.key == *key
    }
}

pub(super) fn fingerprint(key: &KeyData) -> Fingerprint {
    Fingerprint::new(HashAlg::Sha256, key)
}

/// The content of a file; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, KnownHostsError> {
    let failed = |source| KnownHostsError::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    match content.len() as u64 > MAX_FILE_BYTES {
        true => Err(KnownHostsError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES }),
        false => Ok(Some(content)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_empty_and_an_unreadable_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(KnownHosts::load([folder.path().join("none")]).unwrap().is_empty());
        // A folder opens and does not read, for root too.
        let error = KnownHosts::load([folder.path()]).unwrap_err();
        assert!(error.to_string().starts_with("read known hosts /"), "{error}");
    }

    #[test]
    fn files_are_asked_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let files = ["one", "two"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], format!("* {key}\n")).unwrap();
        std::fs::write(&files[1], format!("\nh,h {key}\n")).unwrap();
        let known = KnownHosts::load(&files).unwrap();
        let places: Vec<_> = known.listed(&Target::new("h", 22)).into_iter().map(|(_, key)| key.at).collect();
        assert_eq!(places, [Place { file: files[0].clone(), line: 1 }, Place { file: files[1].clone(), line: 2 }]);
    }
}
