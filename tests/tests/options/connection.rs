//! What the inventory, a play and the command line say about reaching a host.

use crate::reach::Seen::{self, Has, Lacks};
use crate::reach::{Reached, judge, who};

/// A connection variable, the inventory's line without it, what is added, and where it shows.
type Case = (&'static str, &'static str, &'static str, Seen);

pub(crate) const CONFIG: &str = "Host *\n UserKnownHostsFile {known}\n";
const PLAIN: &str = "t ansible_host={address} ansible_user=deploy ansible_private_key_file={key}";
const NO_KEY: &str = "t ansible_host={address} ansible_user=deploy";
const ADMIN: &str = "t ansible_host={address} ansible_user=admin ansible_private_key_file={key} ansible_become=true";
const STRANGER: &str = "t ansible_host={address} ansible_user=deploy ansible_private_key_file={key} ansible_ssh_args='-o UserKnownHostsFile=none'";
const LOCKED: &str = "t ansible_host={address} ansible_user=deploy ansible_private_key_file={home}/locked";
const SILENT: &str = "t ansible_host=127.0.0.1 ansible_port={silent} ansible_ssh_common_args='-o ConnectTimeout=2'";

/// Questions on the terminal, and admin's answers.
pub(crate) const LOGIN: (&str, &str) = ("SSH password: ", "admin secret");
pub(crate) const BECOME: (&str, &str) = ("BECOME password [as SSH password]: ", "admin secret");

const CASES: &[Case] = &[
    ("ansible_connection", PLAIN, "ansible_connection=local", Lacks("Accepted publickey")),
    (
        "ansible_host",
        "t ansible_user=deploy ansible_private_key_file={key}",
        "ansible_host={address}",
        Has("I am deploy"),
    ),
    (
        "ansible_ssh_host",
        "t ansible_user=deploy ansible_private_key_file={key}",
        "ansible_ssh_host={address}",
        Has("I am deploy"),
    ),
    ("ansible_port", PLAIN, "ansible_port=9", Has(":9: connection refused")),
    ("ansible_ssh_port", PLAIN, "ansible_ssh_port=9", Has(":9: connection refused")),
    (
        "ansible_user",
        "t ansible_host={address} ansible_private_key_file={key}",
        "ansible_user=deploy",
        Has("I am deploy"),
    ),
    (
        "ansible_ssh_user",
        "t ansible_host={address} ansible_private_key_file={key}",
        "ansible_ssh_user=deploy",
        Has("I am deploy"),
    ),
    ("ansible_password", NO_KEY, "ansible_password='deploy secret'", Has("Accepted password")),
    ("ansible_ssh_pass", NO_KEY, "ansible_ssh_pass='deploy secret'", Has("Accepted password")),
    ("ansible_ssh_password", NO_KEY, "ansible_ssh_password='deploy secret'", Has("Accepted password")),
    ("ansible_private_key_file", NO_KEY, "ansible_private_key_file={key}", Has("I am deploy")),
    ("ansible_ssh_private_key_file", NO_KEY, "ansible_ssh_private_key_file={key}", Has("I am deploy")),
    (
        "ansible_ssh_private_key_passphrase",
        LOCKED,
        "ansible_ssh_private_key_passphrase='open sesame'",
        Has("I am deploy"),
    ),
    ("ansible_private_key_passphrase", LOCKED, "ansible_private_key_passphrase='open sesame'", Has("I am deploy")),
    ("ansible_ssh_args", PLAIN, "ansible_ssh_args='-o Port=9'", Has(":9: connection refused")),
    ("ansible_ssh_common_args", PLAIN, "ansible_ssh_common_args='-p 9'", Has(":9: connection refused")),
    ("ansible_ssh_extra_args", PLAIN, "ansible_ssh_extra_args='-6'", Has("no address of the wanted kind")),
    ("ansible_ssh_extra_args", PLAIN, "ansible_ssh_extra_args='-F /x'", Has("-F is not supported here")),
    ("ansible_timeout", SILENT, "ansible_timeout=1", Has("within 1 s")),
    ("ansible_ssh_timeout", SILENT, "ansible_ssh_timeout=1", Has("within 1 s")),
    ("ansible_host_key_checking", STRANGER, "ansible_host_key_checking=false", Has("I am deploy")),
    ("ansible_ssh_host_key_checking", STRANGER, "ansible_ssh_host_key_checking=false", Has("I am deploy")),
    ("ansible_become", PLAIN, "ansible_become=true", Has("I am root")),
    ("ansible_become", PLAIN, "ansible_become='{{ yes_or_no }}' yes_or_no=true", Has("I am root")),
    ("ansible_become_method", PLAIN, "ansible_become=true ansible_become_method=doas", Has("ran command")),
    ("ansible_become_user", PLAIN, "ansible_become=true ansible_become_user=admin", Has("I am admin")),
    (
        "ansible_become_user",
        PLAIN,
        "ansible_become=true ansible_become_user='{{ whom }}' whom=admin",
        Has("I am admin"),
    ),
    ("ansible_sudo_user", PLAIN, "ansible_become=true ansible_sudo_user=admin", Has("I am admin")),
    ("ansible_become_password", ADMIN, "ansible_become_password='admin secret'", Has("I am root")),
    ("ansible_become_pass", ADMIN, "ansible_become_pass='admin secret'", Has("I am root")),
    ("ansible_sudo_pass", ADMIN, "ansible_sudo_pass='admin secret'", Has("I am root")),
    ("ansible_become_flags", PLAIN, "ansible_become=true ansible_become_flags='-g adm'", Has("root of adm")),
    ("ansible_sudo_flags", PLAIN, "ansible_become=true ansible_sudo_flags='-g adm'", Has("root of adm")),
    ("ansible_become_exe", PLAIN, "ansible_become=true ansible_become_exe=/nonexistent/sudo", Has("/nonexistent/sudo")),
    ("ansible_sudo_exe", PLAIN, "ansible_become=true ansible_sudo_exe=/nonexistent/sudo", Has("/nonexistent/sudo")),
];

/// The variables that have a case.
pub(crate) fn tested() -> Vec<&'static str> {
    CASES.iter().map(|(name, ..)| *name).collect()
}

