//! `rectify vault` over real files: what Ansible made is read, files are replaced as a whole, nothing is left behind.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use rectify_tests::rectify::binary;
use tempfile::TempDir;

/// `hello vault`, encrypted by `ansible-vault` of ansible-core 2.19.14 with the password `correct horse`.
const BY_ANSIBLE: &str = "$ANSIBLE_VAULT;1.1;AES256
62393665353032366265613165393338623937646662376634393635373339653737386331663265
3933333832316165633238326661633731396637363231630a353366313764363864626161633239
31303163316336646538626436343931313236396533656630396432633130343763613831613435
3831366166336261320a656465346161303838366263663932353262626332353736386366613033
6236
";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("pw", "correct horse\n");
        folder.write("pw2", "battery staple\n");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.0.path().join(name)).unwrap().mode() & 0o7777
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.0.path().join(name), Permissions::from_mode(mode)).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        self.write(name, &format!("#!/bin/sh\n{text}\n"));
        self.set_mode(name, 0o755);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary().unwrap());
        command.arg("vault").args(args).current_dir(self.0.path()).env_remove("ANSIBLE_VAULT_PASSWORD_FILE");
        command.env("XDG_RUNTIME_DIR", self.0.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it, and gives what it prints.
    fn well(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it, and gives what it complains of.
    fn badly(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(5), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The names in the folder, but for those that a test puts there.
    fn leftovers(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with('.') || name.contains("rectify")).collect()
    }
}

const PW: [&str; 2] = ["--vault-password-file", "pw"];

#[test]
fn what_ansible_encrypted_is_shown_and_decrypted() {
    let folder = Folder::new();
    folder.write("a", BY_ANSIBLE);
    assert_eq!(folder.well(&[&["view", "a"][..], &PW].concat()), "hello vault\n");
    folder.set_mode("a", 0o644);
    folder.well(&[&["decrypt", "a"][..], &PW].concat());
    assert_eq!((folder.read("a").as_str(), folder.mode("a")), ("hello vault\n", 0o600), "what is plain is private");
}

#[test]
fn a_file_is_replaced_as_a_whole_with_its_bits_and_through_links() {
    let folder = Folder::new();
    folder.write("file", "a: 1\n");
    folder.set_mode("file", 0o640);
    symlink("file", folder.0.path().join("link")).unwrap();
    let before = fs::metadata(folder.0.path().join("file")).unwrap().ino();
    folder.well(&[&["encrypt", "link"][..], &PW].concat());
    assert!(folder.read("file").starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    assert!(fs::symlink_metadata(folder.0.path().join("link")).unwrap().is_symlink());
    assert_eq!(folder.mode("file"), 0o640);
    assert_ne!(fs::metadata(folder.0.path().join("file")).unwrap().ino(), before);
    assert_eq!(folder.leftovers(), Vec::<String>::new());
    assert!(folder.badly(&[&["encrypt", "file"][..], &PW].concat()).contains("encrypted already"));
}

#[test]
fn rekeying_takes_all_files_or_none() {
    let folder = Folder::new();
    folder.write("a", BY_ANSIBLE);
    folder.write("b", "plain\n");
    folder.set_mode("a", 0o604);
    let new = ["--new-vault-id", "prod@pw2"];
    let said = folder.badly(&[&["rekey", "a", "b"][..], &PW, &new].concat());
    assert!(said.contains("b: it is no Ansible Vault"), "{said}");
    assert_eq!(folder.read("a"), BY_ANSIBLE, "nothing was written");
    folder.well(&[&["rekey", "a"][..], &PW, &new].concat());
    assert!(folder.read("a").starts_with("$ANSIBLE_VAULT;1.2;AES256;prod\n"));
    assert_eq!(folder.mode("a"), 0o604);
    assert_eq!(folder.well(&["view", "a", "--vault-id", "prod@pw2"]), "hello vault\n");
    let said = folder.badly(&[&["view", "a"][..], &PW].concat());
    assert!(said.contains("a: it is encrypted for the vault id `prod`") && said.contains("(tried: default)"), "{said}");
}

#[test]
fn passwords_come_from_programs_too_and_a_client_is_told_the_vault_id() {
    let folder = Folder::new();
    folder.write("a", BY_ANSIBLE);
    folder.program("say", "printf 'correct horse\\n'");
    folder.program("say-client", "test \"$1 $2\" = '--vault-id dev' && echo 'correct horse'");
    folder.program("fail", "exit 3");
    for id in ["dev@say", "dev@say-client", "say"] {
        assert_eq!(folder.well(&["view", "a", "--vault-id", id]), "hello vault\n", "{id}");
    }
    let said = folder.badly(&["view", "a", "--vault-id", "dev@fail"]);
    assert!(said.contains("fail") && said.contains("`dev`"), "{said}");
    let from_environment = folder.command(&["view", "a"]).env("ANSIBLE_VAULT_PASSWORD_FILE", "say").output().unwrap();
    assert_eq!(from_environment.stdout, b"hello vault\n");
    folder.write("rectify.toml", "vault_ids = [\"dev@say-client\"]\n");
    assert_eq!(folder.well(&["view", "a"]), "hello vault\n");
    folder.write("rectify.toml", "vault_password_file = \"say\"\n");
    assert_eq!(folder.well(&["view", "a"]), "hello vault\n");
}

#[test]
fn several_passwords_need_a_word_on_which_one_encrypts() {
    let folder = Folder::new();
    folder.write("f", "x\n");
    let both = ["--vault-id", "dev@pw", "--vault-id", "prod@pw2"];
    let said = folder.badly(&[&["encrypt", "f"][..], &both].concat());
    assert!(said.contains("dev, prod") && said.contains("--encrypt-vault-id"), "{said}");
    folder.well(&[&["encrypt", "f", "--encrypt-vault-id", "prod"][..], &both].concat());
    assert!(folder.read("f").starts_with("$ANSIBLE_VAULT;1.2;AES256;prod\n"));
}

#[test]
fn a_text_becomes_a_value_for_a_yaml_file() {
    let folder = Folder::new();
    let value = folder.well(&[&["encrypt-string", "-n", "token", "s3cret"][..], &PW].concat());
    assert!(value.starts_with("token: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          "), "{value}");
    let sealed: String = value.lines().skip(1).map(|line| format!("{}\n", line.trim())).collect();
    folder.write("f", &sealed);
    assert_eq!(folder.well(&[&["view", "f"][..], &PW].concat()), "s3cret");
    let mut child = folder.command(&[&["encrypt-string", "--stdin-name", "n"][..], &PW].concat());
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from stdin").unwrap();
    assert!(child.wait_with_output().unwrap().stdout.starts_with(b"n: !vault |\n"));
}

#[test]
fn an_edited_file_keeps_its_bits_and_nothing_plain_is_left() {
    let folder = Folder::new();
    folder.write("a.yml", BY_ANSIBLE);
    folder.set_mode("a.yml", 0o640);
    // The editor sees the text in a private place under the file's own name, and leaves a copy beside it as editors do.
    folder.program(
        "editor",
        "stat -c %a \"$(dirname \"$1\")\" \"$1\" >seen; basename \"$1\" >>seen; cp \"$1\" \"$1~\"; dirname \"$1\" >where; echo more >>\"$1\"",
    );
    let edit = |folder: &Folder| {
        let editor = folder.0.path().join("editor");
        folder.command(&[&["edit", "a.yml"][..], &PW].concat()).env("EDITOR", editor).output().unwrap()
    };
    assert!(edit(&folder).status.success());
    assert_eq!(folder.read("seen"), "700\n600\na.yml\n");
    assert!(!Path::new(folder.read("where").trim()).exists());
    assert_eq!(folder.mode("a.yml"), 0o640);
    assert_eq!(folder.well(&[&["view", "a.yml"][..], &PW].concat()), "hello vault\nmore\n");

    let before = folder.read("a.yml");
    folder.program("editor", "dirname \"$1\" >where; echo lost >\"$1\"; exit 1");
    assert_eq!(edit(&folder).status.code(), Some(5));
    assert_eq!(folder.read("a.yml"), before, "an editor that fails saves nothing");
    assert!(!Path::new(folder.read("where").trim()).exists());
    folder.program("editor", "true");
    assert!(edit(&folder).status.success());
    assert_eq!(folder.read("a.yml"), before, "what was not edited is not written");
    assert_eq!(folder.leftovers(), Vec::<String>::new());
}

#[test]
fn an_interrupted_edit_leaves_nothing_plain_behind() {
    let folder = Folder::new();
    folder.write("a.yml", BY_ANSIBLE);
    folder.program("editor", "dirname \"$1\" >.where.part; mv .where.part where; exec sleep 7907");
    let editor = folder.0.path().join("editor");
    let mut child = folder.command(&[&["edit", "a.yml"][..], &PW].concat()).env("EDITOR", editor).spawn().unwrap();
    while !folder.0.path().join("where").exists() {
        std::thread::yield_now();
    }
    let place = folder.read("where");
    assert!(Path::new(place.trim()).exists());
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(!Path::new(place.trim()).exists());
    assert_eq!(folder.read("a.yml"), BY_ANSIBLE);
}
