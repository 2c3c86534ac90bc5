//! Stand-ins for tests.

use super::{HostKey, HostKeys};
use crate::HostKeyRefusal;

/// Takes every key.
#[derive(Debug)]
pub(crate) struct TrustAll;

impl HostKeys for TrustAll {
    fn algorithms(&self, _: &str, _: u16) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, _: &str, _: u16, _: &HostKey) -> Result<(), HostKeyRefusal> {
        Ok(())
    }
}
