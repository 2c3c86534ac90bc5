//! A text in an editor, by way of a private file that is gone afterwards whatever happens.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Expected;

/// Lets a person edit a text; `name` tells the editor what kind of file it is.
///
/// # Errors
/// An editor that cannot be started, or that ends with an error: the text counts as not edited.
pub(super) fn edit(name: &Path, text: &[u8]) -> anyhow::Result<Vec<u8>> {
    let words = std::env::var("EDITOR").ok().filter(|e| !e.trim().is_empty()).unwrap_or_else(|| "vi".into());
    let mut command = shlex::split(&words)
        .filter(|w| !w.is_empty())
        .ok_or_else(|| Expected::usage(format!("EDITOR={words:?} is no command")))?;
    // A folder of its own: what the editor puts beside the file (copies, lists of changes) goes with it.
    let folder = tempfile::Builder::new()
        .prefix("rectify-vault-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(memory())?;
    let file = folder.path().join(name.file_name().unwrap_or(name.as_os_str()));
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?.write_all(text)?;
    command.push(file.to_string_lossy().into_owned());
    let result = run(&command).and_then(|()| Ok(fs::read(&file)?));
    folder.close()?;
    result
}

/// A folder in memory, where there is one: what never was on a disk need not be wiped from it.
fn memory() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = runtime.into_iter().chain([PathBuf::from("/dev/shm")]);
    let usable =
        |folder: &PathBuf| fs::metadata(folder).is_ok_and(|m| m.is_dir()) && tempfile::tempfile_in(folder).is_ok();
    candidates.into_iter().find(usable).unwrap_or_else(std::env::temp_dir)
}

/// Runs the editor. A signal that would end this program ends the editor instead, so that there is still somebody to clean up.
fn run(command: &[String]) -> anyhow::Result<()> {
    let (program, args) = command.split_first().ok_or_else(|| Expected::usage("EDITOR is no command"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut editor = tokio::process::Command::new(program)
            .args(args)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| Expected::usage(format!("starting the editor {program}: {e}; set EDITOR")))?;
        loop {
            tokio::select! {
                ended = editor.wait() => {
                    let status = ended?;
                    if status.success() {
                        return Ok(());
                    }
                    return Err(Expected::usage(format!("{program} ended with {status}: nothing was saved")).into());
                }
                // The editor gets it too, and knows what to do.
                _ = interrupt.recv() => {}
                _ = terminate.recv() => return Err(Expected::usage("ended by a signal: nothing was saved").into()),
                _ = hangup.recv() => return Err(Expected::usage("the terminal is gone: nothing was saved").into()),
            }
        }
    })
}
