//! `slurp`: a file's content, in base64.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use rectify_core::module::{Action, Entity, ModuleError, Operate, Relations, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Map;

use super::shared::paths;

/// How long a file may be.
const LIMIT: u64 = 8 << 20;

/// Reads a file of the host and registers its content as base64 (`content`), for the filter `b64decode`. It changes nothing.
///
/// A file of more than 8 MiB is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slurp {
    /// The file's path. Absolute.
    src: PathBuf,
}

impl Action for Slurp {
    const KIND: &'static str = "slurp";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("path", "src")];
    const PURE: bool = true;
    const EXAMPLE: &'static str = "slurp:\n  src: /etc/machine-id\nregister: machine\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let bytes = host.read(&self.src, LIMIT)?;
        let bytes = bytes.ok_or_else(|| ModuleError::failed(format!("{} does not exist", self.src.display())))?;
        let mut data = Map::new();
        data.insert("content".into(), STANDARD.encode(&bytes).into());
        data.insert("encoding".into(), "base64".into());
        data.insert("source".into(), self.src.to_string_lossy().into());
        Ok(Report::looked(data))
    }

    fn validate(&self) -> Result<(), String> {
        paths::absolute("src", &self.src)
    }

    fn relations(&self) -> Relations {
        Relations::default().needing([Entity::Path(self.src.clone())])
    }

    fn subject(&self) -> String {
        self.src.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    #[test]
    fn content_comes_as_base64_and_has_a_limit() {
        let host = Fake::from_yaml("{base: debian, files: {/srv/big: {size: 9000000}}}").unwrap();
        let slurp = |src: &str| Slurp { src: src.into() }.run(&host).map(|r| r.data);
        assert_eq!(slurp("/etc/motd").unwrap()["content"], "V2VsY29tZS4K");
        assert!(slurp("/srv/big").unwrap_err().to_string().contains("/srv/big"));
        assert!(slurp("/etc/none").unwrap_err().to_string().contains("does not exist"));
    }
}
