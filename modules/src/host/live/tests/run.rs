//! Programs.

use std::{path::PathBuf, sync::Arc};

use rectify_core::module::{Command, Effects, HostError, Observe, Operate};

use super::{live, names, root};

fn sh(script: &str) -> Command {
    Command::new(["sh", "-c", script])
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim()
}

#[test]
fn both_outputs_and_the_status_come_back() {
    let output = live().probe(&sh("echo out; echo err >&2; exit 7")).unwrap();
    assert_eq!((output.code, text(&output.stdout), text(&output.stderr)), (7, "out", "err"));
    assert_eq!(live().probe(&sh("kill -9 $$")).unwrap().code, 137);
}

#[test]
fn words_are_words_and_the_environment_is_small() {
    let output = live().probe(&Command::new(["printf", "%s|", "a b", "$HOME", "*"])).unwrap();
    assert_eq!(text(&output.stdout), "a b|$HOME|*|");
    let mut command = Command::new(["env"]);
    command.env.insert("MINE".into(), "1".into());
    let output = live().probe(&command).unwrap();
    let mut keys: Vec<&str> = text(&output.stdout).lines().filter_map(|l| l.split('=').next()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["HOME", "LANG", "LC_ALL", "LOGNAME", "MINE", "PATH", "SHELL", "USER"]);
}

#[test]
fn a_large_input_and_a_large_output_do_not_stand_in_each_others_way() {
    let mut command = Command::new(["cat"]);
    command.stdin = vec![b'x'; 5 << 20];
    let output = live().probe(&command).unwrap();
    assert_eq!(output.stdout, command.stdin);
    // A program that does not listen.
    command.argv = vec!["true".into()];
    assert_eq!(live().probe(&command).unwrap().code, 0);
}

#[test]
fn output_beyond_the_limit_is_thrown_away() {
    let output = live().probe(&sh("head -c 20000000 /dev/zero; echo end >&2")).unwrap();
    assert!(output.truncated);
    assert_eq!((output.stdout.len(), text(&output.stderr)), (16 << 20, "end"));
}

#[test]
fn a_daemon_that_holds_the_outputs_does_not_hold_us() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let output = live().probe(&sh(&format!("sleep 1000 & echo $! > {}; echo started", pid.display()))).unwrap();
    assert_eq!(text(&output.stdout), "started");
    let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the daemon lives on");
}

#[test]
fn folder_mask_and_missing_things() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = sh("pwd; umask");
    command.cwd = Some(dir.path().to_owned());
    command.umask = Some(0o027);
    let output = live().probe(&command).unwrap();
    assert_eq!(text(&output.stdout), format!("{}\n0027", dir.path().display()));
    command.cwd = Some(PathBuf::from("/no/where"));
    assert_eq!(
        live().probe(&command).unwrap_err().to_string(),
        "changing to the folder /no/where: no such file or directory"
    );
    let error = live().probe(&Command::new(["no-such\x1bthing"])).unwrap_err().to_string();
    assert!(error.starts_with("running no-such\\u{1b}thing: no such program in /usr/local/sbin:"), "{error}");
    assert!(live().probe(&Command::default()).is_err());
}

#[test]
fn another_account_has_its_own_groups_and_none_of_ours() {
    let mut command = sh("id -u; id -g; id -G; echo $HOME");
    command.user = Some("nobody".into());
    if !root("running as another account") {
        command.user = Some("root".into());
        assert!(live().probe(&command).unwrap_err().to_string().contains("needs root"));
        return;
    }
    let nobody = live().user("nobody").unwrap().unwrap();
    let output = live().probe(&command).unwrap();
    let expected = format!("{}\n{gid}\n{gid}\n{}", nobody.uid, nobody.home.display(), gid = nobody.gid);
    assert_eq!(text(&output.stdout), expected);
    command.user = Some("no-such-account".into());
    assert!(live().probe(&command).unwrap_err().to_string().contains("there is no such account"));
}

#[test]
fn a_kill_ends_commands_with_their_children_and_lets_none_begin() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let live = Arc::new(live());
    let command = sh(&format!("sleep 1000 & trap '' TERM; echo > {}; while :; do sleep 1000; done", fifo.display()));
    let running = {
        let live = Arc::clone(&live);
        std::thread::spawn(move || live.run(&command, &Effects { extents: Vec::new() }))
    };
    // Opening waits until the command is under way.
    drop(std::fs::read(&fifo).unwrap());
    live.kill_commands();
    assert_eq!(running.join().unwrap(), Err(HostError::Cancelled));
    assert_eq!(live.probe(&sh("true")), Err(HostError::Cancelled));
    assert_eq!(names(dir.path()), ["fifo"]);
}

#[test]
fn a_command_dies_with_the_helper() {
    const VICTIM: &str = "RECTIFY_TEST_DYING_HELPER";
    if let Some(fifo) = std::env::var_os(VICTIM) {
        let fifo = fifo.into_string().unwrap();
        let _ =
            live().probe(&Command::new(["sh", "-c", "exec 9> \"$0\"; echo up >&9; exec sleep 1000", fifo.as_str()]));
    }
    use std::io::Read;
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let mut helper = std::process::Command::new(std::env::current_exe().unwrap());
    helper.args(["--exact", "host::live::tests::run::a_command_dies_with_the_helper"]).env(VICTIM, &fifo);
    let mut helper = helper.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut reader = std::fs::File::open(&fifo).unwrap();
    let mut up = [0; 3];
    reader.read_exact(&mut up).unwrap();
    helper.kill().unwrap();
    helper.wait().unwrap();
    // The command holds the other end: this returns when it is gone.
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0);
}
