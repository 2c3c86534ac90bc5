//! A server that misbehaves: an SSH server in this process, behind a wire that can be cut, frozen and made noisy.

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rectify_remote::{
    Failure, Kind, RemoteError, Secret, exchange,
    session::{Target, Timeouts},
};
use russh::{
    Channel, ChannelId, MethodKind, MethodSet,
    keys::{PrivateKey, decode_secret_key},
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, run_stream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex},
    net::TcpListener,
    sync::watch,
};

use crate::harness::{TrustAll, connector, key, start};

/// What the server takes, and what it does with a session.
#[derive(Clone, Default)]
struct Peer {
    password: Option<&'static str>,
    /// Keyboard-interactive: the questions (and whether typing is shown), one round each, with the right answer.
    rounds: &'static [(&'static str, bool, &'static str)],
    at: usize,
    /// Every user name and answer that came in.
    heard: Arc<Mutex<HashSet<String>>>,
}

impl Handler for Peer {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if self.password == Some(password) { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        if let Some(answers) = response {
            let answers: Vec<String> = answers.map(|answer| String::from_utf8_lossy(&answer).into_owned()).collect();
            self.heard.lock().unwrap().extend(answers.iter().cloned());
            let wanted = self.rounds[self.at].2;
            if !wanted.is_empty() && answers != [wanted] {
                return Ok(Auth::reject());
            }
            self.at += 1;
        }
        let Some((question, echo, _)) = self.rounds.get(self.at) else { return Ok(Auth::Accept) };
        let prompts: Vec<(Cow<'static, str>, bool)> =
            if question.is_empty() { Vec::new() } else { vec![((*question).into(), *echo)] };
        Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    /// Takes the command and never says anything.
    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }
}

fn host_key() -> PrivateKey {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    key(&file, &["-t", "ed25519"]);
    decode_secret_key(&std::fs::read_to_string(file).unwrap(), None).unwrap()
}

/// Serves `peer` on loopback: the first `drops` connections are closed at once; `before` goes ahead of the SSH banner;
/// while `frozen` is true no byte passes. Returns the port and a count of connections.
async fn serve(
    peer: Peer,
    drops: usize,
    before: &'static str,
    frozen: watch::Receiver<bool>,
) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let mut methods = MethodSet::empty();
    if peer.password.is_some() {
        methods.push(MethodKind::Password);
    }
    if !peer.rounds.is_empty() {
        methods.push(MethodKind::KeyboardInteractive);
    }
    let quick = Duration::from_millis(1);
    let config = Config {
        keys: vec![host_key()],
        methods,
        auth_rejection_time: quick,
        auth_rejection_time_initial: Some(quick),
        ..Config::default()
    };
    let config = Arc::new(config);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            if counter.fetch_add(1, Ordering::SeqCst) < drops {
                continue;
            }
            let (config, peer, mut frozen) = (Arc::clone(&config), peer.clone(), frozen.clone());
            tokio::spawn(async move {
                socket.write_all(before.as_bytes()).await.unwrap();
                let (near, mut far) = duplex(1 << 16);
                let serving = tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, near, peer).await {
                        let _ = session.await;
                    }
                });
                let froze = tokio::select! {
                    _ = copy_bidirectional(&mut socket, &mut far) => false,
                    froze = frozen.wait_for(|frozen| *frozen) => froze.is_ok(),
                };
                if froze {
                    std::future::pending::<()>().await;
                }
                serving.abort();
            });
        }
    });
    (port, count)
}

fn thawed() -> watch::Receiver<bool> {
    let (keep, receiver) = watch::channel(false);
    // Kept for the life of the test process: a closed channel would end the wait.
    std::mem::forget(keep);
    receiver
}

fn target(port: u16, password: &str) -> Target {
    let mut target = Target::new("127.0.0.1", port, "joe", Arc::new(TrustAll));
    target.password = Some(Secret::new(password));
    target
}

