//! What an operator sees on a terminal, and the verbs that are for looking.

#![expect(clippy::unwrap_used, reason = "a test")]

use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{output, words};
use rectify_tests::terminal::Terminal;

/// Starts `rectify VERB PLAYBOOK` on a terminal of 30 rows and 100 columns.
fn start(lease: &Lease, verb: &str, playbook: &std::path::Path) -> Terminal {
    let mut argv = words(lease, verb).unwrap();
    argv.push(playbook.into());
    let line: Vec<String> = argv.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    Terminal::start(lease.command("script"), &format!("exec {}", line.join(" ")), 30, 100).unwrap()
}

const WAITS: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: Wait for a word\n      shell: until test -e /etc/go; do sleep 0.1; done\n    - name: Leave a trace\n      copy: {dest: /etc/after, content: \"a line\\n\"}\n";

#[test]
fn progress_comes_and_goes_and_leaves_the_report_alone() {
    let lease = pool::lease(&[Image::Debian, Image::Debian]).unwrap();
    let path = lease.write("site.yml", WAITS).unwrap();
    let mut terminal = start(&lease, "apply", &path);
    terminal.until(|seen| seen.matches("Wait for a word").count() == 2 && seen.contains("0 of 2 hosts")).unwrap();
    lease.hosts().iter().for_each(|host| host.write("/etc/go", "").unwrap());
    let (seen, code) = terminal.end().unwrap();
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("+a line") && seen.contains("RECAP") && seen.contains("2 changed."), "{seen}");
    assert!(!seen.contains("of 2 hosts ·") && !seen.contains('━'), "no progress is left: {seen}");
}

#[test]
fn ctrl_c_is_answered_on_the_screen_and_in_the_report() {
    let lease = pool::debian().unwrap();
    let path = lease.write("site.yml", WAITS).unwrap();
    let mut terminal = start(&lease, "apply", &path);
    terminal.until(|seen| seen.contains("Wait for a word")).unwrap();
    terminal.press(b"\x03").unwrap();
    terminal.until(|seen| seen.contains("interrupted: running tasks finish")).unwrap();
    lease.host().write("/etc/go", "").unwrap();
    let (seen, code) = terminal.end().unwrap();
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

#[test]
fn a_changed_key_is_never_recorded_and_what_to_do_is_said() {
    let lease = pool::debian().unwrap();
    let (name, address) = (lease.host().name().to_owned(), lease.host().address());
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let known = format!("{address} {other}\n");
    std::fs::write(lease.known_hosts(), &known).unwrap();
    // Without --known-hosts: the file is the one that the ssh configuration names.
    let told = output(&lease, "trust", &["--yes"]).unwrap();
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stdout.starts_with(&format!("{name}  {address}  CHANGED  ssh-ed25519  SHA256:")), "{told:?}");
    assert!(told.stderr.contains(&format!("ssh-keygen -R {address} -f ")), "{told:?}");
    assert_eq!(std::fs::read_to_string(lease.known_hosts()).unwrap(), known);

    std::fs::write(lease.known_hosts(), "").unwrap();
    let told = output(&lease, "trust", &["--yes"]).unwrap();
    assert!(told.code == Some(0) && told.stderr.contains("1 key recorded in "), "{told:?}");
    assert_eq!(output(&lease, "facts", &["--filter", "kernel"]).unwrap().code, Some(0));
    lease.untouched();
}

#[test]
fn an_apply_goes_on_when_nobody_reads_what_it_says() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let path = lease.write("site.yml", WAITS).unwrap();
    for (more, wanted) in [(">/dev/full", Some(1)), ("--json | head -n 1; exit ${PIPESTATUS[0]}", Some(0))] {
        host.sh("touch /etc/go; rm -f /etc/after").unwrap();
        let mut argv = words(&lease, "apply").unwrap();
        argv.push(path.clone().into());
        let line: Vec<String> = argv.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let ran = lease.run(["bash", "-c", &format!("{} {more}", line.join(" "))]).unwrap();
        assert_eq!(ran.code, wanted, "{more}: {ran:?}");
        assert!(host.exec(&["test", "-e", "/etc/after"]).unwrap().success(), "{more}: {ran:?}");
    }
}
