//! Waiting for a condition of another process.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);
/// Not a measure of speed: a host that takes this long on a busy machine never comes.
const GIVE_UP: Duration = Duration::from_secs(900);

/// Looks until the probe answers, or fails when it fails.
pub(super) fn until<T>(what: &str, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if start.elapsed() > GIVE_UP {
            bail!("waited {} s in vain for {what}", GIVE_UP.as_secs());
        }
        std::thread::sleep(STEP);
    }
}
