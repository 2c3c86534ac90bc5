//! A slow line: a TCP proxy that delays each direction and counts what passes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::fleet::Namespace;

/// A running proxy; it ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    counts: Arc<Counts>,
    ended: Arc<AtomicBool>,
    /// Where it listens, if not where this process is.
    namespace: Option<Namespace>,
}

/// What passed through a proxy, over all its connections.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    turns: AtomicU64,
}

/// One reading of a proxy's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes from the client to the host.
    pub up: u64,
    /// Bytes from the host to the client.
    pub down: u64,
    /// How often a connection's traffic changed its direction: two turns are a round trip. The client's first byte counts.
    pub turns: u64,
}

impl Traffic {
    /// What passed between an earlier reading and this one.
    #[must_use]
    pub fn since(&self, earlier: &Traffic) -> Traffic {
        Traffic {
            connections: self.connections - earlier.connections,
            up: self.up - earlier.up,
            down: self.down - earlier.down,
            turns: self.turns - earlier.turns,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Proxy {
    /// Listens on a free loopback port in the namespace and forwards every connection to `target` there, each direction delayed.
    /// The delay is a line's, not a brake: bytes keep their distance from each other.
    ///
    /// # Errors
    /// The namespace is gone or the port cannot be listened on.
    pub fn start(namespace: &Namespace, target: &str, delay: Duration) -> Result<Self> {
        // Started from there, its threads live on in the namespace.
        let mut proxy = namespace.enter(|| Self::here(target, delay))?;
        proxy.namespace = Some(namespace.clone());
        Ok(proxy)
    }

    /// As [`Proxy::start`], in the namespace that this process is in.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub fn here(target: &str, delay: Duration) -> Result<Self> {
        let target: SocketAddr = target.parse().with_context(|| format!("parse the address {target}"))?;
        let counts = Arc::new(Counts::default());
        let ended = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").context("listen for a proxy")?;
        let address = listener.local_addr().context("read a proxy's address")?;
        let (shared, stop) = (Arc::clone(&counts), Arc::clone(&ended));
        thread::spawn(move || accept(&listener, target, delay, &shared, &stop));
        Ok(Self { address, counts, ended, namespace: None })
    }

    /// The loopback address to connect to, inside the namespace.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What passed so far.
    pub fn traffic(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Traffic {
            connections: read(&self.counts.connections),
            up: read(&self.counts.up),
            down: read(&self.counts.down),
            turns: read(&self.counts.turns),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; if the namespace is gone, so is the listener.
        let wake = || TcpStream::connect(self.address).map(drop).context("wake a proxy");
        let _ = self.namespace.as_ref().map_or_else(wake, |namespace| namespace.enter(wake));
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, delay: Duration, counts: &Arc<Counts>, ended: &AtomicBool) {
    for client in listener.incoming() {
        if ended.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(client) = client {
            let counts = Arc::clone(counts);
            // A connection that fails is closed: that is what its two ends would see of a bad line.
            thread::spawn(move || serve(client, target, delay, &counts).is_ok());
        }
    }
}

fn serve(client: TcpStream, target: SocketAddr, delay: Duration, counts: &Arc<Counts>) -> io::Result<()> {
    counts.connections.fetch_add(1, Ordering::SeqCst);
    let host = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    host.set_nodelay(true)?;
    let last = Arc::new(Mutex::new(Direction::Down));
    for (from, to, direction) in
        [(client.try_clone()?, host.try_clone()?, Direction::Up), (host, client, Direction::Down)]
    {
        let (send, receive) = channel();
        let (counts, last) = (Arc::clone(counts), Arc::clone(&last));
        thread::spawn(move || take(from, direction, &counts, &last, &send));
        thread::spawn(move || give(to, delay, &receive));
    }
    Ok(())
}

/// Reads one direction as fast as it comes and stamps each piece.
fn take(
    mut from: TcpStream,
    direction: Direction,
    counts: &Counts,
    last: &Mutex<Direction>,
    send: &Sender<(Instant, Vec<u8>)>,
) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = if direction == Direction::Up { &counts.up } else { &counts.down };
        bytes.fetch_add(count as u64, Ordering::SeqCst);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != direction {
            *last = direction;
            counts.turns.fetch_add(1, Ordering::SeqCst);
        }
        drop(last);
        if send.send((Instant::now(), buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

/// Writes each piece when its time has come, then closes this direction.
fn give(mut to: TcpStream, delay: Duration, receive: &Receiver<(Instant, Vec<u8>)>) {
    for (read_at, piece) in receive {
        thread::sleep((read_at + delay).saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            // The far end is gone: so is the near one, or its bytes would vanish.
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
