//! When a host counts as up.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::site::Site;
use super::wait;

/// Waits until sshd greets on the host's address, as seen by the controller; fails at once if the host's process ends.
pub(super) fn wait_for_ssh(site: &Site, process: &mut Child) -> Result<()> {
    let address: SocketAddr =
        format!("{}:{}", site.address(), site.port()).parse().context("parse a host's address")?;
    site.control.enter(|| {
        wait::until(&format!("sshd of {}", site.name), || {
            if let Some(status) = process.try_wait().context("look after a host's process")? {
                bail!("its process ended with {status}");
            }
            Ok(greets(address).then_some(()))
        })
    })
}

fn greets(address: SocketAddr) -> bool {
    let limit = Duration::from_secs(2);
    let Ok(mut stream) = TcpStream::connect_timeout(&address, limit) else {
        return false;
    };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(limit)).is_ok() && stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-"
}
