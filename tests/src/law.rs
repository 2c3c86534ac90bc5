//! The law of the rehearsal: what a check announces is what the apply then does, except for what the check called "may
//! change"; and a check leaves the disk as it was.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::image::Image;
use crate::pool::Lease;
use crate::rectify::{Place, Ran, run};

/// A check and the apply that followed it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The check.
    pub check: Ran,
    /// The apply.
    pub apply: Ran,
}

/// Runs a check and then an apply with the same arguments, and compares: the disks before and after the check, the changes
/// announced and made, what failed, and that everything converged. The hosts are as a test left them: what it prepared does
/// not count as a change. A virtual machine has no layer to compare; its check is held to what it announces only.
///
/// # Errors
/// What breaks the law, with both reports.
pub fn hold(lease: &Lease, args: &[&str]) -> Result<Held> {
    let layered = || lease.hosts().iter().filter(|host| host.image() != Image::Vm);
    for host in layered() {
        host.mark()?;
    }
    let check = run(lease, "check", args)?;
    ensure!(
        check.unreachable().is_empty() && !check.events.is_empty(),
        "the check did not get through: {:?}\n{}",
        check.unreachable(),
        check.stderr
    );
    for host in layered() {
        let changes = host.changes()?;
        ensure!(changes.is_empty(), "the check changed {}:\n{changes}", host.name());
    }
    let apply = run(lease, "apply", args)?;
    compare(&check, &apply)?;
    Ok(Held { check, apply })
}

/// Places with something to compare there.
type At<T> = Vec<(Place, T)>;

fn compare(check: &Ran, apply: &Ran) -> Result<()> {
    let reports = format!("check {:#?}\napply {:#?}\n{}", check.reports(), apply.reports(), apply.stderr);
    let unsure = unsure(check);
    let sure = |place: &Place| {
        // The items of a loop over something unknown do not exist in the check: its task as a whole is unsure.
        !unsure.contains(place) && !unsure.contains(&(place.0.clone(), place.1.clone(), String::new()))
    };
    let changes =
        |ran: &Ran, outcome| -> At<Value> { ran.with(outcome).into_iter().filter(|(place, _)| sure(place)).collect() };
    let (announced, made) = (changes(check, "would_change"), changes(apply, "changed"));
    if announced != made {
        bail!("announced {announced:#?}\nmade {made:#?}\n{reports}");
    }
    let failed = |ran: &Ran| -> Vec<Place> { ran.with("failed").into_keys().filter(|p| sure(p)).collect() };
    ensure!(
        failed(check) == failed(apply),
        "failed in the check {:?}, in the apply {:?}\n{reports}",
        failed(check),
        failed(apply)
    );
    ensure!(apply.with("not_converged").is_empty(), "not converged\n{reports}");
    Ok(())
}

/// Where the check said that it cannot know.
fn unsure(check: &Ran) -> BTreeSet<Place> {
    let unknown =
        |report: &Value| Ran::outcome(report) == "may_change" || report["outcome"]["reason"]["reason"] == "unknown";
    check.reports().into_iter().filter(|(_, report)| unknown(report)).map(|(place, _)| place).collect()
}
