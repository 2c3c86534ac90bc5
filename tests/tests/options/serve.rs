//! What `serve` takes: its flags, `[serve]`, and every key of a schedule.

use std::process::Command;

use rectify_tests::clock;

use crate::local::{Folder, Said, said};

/// The keys of a schedule, of its hours and of its freezes.
const KEYS: &[&str] = &[
    "budget",
    "cron",
    "forks",
    "freezes",
    "limit",
    "maintenance",
    "missed",
    "mode",
    "name",
    "playbooks",
    "settings",
    "tags",
    "timezone",
    "window",
];

/// Three hosts, all this machine, of which `a` has opted in to `banner`; and a playbook with tags.
fn folder() -> Folder {
    let folder = crate::flags::folder();
    folder.write(
        "tagged.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - {copy: {dest: \"{{ folder }}/{{ inventory_hostname }}-red\", content: red}, tags: [red]}\n    - {copy: {dest: \"{{ folder }}/{{ inventory_hostname }}-blue\", content: blue}, tags: [blue]}\n",
    );
    folder
}

fn schedule(folder: &Folder, lines: &str) {
    let lines = format!("[[schedules]]\nname = \"s\"\n{lines}\n[serve]\nlisten = \"127.0.0.1:0\"\n");
    folder.write("rectify.toml", &lines);
}

fn once(folder: &Folder, now: &str, more: &[&str]) -> Said {
    let args = [&["serve", "--once", "-i", "fleet.yml"], more].concat();
    let mut command = folder.command(&args);
    clock::set(&mut command, now);
    said(&mut command)
}

/// A round of that day at half past two, whose schedule was seen before.
fn round(folder: &Folder, day: u32, lines: &str) -> Said {
    schedule(folder, &format!("cron = \"30 2 * * *\"\n{lines}"));
    once(folder, &format!("2026-11-{day} 02:29:00"), &[]);
    once(folder, &format!("2026-11-{day} 02:30:05"), &[])
}

fn there(folder: &Folder, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| folder.path().join(name).exists()).collect()
}

#[test]
fn a_schedule_runs_what_it_names_when_it_says() {
    let folder = folder();
    let said = round(
        &folder,
        22,
        "playbooks = [\"tagged.yml\"]\nlimit = \"a,b\"\ntags = [\"red\"]\nforks = 1\nmode = \"correct\"\nbudget = 100\nwindow = \"2h\"\n",
    );
    // At once, the hosts do not wait for their turns within the window.
    assert!(said.stderr.contains("is done: 2 hosts, 2 not as declared, 2 corrected"), "{}", said.all());
    assert_eq!(there(&folder, &["a-red", "b-red", "c-red", "a-blue"]), [true, true, false, false]);
    for (what, events) in events(&folder) {
        let turns: Vec<&str> =
            events.lines().filter(|l| l.contains("\"connecting\"") || l.contains("\"host_finished\"")).collect();
        let kinds: Vec<bool> = turns.iter().map(|line| line.contains("\"connecting\"")).collect();
        assert_eq!(kinds, [true, false, true, false], "{what}: one host at a time");
    }
    schedule(&folder, "cron = \"30 2 * * *\"\ntimezone = \"America/New_York\"\nplaybooks = [\"tagged.yml\"]\n");
    let said = once(&folder, "2026-11-23 02:29:00", &[]);
    assert!(said.stderr.contains("the next round is at 2026-11-23T07:30:00Z"), "{}", said.all());
    schedule(&folder, "cron = \"30 2 * * *\"\nmissed = \"skip\"\nplaybooks = [\"tagged.yml\"]\n");
    once(&folder, "2026-11-23 02:29:00", &[]);
    let said = once(&folder, "2026-11-23 12:00:00", &[]);
    assert!(said.stderr.contains("is skipped: it was missed"), "{}", said.all());
}

/// The events of every run in the record.
fn events(folder: &Folder) -> Vec<(String, String)> {
    let runs = std::fs::read_dir(folder.path().join("record/runs")).unwrap().flatten();
    let mut all = Vec::new();
    for run in runs {
        let output = Command::new("gzip").arg("-dc").arg(run.path().join("events.jsonl.gz")).output().unwrap();
        all.push((run.file_name().to_string_lossy().into_owned(), String::from_utf8(output.stdout).unwrap()));
    }
    assert_eq!(all.len(), 2, "a look and a correction");
    all
}

#[test]
fn a_schedule_corrects_what_it_may_and_when_it_may() {
    let folder = folder();
    let site = "playbooks = [\"fleet/site.yml\"]\n";
    let banner = ["a-banner", "b-banner", "a-tools"];
    let said = round(&folder, 22, &format!("{site}mode = \"correct\"\nsettings = {{ banner = \"report\" }}\n"));
    assert!(said.code == Some(2) && !there(&folder, &banner)[0], "{}", said.all());
    let said = round(&folder, 23, &format!("{site}settings = {{ banner = \"correct\" }}\nbudget = 0\n"));
    assert!(said.stderr.contains("1 of 3 hosts would be corrected, more than the budget of 0 %"), "{}", said.all());
    let freeze = "freezes = [{ from = \"2026-11-24\", to = \"2026-11-24\", reason = \"a fair\" }]\n";
    let said = round(&folder, 24, &format!("{site}{freeze}settings = {{ banner = \"correct\" }}\n"));
    assert!(said.stderr.contains("nothing is corrected: frozen until the end of 2026-11-24: a fair"), "{}", said.all());
    let hours = "maintenance = [{ days = [\"mon\"], from = \"01:00\", to = \"04:00\", timezone = \"UTC\" }]\n";
    let said = round(&folder, 25, &format!("{site}{hours}settings = {{ banner = \"correct\" }}\n"));
    assert!(said.stderr.contains("outside the maintenance hours (mon 01:00 to 04:00 UTC)"), "{}", said.all());
    assert_eq!(there(&folder, &banner), [false, false, false]);
    // The 30th is a Monday. Only who has opted in has the setting.
    let said = round(&folder, 30, &format!("{site}{hours}settings = {{ banner = \"correct\" }}\n"));
    assert_eq!((said.code, there(&folder, &banner)), (Some(0), vec![true, false, false]), "{}", said.all());
}

