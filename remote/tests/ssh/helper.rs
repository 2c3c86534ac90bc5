//! The exchange over SSH and without it.

use std::{fs, time::Duration};

use rectify_remote::{
    Kind, exchange,
    session::{Target, Timeouts},
};

use crate::harness::{Setup, Sshd, connector, start};

#[tokio::test]
async fn frames_go_both_ways_behind_any_banner() {
    let sshd = Sshd::with(Setup { config: "Banner $DIR/config", ..Setup::default() });
    fs::write(sshd.at("home/.bashrc"), "echo Welcome to $HOSTNAME; printf unfinished; echo more >&2\n").unwrap();
    let start = start(&sshd.at("bin"));
    for round in ["missing", "there"] {
        let session = connector().connect(&sshd.with_key()).await.unwrap();
        let (mut sender, mut receiver) = exchange::over(session, &start).await.unwrap().split();
        assert_eq!(receiver.receive().await.unwrap().unwrap(), "root", "{round}");
        assert_eq!(receiver.receive().await.unwrap().unwrap(), "the plan", "{round}");
        let large: Vec<u8> = (0..3_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let sent = large.clone();
        let sending = tokio::spawn(async move {
            sender.send(sent).await.unwrap();
            sender.finish().await;
            sender
        });
        assert_eq!(receiver.receive().await.unwrap().unwrap(), large, "{round}");
        assert_eq!(receiver.receive().await.unwrap(), None, "{round}: the stand-in ends with its input");
        assert!(receiver.epitaph().await.contains("exit status 0"), "{round}");
        drop(sending.await.unwrap());
    }
}

#[tokio::test]
async fn a_helper_whose_controller_goes_away_sees_the_end_of_its_input() {
    let sshd = Sshd::start();
    let told = sshd.at("told");
    let text = crate::harness::HELPER.replace("exec cat", &format!("cat >/dev/null; echo over >{}", told.display()));
    let mut start = start(&sshd.at("bin"));
    let arch = start.images.architectures().next().unwrap().to_owned();
    start.images = rectify_remote::helper::Images::new([(arch, text.into_bytes())]);
    let session = connector().connect(&sshd.with_key()).await.unwrap();
    let mut exchange = exchange::over(session, &start).await.unwrap();
    exchange.receiver.receive().await.unwrap().unwrap();
    drop(exchange);
    while fs::read_to_string(&told).unwrap_or_default() != "over\n" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_helper_that_dies_is_lost_with_its_last_words() {
    let sshd = Sshd::start();
    let text = crate::harness::HELPER.replace("exec cat", "echo it hurts >&2; kill -9 $$");
    let mut start = start(&sshd.at("bin"));
    let arch = start.images.architectures().next().unwrap().to_owned();
    start.images = rectify_remote::helper::Images::new([(arch, text.into_bytes())]);
    let session = connector().connect(&sshd.with_key()).await.unwrap();
    let mut exchange = exchange::over(session, &start).await.unwrap();
    while exchange.receiver.receive().await.unwrap().is_some() {}
    let error = exchange.receiver.lost().await;
    assert_eq!(error.kind(), Kind::Lost);
    assert!(error.to_string().contains("KILL") && error.to_string().contains("it hurts"), "{error}");
}

#[tokio::test]
async fn an_account_that_may_not_run_commands_is_told_apart() {
    let sshd = Sshd::with(Setup { config: "ForceCommand echo backups only; exit 4", ..Setup::default() });
    let session = connector().connect(&sshd.with_key()).await.unwrap();
    let error = exchange::over(session, &start(&sshd.at("bin"))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Helper);
    assert!(error.to_string().contains("backups only"), "{error}");
}

#[tokio::test]
async fn this_machine_is_a_host_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut exchange = exchange::here("localhost", &start(&dir.path().join("bin")), Timeouts::default()).await.unwrap();
    assert_eq!(exchange.receiver.receive().await.unwrap().unwrap(), "root");
    assert_eq!(exchange.receiver.receive().await.unwrap().unwrap(), "the plan");
    exchange.sender.send(vec![9; 100_000]).await.unwrap();
    assert_eq!(exchange.receiver.receive().await.unwrap().unwrap(), vec![9; 100_000]);
    let too_long = exchange.sender.send(vec![0; exchange::MAX_FRAME + 1]).await.unwrap_err();
    assert_eq!(too_long.kind(), Kind::Protocol);
    exchange.sender.finish().await;
    assert_eq!(exchange.receiver.receive().await.unwrap(), None);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_told_apart_from_a_name_that_is_not() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = Target::new("127.0.0.1", free, "root", std::sync::Arc::new(crate::harness::TrustAll));
    let error = connector().connect(&target).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("connection refused")), (Kind::Refused, true), "{error}");
    let error =
        connector().connect(&Target { address: "no-such-host.invalid".to_owned(), ..target }).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Dns, "{error}");
}

#[tokio::test]
async fn compression_a_local_address_and_limits_on_host_keys_are_honoured() {
    let sshd = Sshd::with(Setup { config: "Compression yes", ..Setup::default() });
    let target = Target {
        compression: true,
        bind: Some("127.0.0.2".parse().unwrap()),
        host_key_algorithms: Some(vec!["rsa-sha2-512".to_owned()]),
        ..sshd.with_key()
    };
    let session = connector().connect(&target).await.unwrap();
    let mut exchange = exchange::over(session, &start(&sshd.at("bin"))).await.unwrap();
    exchange.receiver.receive().await.unwrap().unwrap();
    assert_eq!(exchange.receiver.receive().await.unwrap().unwrap(), "the plan");
    let v6 = Target { family: rectify_remote::session::Family::V6, ..target };
    assert_eq!(connector().connect(&v6).await.unwrap_err().kind(), Kind::Dns);
}
