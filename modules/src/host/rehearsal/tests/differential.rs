//! The same operations, made up at random, rehearsed over a folder of this machine and then done in it: every answer, every
//! refusal and the whole tree must be the same.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::{
    module::{FileKind, HostError, HostResult, Observe, Operate, WriteAttrs},
    plan::TaskId,
};

use super::super::Rehearsal;
use crate::host::live::{Blobs, Live};

/// A small generator (xorshift), so that a failure names the seed that shows it again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

#[derive(Debug, Clone)]
enum Op {
    Write(PathBuf, String, WriteAttrs),
    Copy(PathBuf, PathBuf),
    Folder(PathBuf, u32),
    Link(PathBuf, PathBuf),
    HardLink(PathBuf, PathBuf),
    Remove(PathBuf),
    Mode(PathBuf, u32),
    Owner(PathBuf, Option<u32>, Option<u32>, bool),
    Times(PathBuf, i64),
    Look(PathBuf),
}

/// How deep the folder is in which it all happens. One resolution goes up at most once for each link (40) and each `..` in a
/// path (4): nothing leads out of the temporary folder.
const DEPTH: usize = 60;

fn path(dice: &mut Dice, root: &Path) -> PathBuf {
    const NAMES: [&str; 7] = ["a", "b", "c", "d", "l", "m", ".."];
    let mut path = root.to_owned();
    // Mostly near the top, where other operations have left something.
    for _ in 0..=*dice.one(&[0, 0, 0, 1, 1, 2]) {
        path.push(dice.one(&NAMES));
    }
    path
}

fn operation(dice: &mut Dice, root: &Path, is_root: bool) -> Op {
    let at = path(dice, root);
    let owner = |dice: &mut Dice| is_root.then(|| *dice.one(&[None, Some(0), Some(1), Some(1000)])).flatten();
    match dice.roll(20) {
        0..=3 => {
            let mode = *dice.one(&[None, None, Some(0o600), Some(0o755), Some(0o4755)]);
            let attrs = WriteAttrs { mode, uid: owner(dice), gid: owner(dice) };
            Op::Write(at, format!("{}\n", dice.roll(100)), attrs)
        }
        4 => Op::Copy(at, path(dice, root)),
        5 | 6 => Op::Folder(at, *dice.one(&[0o755, 0o700, 0o2775, 0o1777])),
        7..=9 => {
            let target = match dice.roll(3) {
                0 => path(dice, root),
                1 => PathBuf::from(*dice.one(&["a", "b", "../a", "l", "m", "./c/d", "..", "."])),
                _ => path(dice, root).strip_prefix(root).unwrap().to_owned(),
            };
            Op::Link(if target.as_os_str().is_empty() { "a".into() } else { target }, at)
        }
        10 | 11 => Op::HardLink(path(dice, root), at),
        12 | 13 => Op::Remove(at),
        14 => Op::Mode(at, *dice.one(&[0o644, 0o755, 0o6755, 0o1777, 0o700])),
        15 => Op::Owner(at, owner(dice), owner(dice), dice.roll(2) == 0),
        16 => Op::Times(at, 1_500_000_000_123_456_789),
        _ => Op::Look(at),
    }
}

/// What one operation answers, as text: an error by its number.
fn perform(host: &dyn Operate, op: &Op) -> String {
    match op {
        Op::Write(at, text, attrs) => told(host.write(at, text.as_bytes(), attrs)),
        Op::Copy(from, to) => told(host.copy_file(from, to, &WriteAttrs::default())),
        Op::Folder(at, mode) => told(host.make_dir(at, *mode)),
        Op::Link(target, at) => told(host.symlink(target, at)),
        Op::HardLink(target, at) => told(host.hard_link(target, at)),
        Op::Remove(at) => told(host.remove(at)),
        Op::Mode(at, mode) => told(host.set_mode(at, *mode)),
        Op::Owner(at, uid, gid, follow) => told(host.set_owner(at, *uid, *gid, *follow)),
        Op::Times(at, time) => told(host.set_times(at, Some(*time), None)),
        Op::Look(at) => look(host, at),
    }
}

