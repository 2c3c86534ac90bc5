//! Secrets of channels: files that nobody else may read.

use std::{os::unix::fs::PermissionsExt, path::Path};

use super::ChannelError;

/// A secret from a file that only its owner may read. `key` is the setting that names it.
pub(super) fn secret(key: &str, path: &Path) -> Result<String, ChannelError> {
    let file = |source| ChannelError::File { doing: "reading", path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(file)?.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        return Err(ChannelError::Settings(format!(
            "{key}: others may read {shown} (mode {:04o}): chmod 600 it",
            mode & 0o7777
        )));
    }
    let text = std::fs::read_to_string(path).map_err(file)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