#[test]
fn every_connection_variable_makes_a_difference() {
    let host = Reached::new();
    let mut bare = std::collections::BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, line, more, seen) in CASES {
        let without = bare.entry(*line).or_insert_with(|| host.who(line, CONFIG, &[])).clone();
        let with = host.who(&format!("{line} {more}"), CONFIG, &[]);
        wrong.extend(judge(name, seen, &with, &without));
    }
    assert!(wrong.is_empty(), "{} variables make no difference\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn flags_say_who_logs_in_and_with_what() {
    let host = Reached::new();
    let bare = "t ansible_host={address}";
    let said = host.who(bare, CONFIG, &["-u", "deploy", "--private-key", "{key}"]);
    assert!(said.contains("I am deploy"), "{said}");
    for (name, rest) in [("-u", &["--private-key", "{key}"]), ("--private-key", &["-u", "deploy"])] {
        let said = host.who(bare, CONFIG, rest);
        assert!(!said.contains("I am deploy"), "without {name}: {said}");
    }
}

#[test]
fn flags_say_how_another_account_is_become() {
    let host = Reached::new();
    for (more, doas) in [(&["-b"][..], false), (&["-b", "--become-method", "doas"], true)] {
        let said = host.who(PLAIN, CONFIG, more);
        assert!(said.contains("I am root") && said.contains("ran command") == doas, "{more:?}: {said}");
    }
}

