//! Our decisions on host keys against those of a real `ssh` that talks to a real `sshd`.
//!
//! The server is started by `ProxyCommand sshd -i`, so no port is opened and the host may have any name.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod openssh;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use openssh::{hashed, keygen_ok, new_key, ssh, text, tool};
use rectify_remote::known_hosts::{Decision, KnownHosts, Offered, Target};
use russh::keys::ssh_key::{Certificate, PublicKey};

/// What a server shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Server {
    /// One ed25519 key.
    Plain,
    /// ed25519, ECDSA and RSA keys.
    Three,
    /// The ed25519 key in a certificate, by this name.
    Cert(&'static str),
}
use Server::{Cert, Plain, Three};

#[derive(Debug, PartialEq)]
enum Verdict {
    Trusted,
    Unknown,
    Changed,
    Revoked,
}
use Verdict::{Changed, Revoked, Trusted, Unknown};

struct Case {
    server: Server,
    host: &'static str,
    port: u16,
    alias: Option<&'static str>,
    known: String,
    /// What both have to say: without it a harness that never gets through would agree with everything.
    verdict: Verdict,
}

/// The stage: keys, certificates, configurations of servers.
struct Stage {
    folder: tempfile::TempDir,
    ed: String,
    ec: String,
    rsa: String,
    /// Keys of somebody else.
    ed2: String,
    rsa2: String,
    ca: String,
    ca2: String,
    ca_rsa: String,
}

/// Name, and the arguments that make the certificate out of the server's ed25519 key.
const CERTIFICATES: [(&str, &str, &[&str]); 9] = [
    ("good", "ca", &["-h", "-n", "web1.example,10.0.0.7,alias1", "-V", "-1d:+1d"]),
    ("everyone", "ca", &["-h"]),
    ("expired", "ca", &["-h", "-n", "web1.example", "-V", "-3d:-2d"]),
    ("future", "ca", &["-h", "-n", "web1.example", "-V", "+2d:+3d"]),
    ("other", "ca", &["-h", "-n", "web2.example"]),
    ("wildcard", "ca", &["-h", "-n", "*.example"]),
    ("user", "ca", &["-n", "web1.example"]),
    ("sha1", "ca_rsa", &["-t", "ssh-rsa", "-h", "-n", "web1.example"]),
    ("sha2", "ca_rsa", &["-t", "rsa-sha2-256", "-h", "-n", "web1.example"]),
];

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = |name, kind| new_key(folder.path(), name, kind);
        let (ed, ec, rsa) = (key("ed", "ed25519"), key("ec", "ecdsa"), key("rsa", "rsa"));
        let (ed2, rsa2) = (key("ed2", "ed25519"), key("rsa2", "rsa"));
        let (ca, ca2, ca_rsa) = (key("ca", "ed25519"), key("ca2", "ecdsa"), key("ca_rsa", "rsa"));
        let stage = Self { ed, ec, rsa, ed2, rsa2, ca, ca2, ca_rsa, folder };
        for (name, authority, arguments) in CERTIFICATES {
            std::fs::copy(stage.file("ed.pub"), stage.file(&format!("{name}.pub"))).unwrap();
            let (authority, key) = (stage.path(authority), stage.path(&format!("{name}.pub")));
            keygen_ok(&[&["-q", "-s", &authority, "-I", name], arguments, &[&key]].concat());
            stage.config(name, &["ed"], Some(&format!("{name}-cert.pub")));
        }
        stage.config("plain", &["ed"], None);
        stage.config("three", &["ed", "ec", "rsa"], None);
        stage
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    fn config(&self, name: &str, keys: &[&str], certificate: Option<&str>) {
        let mut config =
            String::from("UsePAM no\nStrictModes no\nPidFile none\nLogLevel QUIET\nAuthorizedKeysFile none\n");
        for key in keys {
            config += &format!("HostKey {}\n", self.path(key));
        }
        if let Some(certificate) = certificate {
            config += &format!("HostCertificate {}\n", self.path(certificate));
        }
        std::fs::write(self.file(&format!("{name}.conf")), config).unwrap();
    }

    fn config_of(&self, server: Server) -> String {
        let name = match server {
            Plain => "plain",
            Three => "three",
            Cert(name) => name,
        };
        self.path(&format!("{name}.conf"))
    }

    /// The verdict of ssh, and the host key algorithm that it negotiated.
    fn theirs(&self, case: &Case) -> (Verdict, String) {
        let sshd = tool("sshd", "openssh-server");
        // sshd insists on its folder for privilege separation, which only its service makes.
        let _ = std::fs::create_dir("/run/sshd");
        let mut ssh = Command::new(ssh());
        ssh.args(["-v", "-F", "none", "-p", &case.port.to_string()]);
        let mut option = |name: &str, value: &str| _ = ssh.args(["-o", &format!("{name}={value}")]);
        option("ProxyCommand", &format!("{} -i -f {}", sshd.display(), self.config_of(case.server)));
        option("UserKnownHostsFile", &self.path("known_hosts"));
        option("GlobalKnownHostsFile", "/dev/null");
        option("StrictHostKeyChecking", "yes");
        option("BatchMode", "yes");
        option("PreferredAuthentications", "none");
        option("IdentityAgent", "none");
        if let Some(alias) = case.alias {
            option("HostKeyAlias", alias);
        }
        let out = ssh.args([case.host, "true"]).stdin(Stdio::null()).output().unwrap();
        let said = text(&out.stderr);
        let algorithm = said.lines().find_map(|line| line.split_once("kex: host key algorithm: "));
        let algorithm = algorithm.unwrap_or_else(|| panic!("no key exchange: {said}")).1.trim().to_owned();
        let verdict = if said.contains("REVOKED HOST KEY DETECTED") || said.contains("host key is revoked") {
            Revoked
        } else if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            Changed
        } else if said.contains("host key is known for") {
            Unknown
        } else if said.contains("Permission denied") {
            Trusted
        } else {
            panic!("cannot read the verdict of ssh: {said}")
        };
        (verdict, algorithm)
    }

    /// Our verdict on what ssh was offered.
    fn ours(&self, case: &Case) -> (Decision, String) {
        let known = KnownHosts::load([self.file("known_hosts")]).unwrap();
        let target = Target { host: case.host, port: case.port, alias: case.alias, address: None };
        let order = known.algorithms_for(&target).order(&PREFERENCE);
        let has = |name: &str| match case.server {
            Plain => name == "ssh-ed25519",
            Three => matches!(name, "ssh-ed25519" | "ecdsa-sha2-nistp256" | "rsa-sha2-512"),
            Cert(_) => matches!(name, "ssh-ed25519" | "ssh-ed25519-cert-v01@openssh.com"),
        };
        let algorithm = order.into_iter().find(|name| has(name)).unwrap();
        let decision = match algorithm.as_str() {
            "ssh-ed25519-cert-v01@openssh.com" => {
                let Cert(name) = case.server else { panic!("no certificate here") };
                let certificate = Certificate::read_file(&self.file(&format!("{name}-cert.pub"))).unwrap();
                known.decide(&target, Offered::Certificate(&certificate))
            }
            plain => {
                let key = match plain {
                    "ssh-ed25519" => &self.ed,
                    "rsa-sha2-512" => &self.rsa,
                    _ => &self.ec,
                };
                known.decide(&target, Offered::Key(&PublicKey::from_openssh(key).unwrap()))
            }
        };
        (decision, algorithm)
    }

    fn hashed(&self, name: &str) -> String {
        hashed(self.folder.path(), name, &self.ed)
    }
}

