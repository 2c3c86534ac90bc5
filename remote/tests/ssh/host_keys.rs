//! Host keys: known, unknown, changed, revoked, certified.

use std::{
    fs,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use rectify_remote::{
    Failure, HostKeyProblem, HostKeyRefusal, Kind,
    known_hosts::{self, KnownHosts},
    session::{HostKey, HostKeys, KnownHostsJudge, Target, Unknown},
};

use crate::harness::{Setup, Sshd, connector, key, keygen, public};

/// A target judged by these lines.
fn judged(sshd: &Sshd, lines: &str, unknown: Unknown) -> Target {
    let file = sshd.at("known_hosts");
    fs::write(&file, lines).unwrap();
    Target { host_keys: KnownHostsJudge::boxed(KnownHosts::load([&file]).unwrap(), unknown), ..sshd.with_key() }
}

async fn refused(target: &Target) -> HostKeyRefusal {
    let error = connector().connect(target).await.expect_err("refused");
    assert_eq!(error.kind(), Kind::HostKey);
    assert!(error.hint().is_some());
    let Failure::HostKey(refusal) = error.failure else { panic!("{error}") };
    refusal
}

#[tokio::test]
async fn a_known_key_of_any_kind_is_asked_for_and_taken() {
    let sshd = Sshd::start();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let line = format!("[127.0.0.1]:{} {}\n", sshd.port, public(&sshd.at(&format!("host_{kind}"))));
        let target = judged(&sshd, &line, Unknown::Refuse);
        connector().connect(&target).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
    }
}

#[tokio::test]
async fn an_unknown_a_changed_and_a_revoked_key_are_refused_each_in_its_way() {
    let sshd = Sshd::start();
    let name = format!("[127.0.0.1]:{}", sshd.port);
    let unknown = refused(&judged(&sshd, "", Unknown::Refuse)).await;
    assert_eq!(unknown.problem, HostKeyProblem::Unknown);
    assert!(unknown.fingerprint.starts_with("SHA256:") && unknown.algorithm == "ssh-ed25519", "{unknown}");

    let other = sshd.at("other");
    key(&other, &["-t", "ed25519"]);
    let changed = refused(&judged(&sshd, &format!("\n{name} {}\n", public(&other)), Unknown::Refuse)).await;
    assert_eq!(changed.problem, HostKeyProblem::Changed);
    assert!(changed.location.as_ref().is_some_and(|at| at.ends_with("known_hosts:2")), "{changed}");

    let own = public(&sshd.at("host_ed25519"));
    let lines = format!("{name} {own}\n@revoked * {own}\n");
    assert_eq!(refused(&judged(&sshd, &lines, Unknown::Refuse)).await.problem, HostKeyProblem::Revoked);
}

#[tokio::test]
async fn accept_new_files_the_key_and_refuses_another_one() {
    let sshd = Sshd::start();
    let file = sshd.at("filed");
    let accept = Unknown::File { file: file.clone(), hash_names: false };
    let target = judged(&sshd, "", accept.clone());
    for _ in 0..2 {
        connector().connect(&target).await.unwrap();
    }
    let filed = fs::read_to_string(&file).unwrap();
    assert_eq!(filed.lines().count(), 1, "{filed}");
    assert!(filed.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", sshd.port)), "{filed}");
    fs::remove_file(sshd.at("host_ed25519")).unwrap();
    key(&sshd.at("host_ed25519"), &["-t", "ed25519"]);
    assert_eq!(refused(&target).await.problem, HostKeyProblem::Changed);
}

#[tokio::test]
async fn a_certified_host_key_is_taken_for_its_name_only() {
    let sshd = Sshd::with(Setup { config: "HostCertificate $DIR/host_ed25519-cert.pub", ..Setup::default() });
    let ca = sshd.at("ca");
    key(&ca, &["-t", "ed25519"]);
    let lines = format!("@cert-authority * {}\n", public(&ca));
    for (principal, good) in [("127.0.0.1", true), ("web1.example", false)] {
        let host = format!("{}.pub", sshd.at("host_ed25519").display());
        keygen(&["-q", "-s", ca.to_str().unwrap(), "-I", "host", "-h", "-n", principal, &host]);
        let target = judged(&sshd, &lines, Unknown::Refuse);
        if good {
            connector().connect(&target).await.unwrap();
        } else {
            assert!(matches!(refused(&target).await.problem, HostKeyProblem::Certificate(_)));
        }
    }
    let alias = Target { host_key_alias: Some("web1.example".to_owned()), ..judged(&sshd, &lines, Unknown::Refuse) };
    connector().connect(&alias).await.unwrap();
}

#[tokio::test]
async fn a_scan_takes_every_key_and_logs_in_nowhere() {
    let sshd = Sshd::start();
    let mut found: Vec<String> = connector().scan(&sshd.target()).await.unwrap().iter().map(|k| k.openssh()).collect();
    found.sort();
    let two = |line: String| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let mut own: Vec<String> =
        ["ed25519", "ecdsa", "rsa"].map(|kind| two(public(&sshd.at(&format!("host_{kind}"))))).into();
    own.sort();
    assert_eq!(found, own);
}

/// Notes which addresses it is asked about.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<Option<IpAddr>>>);

impl HostKeys for Asked {
    fn algorithms(&self, _: &known_hosts::Target<'_>) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, target: &known_hosts::Target<'_>, _: &HostKey) -> Result<(), HostKeyRefusal> {
        self.0.lock().unwrap().push(target.address);
        Ok(())
    }
}

#[tokio::test]
async fn the_address_that_answered_is_judged_where_that_is_asked_for() {
    let sshd = Sshd::start();
    let asked = Arc::new(Asked::default());
    for check_address in [false, true] {
        let judge = Arc::clone(&asked) as Arc<dyn HostKeys>;
        let target = Target { address: "localhost".into(), host_keys: judge, check_address, ..sshd.with_key() };
        connector().connect(&target).await.unwrap();
    }
    assert_eq!(*asked.0.lock().unwrap(), [None, Some("127.0.0.1".parse().unwrap())]);
}
