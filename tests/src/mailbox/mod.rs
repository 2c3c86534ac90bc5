//! The mail server, and what it was given, as other people's programs read it.

#![expect(clippy::unwrap_used, reason = "tests ask it, and are to fail")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::fleet::Controller;
use serde::Deserialize;
use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mailbox/mailserver.py");
const READERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mailbox/readers.py");

/// Python as Debian packages it: where its modules for mail, feeds and calendars are.
const PYTHON: &str = "/usr/bin/python3";

/// A mail server in the controller's network, until this goes.
pub struct Server {
    folder: PathBuf,
    child: Child,
    /// Where it listens, on loopback.
    pub port: u16,
    /// How many messages were read already.
    read: usize,
}

/// A message as it arrived.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// For whom it was handed over.
    pub envelope: Vec<String>,
    headers: serde_json::Map<String, Value>,
    #[serde(rename = "type")]
    kind: String,
    types: Vec<String>,
    bodies: Vec<String>,
    /// What somebody reads who is shown the HTML.
    shown: String,
    defects: Vec<String>,
}

impl Mail {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// What is read in the text and in the HTML of a well-formed message that has both.
    pub fn parts(&self) -> (&str, &str) {
        assert!(self.defects.is_empty(), "{:?}", self.defects);
        assert_eq!(self.kind, "multipart/alternative");
        assert_eq!(self.types, ["text/plain", "text/html"], "the one that is liked best comes last");
        let html = &self.bodies[1];
        assert!(html.starts_with("<!doctype html>") && !html.contains("<script") && !html.contains("src="), "{html}");
        (&self.bodies[0], &self.shown)
    }
}

impl Server {
    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(controller: &Controller) -> Self {
        let folder = controller.home().join("mails");
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = controller.command(PYTHON);
        let mut child = command.arg(SERVER).arg(&folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the server prints its port; python3-aiosmtpd is there (.ci/setup)");
        Server { folder, child, port, read: 0 }
    }

    /// How recipients are treated from now on.
    pub fn rules(&self, rules: &str) {
        std::fs::write(self.folder.join("rules"), rules).unwrap();
    }

    /// Waits until somebody waits for an answer.
    pub fn wait_for_silence(&self, client: &mut Child) {
        while !self.folder.join("silent").exists() {
            assert!(client.try_wait().unwrap().is_none(), "it has ended, and nobody was kept waiting");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// The messages since the last question, in order.
    pub fn taken(&mut self) -> Vec<Mail> {
        let all: Vec<Mail> = serde_json::from_value(read("mails", &self.folder)).unwrap();
        let new = all[self.read..].to_vec();
        self.read = all.len();
        new
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What somebody else's parser says of a file.
pub fn read(kind: &str, path: &Path) -> Value {
    let output = std::process::Command::new(PYTHON).arg(READERS).arg(kind).arg(path).output().unwrap();
    assert!(output.status.success(), "{kind} {path:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
