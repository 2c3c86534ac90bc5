//! The guide to a first fleet is what happens: its files and commands on ten hosts, and what they print.
//!
//! `UPDATE_GUIDE=1` writes what is printed into the guide instead of comparing.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use rectify_tests::fleet::Fleet;
use rectify_tests::rectify::binary;
use rectify_tests::terminal::Terminal;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A fenced block of a Markdown text.
struct Block {
    /// The word behind the fence.
    kind: String,
    /// The file that the line before the block names: "`site.yml`:".
    file: Option<String>,
    lines: Vec<String>,
}

/// The text cut into what is outside and inside of its blocks.
fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut file) = (Vec::new(), None::<Block>, None);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some(Block { kind: kind.to_owned(), file: file.take(), lines: Vec::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, None) if line.is_empty() => {}
            (None, None) => file = line.strip_prefix('`').and_then(|l| l.strip_suffix("`:")).map(str::to_owned),
        }
    }
    blocks
}

/// Without what differs from one run to the next: keys, versions of packages, addresses, and how long it took.
fn steady(text: &str) -> String {
    let word = |word: &str| match word {
        key if key.starts_with("SHA256:") => "SHA256:…".to_owned(),
        number if number.starts_with(|c: char| c.is_ascii_digit()) && number.contains('.') => "1.0".to_owned(),
        other => other.to_owned(),
    };
    let line = |line: &str| {
        let words: Vec<String> = line.split(' ').map(word).collect();
        let text = words.join(" ");
        match text.split_once(" in ").map(|(before, rest)| (before, rest.split_once(": "))) {
            Some((hosts, Some((_, after)))) if hosts.ends_with(" hosts") || hosts == "1 host" => {
                format!("{hosts} in 1.0 s: {after}")
            }
            _ => text,
        }
    };
    text.lines().map(|l| line(l.trim_end())).collect::<Vec<_>>().join("\n")
}

/// What a person sees who types the command and says yes to what is asked.
fn types(fleet: &Fleet, folder: &Path, command: &str) -> String {
    let mut script = fleet.controller().command("script");
    script.current_dir(folder).env("PATH", format!("{}:/usr/bin:/bin", folder.join("bin").display()));
    let mut terminal = Terminal::start(script, command, 400, 92).unwrap();
    let mut answered = false;
    while terminal.follow().unwrap() {
        if !answered && terminal.seen().contains("[yes/no]") {
            terminal.press(b"yes\n").unwrap();
            answered = true;
        }
    }
    let (seen, _) = terminal.end().unwrap();
    seen.trim_end().to_owned()
}

#[test]
fn the_guide_to_a_first_fleet_shows_what_happens() {
    let path = project("docs/guides/first-fleet.md");
    let guide = fs::read_to_string(&path).unwrap();
    let fleet = Fleet::builder().debian(10).start().unwrap();
    let controller = fleet.controller();
    let folder = controller.home().join("first");
    fs::create_dir_all(folder.join("bin")).unwrap();
    let known = folder.join("known_hosts");
    fs::write(&known, "").unwrap();

    // What the guide takes for granted: names that resolve, and a way to log in.
    let mut config = String::new();
    for (i, host) in (1..).zip(fleet.hosts()) {
        config += &format!("Host web{i}\n HostName {}\n", host.address());
    }
    config += &format!(
        "Host *\n User root\n IdentityFile {}\n UserKnownHostsFile {}\n",
        controller.private_key().display(),
        known.display()
    );
    let ssh_config = controller.write("ssh_config", &config).unwrap();
    let program =
        format!("#!/bin/sh\nexec {} \"$@\" --ssh-config {}\n", binary().unwrap().display(), ssh_config.display());
    fs::write(folder.join("bin/rectify"), program).unwrap();
    fs::set_permissions(folder.join("bin/rectify"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let mut happened = guide.clone();
    for block in blocks(&guide) {
        if let Some(file) = &block.file {
            fs::write(folder.join(file), block.lines.join("\n") + "\n").unwrap();
        }
        if block.kind != "console" {
            continue;
        }
        let commands: Vec<&str> = block.lines.iter().filter_map(|line| line.strip_prefix("$ ")).collect();
        let seen: Vec<String> =
            commands.iter().map(|command| format!("$ {command}\n{}", types(&fleet, &folder, command))).collect();
        let shown = block.lines.join("\n");
        happened =
            happened.replace(&format!("```console\n{shown}\n```"), &format!("```console\n{}\n```", seen.join("\n\n")));
    }
    let happened = happened.replace(&known.display().to_string(), "~/.ssh/known_hosts");
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(&path, &happened).unwrap();
    }
    let guide = fs::read_to_string(&path).unwrap();
    for (written, seen) in steady(&guide).lines().zip(steady(&happened).lines()) {
        assert_eq!(written, seen, "the guide says otherwise; all that happened:\n{happened}");
    }
    assert_eq!(guide.lines().count(), happened.lines().count(), "{happened}");

    let readme = fs::read_to_string(project("README.md")).unwrap();
    let sample = blocks(&readme).into_iter().find(|block| block.kind == "console").unwrap().lines.join("\n");
    assert!(guide.contains(&sample), "the sample of the README is not what the guide shows:\n{sample}");
}
