//! A write that is killed, on a full disk or on a read-only one leaves the old file or the new one, whole.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rectify_core::module::{HostError, Operate, WriteAttrs};
use rustix::io::Errno;

use super::{assert_passed, live, names, root};

/// Tells a copy of this test program that it is the one to be killed, and where to write.
const VICTIM: &str = "RECTIFY_TEST_VICTIM";
/// Tells a copy of this test program that it has a mount namespace of its own.
const MOUNTS: &str = "RECTIFY_TEST_MOUNTS";

fn again(test: &str, variable: &str, value: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", test]).env(variable, value);
    command
}

fn content(letter: u8) -> Vec<u8> {
    vec![letter; 1 << 20]
}

#[test]
fn a_killed_write_leaves_the_old_file_or_the_new_one() {
    const TEST: &str = "host::live::tests::crash::a_killed_write_leaves_the_old_file_or_the_new_one";
    if let Some(path) = std::env::var_os(VICTIM) {
        let path = PathBuf::from(path);
        for i in 0u64.. {
            live().write(&path, &content(b'a' + (i % 2) as u8), &WriteAttrs::default()).unwrap();
            println!("\nwritten");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, content(b'a')).unwrap();
    for round in 1..=20 {
        let mut child = again(TEST, VICTIM, &file).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A different number of writes each time; the kill then hits any moment of the next.
        for _ in 0..round {
            lines.by_ref().map_while(Result::ok).find(|l| l == "written").expect("the child writes");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(bytes.len(), 1 << 20);
        assert!(bytes.iter().all(|b| *b == bytes[0]), "neither a part nor a mixture");
    }
    live().write(&file, b"end", &WriteAttrs::default()).unwrap();
    assert_eq!(names(dir.path()), ["file"], "what killed writes left is gone after the next");
}

#[test]
fn a_full_disk_and_a_read_only_one_leave_the_old_file() {
    const TEST: &str = "host::live::tests::crash::a_full_disk_and_a_read_only_one_leave_the_old_file";
    if let Some(disk) = std::env::var_os(MOUNTS) {
        full_and_read_only(Path::new(&disk));
        return;
    }
    if !root("a full and a read-only disk") {
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=1m,mode=755 none \"$1\" && shift && exec \"$@\"";
    let inner = again(TEST, MOUNTS, disk.path());
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(disk.path());
    unshare.arg(inner.get_program()).args(inner.get_args()).env(MOUNTS, disk.path());
    let output = unshare.output().unwrap();
    assert_passed(&output);
}

fn full_and_read_only(disk: &Path) {
    let file = disk.join("file");
    live().write(&file, b"old", &WriteAttrs::default()).unwrap();
    let refused = |content: &[u8], expected: Errno, words: &str| {
        let error = live().write(&file, content, &WriteAttrs::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(matches!(error, HostError::Io { errno: Some(n), .. } if n == expected.raw_os_error()), "{error:?}");
        assert_eq!(std::fs::read(&file).unwrap(), b"old");
        assert_eq!(names(disk), ["file"], "nothing temporary is left");
    };
    refused(&content(b'x').repeat(2), Errno::NOSPC, "no space left on device");
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(disk).status().unwrap();
    assert!(remount.success());
    refused(b"new", Errno::ROFS, "read-only file system");
    assert!(live().remove(&file).is_err());
    // A mount point is not emptied from outside.
    assert!(live().remove(disk).unwrap_err().to_string().contains("another file system is mounted there"));
}
