//! What dpkg and rpm know; what apt and dnf would do, and do.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use indexmap::IndexMap;
use rectify_core::module::{HostError, HostResult, PackageDb, PackageRequest, Transaction};

use super::Live;

/// The database as it was read last.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<Arc<PackageDb>>>);

impl Cache {
    /// Makes the next look read it again.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn not_yet<T>() -> HostResult<T> {
    Err(HostError::Unsupported("packages of this host cannot be managed yet".into()))
}

pub(super) fn db(_live: &Live) -> HostResult<Arc<PackageDb>> {
    not_yet()
}

pub(super) fn resolve(_live: &Live, _request: &PackageRequest) -> HostResult<Transaction> {
    not_yet()
}

pub(super) fn candidates(_live: &Live, _names: &[String]) -> HostResult<IndexMap<String, String>> {
    not_yet()
}

pub(super) fn files(_live: &Live, _name: &str) -> HostResult<Vec<(PathBuf, bool)>> {
    not_yet()
}

pub(super) fn transact(_live: &Live, _request: &PackageRequest) -> HostResult<Transaction> {
    not_yet()
}