/// The default of ssh 9.2, without security keys.
const PREFERENCE: [&str; 12] = [
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

fn same(ours: &Decision, theirs: &Verdict) -> bool {
    match ours {
        Decision::Trusted { .. } => *theirs == Trusted,
        Decision::Unknown { .. } | Decision::BadCertificate { .. } => *theirs == Unknown,
        Decision::Changed { .. } => *theirs == Changed,
        Decision::Revoked { .. } => *theirs == Revoked,
        Decision::AddressDiffers { .. } => false,
    }
}

fn at(server: Server, host: &'static str, port: u16, known: String, verdict: Verdict) -> Case {
    Case { server, host, port, alias: None, known, verdict }
}

fn web1(server: Server, known: String, verdict: Verdict) -> Case {
    at(server, "web1.example", 22, known, verdict)
}

fn aliased(server: Server, alias: &'static str, known: String, verdict: Verdict) -> Case {
    Case { alias: Some(alias), ..at(server, "web1.example", 2222, known, verdict) }
}

fn keys(stage: &Stage) -> Vec<Case> {
    let Stage { ed, ec, rsa, ed2, rsa2, .. } = stage;
    let (hash, hash_port) = (stage.hashed("web1.example"), stage.hashed("[web1.example]:2222"));
    vec![
        web1(Plain, String::new(), Unknown),
        web1(Plain, format!("web1.example {ed}\n"), Trusted),
        web1(Plain, format!("web1.example {ed2}\n"), Changed),
        web1(Plain, format!("web1.example {rsa2}\n"), Changed),
        web1(Plain, format!("web1.example {ed2}\nweb1.example {rsa2}\nweb1.example {ed}\n"), Trusted),
        web1(Plain, format!("web2.example {ed}\n"), Unknown),
        at(Plain, "WEB1.Example", 22, format!("web1.example {ed}\n"), Trusted),
        web1(Plain, format!("Web1.EXAMPLE {ed}\n"), Trusted),
        web1(Plain, format!("*.example {ed}\n"), Trusted),
        web1(Plain, format!("*.example,!web1.example {ed}\n"), Unknown),
        web1(Plain, format!("*.example,!web1.example {ed2}\nweb?.* {ed}\n"), Trusted),
        web1(Plain, format!("{hash} {ed}\n"), Trusted),
        web1(Plain, format!("{hash} {ed2}\n"), Changed),
        web1(Plain, format!("{hash},web1.example {ed}\n"), Unknown),
        web1(Plain, format!("web1.example\t{}\n", ed.replace(' ', "\t")), Trusted),
        web1(Plain, format!("web1.example {ed} a comment\r\n"), Trusted),
        web1(Plain, format!("web1.example {ed}\r\n"), Trusted),
        web1(Plain, format!("web1.example ssh-ed25519 AAAA\nweb1.example {ed}\n"), Trusted),
        web1(Plain, "web1.example ssh-ed25519 AAAA\n".to_owned(), Unknown),
        web1(Plain, format!("garbage\n\u{feff}\nweb1.example {}\n", ed.replace("ssh-ed25519", "ssh-rsa")), Unknown),
        web1(Plain, format!("@revoked * {ed}\nweb1.example {ed}\n"), Revoked),
        web1(Plain, format!("web1.example {ed}\n@revoked web1.example {ed}\n"), Revoked),
        web1(Plain, format!("@revoked web1.example {ed2}\nweb1.example {ed}\n"), Trusted),
        web1(Plain, format!("@revoked web1.example {ed2}\n"), Unknown),
        web1(Plain, format!("@cert-authority web1.example {ed}\n"), Unknown),
        web1(Plain, format!("@nonsense web1.example {ed}\n"), Unknown),
        at(Plain, "web1.example", 2222, format!("[web1.example]:2222 {ed}\n"), Trusted),
        at(Plain, "web1.example", 2222, format!("{hash_port} {ed}\n"), Trusted),
        at(Plain, "web1.example", 2222, format!("web1.example {ed}\n"), Trusted),
        at(Plain, "web1.example", 2222, format!("web1.example {ed2}\n"), Unknown),
        at(Plain, "web1.example", 2222, format!("[web1.example]:2222 {ed2}\nweb1.example {ed}\n"), Changed),
        at(Plain, "web1.example", 2222, format!("[web1.example]:22* {ed}\n"), Trusted),
        web1(Plain, format!("[web1.example]:2222 {ed}\n"), Unknown),
        web1(Plain, format!("[web1.example]:22 {ed}\n"), Unknown),
        at(Plain, "10.0.0.7", 22, format!("10.0.0.* {ed}\n"), Trusted),
        at(Plain, "2001:db8::1", 22, format!("2001:db8::1 {ed}\n"), Trusted),
        at(Plain, "2001:DB8:0::1", 2200, format!("[2001:db8::1]:2200 {ed}\n"), Trusted),
        aliased(Plain, "alias1", format!("alias1 {ed}\n"), Trusted),
        aliased(Plain, "ALIAS1", format!("alias1 {ed}\n"), Trusted),
        aliased(Plain, "ALIAS1", format!("{} {ed}\n", stage.hashed("alias1")), Trusted),
        aliased(Plain, "alias1", format!("[web1.example]:2222 {ed}\nweb1.example {ed}\n"), Unknown),
        aliased(Plain, "alias1", format!("[alias1]:2222 {ed}\n"), Unknown),
        // What is known decides what is asked for.
        web1(Three, format!("web1.example {rsa}\n"), Trusted),
        web1(Three, format!("web1.example {ec}\nweb1.example {rsa2}\n"), Trusted),
        web1(Three, format!("web1.example {rsa2}\n"), Changed),
        web1(Three, format!("web1.example {ed2}\nweb1.example {rsa}\n"), Changed),
        web1(Three, format!("@revoked web1.example {ed}\nweb1.example {ed}\nweb1.example {rsa}\n"), Trusted),
        at(Three, "web1.example", 2222, format!("web1.example {rsa}\n"), Unknown),
    ]
}

fn certificates(stage: &Stage) -> Vec<Case> {
    let Stage { ed, ed2, ca, ca2, ca_rsa, .. } = stage;
    let bare = ca;
    let ca = format!("@cert-authority *.example,alias1 {bare}\n");
    let port = |server, known, verdict| at(server, "web1.example", 2222, known, verdict);
    vec![
        web1(Cert("good"), ca.clone(), Trusted),
        web1(Cert("good"), format!("{ca}web1.example {ed2}\n"), Trusted),
        web1(Cert("good"), format!("@cert-authority *.example {ca2}\n"), Unknown),
        web1(Cert("good"), format!("@cert-authority *.example {ca2}\n@cert-authority web1.example {bare}\n"), Trusted),
        web1(Cert("good"), format!("@cert-authority *.example {ca2}\nweb1.example {ed}\n"), Trusted),
        web1(Cert("good"), format!("web1.example {ed}\n"), Trusted),
        web1(Cert("good"), String::new(), Unknown),
        web1(Cert("good"), format!("{ca}@revoked * {bare}\n"), Revoked),
        web1(Cert("good"), format!("{ca}@revoked * {ed}\n"), Revoked),
        web1(Cert("good"), ca.replacen("*.example", "*.example,!web1.example", 1), Unknown),
        port(Cert("good"), ca.clone(), Trusted),
        port(Cert("good"), ca.replacen("*.example", "[*.example]:2222", 1), Trusted),
        at(Cert("good"), "web2.example", 22, ca.clone(), Unknown),
        at(Cert("good"), "WEB1.example", 22, ca.clone(), Trusted),
        aliased(Cert("good"), "alias1", ca.clone(), Trusted),
        aliased(Cert("good"), "ALIAS1", ca.clone(), Trusted),
        aliased(Cert("good"), "alias1", format!("@cert-authority web1.example {bare}\n"), Unknown),
        web1(Cert("everyone"), ca.clone(), Trusted),
        web1(Cert("expired"), ca.clone(), Unknown),
        web1(Cert("expired"), format!("{ca}web1.example {ed}\n"), Trusted),
        web1(Cert("expired"), format!("{ca}web1.example {ed2}\n"), Changed),
        web1(Cert("future"), ca.clone(), Unknown),
        web1(Cert("other"), ca.clone(), Unknown),
        port(Cert("other"), format!("{ca}web1.example {ed}\n"), Trusted),
        web1(Cert("wildcard"), ca.clone(), Unknown),
        web1(Cert("user"), ca.clone(), Unknown),
        web1(Cert("sha1"), format!("@cert-authority * {ca_rsa}\n"), Unknown),
        web1(Cert("sha2"), format!("@cert-authority * {ca_rsa}\n"), Trusted),
    ]
}

fn agree(stage: &Stage, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        std::fs::write(stage.file("known_hosts"), &case.known).unwrap();
        let (theirs, their_algorithm) = stage.theirs(&case);
        let (ours, our_algorithm) = stage.ours(&case);
        if !same(&ours, &theirs) || theirs != case.verdict || our_algorithm != their_algorithm {
            let Case { server, host, port, alias, known, verdict } = &case;
            wrong.push(format!(
                "{server:?} {host}:{port} {alias:?}: expected {verdict:?}, ssh {theirs:?} ({their_algorithm}), ours {ours:?} ({our_algorithm})\n{known}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} disagreements:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn keys_are_judged_as_ssh_does() {
    let stage = Stage::new();
    agree(&stage, keys(&stage));
}

#[test]
fn certificates_are_judged_as_ssh_does() {
    let stage = Stage::new();
    agree(&stage, certificates(&stage));
}

#[test]
fn the_faults_of_certificates_are_named() {
    let stage = Stage::new();
    std::fs::write(
        stage.file("known_hosts"),
        format!("@cert-authority * {}\n@cert-authority * {}\n", stage.ca, stage.ca_rsa),
    )
    .unwrap();
    let known = KnownHosts::load([stage.file("known_hosts")]).unwrap();
    for (name, says) in [
        ("expired", "expired"),
        ("future", "not valid before"),
        ("other", "it is for web2.example, not for web1.example"),
        ("user", "not a host certificate"),
        ("sha1", "too weak"),
    ] {
        let certificate = Certificate::read_file(&stage.file(&format!("{name}-cert.pub"))).unwrap();
        let decision = known.decide(&Target::new("web1.example", 22), Offered::Certificate(&certificate));
        let Decision::BadCertificate { fault, at } = decision else { panic!("{name}: {decision:?}") };
        assert!(fault.to_string().contains(says), "{name}: {fault}");
        assert!(at.line > 0);
    }
}
