//! What opens and makes encrypted files: the options that every verb with an inventory takes, and those of `vault`.

use std::process::Stdio;

use crate::local::{Folder, Said, said};

/// What a vault password can be given by; the last one needs a terminal.
const GIVEN: [&[&str]; 2] = [&["--vault-password-file", "pw"], &["--vault-id", "prod@pw"]];
const ASKED: (&str, &str) = ("Vault password: ", "pw1");

/// A folder with two passwords, and an inventory whose one host has encrypted variables.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("pw", "pw1\n");
    folder.write("pw2", "pw2\n");
    folder.write("hosts", "a ansible_host=127.0.0.1 ansible_port=9\n");
    folder.write("site.yml", "- hosts: a\n  gather_facts: false\n  tasks: [{command: \"true\"}]\n");
    folder.write("host_vars/a.yml", "word: bar\n");
    folder.write("settled.yml", "- hosts: a\n  tasks: [{rollout: banner, command: \"true\"}]\n");
    let setting = crate::rollouts::setting("banner", "opt-in: 2020-01-01, opt-out: 2020-02-01", "");
    folder.write("rollouts.yml", &format!("settings:\n{setting}"));
    folder.write("group_vars/all.yml", "owner: alpha\ncontacts: {alpha: alpha@example.org}\n");
    folder.write("plain", "in the clear\n");
    ran(&folder, "encrypt --vault-password-file pw host_vars/a.yml");
    folder
}

/// An editor that adds a line.
fn editor(folder: &Folder) -> String {
    let path = folder.write("editor", "#!/bin/sh\necho more >>\"$1\"\n");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder.at("editor")
}

fn vault(folder: &Folder, words: &str) -> Said {
    folder.run(&[&["vault"], words.split_whitespace().collect::<Vec<_>>().as_slice()].concat())
}

fn ran(folder: &Folder, words: &str) -> String {
    let said = vault(folder, words);
    assert_eq!(said.code, Some(0), "{words}: {}", said.all());
    said.stdout
}

