//! From a target to a byte stream: TCP, or a proxy command.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream, lookup_host},
    process::Command,
    task::JoinSet,
    time::sleep,
};

use super::{
    stream::{Duplex, QuickAck},
    target::{Family, Target},
};
use crate::{Failure, text::Tail, text::clean};

/// How long an address gets before the next one is tried beside it (RFC 8305, section 8).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Resolves the name and connects: the first address that answers wins, and is the second value. The caller bounds the time.
pub(crate) async fn tcp(target: &Target) -> Result<(Box<dyn Duplex>, IpAddr), Failure> {
    let place = target.place();
    let found = lookup_host((target.address.as_str(), target.port)).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(found) => found.filter(|address| wanted(address, target)).collect(),
        Err(error) => {
            return Err(Failure::Dns { name: target.address.clone(), reason: dns_reason(&error) });
        }
    };
    if addresses.is_empty() {
        return Err(Failure::Dns {
            name: target.address.clone(),
            reason: "it has no address of the wanted kind".to_owned(),
        });
    }
    let mut attempts = JoinSet::new();
    let bind = target.bind;
    for (i, address) in addresses.into_iter().enumerate() {
        attempts.spawn(async move {
            sleep(NEXT_ADDRESS * u32::try_from(i).unwrap_or(u32::MAX)).await;
            dial(address, bind).await.map(|stream| (stream, address.ip())).map_err(|e| (address, e))
        });
    }
    let mut reasons = Vec::new();
    while let Some(joined) = attempts.join_next().await {
        match joined {
            Ok(Ok((stream, peer))) => {
                let tuned = tune(stream, target).map_err(|e| refused(&place, &e.to_string()));
                return tuned.map(|stream| (stream, peer));
            }
            Ok(Err((address, error))) => reasons.push(format!("{address}: {}", plain(&error))),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(refused(&place, &reasons.join("; ")))
}

fn wanted(address: &SocketAddr, target: &Target) -> bool {
    let family = match target.family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    };
    family && target.bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4())
}

async fn dial(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(bind) = bind else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(bind, 0))?;
    socket.connect(address).await
}

fn refused(place: &str, reason: &str) -> Failure {
    Failure::Refused { address: place.to_owned(), reason: reason.to_owned() }
}

/// The operating system's words without the number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn dns_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.rsplit(": ").next().unwrap_or(&text).to_lowercase()
}

fn tune(stream: TcpStream, target: &Target) -> io::Result<Box<dyn Duplex>> {
    stream.set_nodelay(true)?;
    let t = &target.timeouts;
    if !t.keepalive.is_zero() {
        // What was sent and not acknowledged for so long is lost: the kernel tells the writer (tcp(7)).
        let dead = t.keepalive.saturating_mul(t.keepalive_max.saturating_add(1)).max(t.connect);
        rustix::net::sockopt::set_tcp_user_timeout(&stream, u32::try_from(dead.as_millis()).unwrap_or(u32::MAX))?;
    }
    Ok(Box::new(QuickAck(stream)))
}

/// Starts the proxy command, without a terminal: it could ask nothing there that a person would see amid the progress of a
/// fleet, and an interruption from the keyboard, which goes to everything on the terminal, would end the connection under
/// the tasks that are to finish. Its last words on standard error are in the second value.
pub(crate) fn proxy(command: &str) -> Result<(Box<dyn Duplex>, Tail, tokio::process::Child), Failure> {
    let failed = |reason: String| Failure::Proxy { command: clean(command.as_bytes()), reason };
    let mut command_line = Command::new("/bin/sh");
    #[expect(unsafe_code, reason = "setsid(2) between fork and exec has no safe form in the standard library")]
    // SAFETY: the closure makes one system call, allocates nothing and takes no lock.
    unsafe {
        command_line.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
    let mut child = command_line
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let (Some(stdin), Some(stdout), Some(mut stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed("its pipes could not be made".to_owned()));
    };
    let tail = Tail::default();
    let words = tail.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
            words.push(&buffer[..n]);
        }
    });
    Ok((Box::new(tokio::io::join(stdout, stdin)), tail, child))
}
