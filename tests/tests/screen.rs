//! What an operator sees on a terminal, and the verbs that are for looking.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::process::Stdio;

use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{output, words};

const ROWS: u16 = 30;
const COLUMNS: u16 = 100;

/// A terminal with a program in it.
struct Terminal {
    child: std::process::Child,
    screen: vt100::Parser,
}

impl Terminal {
    /// Starts `rectify VERB ARGS` on a terminal of its own.
    fn start(lease: &Lease, verb: &str, args: &[&str]) -> Self {
        let mut argv = words(lease, verb).unwrap();
        argv.extend(args.iter().map(Into::into));
        let line: Vec<String> = argv.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let inside = format!("stty cols {COLUMNS} rows {ROWS}; exec {}", line.join(" "));
        // script(1) makes the terminal, passes our input on as what is typed, and ends as the program does.
        let mut command = lease.command("script");
        command.args(["-qefc", &inside, "/dev/null"]).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Terminal { child, screen: vt100::Parser::new(ROWS, COLUMNS, 1000) }
    }

    /// Follows what is painted until the screen is as wanted.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) {
        let mut piece = [0; 4096];
        while !wanted(&self.screen.screen().contents()) {
            let n = self.child.stdout.as_mut().unwrap().read(&mut piece).unwrap();
            assert_ne!(n, 0, "it ended with this on the screen:\n{}", self.screen.screen().contents());
            self.screen.process(&piece[..n]);
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// What is on the screen at the end, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = Vec::new();
        self.child.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
        self.screen.process(&rest);
        (self.screen.screen().contents(), self.child.wait().unwrap().code())
    }
}

const WAITS: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: Wait for a word\n      shell: until test -e /etc/go; do sleep 0.1; done\n    - name: Leave a trace\n      copy: {dest: /etc/after, content: \"a line\\n\"}\n";

#[test]
fn progress_comes_and_goes_and_leaves_the_report_alone() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let path = lease.write("site.yml", WAITS).unwrap();
    let mut terminal = Terminal::start(&lease, "apply", &[path.to_str().unwrap()]);
    terminal.until(|seen| seen.matches("Wait for a word").count() == 2 && seen.contains("0 of 2 hosts"));
    lease.hosts().iter().for_each(|host| host.write("/etc/go", "").unwrap());
    let (seen, code) = terminal.end();
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("+a line") && seen.contains("RECAP") && seen.contains("2 changed."), "{seen}");
    assert!(!seen.contains("of 2 hosts ·") && !seen.contains('━'), "no progress is left: {seen}");
}

#[test]
fn ctrl_c_is_answered_on_the_screen_and_in_the_report() {
    let lease = pool::debian().unwrap();
    let path = lease.write("site.yml", WAITS).unwrap();
    let mut terminal = Terminal::start(&lease, "apply", &[path.to_str().unwrap()]);
    terminal.until(|seen| seen.contains("Wait for a word"));
    terminal.press(b"\x03");
    terminal.until(|seen| seen.contains("interrupted: running tasks finish"));
    lease.host().write("/etc/go", "").unwrap();
    let (seen, code) = terminal.end();
    assert_eq!(code, Some(3), "{seen}");
    assert!(seen.contains("1 changed") && seen.contains("The run was interrupted."), "{seen}");
    assert!(!lease.host().exec(&["test", "-e", "/etc/after"]).unwrap().success(), "nothing new began");
}

#[test]
fn facts_are_shown_host_beside_host_and_as_data() {
    let lease = pool::lease(&[Image::Debian, Image::Rpm]).unwrap();
    let [debian, rpm] = [lease.hosts()[0].name(), lease.hosts()[1].name()];
    let filter = ["--filter", "distribution,ansible_kernel"];
    let told = output(&lease, "facts", &filter).unwrap();
    assert_eq!(told.code, Some(0), "{told:?}");
    let shown = format!("\nansible_distribution\n  {debian}: Debian\n  {rpm}: Rocky\n");
    assert!(told.stdout.starts_with("all 2 hosts\n  ansible_kernel: ") && told.stdout.ends_with(&shown), "{told:?}");

    let as_json = output(&lease, "facts", &[&filter[..], &["--json"]].concat()).unwrap();
    let data: serde_json::Value = serde_json::from_str(&as_json.stdout).unwrap();
    assert_eq!(data[debian]["ansible_facts"]["ansible_distribution"], "Debian");
    assert_eq!(data[rpm]["ansible_facts"].as_object().unwrap().len(), 2);
    let as_yaml = output(&lease, "facts", &[debian, "--yaml", "--filter", "distribution"]).unwrap();
    assert_eq!(as_yaml.stdout, format!("{debian}:\n  ansible_facts:\n    ansible_distribution: Debian\n"));

    // As an ordinary user, and as another one than that.
    let local = |more: &[&str]| {
        let args = [&["-e", "ansible_user=deploy", "--filter", "user_id,effective_user_id", debian][..], more].concat();
        output(&lease, "facts", &args).unwrap().stdout
    };
    assert!(local(&[]).contains("ansible_user_id: deploy"), "{}", local(&[]));
    assert!(local(&["-b"]).contains("ansible_user_id: root"), "{}", local(&["-b"]));

    lease.hosts()[1].stop().unwrap();
    let half = output(&lease, "facts", &[&filter[..], &["-T", "3"]].concat()).unwrap();
    assert_eq!(half.code, Some(4), "{half:?}");
    assert!(half.stdout.starts_with(&format!("{debian}\n  ansible_distribution: Debian\n")), "{half:?}");
    assert!(half.stderr.contains("UNREACHABLE") && half.stderr.contains(rpm), "{half:?}");
    assert_eq!(output(&lease, "facts", &["no-such-host"]).unwrap().code, Some(5));
}