fn text(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn every_verb_with_an_inventory_opens_what_is_encrypted() {
    const CLOSED: &str = "no vault password was given";
    let folder = folder();
    for verb in [
        "check site.yml",
        "apply site.yml",
        "lint site.yml",
        "graph site.yml",
        "inventory",
        "facts",
        "trust",
        "rollout status -p settled.yml",
        "rollout why a banner -p settled.yml",
        "rollout advance banner -p settled.yml",
        "rollout object banner --as alpha --reason no -p settled.yml",
        "rollout import -p settled.yml",
        "announce -p settled.yml --preview",
        "drift site.yml",
    ] {
        let words: Vec<&str> = verb.split_whitespace().chain(["-i", "hosts"]).collect();
        let closed = folder.run(&words);
        assert!(closed.code == Some(5) && closed.stderr.contains(CLOSED), "{verb}: {}", closed.all());
        for given in GIVEN {
            let said = folder.run(&[&words, given].concat());
            assert!(said.code != Some(5) && !said.stderr.contains(CLOSED), "{verb} {given:?}: {}", said.all());
        }
        let shown = folder.on_a_terminal(&[words.as_slice(), &["-J"]].concat(), &[ASKED]);
        assert!(shown.contains(ASKED.0) && !shown.contains("error[vault]"), "{verb}: {shown}");
    }
}

#[test]
fn the_configuration_and_the_environment_name_passwords_too() {
    let folder = folder();
    let args = ["inventory", "-i", "hosts", "--host", "a"];
    for name in ["RECTIFY_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"] {
        let opened = said(folder.command(&args).env(name, "pw"));
        assert!(opened.stdout.contains("bar"), "{name}: {}", opened.all());
    }
    for line in ["vault_password_file = \"pw\"", "vault_ids = [\"prod@pw\"]"] {
        folder.write("rectify.toml", line);
        assert!(folder.run(&args).stdout.contains("bar"), "{line}");
    }
}

#[test]
fn vault_encrypts_where_and_with_what_it_is_told_to() {
    let folder = folder();
    for given in GIVEN {
        folder.write("file", "x");
        ran(&folder, &format!("encrypt file {}", given.join(" ")));
        assert!(text(&folder, "file").starts_with("$ANSIBLE_VAULT"));
        assert_eq!(ran(&folder, &format!("view file {}", given.join(" "))), "x");
        ran(&folder, &format!("decrypt file {}", given.join(" ")));
        assert_eq!(text(&folder, "file"), "x");
    }
    ran(&folder, "encrypt plain --output sealed --vault-password-file pw");
    assert_eq!(text(&folder, "plain"), "in the clear\n");
    ran(&folder, "decrypt sealed --output opened --vault-password-file pw");
    assert_eq!(
        (text(&folder, "opened").as_str(), text(&folder, "sealed").contains("clear")),
        ("in the clear\n", false)
    );
    let two = "--vault-id one@pw --vault-id two@pw2";
    assert_eq!(vault(&folder, &format!("encrypt plain {two}")).code, Some(5), "with which of the two?");
    ran(&folder, &format!("encrypt plain {two} --encrypt-vault-id two"));
    assert!(text(&folder, "plain").starts_with("$ANSIBLE_VAULT;1.2;AES256;two"));
    ran(&folder, "rekey plain --vault-password-file pw2 --new-vault-password-file pw");
    ran(&folder, "rekey plain --vault-id x@pw --new-vault-id three@pw2");
    assert!(text(&folder, "plain").starts_with("$ANSIBLE_VAULT;1.2;AES256;three"));
    assert_eq!(ran(&folder, "view plain --vault-password-file pw2"), "in the clear\n");
}

#[test]
fn vault_edits_and_creates_in_an_editor() {
    let folder = folder();
    let editor = editor(&folder);
    ran(&folder, "encrypt plain --vault-password-file pw");
    for given in GIVEN {
        let edited = said(folder.command(&[&["vault", "edit", "plain"], given].concat()).env("EDITOR", &editor));
        assert_eq!(edited.code, Some(0), "{}", edited.all());
    }
    assert_eq!(ran(&folder, "view plain --vault-password-file pw"), "in the clear\nmore\nmore\n");
    for (given, name) in GIVEN.iter().zip(["new", "newer"]) {
        let made = said(folder.command(&[&["vault", "create", name], *given].concat()).env("EDITOR", &editor));
        assert_eq!(made.code, Some(0), "{}", made.all());
        assert_eq!(ran(&folder, &format!("view {name} --vault-password-file pw")), "more\n");
    }
    let two =
        ["vault", "create", "other", "--vault-id", "one@pw", "--vault-id", "two@pw2", "--encrypt-vault-id", "two"];
    assert_eq!(said(folder.command(&two).env("EDITOR", &editor)).code, Some(0));
    assert!(text(&folder, "other").starts_with("$ANSIBLE_VAULT;1.2;AES256;two"));
}

#[test]
fn vault_encrypts_texts_as_values() {
    let folder = folder();
    for given in GIVEN {
        let out = ran(&folder, &format!("encrypt-string secret -n word {}", given.join(" ")));
        assert!(out.starts_with("word: !vault |\n"), "{out}");
    }
    let pw = ["--vault-password-file", "pw"];
    ran(&folder, "encrypt-string secret -n word --output host_vars/a.yml --vault-password-file pw");
    let seen = folder.run(&[&["check", "site.yml", "-i", "hosts"], &pw[..]].concat());
    assert_ne!(seen.code, Some(5), "{}", seen.all());
    let mut piped = folder.command(&[&["vault", "encrypt-string", "--stdin-name", "piped"], &pw[..]].concat());
    let file = std::fs::File::open(folder.path().join("plain")).unwrap();
    let said = said(piped.stdin(Stdio::from(file)));
    assert!(said.stdout.starts_with("piped: !vault |\n"), "{}", said.all());
    let two = "encrypt-string secret --vault-id one@pw --vault-id two@pw2 --encrypt-vault-id two";
    assert!(ran(&folder, two).contains("$ANSIBLE_VAULT;1.2;AES256;two"));
    let words = ["vault", "encrypt-string", "--prompt", "-n", "typed", "--vault-password-file", "pw"];
    let shown = folder.on_a_terminal(&words, &[("Text to encrypt: ", "secret")]);
    assert!(shown.contains("typed: !vault |"), "{shown}");
}

#[test]
fn vault_asks_for_passwords_on_the_terminal() {
    let folder = folder();
    editor(&folder);
    let asked = |words: &str, answers: &[(&str, &str)]| {
        let words: Vec<&str> = ["vault"].into_iter().chain(words.split_whitespace()).collect();
        folder.on_a_terminal(&words, answers)
    };
    let new = [("New vault password: ", "pw1"), ("The same again: ", "pw1")];
    asked("encrypt plain -J", &new);
    assert!(text(&folder, "plain").starts_with("$ANSIBLE_VAULT"));
    asked("rekey plain -J --new-vault-password-file pw2", &[ASKED]);
    assert_eq!(ran(&folder, "view plain --vault-password-file pw2"), "in the clear\n");
    asked("edit plain -J", &[(ASKED.0, "pw2")]);
    asked("decrypt plain -J", &[(ASKED.0, "pw2")]);
    assert_eq!(text(&folder, "plain"), "in the clear\nmore\n");
    assert!(asked("view host_vars/a.yml -J", &[ASKED]).contains("word: bar"));
    asked("create new -J", &new);
    assert_eq!(ran(&folder, "view new --vault-password-file pw"), "more\n");
    assert!(asked("encrypt-string secret -J", &new).contains("!vault"));
}