#[test]
fn schedules_stand_in_files_that_serve_names() {
    let folder = folder();
    let two = "[[schedules]]\nname = \"two\"\ncron = \"0 4 * * *\"\nplaybooks = [\"tagged.yml\"]\n";
    folder.write("more/two.toml", two);
    folder.write("more/not.txt", "nonsense");
    folder.write("rectify.toml", "[serve]\nschedules = [\"more/*.toml\"]\n");
    let said = once(&folder, "2026-11-22 02:29:00", &[]);
    assert!(said.stderr.contains("the next round is at 2026-11-22T04:00:00Z"), "{}", said.all());
    folder.write("more/three.toml", two);
    let said = once(&folder, "2026-11-22 02:29:00", &[]);
    assert!(said.code == Some(5) && said.stderr.contains("two schedules are named `two`"), "{}", said.all());
    folder.write("rectify.toml", "");
    assert!(once(&folder, "2026-11-22 02:29:00", &[]).stderr.contains("there is no schedule"));
}

#[test]
fn the_page_listens_where_serve_says_and_nowhere_else_unasked() {
    let folder = folder();
    for (lines, problem) in [
        ("listen = \"0.0.0.0:0\"", "others could read everything"),
        ("listen = \"127.0.0.1:0\"\nurl = \"ftp://x\"", "url"),
        ("listen = \"127.0.0.1:0\"\nusers = \"nobody-wrote-it\"", "nobody-wrote-it"),
        ("listen = \"127.0.0.1:0\"\noidc = { issuer = \"https://id.example.org\", client_id = \"r\" }", "oidc"),
        ("listen = \"127.0.0.1:0\"\nproxy = { from = [\"127.0.0.1\"], user_header = \"not a header\" }", "header"),
    ] {
        folder.write("rectify.toml", &format!("[serve]\n{lines}\n"));
        let said = folder.run(&["serve", "-i", "fleet.yml"]);
        assert!(said.code == Some(5) && said.stderr.contains(problem), "{lines}: {}", said.all());
    }
}

#[test]
fn whom_to_tell_is_checked_before_anything_runs() {
    let folder = folder();
    for (lines, problem) in [
        ("operators = [\"mailto:ops@example.org\"]", "no mail server is set up"),
        ("operators = [\"nowhere\"]", "nowhere"),
        ("digest = \"sometimes\"", "sometimes"),
        ("only = { operators = [\"everything\"] }", "everything"),
    ] {
        folder
            .write("rectify.toml", &format!("[notify]\n{lines}\n[[schedules]]\nname = \"s\"\ncron = \"0 4 * * *\"\n"));
        let said = once(&folder, "2026-11-22 02:29:00", &[]);
        assert!(said.code == Some(5) && said.stderr.contains(problem), "{lines}: {}", said.all());
    }
}

#[test]
fn serve_opens_what_is_encrypted() {
    let folder = folder();
    folder.write("pw", "pw1\n");
    folder.write("group_vars/all.yml", "secret_word: x\n");
    let made = folder.run(&["vault", "encrypt", "--vault-password-file", "pw", "group_vars/all.yml"]);
    assert_eq!(made.code, Some(0), "{}", made.all());
    schedule(&folder, "cron = \"30 2 * * *\"\nplaybooks = [\"tagged.yml\"]\n");
    let closed = once(&folder, "2026-11-22 02:29:00", &[]);
    assert!(closed.code == Some(5) && closed.stderr.contains("no vault password was given"), "{}", closed.all());
    for given in [["--vault-password-file", "pw"], ["--vault-id", "prod@pw"]] {
        let said = once(&folder, "2026-11-22 02:29:00", &given);
        assert_eq!(said.code, Some(0), "{given:?}: {}", said.all());
    }
}

#[test]
fn passwords_of_the_page_are_hashed() {
    use std::io::Write;
    let folder = Folder::new();
    let mut command = folder.command(&["serve", "hash-password"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"$argon2id$"), "{output:?}");
    assert_eq!(folder.run(&["serve", "hash-password"]).code, Some(5), "an empty one is none");
}

#[test]
fn no_key_of_a_schedule_is_without_a_test() {
    let folder = folder();
    schedule(&folder, "cron = \"30 2 * * *\"\nnonsense = 1\n");
    let said = once(&folder, "2026-11-22 02:29:00", &[]);
    assert_eq!((said.code, crate::config::named(&said.stderr).as_slice()), (Some(5), KEYS), "{}", said.all());
    for (lines, keys) in [
        ("maintenance = [{ nonsense = 1 }]", &["days", "from", "timezone", "to"][..]),
        ("freezes = [{ nonsense = 1 }]", &["from", "reason", "to"]),
        ("mode = \"nonsense\"", &["correct", "correct_after", "report"]),
        ("missed = \"nonsense\"", &["run once", "skip"]),
    ] {
        schedule(&folder, &format!("cron = \"30 2 * * *\"\n{lines}\n"));
        let said = once(&folder, "2026-11-22 02:29:00", &[]);
        assert_eq!(crate::config::named(&said.stderr), keys, "{lines}: {}", said.all());
    }
}
