//! Jump hosts and proxy commands.

use rectify_remote::{Failure, Kind, exchange, helper::Images, session::Target};

use crate::harness::{HELPER, Setup, Sshd, connector, start, tool};

#[tokio::test]
async fn two_hops_lead_there_and_every_host_key_on_the_way_is_judged() {
    let (first, second, last) = (Sshd::start(), Sshd::start(), Sshd::start());
    let target = Target { jumps: vec![first.with_key(), second.with_key()], ..last.with_key() };
    let session = connector().connect(&target).await.unwrap();
    let mut exchange = exchange::over(session, &start(&last.at("bin"))).await.unwrap();
    assert_eq!(exchange.receiver.receive().await.unwrap().unwrap(), "root");
    assert_eq!((first.connections(), second.connections(), last.connections()), (1, 1, 1));

    let judge = rectify_remote::session::KnownHostsJudge::boxed(
        rectify_remote::known_hosts::KnownHosts::default(),
        rectify_remote::session::Unknown::Refuse,
    );
    let distrusted = Target { host_keys: judge, ..second.with_key() };
    let target = Target { jumps: vec![first.with_key(), distrusted], ..last.with_key() };
    let error = connector().connect(&target).await.unwrap_err();
    assert_eq!(error.kind(), Kind::HostKey, "{error}");
    assert!(error.to_string().contains(&format!("jump host 127.0.0.1:{}", second.port)), "{error}");
}

#[tokio::test]
async fn the_hosts_behind_a_jump_host_share_its_connection_and_a_slow_one_stops_nobody() {
    let (jump, last) = (Sshd::start(), Sshd::start());
    let connector = connector();
    let target = Target { jumps: vec![jump.with_key()], ..last.with_key() };
    let mut sessions = Vec::new();
    for host in (0..12)
        .map(|_| (connector.clone(), target.clone()))
        .map(|(c, t)| tokio::spawn(async move { c.connect(&t).await }))
    {
        sessions.push(host.await.unwrap().unwrap());
    }
    assert_eq!((jump.connections(), last.connections()), (1, 12));

    // One host sends more than anybody ever reads of it; the next is served all the same.
    let mut flood = start(&last.at("flood"));
    let text = HELPER.replace("exec cat", "head -c 100000000 /dev/zero; echo done >$0.done; exec cat");
    let arch = flood.images.architectures().next().unwrap().to_owned();
    flood.images = Images::new([(arch, text.into_bytes())]);
    let unread = exchange::over(sessions.remove(0), &flood).await.unwrap();
    for session in sessions {
        let mut read = exchange::over(session, &start(&last.at("bin"))).await.unwrap();
        assert_eq!(read.receiver.receive().await.unwrap().unwrap(), "root");
        assert_eq!(read.receiver.receive().await.unwrap().unwrap(), "the plan");
    }
    drop(unread);
}

#[tokio::test]
async fn more_hosts_than_one_connection_carries_get_a_second_one() {
    let (jump, last) = (Sshd::start(), Sshd::start());
    let connector = connector();
    let target = Target { jumps: vec![jump.with_key()], ..last.with_key() };
    let hosts: Vec<_> = (0..66)
        .map(|_| (connector.clone(), target.clone()))
        .map(|(c, t)| tokio::spawn(async move { c.connect(&t).await }))
        .collect();
    let mut sessions = Vec::new();
    for host in hosts {
        sessions.push(host.await.unwrap().unwrap());
    }
    assert_eq!(jump.connections(), 2);
}

#[tokio::test]
async fn a_jump_host_that_does_not_forward_and_one_that_lets_nobody_in_are_named() {
    let (jump, last) = (Sshd::with(Setup { config: "AllowTcpForwarding no", ..Setup::default() }), Sshd::start());
    let error = connector().connect(&Target { jumps: vec![jump.with_key()], ..last.with_key() }).await.unwrap_err();
    assert!(error.to_string().contains("AllowTcpForwarding"), "{error}");

    let connector = connector();
    let target = Target { jumps: vec![jump.target()], ..last.with_key() };
    let before = jump.connections();
    let hosts: Vec<_> = (0..8)
        .map(|_| (connector.clone(), target.clone()))
        .map(|(c, t)| tokio::spawn(async move { c.connect(&t).await }))
        .collect();
    for host in hosts {
        let error = host.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Auth, "{error}");
    }
    assert_eq!(jump.connections() - before, 1, "those who waited share the failure");
}

#[tokio::test]
async fn a_proxy_command_is_the_connection_and_its_last_words_are_told() {
    let sshd = Sshd::start();
    let nc = format!("{} nc 127.0.0.1 {}", tool("busybox", "busybox").display(), sshd.port);
    let target = Target { proxy_command: Some(nc), address: "no-such-host.invalid".to_owned(), ..sshd.with_key() };
    let session = connector().connect(&target).await.unwrap();
    drop(exchange::over(session, &start(&sshd.at("bin"))).await.unwrap());

    // An interruption from the keyboard goes to the whole session of the terminal: the proxy must not be in it.
    let apart = format!(
        "sh -c 'read -r _ _ _ _ _ session _ </proc/$$/stat; test $session = $$ && exec {} nc 127.0.0.1 {}'",
        tool("busybox", "busybox").display(),
        sshd.port
    );
    let target = Target { proxy_command: Some(apart), ..target };
    connector().connect(&target).await.unwrap();

    let broken = Target { proxy_command: Some("sh -c 'echo no route today >&2; exit 3'".to_owned()), ..target };
    let error = connector().connect(&broken).await.unwrap_err();
    let Failure::Proxy { reason, .. } = &error.failure else { panic!("{error}") };
    assert!(reason.contains("no route today") && reason.contains('3'), "{error}");
}
