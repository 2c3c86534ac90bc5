//! Which run is meant.

use rectify_core::text::chain;
use rectify_server::store::{RecordSettings, RunFolder};

use crate::{
    display::text::{line, names},
    exit::Expected,
};

/// The run with this id, or the one whose id begins so, or the `latest`.
///
/// # Errors
/// No such run, several of them, or a record that cannot be read.
pub(crate) fn find(settings: &RecordSettings, said: &str) -> Result<RunFolder, Expected> {
    let all = RunFolder::all(&settings.folder).map_err(|e| Expected::failed(chain(&e)))?;
    let place = line(&settings.folder.join("runs").display().to_string());
    if all.is_empty() {
        return Err(Expected::usage(format!(
            "no run is recorded in {place}: check and apply record there; RECTIFY_RECORD and `folder` in [record] name another place"
        )));
    }
    let mut meant: Vec<&RunFolder> = match said {
        "latest" => all.last().into_iter().collect(),
        _ => all.iter().filter(|folder| folder.run().starts_with(said)).collect(),
    };
    if let Some(exact) = meant.iter().find(|folder| folder.run() == said) {
        meant = vec![exact];
    }
    match meant.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Expected::usage(format!(
            "no run in {place} begins with {:?}: `rectify runs` lists them; the events of one that ran on another machine are there",
            line(said)
        ))),
        several => {
            let ids: Vec<&str> = several.iter().map(|folder| folder.run()).collect();
            Err(Expected::usage(format!("{:?} is the beginning of several runs: {}", line(said), names(&ids, 5))))
        }
    }
}