fn told<T: std::fmt::Debug>(result: HostResult<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(HostError::Io { errno: Some(errno), .. }) => format!("errno {errno}"),
        Err(other) => format!("{other}"),
    }
}

/// All that can be seen at one path.
fn look(host: &dyn Observe, at: &Path) -> String {
    let brief = |meta: Option<rectify_core::module::Meta>| {
        meta.map(|m| {
            let folder = m.kind == FileKind::Directory;
            let size = if folder { 0 } else { m.size };
            let names = if folder { 0 } else { m.nlink };
            let time = if m.mtime == 1_500_000_000_123_456_789 { "then" } else { "now" };
            let mode = if m.kind == FileKind::Link { 0 } else { m.mode };
            // A folder's time follows what happens in it, which a rehearsal does not keep.
            (m.kind, format!("{mode:o}"), m.uid, m.gid, size, names, if folder { "" } else { time })
        })
    };
    let mut list = Vec::new();
    let listed = host.list(at, &mut |e| {
        list.push((e.name.to_string_lossy().into_owned(), e.kind));
        true
    });
    list.sort_by(|a, b| a.0.cmp(&b.0));
    format!(
        "lstat {} stat {} read {} hash {} link {} list {} {list:?}",
        told(host.lstat(at).map(brief)),
        told(host.stat(at).map(brief)),
        told(host.read(at, 1000)),
        told(host.sha256(at)),
        told(host.read_link(at)),
        told(listed),
    )
}

fn tree(host: &dyn Observe, at: &Path, into: &mut BTreeMap<PathBuf, String>) {
    into.insert(at.to_owned(), look(host, at));
    let folder = host.lstat(at).unwrap().is_some_and(|m| m.kind == FileKind::Directory);
    let mut names = Vec::new();
    if folder {
        host.list(at, &mut |e| {
            names.push(e.name);
            true
        })
        .unwrap();
    }
    for name in names {
        tree(host, &at.join(name), into);
    }
}

/// Plays operations on a rehearsal over the folder and then in the folder itself.
fn compare(seed: u64) {
    let live = Live::new(Blobs::new());
    // Where the disk need not be waited for, if there is such a place.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let top = folder.path().to_owned();
    let mut root = top.clone();
    for _ in 0..DEPTH {
        root.push("n");
        live.make_dir(&root, 0o755).unwrap();
    }
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let is_root = live.uid() == 0;
    if is_root {
        // A folder that hands its group down.
        live.make_dir(&root.join("d"), 0o755).unwrap();
        live.set_owner(&root.join("d"), None, Some(1000), true).unwrap();
        live.set_mode(&root.join("d"), 0o2775).unwrap();
    }
    // Some of it is there before the rehearsal begins.
    for _ in 0..dice.roll(16) {
        let op = operation(&mut dice, &root, is_root);
        perform(&live, &op);
    }
    let ops: Vec<Op> = (0..24).map(|_| operation(&mut dice, &root, is_root)).collect();
    let mut before = BTreeMap::new();
    tree(&live, &top, &mut before);

    let rehearsal = Rehearsal::new(&live);
    let view = rehearsal.for_task(TaskId(0));
    let rehearsed: Vec<String> = ops.iter().map(|op| perform(&view, op)).collect();
    let mut expected = BTreeMap::new();
    tree(&view, &top, &mut expected);
    let mut untouched = BTreeMap::new();
    tree(&live, &top, &mut untouched);
    assert_eq!(before, untouched, "seed {seed}: a rehearsal wrote");
    drop((view, rehearsal));

    for (number, (op, said)) in ops.iter().zip(&rehearsed).enumerate() {
        let done = perform(&live, op);
        assert_eq!(*said, done, "seed {seed}, operation {number}: {op:?}\nall: {:#?}", &ops[..=number]);
    }
    let mut found = BTreeMap::new();
    tree(&live, &top, &mut found);
    assert_eq!(expected, found, "seed {seed}: rehearsed (left) and done (right) differ\n{ops:#?}");
}

#[test]
fn what_is_rehearsed_is_what_happens() {
    for seed in 1..=60 {
        compare(seed);
    }
}
