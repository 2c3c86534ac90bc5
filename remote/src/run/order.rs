//! What is sent to a host: its plan and the files that the plan names, as frames.

use std::{path::PathBuf, sync::Arc};

use rectify_core::{
    event::TaskInfo,
    plan::Plan,
    wire::{self, BLOB_CHUNK, ToHost, WireError},
};
use tokio_util::bytes::Bytes;

/// Orders up to this many bytes are sent along with the helper's start, without waiting for its hello.
const AHEAD: usize = 512 << 10;

/// Where a blob's bytes are.
#[derive(Debug, Clone)]
pub enum BlobSource {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// In a file of the controller, read when the order is made.
    File(PathBuf),
}

/// Everything that one host is sent.
#[derive(Debug, Clone)]
pub struct Order {
    /// The host's name in the inventory.
    pub host: String,
    /// What a display needs to know of the plan's tasks.
    pub tasks: Vec<TaskInfo>,
    /// The frames' contents, in order.
    pub frames: Vec<Bytes>,
}

/// Why an order could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The plan does not fit into a frame.
    #[error("the plan for {host}")]
    Plan {
        /// The host.
        host: String,
        /// Why.
        source: WireError,
    },
    /// A file could not be read.
    #[error("reading {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Order {
    /// The order for a plan. `blobs` gives the bytes of every hash that the plan names.
    ///
    /// # Errors
    /// A plan over the frame's limit, a file that cannot be read any more.
    pub fn new(plan: Plan, mut blobs: impl FnMut(&str) -> Option<BlobSource>) -> Result<Self, OrderError> {
        let host = plan.host.clone();
        let failed = |source| OrderError::Plan { host: plan.host.clone(), source };
        let mut frames = Vec::new();
        let tasks = tasks(&plan);
        let hashes: Vec<String> = plan.blobs.keys().cloned().collect();
        frames.push(Bytes::from(wire::encode(&ToHost::Plan(Box::new(plan.clone()))).map_err(failed)?));
        for sha256 in hashes {
            let bytes: Arc<[u8]> = match blobs(&sha256) {
                Some(BlobSource::Bytes(bytes)) => bytes,
                Some(BlobSource::File(path)) => {
                    std::fs::read(&path).map_err(|source| OrderError::File { path, source })?.into()
                }
                None => continue,
            };
            let mut pieces = bytes.chunks(BLOB_CHUNK).peekable();
            if pieces.peek().is_none() {
                let empty = ToHost::Blob { sha256: sha256.clone(), bytes: Vec::new(), last: true };
                frames.push(wire::encode(&empty).map_err(failed)?.into());
            }
            while let Some(piece) = pieces.next() {
                let last = pieces.peek().is_none();
                let blob = ToHost::Blob { sha256: sha256.clone(), bytes: piece.to_vec(), last };
                frames.push(wire::encode(&blob).map_err(failed)?.into());
            }
        }
        frames.push(wire::encode(&ToHost::Go).map_err(failed)?.into());
        Ok(Order { host, tasks, frames })
    }

    /// Whether it is small enough to go out before the helper has said hello.
    pub(super) fn is_small(&self) -> bool {
        self.frames.iter().map(Bytes::len).sum::<usize>() <= AHEAD
    }
}

fn tasks(plan: &Plan) -> Vec<TaskInfo> {
    plan.plays
        .iter()
        .flat_map(|play| {
            let first = play.first.0 as usize;
            plan.tasks[first..first + play.count as usize].iter().map(|task| TaskInfo {
                id: task.id,
                name: task.name.clone(),
                module: task.module.clone(),
                role: task.role.clone(),
                play: play.name.clone(),
                origin: task.origin.clone(),
                handler: task.handler.is_some(),
                rollout: task.rollout.clone(),
            })
        })
        .collect()
}
