//! Facts with Ansible's names.

use rectify_core::module::{ModuleError, Observe};
use serde_json::{Map, Value};

/// Gathers the facts of a host, by their names below `ansible_facts`.
///
/// # Errors
/// If the host cannot be looked at.
pub fn gather(host: &dyn Observe) -> Result<Map<String, Value>, ModuleError> {
    let mut facts = Map::new();
    let release = host.read("/etc/os-release".as_ref(), 1 << 16)?.unwrap_or_default();
    for line in String::from_utf8_lossy(&release).lines() {
        if let Some((key, value)) = line.split_once('=') {
            let value = value.trim_matches('"');
            match key {
                "ID" => {
                    facts.insert("distribution".into(), value.into());
                }
                "VERSION_ID" => {
                    facts.insert("distribution_version".into(), value.into());
                }
                _ => {}
            }
        }
    }
    Ok(facts)
}
