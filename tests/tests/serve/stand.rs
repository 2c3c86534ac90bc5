//! A project with four hosts, all this machine, and a server over it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
};

use rectify_tests::{clock, rectify::binary};

const SITE: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: the file\n      copy: {dest: \"{{ folder }}/{{ inventory_hostname }}\", content: \"wanted\\n\"}\n";

/// A project in a folder of its own.
pub(crate) struct Stand(tempfile::TempDir);

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Stand {
    /// With one schedule, `nightly` at 02:30, and these further lines of it.
    pub(crate) fn new(lines: &str) -> Self {
        let stand = Stand(tempfile::Builder::new().prefix("rectify-serve-").tempdir().unwrap());
        let hosts: String = ["a", "b", "c", "d"].map(|host| format!("{host} ansible_connection=local\n")).concat();
        stand.write("hosts", &format!("{hosts}[all:vars]\nfolder={}\n", stand.at("out")));
        stand.write("site.yml", SITE);
        std::fs::create_dir(stand.at("out")).unwrap();
        stand.schedule(lines);
        stand
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let before = std::fs::read_to_string(self.at(name)).unwrap();
        self.write(name, &format!("{before}\n{text}"));
    }

    /// Writes `rectify.toml` anew; the lines of the schedule begin with the sixth of the file.
    pub(crate) fn schedule(&self, lines: &str) {
        let head = "inventory = [\"hosts\"]\nplaybooks = [\"site.yml\"]\n[[schedules]]\nname = \"nightly\"\ncron = \"30 2 * * *\"\n";
        let page = if lines.contains("[[") { "" } else { "\n[serve]\nlisten = \"127.0.0.1:0\"\n" };
        self.write("rectify.toml", &format!("{head}{lines}{page}"));
    }

    /// Runs the rounds of these days of November.
    pub(crate) fn days<const N: usize>(&self, days: [u32; N]) {
        for day in days {
            self.once(&format!("2026-11-{day:02} 02:29:00"));
            let said = self.once(&format!("2026-11-{day:02} 02:30:10"));
            assert_eq!(said.code, Some(0), "{said:?}");
        }
    }

    /// What a host has; `None`: nothing.
    pub(crate) fn host(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.at("out").to_owned() + "/" + name).ok()
    }

    pub(crate) fn hosts(&self) -> [Option<String>; 4] {
        ["a", "b", "c", "d"].map(|host| self.host(host))
    }

    /// Changes a host behind the tool's back.
    pub(crate) fn change(&self, host: &str) {
        self.write(&format!("out/{host}"), "changed\n");
    }

    /// Waits until a host has made a file.
    pub(crate) fn until(&self, name: &str) {
        while self.host(name).is_none() {
            std::thread::yield_now();
        }
    }

    fn command(&self, now: &str) -> Command {
        let mut command = Command::new(binary().unwrap());
        command.arg("serve").env_clear().current_dir(self.0.path()).stdin(Stdio::null());
        command.env("HOME", self.0.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("RECTIFY_RECORD", self.at("record"));
        clock::set(&mut command, now);
        command
    }

    /// Runs what is due at this time.
    pub(crate) fn once(&self, now: &str) -> Said {
        let output = self.command(now).arg("--once").output().unwrap();
        Said { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Starts a server that takes this for the present.
    pub(crate) fn serve(&self, now: &str) -> Server {
        let mut child = self.command(now).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let heard: Arc<Heard> = Arc::default();
        let (from, to) = (child.stderr.take().unwrap(), heard.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                to.0.lock().unwrap().0.push(line);
                to.1.notify_all();
            }
            to.0.lock().unwrap().1 = true;
            to.1.notify_all();
        });
        Server { child, heard }
    }
}

/// Lines, and whether there are no more.
type Heard = (Mutex<(Vec<String>, bool)>, Condvar);

/// A server that runs; it is gone when this is.
pub(crate) struct Server {
    child: Child,
    heard: Arc<Heard>,
}

impl Server {
    /// Waits until it has said a line with this in it.
    pub(crate) fn heard(&self, part: &str) {
        let mut lines = self.heard.0.lock().unwrap();
        while !lines.0.iter().any(|line| line.contains(part)) {
            assert!(!lines.1, "it ended and never said {part:?}:\n{}", lines.0.join("\n"));
            lines = self.heard.1.wait(lines).unwrap();
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The project's own files.
pub(crate) fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
