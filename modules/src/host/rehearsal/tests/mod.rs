//! What a rehearsal answers, over fixtures and beside the real machine.

mod differential;
mod files;
mod knowledge;
mod others;

use std::path::Path;

use rectify_core::{
    module::{HostError, HostResult, Observe},
    plan::TaskId,
};

use super::{Rehearsal, RehearsalView};
use crate::host::fake::Fake;

/// A machine from YAML.
fn fake(yaml: &str) -> Fake {
    Fake::from_yaml(yaml).unwrap()
}

fn p(path: &str) -> &Path {
    Path::new(path)
}

fn text(host: &dyn Observe, path: &str) -> String {
    String::from_utf8(host.read(p(path), 1 << 20).unwrap().expect("it is there").to_vec()).unwrap()
}

/// The tasks that an answer is not known because of.
fn blame<T: std::fmt::Debug>(result: HostResult<T>) -> Vec<u32> {
    match result {
        Err(HostError::Unknown(because)) => because.as_slice().iter().map(|t| t.0).collect(),
        other => panic!("{other:?} is known"),
    }
}

fn errno<T: std::fmt::Debug>(result: HostResult<T>) -> i32 {
    match result {
        Err(HostError::Io { errno: Some(errno), .. }) => errno,
        other => panic!("{other:?} is not refused by the system"),
    }
}

fn names(host: &dyn Observe, path: &str) -> HostResult<Vec<String>> {
    let mut names = Vec::new();
    host.list(p(path), &mut |entry| {
        names.push(entry.name.to_string_lossy().into_owned());
        true
    })?;
    names.sort();
    Ok(names)
}

fn task<'a>(rehearsal: &Rehearsal<'a>, number: u32) -> RehearsalView<'a> {
    rehearsal.for_task(TaskId(number))
}
