//! `validate:`: a program looks at the new content before it takes the old one's place.

use std::path::Path;

use rectify_core::module::{Command, Effects, HostError, ModuleError, Operate, Output, WriteAttrs};

use super::paths;

/// Refuses a command that cannot look at a candidate.
pub(crate) fn check(command: Option<&str>) -> Result<(), String> {
    let Some(command) = command else { return Ok(()) };
    if !command.contains("%s") {
        return Err(format!("validate: {command:?} has no %s, which stands for the file to look at"));
    }
    match shlex::split(command) {
        Some(words) if !words.is_empty() => Ok(()),
        _ => Err(format!("validate: {command:?} is no command: a quote is not closed")),
    }
}

/// Puts a candidate for `path` beside it by `put`, has `command` look at it, and takes it away again. The command is run
/// without a shell; it is vouched to change nothing. A rehearsal cannot run it, and takes the content as it is.
///
/// # Errors
/// The program's own words if it refuses, with `rc`, `stdout` and `stderr`.
pub(crate) fn validate(
    command: &str,
    path: &Path,
    put: &dyn Fn(&Path, &WriteAttrs) -> Result<(), ModuleError>,
    host: &dyn Operate,
) -> Result<(), ModuleError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let candidate = paths::parent(path).join(format!(".{name}.rectify-candidate"));
    if host.lstat(&candidate)?.is_some() {
        host.remove(&candidate)?;
    }
    let put = put(&candidate, &WriteAttrs { mode: Some(0o600), uid: None, gid: None });
    let words = shlex::split(command).unwrap_or_default();
    let argv = words.iter().map(|word| word.replace("%s", &candidate.to_string_lossy()));
    let ran = put.and_then(|()| match host.run(&Command::new(argv), &Effects { extents: Vec::new() }) {
        Ok(output) => Ok(Some(output)),
        Err(HostError::NotRehearsed) => Ok(None),
        Err(error) => Err(error.into()),
    });
    let removed = host.remove(&candidate);
    match ran? {
        Some(output) if output.code != 0 => Err(refused(command, path, &output)),
        _ => Ok(removed?),
    }
}

fn refused(command: &str, path: &Path, output: &Output) -> ModuleError {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let said = [&stderr, &stdout].into_iter().find_map(|t| t.trim().lines().next_back());
    let said = said.map_or_else(|| "it said nothing".to_owned(), str::to_owned);
    let message = format!("`{command}` refuses the new content of {} (exit {}): {said}", path.display(), output.code);
    let mut data = serde_json::Map::new();
    data.insert("rc".into(), output.code.into());
    data.insert("stdout".into(), stdout.into());
    data.insert("stderr".into(), stderr.into());
    ModuleError::Failed { message, data }
}