#[test]
fn passwords_are_asked_for_on_the_terminal() {
    let host = Reached::new();
    let bare = "t ansible_host={address} ansible_user=admin";
    let said = host.on_a_terminal("apply", bare, CONFIG, &["who.yml", "-k"], &[LOGIN]);
    assert!(said.contains("Accepted password for admin") && said.contains("I am admin"), "{said}");
    let said = host.on_a_terminal("apply", bare, CONFIG, &["who.yml", "-b", "-k", "-K"], &[LOGIN, (BECOME.0, "")]);
    assert!(said.contains("I am root"), "an empty answer is the same password: {said}");
    let keyed = "t ansible_host={address} ansible_user=admin ansible_private_key_file={key}";
    let said = host.on_a_terminal("apply", keyed, CONFIG, &["who.yml", "-b", "-K"], &[BECOME]);
    assert!(said.contains("I am root") && !said.contains("admin secret"), "{said}");
}

#[test]
fn a_play_says_how_its_hosts_are_reached() {
    let host = Reached::new();
    let runs = |text: &str| {
        host.lease.write("who.yml", text).unwrap();
        host.who("t ansible_host={address} ansible_private_key_file={key}", CONFIG, &["-u", "admin"])
    };
    assert!(runs(&who("", "")).contains("I am admin"));
    assert!(runs(&who("  remote_user: deploy\n", "")).contains("I am deploy"));
    assert!(!runs(&who("  connection: local\n", "")).contains("Accepted"));
    let doas = "become: true, become_method: doas";
    let task = |keys: &str| format!("{{command: \"true\", {keys}}}");
    let play = |rest: &str| format!("- {{hosts: all, gather_facts: false, remote_user: deploy, {rest}}}\n");
    host.lease.write("true.yml", "- command: \"true\"\n").unwrap();
    std::fs::create_dir_all(host.at("roles/yes/tasks")).unwrap();
    host.lease.write("roles/yes/tasks/main.yml", "- command: \"true\"\n").unwrap();
    let places = [
        play(&format!("{doas}, tasks: [{}]", task(""))),
        play(&format!("tasks: [{}]", task(doas))),
        play(&format!("tasks: [{}], handlers: [{{name: h, command: \"true\", {doas}}}]", task("notify: h"))),
        play(&format!("tasks: [{{block: [{}], {doas}}}]", task(""))),
        play(&format!("tasks: [{{import_tasks: true.yml, {doas}}}]")),
        play(&format!("roles: [{{role: yes, {doas}}}]")),
    ];
    for text in places {
        let without = text.replace(", become_method: doas", "");
        let (with, without, flags) = (runs(&text), runs(&without), without.replace("become: true", ADM));
        assert!(with.contains("ran command") && !without.contains("ran command"), "{text}\n{with}\n{without}");
        let flags = runs(&flags);
        assert!(flags.contains("GROUP=adm") && !without.contains("GROUP=adm"), "{flags}\n{without}");
    }
}

const ADM: &str = "become: true, become_flags: -g adm";

#[test]
fn facts_are_reached_for_like_any_run() {
    let host = Reached::new();
    let bare = "t ansible_host={address}";
    let facts = |more: &[&str]| host.run("facts", bare, CONFIG, &[&["--filter", "user_id"], more].concat());
    let login = ["-u", "deploy", "--private-key", "{key}"];
    let with = |more: &[&str]| facts(&[&login, more].concat());
    assert!(with(&[]).contains("user_id: deploy"), "{}", with(&[]));
    assert!(!facts(&login[..2]).contains("user_id: deploy") && !facts(&login[2..]).contains("user_id: deploy"));
    assert!(with(&["-b"]).contains("user_id: root"));
    assert!(with(&["-b", "--become-user", "admin"]).contains("user_id: admin"));
    assert!(with(&["-b", "--become-method", "doas"]).contains("ran command"));
    let unknown = host.run("facts", bare, "Host *\n", &login);
    assert!(unknown.contains("exit Some(4)"), "another configuration knows another key: {unknown}");
    let asked = ["--filter", "user_id", "-u", "admin", "-k", "-b", "-K"];
    let said = host.on_a_terminal("facts", bare, CONFIG, &asked, &[LOGIN, BECOME]);
    assert!(said.contains("user_id: root") && said.contains("Accepted password for admin"), "{said}");
}

