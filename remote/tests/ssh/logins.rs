//! Keys, certificates, agents and passwords.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rectify_remote::{
    Failure, Kind, RemoteError, Secret,
    session::{Ask, BoxFuture, Connector, Target},
};

use crate::harness::{Setup, Sshd, connector, identity, key, keygen, mode, run, tool};

async fn fails(target: &Target) -> RemoteError {
    connector().connect(target).await.expect_err("nobody gets in")
}

/// Answers with one passphrase and counts the questions.
#[derive(Debug)]
struct Answers(&'static str, AtomicU32);

impl Ask for Answers {
    fn passphrase<'a>(&'a self, _: &'a Path, _: u32) -> BoxFuture<'a, Option<Secret>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Some(Secret::new(self.0)) })
    }
}

/// An ssh-agent that ends with the test.
struct Agent {
    process: Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(dir: &Path) -> Self {
        let socket = dir.join("agent");
        let mut command = Command::new(tool("ssh-agent", "openssh-client"));
        let process = command.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().expect("starts");
        // There is a moment between the socket's name and its first listener.
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        Self { process, socket }
    }

    fn add(&self, key: &Path) {
        let mut command = Command::new(tool("ssh-add", "openssh-client"));
        let out = command.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().expect("starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const KINDS: [&[&str]; 7] = [
    &["-t", "ed25519"],
    &["-t", "rsa"],
    &["-t", "ecdsa", "-b", "256"],
    &["-t", "ecdsa", "-b", "384"],
    &["-t", "ecdsa", "-b", "521"],
    &["-t", "rsa", "-m", "PEM"],
    &["-t", "ecdsa", "-m", "PKCS8"],
];

#[tokio::test]
async fn every_kind_of_key_file_gets_in() {
    let sshd = Sshd::start();
    for (i, kind) in KINDS.iter().enumerate() {
        let file = sshd.at(&format!("id{i}"));
        key(&file, kind);
        sshd.authorize(&file);
        let target = Target { identities: vec![identity(&file)], ..sshd.target() };
        connector().connect(&target).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
    }
}

/// One key in about 500: its number has 31 bytes, as `ssh-keygen` writes it.
const SHORT: &str = include_str!("short_p256");

#[tokio::test]
async fn a_key_whose_number_is_short_gets_in_open_and_locked() {
    let sshd = Sshd::start();
    let lock = ["-p", "-P", "", "-N", "a word"];
    let locked = [&lock[..], &["-Z", "aes256-ctr"]].concat();
    let sealed = [&lock[..], &["-Z", "aes256-gcm@openssh.com"]].concat();
    for (name, extra) in [("open", None), ("locked", Some(locked)), ("sealed", Some(sealed))] {
        let file = sshd.at(name);
        fs::write(&file, SHORT).unwrap();
        mode(&file, 0o600);
        let public = run("ssh-keygen", "openssh-client", &["-y", "-f", &file.display().to_string()]);
        fs::write(sshd.at("authorized"), public).unwrap();
        if let Some(extra) = extra {
            keygen(&[&["-q", "-f", &file.display().to_string()][..], &extra].concat());
        }
        let mut target = Target { identities: vec![identity(&file)], ..sshd.target() };
        target.passphrase = Some(Secret::new("a word"));
        connector().connect(&target).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let mut wrong = Target { identities: vec![identity(&sshd.at("locked"))], ..sshd.target() };
    wrong.passphrase = Some(Secret::new("another word"));
    assert!(fails(&wrong).await.to_string().contains("the passphrase is wrong"));
}

#[tokio::test]
async fn every_kind_of_agent_key_gets_in_and_identities_only_holds_the_others_back() {
    let sshd = Sshd::start();
    let agent = Agent::start(sshd.dir.path());
    for (i, kind) in KINDS[..4].iter().enumerate() {
        let file = sshd.at(&format!("id{i}"));
        key(&file, kind);
        agent.add(&file);
        fs::write(sshd.at("authorized"), "").unwrap();
        sshd.authorize(&file);
        // The private half is only in the agent.
        fs::remove_file(&file).unwrap();
        let target = Target { agent: Some(agent.socket.clone()), ..sshd.target() };
        connector().connect(&target).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        let only = Target { identities_only: true, ..target.clone() };
        assert_eq!(fails(&only).await.kind(), Kind::Auth, "{kind:?}");
        let file = sshd.at(&format!("id{i}.pub"));
        let named = Target { identities: vec![identity(&file)], ..only };
        connector().connect(&named).await.unwrap_or_else(|e| panic!("{kind:?} named by its public half: {e}"));
    }
}

#[tokio::test]
async fn certificates_get_in_beside_their_key_from_a_named_file_and_from_an_agent() {
    let sshd = Sshd::with(Setup { config: "TrustedUserCAKeys $DIR/ca.pub", ..Setup::default() });
    let ca = sshd.at("ca");
    key(&ca, &["-t", "ed25519"]);
    let agent = Agent::start(sshd.dir.path());
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let file = sshd.at(kind);
        key(&file, &["-t", kind]);
        let plain = Target { identities: vec![identity(&file)], ..sshd.target() };
        assert_eq!(fails(&plain).await.kind(), Kind::Auth, "{kind}: not without the certificate");
        keygen(&["-q", "-s", ca.to_str().unwrap(), "-I", "me", "-n", "root", &format!("{}.pub", file.display())]);
        connector().connect(&plain).await.unwrap_or_else(|e| panic!("{kind} beside the key: {e}"));

        let certificate = sshd.at(&format!("elsewhere-{kind}"));
        fs::rename(sshd.at(&format!("{kind}-cert.pub")), &certificate).unwrap();
        agent.add(&file);
        let named = Target {
            certificates: vec![certificate.clone()],
            agent: Some(agent.socket.clone()),
            identities_only: true,
            ..sshd.target()
        };
        connector().connect(&named).await.unwrap_or_else(|e| panic!("{kind} named, its key in the agent: {e}"));

        fs::rename(&certificate, sshd.at(&format!("{kind}-cert.pub"))).unwrap();
        let held = Agent::start(&{
            let dir = sshd.at(&format!("agent-{kind}"));
            fs::create_dir(&dir).unwrap();
            dir
        });
        held.add(&file);
        let target = Target { agent: Some(held.socket.clone()), ..sshd.target() };
        connector().connect(&target).await.unwrap_or_else(|e| panic!("{kind} in the agent: {e}"));
    }
}

#[tokio::test]
async fn a_passphrase_is_asked_for_once_for_all_hosts_and_only_if_the_key_is_wanted() {
    let sshd = Sshd::start();
    for (name, extra) in [("openssh", &["-t", "ed25519"][..]), ("pem", &["-t", "rsa", "-m", "PEM"])] {
        let file = sshd.at(name);
        key(&file, &[extra, &["-N", "open sesame"]].concat());
        let target = Target { identities: vec![identity(&file)], ..sshd.target() };
        let answers = Arc::new(Answers("open sesame", AtomicU32::new(0)));
        let connector = Connector::new(Arc::clone(&answers) as Arc<dyn Ask>);
        assert_eq!(connector.connect(&target).await.unwrap_err().kind(), Kind::Auth, "{name}");
        assert_eq!(answers.1.load(Ordering::SeqCst), 0, "{name}: the host does not want this key");
        sshd.authorize(&file);
        let hosts = (0..5).map(|_| {
            let (connector, target) = (connector.clone(), target.clone());
            tokio::spawn(async move { connector.connect(&target).await.map(drop) })
        });
        for host in hosts.collect::<Vec<_>>() {
            host.await.unwrap().unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        assert_eq!(answers.1.load(Ordering::SeqCst), 1, "{name}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_named_with_the_reason() {
    let sshd = Sshd::start();
    let locked = sshd.at("locked");
    key(&locked, &["-t", "ed25519", "-N", "open sesame"]);
    sshd.authorize(&locked);
    let open = sshd.at("open");
    key(&open, &["-t", "ed25519"]);
    mode(&open, 0o644);
    let garbage = sshd.at("garbage");
    fs::write(&garbage, "no key").unwrap();
    let other = sshd.at("other");
    key(&other, &["-t", "ed25519"]);
    let files = [&locked, &open, &garbage, &sshd.at("missing"), &other];
    let target = Target {
        identities: files.iter().map(|f| identity(f)).collect(),
        agent: Some(sshd.at("no-agent")),
        ..sshd.target()
    };
    let error = fails(&target).await;
    let Failure::Auth { user, tried, .. } = &error.failure else { panic!("{error}") };
    assert_eq!(user, "root");
    let result = |name: &str| {
        let found = tried.iter().find(|attempt| attempt.what.ends_with(name));
        found.map_or_else(|| panic!("{name} is missing in {tried:?}"), |attempt| attempt.result.clone())
    };
    assert!(result("locked").contains("encrypted"), "{error}");
    assert!(result("open").contains("others can read it (mode 0644): `chmod 600"), "{error}");
    assert!(result("garbage").contains("neither"), "{error}");
    assert_eq!(result("missing"), "no such file");
    assert_eq!(result("other"), "not accepted");
    assert!(result("no-agent").contains("No such file"), "{error}");

    let wrong = Connector::new(Arc::new(Answers("wrong", AtomicU32::new(0))));
    let only = Target { identities: vec![identity(&locked)], ..sshd.target() };
    let error = wrong.connect(&only).await.unwrap_err();
    assert!(error.to_string().contains("the passphrase is wrong"), "{error}");
}

#[tokio::test]
async fn a_host_that_hangs_up_after_too_many_keys_is_quoted() {
    let sshd = Sshd::with(Setup { config: "MaxAuthTries 2", ..Setup::default() });
    let identities = (0..4).map(|i| {
        let file = sshd.at(&format!("id{i}"));
        key(&file, &["-t", "ed25519"]);
        identity(&file)
    });
    let target = Target { identities: identities.collect(), ..sshd.target() };
    let error = fails(&target).await;
    assert!(error.to_string().contains("Too many authentication failures"), "{error}");
}

#[tokio::test]
async fn preferred_authentications_say_what_is_tried_and_in_which_order() {
    let sshd = Sshd::with(Setup { config: "PasswordAuthentication yes", ..Setup::default() });
    let with = |methods: &[&str]| Target {
        methods: Some(methods.iter().map(|m| (*m).to_owned()).collect()),
        password: Some(Secret::new("wrong")),
        ..sshd.with_key()
    };
    connector().connect(&with(&["gssapi-with-mic", "password", "publickey"])).await.unwrap();
    let unnamed = fails(&with(&["password"])).await.to_string();
    assert!(unnamed.contains("password: not accepted"), "{unnamed}");
    assert!(unnamed.contains("keys: the ssh configuration leaves them out"), "{unnamed}");
    let nobody = Target { identities: Vec::new(), ..with(&["publickey"]) };
    let silent = fails(&nobody).await.to_string();
    assert!(silent.contains("password: the ssh configuration leaves it out"), "{silent}");
}
