//! What hosts are called by now: `hosts.jsonl` beside the runs, with a line for each host that was renamed or forgotten. A run that is taken in late, and an index that is
//! made again from the folders, have each host under its present name by it.

use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::StoreError;

/// How long the file may be, bytes: some hundred thousand lines.
const LONGEST: u64 = 32 << 20;

/// That a host was renamed or forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// When, microseconds since 1970: it is about runs that began before.
    pub(super) at: i64,
    /// Its name until then.
    pub(super) host: String,
    /// Its name since; none: it was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) now: Option<String>,
    /// When the first run began that reached it by that name, if one had: from there on nobody had the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<i64>,
}

/// All of them, in the order in which they were said.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Note>);

impl Names {
    /// Reads them; a last line without an end was never said.
    ///
    /// # Errors
    /// A file that cannot be read, and a line that cannot be understood: nothing is taken in under a wrong name.
    pub(super) fn read(folder: &Path) -> Result<Self, StoreError> {
        let path = path(folder);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Names::default()),
            Err(source) => return Err(StoreError::File { doing: "reading", path, source }),
            Ok(_) => {}
        }
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let note = |(n, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|e| StoreError::File {
                doing: "understanding",
                path: path.clone(),
                source: io::Error::other(format!("line {n}: {e}: mend it, or take it out")),
            })
        };
        (1..).zip(whole).map(note).collect::<Result<_, _>>().map(Names)
    }

    /// Writes one more down; it is on the disk when this returns.
    ///
    /// # Errors
    /// A file that cannot be written: then it was not said.
    pub(super) fn add(folder: &Path, note: &Note) -> Result<(), StoreError> {
        let path = path(folder);
        let line = serde_json::to_string(note).expect("invariant: texts and numbers are JSON");
        append(&path, &line).map_err(|source| StoreError::File { doing: "writing", path, source })
    }

    /// Those whose old name no host was given since: what is still known by that from before is to go where they say.
    pub(super) fn lost(&self) -> Vec<&Note> {
        let mut given = HashSet::new();
        let mut lost: Vec<&Note> = Vec::new();
        for note in self.0.iter().rev() {
            if !given.contains(&note.host) {
                lost.push(note);
            }
            given.extend(&note.now);
        }
        lost.reverse();
        lost
    }

    /// The present names of the hosts of a run that began then, by the names that it has them by. What is not among them is nobody's any more, or was not a host of its own.
    pub(super) fn present<'a>(&self, began: i64, hosts: impl Iterator<Item = &'a str>) -> HashMap<String, String> {
        let mut then: HashMap<String, String> = hosts.map(|name| (name.to_owned(), name.to_owned())).collect();
        for note in self.0.iter().filter(|note| began < note.at) {
            let Some(host) = then.remove(&note.host) else { continue };
            let nobodys = note.since.is_some_and(|since| since <= began);
            if let (Some(now), false) = (&note.now, nobodys) {
                then.insert(now.clone(), host);
            }
        }
        then.into_iter().map(|(now, then)| (then, now)).collect()
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("hosts.jsonl")
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    let mut before = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut before)?;
    // What somebody began to write whose machine then went down.
    let whole = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < before.len() {
        file.set_len(u64::try_from(whole).unwrap_or(0))?;
    }
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(at: i64, host: &str, now: Option<&str>, since: Option<i64>) -> Note {
        Note { at, host: host.into(), now: now.map(str::to_owned), since }
    }

    /// `THEN=NOW` of these hosts in a run that began then.
    fn present(names: &Names, began: i64, hosts: &[&str]) -> Vec<String> {
        let all = names.present(began, hosts.iter().copied());
        let mut all: Vec<String> = all.into_iter().map(|(then, now)| format!("{then}={now}")).collect();
        all.sort();
        all
    }

    #[test]
    fn a_run_has_its_hosts_under_the_names_that_they_have_now() {
        let names =
            Names(vec![note(10, "a", Some("b"), None), note(20, "b", Some("c"), None), note(30, "x", None, None)]);
        assert_eq!(present(&names, 5, &["a", "x", "y"]), ["a=c", "y=y"]);
        assert_eq!(present(&names, 10, &["a", "b", "x"]), ["a=a", "b=c"], "the name is another host's since");
        assert_eq!(present(&names, 30, &["a", "b", "x"]), ["a=a", "b=b", "x=x"]);
        // Names that were exchanged, and one that was a mistake.
        let names =
            Names(vec![note(10, "a", Some("t"), None), note(20, "b", Some("a"), None), note(30, "t", Some("b"), None)]);
        assert_eq!(present(&names, 5, &["a", "b"]), ["a=b", "b=a"]);
        let names = Names(vec![note(10, "a", Some("b"), None), note(20, "b", Some("a"), Some(15))]);
        assert_eq!(present(&names, 5, &["a"]), ["a=a"]);
    }

    #[test]
    fn in_a_run_that_knows_both_names_one_of_them_is_nobody() {
        let names = Names(vec![note(10, "a", Some("b"), Some(5))]);
        assert_eq!(present(&names, 4, &["a", "b"]), ["a=b"], "nobody was reached by the new name yet");
        assert_eq!(present(&names, 5, &["a", "b"]), ["b=b"], "nobody has the old one any more");
        assert_eq!(present(&names, 6, &["a"]), [""; 0]);
    }

    #[test]
    fn what_was_not_written_to_its_end_was_never_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Names::read(folder.path()).unwrap().0.is_empty());
        let all = [note(1, "a", Some("b"), Some(2)), note(3, "c", None, None)];
        Names::add(folder.path(), &all[0]).unwrap();
        let path = path(folder.path());
        let torn = format!("{}{{\"at\":2,", std::fs::read_to_string(&path).unwrap());
        std::fs::write(&path, torn).unwrap();
        assert_eq!(Names::read(folder.path()).unwrap().0, all[..1]);
        Names::add(folder.path(), &all[1]).unwrap();
        assert_eq!(Names::read(folder.path()).unwrap().0, all);
        std::fs::write(&path, "{\"at\":2,\n").unwrap();
        let told = rectify_core::text::chain(&Names::read(folder.path()).unwrap_err());
        assert!(told.contains("hosts.jsonl") && told.contains("line 1"), "{told}");
    }
}