fn tried(error: &RemoteError) -> String {
    let Failure::Auth { tried, .. } = &error.failure else { panic!("{error}") };
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn lines_before_the_ssh_banner_do_no_harm() {
    let peer = Peer { password: Some("sesame"), ..Peer::default() };
    let (port, _) = serve(peer, 0, "Welcome.\r\nUnauthorised use is prohibited.\r\n", thawed()).await;
    connector().connect(&target(port, "sesame")).await.unwrap();
}

#[tokio::test]
async fn a_connection_closed_before_the_banner_is_tried_again_but_not_for_ever() {
    let peer = Peer { password: Some("sesame"), ..Peer::default() };
    let (port, count) = serve(peer.clone(), 2, "", thawed()).await;
    connector().connect(&target(port, "sesame")).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let (port, count) = serve(peer, usize::MAX, "", thawed()).await;
    let error = connector().connect(&target(port, "sesame")).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Closed { .. }), "{error}");
    assert!(error.hint().unwrap().contains("MaxStartups"));
    assert_eq!(count.load(Ordering::SeqCst), rectify_remote::pacing::HANDSHAKE_ATTEMPTS as usize);
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_twice_and_not_shown() {
    let peer = Peer { password: Some("sesame"), ..Peer::default() };
    let (port, count) = serve(peer, 0, "", thawed()).await;
    let error = connector().connect(&target(port, "wr0ng!")).await.unwrap_err();
    assert_eq!((error.kind(), tried(&error).as_str()), (Kind::Auth, "password: not accepted"));
    assert!(!format!("{error:?}").contains("wr0ng!"));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn keyboard_interactive_takes_the_password_an_empty_round_and_no_other_question() {
    let good = Peer { rounds: &[("Password: ", false, "sesame"), ("", false, "")], ..Peer::default() };
    let (port, _) = serve(good, 0, "", thawed()).await;
    connector().connect(&target(port, "sesame")).await.unwrap();

    let second = Peer { rounds: &[("Password: ", false, "sesame"), ("Code: ", false, "123")], ..Peer::default() };
    let heard = Arc::clone(&second.heard);
    let (port, _) = serve(second, 0, "", thawed()).await;
    let error = connector().connect(&target(port, "sesame")).await.unwrap_err();
    assert!(tried(&error).contains("the host asks `Code:`"), "{error}");
    assert_eq!(heard.lock().unwrap().len(), 1, "the password was given once");

    let shown = Peer { rounds: &[("Favourite colour? ", true, "blue")], ..Peer::default() };
    let heard = Arc::clone(&shown.heard);
    let (port, _) = serve(shown, 0, "", thawed()).await;
    let error = connector().connect(&target(port, "sesame")).await.unwrap_err();
    assert!(tried(&error).contains("Favourite colour?"), "{error}");
    assert!(heard.lock().unwrap().is_empty(), "a password is not typed where it is shown");
}

fn impatient() -> Timeouts {
    let ms = Duration::from_millis;
    Timeouts { connect: ms(400), answer: ms(2000), keepalive: ms(150), keepalive_max: 2, progress: ms(1500) }
}

#[tokio::test]
async fn a_peer_that_never_says_anything_is_a_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut silent = target(listener.local_addr().unwrap().port(), "x");
    silent.timeouts = impatient();
    let error = connector().connect(&silent).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.to_string().contains("banner"), "{error}");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_ssh_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(&[b'x'; 100_000]).await;
            let _ = socket.read(&mut [0; 10]).await;
        }
    });
    let error = connector().connect(&target(port, "x")).await.unwrap_err();
    assert!(error.to_string().contains("does not speak SSH"), "{error}");
}

#[tokio::test]
async fn a_peer_that_goes_silent_is_noticed_while_reading_and_while_writing() {
    let dir = tempfile::tempdir().unwrap();
    for opening in [0, 40] {
        let (freeze, frozen) = watch::channel(false);
        let peer = Peer { password: Some("sesame"), ..Peer::default() };
        let (port, _) = serve(peer, 0, "", frozen).await;
        let target = Target { timeouts: impatient(), ..target(port, "sesame") };
        let session = connector().connect(&target).await.unwrap();
        freeze.send(true).unwrap();
        let mut start = start(dir.path());
        start.opening = vec![vec![0; 200_000]; opening];
        let error = exchange::over(session, &start).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Lost | Kind::Timeout), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_takes_the_command_and_says_nothing_is_a_timeout_of_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer { password: Some("sesame"), ..Peer::default() };
    let (port, _) = serve(peer, 0, "", thawed()).await;
    let target =
        Target { timeouts: Timeouts { connect: Duration::from_secs(10), ..impatient() }, ..target(port, "sesame") };
    let session = connector().connect(&target).await.unwrap();
    let error = exchange::over(session, &start(dir.path())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout, "{error}");
    assert!(error.to_string().contains("starting the helper"), "{error}");
}
