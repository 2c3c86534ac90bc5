//! Jump hosts: connections that are shared by the hosts behind them.
//!
//! One connection carries at most [`CHANNELS`] streams, then a second one is made. Each stream has its own pump that
//! never stops reading: in the library, one stream that is not read stops all the others of its connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh::{ChannelMsg, ChannelOpenFailure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex, split},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::bytes::BytesMut;

use super::{Connector, Session, stream::Duplex, target::Target};
use crate::{Failure, RemoteError, text::clean};

/// Streams per connection to a jump host.
const CHANNELS: usize = 64;

/// What a stream may be behind by, in bytes, before it is given up so that the others go on. Twice the largest frame.
const BEHIND: usize = 32 << 20;

/// One message's worth of data.
const SLICE: usize = 32 << 10;

/// The connections to jump hosts, by the way and the credentials that lead there.
#[derive(Default)]
pub(crate) struct JumpPool {
    hops: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Hop>>>>,
}

#[derive(Default)]
struct Hop {
    connections: Vec<(Arc<Session>, Arc<Semaphore>)>,
    /// When the last attempt failed: whoever waited for that attempt shares its result instead of repeating it.
    failed: Option<(Instant, RemoteError)>,
}

/// A place on a connection to a jump host.
pub(crate) struct Lease {
    session: Arc<Session>,
    _place: OwnedSemaphorePermit,
}

impl JumpPool {
    /// A place on a connection to `hop`, which is itself reached by way of `before`.
    pub(crate) async fn lease(
        &self,
        connector: &Connector,
        before: &[Target],
        hop: &Target,
    ) -> Result<Lease, RemoteError> {
        let arrived = Instant::now();
        let entry = {
            let mut hops = self.hops.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hops.entry(key(before, hop)).or_default())
        };
        let mut entry = entry.lock().await;
        entry.connections.retain(|(session, _)| !session.is_closed());
        for (session, places) in &entry.connections {
            if let Ok(place) = Arc::clone(places).try_acquire_owned() {
                return Ok(Lease { session: Arc::clone(session), _place: place });
            }
        }
        if let Some((when, error)) = &entry.failed
            && *when >= arrived
        {
            return Err(error.clone());
        }
        match connector.by_way_of(before, hop).await {
            Ok(session) => {
                let (session, places) = (Arc::new(session), Arc::new(Semaphore::new(CHANNELS)));
                let place = Arc::clone(&places).acquire_owned().await.expect("invariant: never closed");
                entry.connections.push((Arc::clone(&session), places));
                entry.failed = None;
                Ok(Lease { session, _place: place })
            }
            Err(error) => {
                entry.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

fn key(before: &[Target], hop: &Target) -> String {
    let one =
        |t: &Target| format!("{:?}", (&t.user, t.place(), &t.identities, &t.certificates, &t.agent, &t.proxy_command));
    before.iter().chain([hop]).map(one).collect::<Vec<_>>().join(" > ")
}

impl Lease {
    /// A stream to `target`, as the jump host connects to it.
    pub(crate) async fn open(self, target: &Target) -> Result<Box<dyn Duplex>, Failure> {
        let opening = self.session.handle.channel_open_direct_tcpip(
            target.address.clone(),
            u32::from(target.port),
            "127.0.0.1",
            0,
        );
        let channel = match opening.await {
            Ok(channel) => channel,
            Err(error) => return Err(self.refused(target, error)),
        };
        let (mut incoming, outgoing) = channel.split();
        let (near, far) = duplex(BEHIND);
        let (mut from_near, mut to_near) = split(far);
        let place = Arc::new(self);
        let kept = Arc::clone(&place);
        let progress = target.timeouts.progress;
        tokio::spawn(async move {
            let _kept = kept;
            while let Some(message) = incoming.wait().await {
                match message {
                    // The buffer takes it now or never: waiting here would stop every other stream.
                    ChannelMsg::Data { data } => match timeout(Duration::ZERO, to_near.write_all(&data)).await {
                        Ok(Ok(())) => {}
                        _ => break,
                    },
                    ChannelMsg::Eof | ChannelMsg::Close => break,
                    _ => {}
                }
            }
            let _ = to_near.shutdown().await;
        });
        tokio::spawn(async move {
            let _kept = place;
            let mut buffer = BytesMut::with_capacity(SLICE);
            while let Ok(1..) = from_near.read_buf(&mut buffer).await {
                let data = buffer.split().freeze();
                if !matches!(timeout(progress, outgoing.data_bytes(data)).await, Ok(Ok(()))) {
                    break;
                }
                buffer.reserve(SLICE);
            }
            let _ = timeout(progress, outgoing.close()).await;
        });
        Ok(Box::new(near))
    }

    fn refused(&self, target: &Target, error: russh::Error) -> Failure {
        let jump = &self.session.label;
        let reason = match &error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                format!("the jump host {jump} does not forward connections (AllowTcpForwarding, PermitOpen)")
            }
            other => format!("the jump host {jump} says: {}", clean(other.to_string().as_bytes())),
        };
        Failure::Refused { address: target.place(), reason }
    }
}
