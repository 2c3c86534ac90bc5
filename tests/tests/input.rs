//! Input that is wrong is said before any host is contacted, with its place, and the exit code is 5.
//! The one host of these inventories runs nothing: what would be done there shows that something was not refused.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use rectify_tests::rectify::binary;

const FINE: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: it ran}\n";

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Desk(tempfile::tempdir().unwrap());
        desk.put("inventory.ini", "web1 ansible_connection=local\n");
        desk.put("fine.yml", FINE);
        desk
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Exit code and both streams of a check.
    fn check(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(binary().unwrap());
        command
            .arg("check")
            .args(args)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("TERM", "dumb")
            .env("RECTIFY_RECORD", self.path().join("record"));
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Is refused with all these words, and nothing ran.
    fn refuses(&self, args: &[&str], words: &[&str]) {
        let (code, said) = self.check(args);
        assert_eq!(code, Some(5), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: {word:?} is missing in\n{said}");
        }
        assert!(!said.contains("it ran") && !said.contains("RECAP"), "{args:?}: {said}");
    }

    /// Runs a playbook whose only play is this.
    fn play(&self, text: &str, words: &[&str]) {
        self.put("site.yml", text);
        self.refuses(&["-i", "inventory.ini", "site.yml"], words);
    }
}

#[test]
fn files_that_the_command_line_names_and_that_are_not_there() {
    let desk = Desk::new();
    let fine = ["-i", "inventory.ini", "fine.yml"];
    desk.refuses(&["-i", "inventory.ini", "none.yml"], &["none.yml", "does not exist"]);
    desk.refuses(&["-i", "none.ini", "fine.yml"], &["none.ini", "no inventory"]);
    for (option, words) in [
        (["-e", "@none.json"], ["none.json", "No such file"]),
        (["--ssh-config", "none.cfg"], ["none.cfg", "No such file"]),
        (["-l", "@none.hosts"], ["none.hosts", "No such file"]),
    ] {
        desk.refuses(&[&fine[..], &option].concat(), &words);
    }
}

#[test]
fn files_that_a_playbook_names_and_that_are_not_there() {
    let desk = Desk::new();
    let play = |more: &str| format!("- hosts: all\n  gather_facts: false\n{more}");
    desk.play(
        &play("  vars_files: [vars/none.yml]\n  tasks: []\n"),
        &["`vars/none.yml` does not exist", "site.yml:3:16"],
    );
    desk.play(&play("  roles: [none]\n"), &["there is no role `none`", "site.yml:3:11"]);
    desk.play("- import_playbook: none.yml\n", &["`none.yml` does not exist", "site.yml:1:20"]);
    let tasks = "  tasks:
    - import_tasks: none.yml
";
    desk.play(&play(tasks), &["`none.yml` does not exist", "site.yml:4:21"]);
    // All of these at once, each with its place.
    let tasks = "  tasks:
    - copy: {src: none.txt, dest: /tmp/x}
    - template: {src: none.j2, dest: /tmp/x}
    - copy: {src: none/, dest: /tmp/x}
    - copy: {src: /dev/null, dest: /tmp/x}
";
    let words = [
        "`none.txt`",
        "site.yml:4:19",
        "`none.j2`",
        "site.yml:5:23",
        "`none/`",
        "site.yml:6:19",
        "`/dev/null`",
        "site.yml:7:19",
    ];
    desk.play(&play(tasks), &words);
}

#[test]
fn a_folder_that_is_copied_loses_nothing_in_silence() {
    let desk = Desk::new();
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {src: tree/, dest: /tmp/x/}\n";
    desk.put("tree/file", "x");
    let odd = |name: &[u8]| desk.path().join("tree").join(std::ffi::OsStr::from_bytes(name));
    std::fs::write(odd(b"no\xffutf8"), "x").unwrap();
    desk.play(play, &["no\\xFFutf8", "not UTF-8", "site.yml:4:19"]);
    std::fs::remove_file(odd(b"no\xffutf8")).unwrap();
    std::os::unix::fs::symlink("nothing", odd(b"dangling")).unwrap();
    desk.play(play, &["tree/dangling", "link to nothing", "site.yml:4:19"]);
    std::fs::remove_file(odd(b"dangling")).unwrap();
    std::os::unix::fs::symlink(".", odd(b"round")).unwrap();
    desk.play(play, &["tree", "site.yml:4:19"]);
}

#[test]
fn what_cannot_be_read_as_text() {
    let desk = Desk::new();
    let path = |name: &str| desk.path().join(name);
    std::fs::write(path("bytes.yml"), b"- hosts: all\n  name: \xff\xfe\n").unwrap();
    std::fs::File::create(path("big.yml")).unwrap().set_len(2 << 30).unwrap();
    std::fs::create_dir(path("folder.yml")).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo.yml")).status().unwrap().success());
    std::os::unix::fs::symlink("loop.yml", path("loop.yml")).unwrap();
    for (name, words) in [
        ("bytes.yml", ["bytes.yml:2:9", "not UTF-8"]),
        ("big.yml", ["big.yml", "larger than 16 MiB"]),
        ("folder.yml", ["folder.yml", "not a file"]),
        ("fifo.yml", ["fifo.yml", "not a file"]),
        ("loop.yml", ["loop.yml", "does not exist"]),
    ] {
        desk.refuses(&["-i", "inventory.ini", name], &words);
        desk.play(&format!("- hosts: all\n  vars_files: [{name}]\n  tasks: []\n"), &[name]);
    }
    desk.refuses(&["-i", "big.yml", "fine.yml"], &["big.yml", "larger than"]);
    desk.refuses(&["-i", "bytes.yml", "fine.yml"], &["bytes.yml:2:9", "not UTF-8"]);
}

#[test]
fn hosts_that_nobody_knows() {
    let desk = Desk::new();
    desk.refuses(&["-i", "inventory.ini", "-l", "web2", "fine.yml"], &["web2", "leaves no host"]);
    desk.play("- hosts: web2\n  tasks: []\n", &["`web2` matches no host", "site.yml:1:10", "no host is left"]);
    desk.put("empty/.keep", "");
    desk.refuses(&["-i", "empty", "fine.yml"], &["empty", "no host is left"]);
    // One of several is no error, and not passed over in silence.
    let (code, said) = desk.check(&["-i", "inventory.ini", "-l", "web1,web2", "fine.yml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("it ran") && said.contains("`web2` matches no host and no group"), "{said}");
}
