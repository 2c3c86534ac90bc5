//! Which run is meant.

use std::path::Path;

use rectify_core::text::chain;
use rectify_server::store::{Head, RecordSettings, RunFilter, RunFolder, RunRow, Store, StoreError};

use crate::{
    display::text::{line, names},
    exit::Expected,
};

/// The run with this id, or the one whose id begins so, or the `latest` of this record. `command` is what was typed: a run that another machine has is
/// looked at by it there.
///
/// # Errors
/// No such run, several of them, one whose events lie elsewhere, or a record that cannot be read.
pub(crate) fn find(settings: &RecordSettings, said: &str, command: &str) -> Result<RunFolder, Expected> {
    let all = RunFolder::all(&settings.folder).map_err(|e| Expected::failed(chain(&e)))?;
    let mut meant: Vec<&RunFolder> = match said {
        "latest" => all.last().into_iter().collect(),
        _ => all.iter().filter(|folder| folder.run().starts_with(said)).collect(),
    };
    if let Some(exact) = meant.iter().find(|folder| folder.run() == said) {
        meant = vec![exact];
    }
    match meant.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Expected::usage(missing(settings, said, command, all.is_empty()))),
        several => Err(Expected::usage(ambiguous(said, several.iter().map(|folder| folder.run())))),
    }
}

fn ambiguous<'r>(said: &str, runs: impl Iterator<Item = &'r str>) -> String {
    format!("{:?} is the beginning of several runs: {}", line(said), names(&runs.collect::<Vec<_>>(), 5))
}

/// Why a run is not in the folder.
fn missing(settings: &RecordSettings, said: &str, command: &str, empty: bool) -> String {
    let place = line(&settings.folder.join("runs").display().to_string());
    let known = match said {
        "latest" => Ok(Vec::new()),
        _ => indexed(settings, said),
    };
    match known.as_deref() {
        Ok([run]) => elsewhere(run, &place, command),
        Ok([]) if empty => format!(
            "no run is recorded in {place}: check and apply record there; RECTIFY_RECORD and `folder` in [record] name another place"
        ),
        Ok([]) => format!("no run in {place} begins with {:?}: `rectify runs` lists them", line(said)),
        Ok(several) => ambiguous(said, several.iter().map(|run| run.run.as_str())),
        Err(e) => {
            format!("no run in {place} begins with {:?}, and the index cannot be asked: {}", line(said), chain(e))
        }
    }
}

/// What the index has of runs whose id begins so; of one that is not there yet, nothing.
fn indexed(settings: &RecordSettings, said: &str) -> Result<Vec<RunRow>, StoreError> {
    if settings.store.is_none() && !settings.folder.join("index.db").exists() {
        return Ok(Vec::new());
    }
    let filter = RunFilter { run: Some(said.to_owned()), ..RunFilter::default() };
    let ask = async {
        let store = Store::open(settings).await?;
        let runs = store.runs(&filter).await;
        store.close().await;
        runs
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|source| StoreError::File { doing: "reading", path: settings.folder.clone(), source })?;
    let mut runs = runtime.block_on(ask)?;
    if let Some(exact) = runs.iter().position(|run| run.run == said) {
        runs = vec![runs.swap_remove(exact)];
    }
    Ok(runs)
}

/// Where a run's events lie, and what to do there.
fn elsewhere(run: &RunRow, place: &str, command: &str) -> String {
    let (id, server, folder) = (line(&run.run), line(&run.server), line(&run.folder));
    if run.server != Head::this_server() {
        return format!(
            "the events of run {id} are on {server}, in {folder}: run `{}` there, or copy that folder into {place}",
            line(command)
        );
    }
    match Path::new(&run.folder) {
        there if there.is_dir() => {
            format!(
                "the events of run {id} are in {folder}: copy that folder into {place}, or set RECTIFY_RECORD to the record that it is in"
            )
        }
        _ => format!(
            "the events of run {id} were forgotten, and with them its report: `rectify runs` has what it came to"
        ),
    }
}

#[cfg(test)]
mod tests {
    use rectify_core::plan::Mode;
    use rectify_server::store::{Cause, HeadHost, Recorder, StoreUrl};

    use super::*;

    /// Records a run of `server` in a folder, and takes it into the index.
    fn record(settings: &RecordSettings, run: &str, server: &str) {
        let head = Head {
            run: run.into(),
            began: 1_800_000_000_000_000,
            mode: Mode::Check,
            cause: Cause::Operator,
            author: "eva".into(),
            schedule: None,
            server: server.into(),
            playbooks: vec!["site.yml".into()],
            version: "0".into(),
            inventory: String::new(),
            partial: false,
            hosts: vec![HeadHost { name: "web1".into(), ..HeadHost::default() }],
        };
        Recorder::begin(&settings.folder, &head).unwrap().finish().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(settings).await.unwrap();
            store.begun(&head).await.unwrap();
            store.close().await;
        });
    }

    #[test]
    fn a_run_of_another_machine_is_named_with_where_it_lies_and_what_to_run_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = StoreUrl::Sqlite(folder.path().join("shared.db"));
        let of = |name: &str| RecordSettings { folder: folder.path().join(name), store: Some(store.clone()) };
        let (here, there) = (of("here"), of("there"));
        record(&here, "2027-a1", "control1");
        record(&there, "2027-b1", "control2");
        record(&there, "2027-b2", &Head::this_server());
        let refused = |said: &str| find(&here, said, "rectify show 2027-b").unwrap_err().message;
        assert_eq!(find(&here, "2027-a", "rectify show 2027-a").unwrap().run(), "2027-a1");
        assert_eq!(find(&here, "latest", "rectify show latest").unwrap().run(), "2027-a1");
        let at = |run: &str| there.folder.join("runs").join(run).display().to_string();
        let said = refused("2027-b1");
        assert!(
            said.contains(&format!("2027-b1 are on control2, in {}: run `rectify show 2027-b` there", at("2027-b1"))),
            "{said}"
        );
        assert!(refused("2027-b").contains("the beginning of several runs: 2027-b2, 2027-b1"));
        let said = refused("2027-b2");
        assert!(said.contains(&format!("are in {}: copy", at("2027-b2"))), "{said}");
        std::fs::remove_dir_all(at("2027-b2")).unwrap();
        assert!(refused("2027-b2").contains("were forgotten"));
        assert!(refused("2028").contains("begins with \"2028\": `rectify runs`"));
        // Nothing here yet, and the other's run is found all the same.
        let fresh = of("fresh");
        assert!(find(&fresh, "2027-b1", "rectify replay 2027-b1").unwrap_err().message.contains("on control2"));
        assert!(find(&fresh, "latest", "rectify show latest").unwrap_err().message.contains("no run is recorded"));
    }
}
