//! The files that a rollout lives in.

mod store;

pub use store::{Store, StoreError};
