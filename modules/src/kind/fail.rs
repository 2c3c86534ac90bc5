//! `fail`: fails, with a message.

use rectify_core::module::{Action, ModuleError, Operate, Report};
use schemars::JsonSchema;
use serde::Deserialize;

/// Fails, usually under a `when:`. It changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fail {
    /// What is said. Default: `Failed as requested from task`.
    msg: Option<String>,
}

impl Action for Fail {
    const KIND: &'static str = "fail";
    const PURE: bool = true;
    const EXAMPLE: &'static str = "fail:\n  msg: this host must not be a web server\n";

    fn run(&self, _host: &dyn Operate) -> Result<Report, ModuleError> {
        Err(ModuleError::failed(self.msg.clone().unwrap_or_else(|| "Failed as requested from task".into())))
    }

    fn subject(&self) -> String {
        String::new()
    }
}
