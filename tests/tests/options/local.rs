//! The program on this machine, in a folder of its own and with nothing of the caller's environment.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rectify_tests::rectify::binary;

/// A folder that the program is run in; it goes with this value.
pub(crate) struct Folder(tempfile::TempDir);

/// What a run said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Both streams, the exit code in front: what a person would notice.
    pub(crate) fn all(&self) -> String {
        format!("exit {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Folder {
    /// With an inventory `hosts` of `a`, `b` and `c`, all this machine; `a` and `b` are `web`.
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::Builder::new().prefix("rectify-options-").tempdir().unwrap());
        // A helper that runs as another account must get through to its files.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        folder.write(
            "hosts",
            "c ansible_connection=local\n[web]\na ansible_connection=local\nb ansible_connection=local\n",
        );
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.path().join(name).to_string_lossy().into_owned()
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with these arguments, in this folder, with this folder as its home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary().unwrap());
        command.args(args).env_clear().current_dir(self.path()).stdin(Stdio::null());
        command.env("HOME", self.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("RECTIFY_RECORD", self.path().join("record"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// As [`Folder::run`], on a terminal.
    pub(crate) fn on_a_terminal(&self, args: &[&str], answers: &[(&str, &str)]) -> String {
        let mut script = Command::new("script");
        script.env_clear().current_dir(self.path()).env("HOME", self.path()).env("TERM", "dumb");
        script.env("PAGER", "cat").env("EDITOR", self.at("editor")).env("RECTIFY_RECORD", self.at("record"));
        script.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let program = binary().unwrap().to_string_lossy().into_owned();
        on_a_terminal(script, &quoted(&[&[program.as_str()], args].concat()), answers)
    }

    /// `check` or `apply` of a playbook on some hosts of the inventory, with the helper kept in this folder.
    pub(crate) fn play(&self, verb: &str, playbook: &str, args: &[&str]) -> Said {
        let (playbook, hosts, helper) = (self.at(playbook), self.at("hosts"), self.at("helper"));
        let mut all = vec![verb, playbook.as_str(), "-i", &hosts, "--helper-dir", &helper];
        all.extend(args);
        self.run(&all)
    }
}

/// The words of a command for a shell; none of ours has a quote in it.
pub(crate) fn quoted(argv: &[impl AsRef<str>]) -> String {
    argv.iter().map(|word| format!("'{}'", word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Runs `script` with this line on a terminal at which somebody gives these answers, each once its question is asked. Returns what
/// the terminal showed.
pub(crate) fn on_a_terminal(mut script: Command, line: &str, answers: &[(&str, &str)]) -> String {
    script.args(["-qec", line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = answers.iter().peekable();
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while screen.read(&mut byte).is_ok_and(|n| n == 1) {
        shown.extend(byte);
        if let Some((_, answer)) = answers.next_if(|(question, _)| shown.ends_with(question.as_bytes())) {
            keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
    }
    drop(keyboard);
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}

/// Runs a command to its end.
pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
