//! What is recorded below `tests/inventories` is what Ansible says today: its own commands run over every case again.
//!
//! Needs Python 3.11 or later and, once, PyPI: ansible-core 2.19 is installed into `target/peers/ansible`.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod support;

/// The series that the recordings are of.
const ANSIBLE: &str = "ansible-core==2.19.*";

/// The Python of an environment with Ansible, made once.
fn ansible() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let home = root.join("target/peers/ansible");
    let python = home.join("bin/python");
    if home.join("bin/ansible-inventory").exists() {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home), "install python3 (3.11 or later) and python3-venv");
    let install = ["-m", "pip", "install", "-q", ANSIBLE];
    run(Command::new(&python).args(install), "PyPI must be reachable once, to install ansible-core");
    python
}

fn run(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}; {hint}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed; {hint}\n{stderr}");
}

/// The recorded files of a case, without what we ourselves say about it.
fn recorded(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n != "problems.txt");
    names.map(|n| (n.clone(), fs::read_to_string(dir.join(n)).unwrap())).collect()
}

#[test]
fn the_recordings_are_what_ansible_prints() {
    let python = ansible();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    fs::remove_dir_all(&out).ok();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.py");
    let cases = support::cases();
    run(Command::new(python).arg(script).arg(&out).args(&cases), "the recorder itself is broken");
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap();
        let (now, then) = (recorded(&out.join(name)), recorded(&case.join("golden")));
        assert!(!now.is_empty(), "nothing recorded for {}", case.display());
        for file in now.keys().chain(then.keys()) {
            if now.get(file) != then.get(file) {
                wrong.push(format!("{}/{file}:\nnow  {:?}\nthen {:?}", case.display(), now.get(file), then.get(file)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