#[test]
fn announce_looks_at_hosts_like_any_run() {
    let host = Reached::new();
    let bare = "t ansible_host={address} owner=alpha";
    let task = "{rollout: who, copy: {dest: /tmp/who, content: \"I am {{ ansible_user_id }}\\n\"}}";
    host.lease.write("who.yml", &format!("- {{hosts: all, tasks: [{task}]}}\n")).unwrap();
    let setting = crate::rollouts::setting("who", "opt-in: 2020-01-01, opt-out: 2020-02-01", "");
    host.lease.write("rollouts.yml", &format!("settings:\n{setting}")).unwrap();
    host.lease.write("group_vars/all.yml", "contacts: {alpha: alpha@example.org}\n").unwrap();
    let preview = ["-p", "who.yml", "--preview"];
    let announce = |more: &[&str]| host.run("announce", bare, CONFIG, &[&preview, more].concat());
    let login = ["-u", "deploy", "--private-key", "{key}"];
    let with = |more: &[&str]| announce(&[&login, more].concat());
    assert!(with(&[]).contains("+I am deploy"), "{}", with(&[]));
    assert!(!announce(&login[..2]).contains("I am deploy") && !announce(&login[2..]).contains("I am deploy"));
    assert!(with(&["-b"]).contains("+I am root"));
    assert!(with(&["-b", "--become-user", "admin"]).contains("+I am admin"));
    assert!(with(&["-b", "--become-method", "doas"]).contains("ran command"));
    let unknown = host.run("announce", bare, "Host *\n", &[preview.as_slice(), &login].concat());
    assert!(unknown.contains("exit Some(4)"), "another configuration knows another key: {unknown}");
    let asked = [preview.as_slice(), &["-u", "admin", "-k", "-b", "-K"]].concat();
    let said = host.on_a_terminal("announce", bare, CONFIG, &asked, &[LOGIN, BECOME]);
    assert!(said.contains("I am root") && said.contains("Accepted password for admin"), "{said}");
}

#[test]
fn trust_records_what_it_is_told_to() {
    let host = Reached::new();
    let line = "t ansible_host={address}\nu ansible_host={address} ansible_port={silent}\nl ansible_connection=local";
    let config = "Host *\n ConnectTimeout 1\n";
    let trust = |more: &[&str]| {
        let file = host.at("recorded");
        if std::path::Path::new(&file).exists() {
            std::fs::remove_file(&file).unwrap();
        }
        let said = host.run("trust", line, config, &[more, &["--known-hosts", "{home}/recorded"]].concat());
        (said, std::fs::read_to_string(&file).unwrap_or_default())
    };
    let (said, recorded) = trust(&["t"]);
    assert!(said.contains("SHA256:") && said.contains("--yes") && recorded.is_empty(), "nobody said yes: {said}");
    let (said, recorded) = trust(&["t", "--yes"]);
    assert!(said.starts_with("exit Some(0)"), "{said}");
    assert_eq!(recorded, host.filled("{address} {hostkey}\n"), "{said}");
    let (_, recorded) = trust(&["t", "--yes", "--hash"]);
    assert!(recorded.starts_with("|1|") && recorded.contains(host.lease.host().host_key()), "{recorded}");
    let (said, _) = trust(&["--yes"]);
    assert!(said.starts_with("exit Some(4)") && said.contains("u  unreachable"), "the pattern is all: {said}");
    let (said, _) = trust(&["-l", "t", "--yes"]);
    assert!(said.starts_with("exit Some(0)"), "{said}");
    let (said, _) = trust(&["t", "-e", "ansible_port=9", "--yes"]);
    assert!(said.contains(":9: connection refused"), "{said}");
    let (said, _) = trust(&["l"]);
    assert!(said.contains("names this machine only"), "{said}");
}
