//! A fleet goes when its process ends, however it ends.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts a fleet in another process and returns it with the fleet's folder and namespace.
fn hold() -> (Child, String, String) {
    // A shell that started this test in the background had it ignore interrupts, and whatever it starts does too.
    let mut holder = Command::new("env")
        .args([
            "--default-signal=INT",
            env!("CARGO_BIN_EXE_rectify-fleet"),
            "with",
            "--debian",
            "1",
            "--",
            "sh",
            "-c",
            "echo $HOME; exec sleep infinity",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut home = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut home).unwrap();
    let folder =
        Path::new(home.trim()).parent().expect("the home is in the fleet's folder").to_str().unwrap().to_owned();
    let id = folder.rsplit('/').next().unwrap().to_owned();
    assert!(Path::new("/run/netns").join(format!("{id}-web1")).exists());
    (holder, folder, id)
}

fn wait_until_gone(folder: &str, id: &str) {
    let names = || std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    while Path::new(folder).exists() || names().any(|entry| entry.file_name().to_string_lossy().starts_with(id)) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(folder), "{mounts}");
    for hierarchy in ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"] {
        assert!(!Path::new(hierarchy).join(format!("{id}-web1")).exists());
    }
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    let (mut holder, folder, id) = hold();
    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_until_gone(&folder, &id);
}

#[test]
fn an_interrupted_process_leaves_nothing_behind() {
    let (mut holder, folder, id) = hold();
    let pid = rustix::process::Pid::from_child(&holder);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    holder.wait().unwrap();
    wait_until_gone(&folder, &id);
}
