//! The law of the rehearsal, on real hosts: what a check announces is what the apply then does, except for what the check
//! called "may change"; a check leaves the disk as it was; a second check finds nothing left to do.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{Place, Ran, run};

fn playbooks() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("playbooks/hard");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .collect();
    found.sort();
    found
}

/// Checks the law for one playbook on fresh hosts; says what breaks it.
fn law(lease: &Lease, playbook: &str) -> Result<(), String> {
    let say = |what: &str, ran: &Ran| format!("{what}\n{:#?}\n{}", ran.reports(), ran.stderr);
    let hosts = lease.hosts();
    for host in hosts {
        host.mark().map_err(|e| e.to_string())?;
    }
    let check = run(lease, "check", &[playbook]).map_err(|e| format!("{e:#}"))?;
    if !check.unreachable().is_empty() || check.events.is_empty() {
        return Err(format!("the check did not get through: {:?}\n{}", check.unreachable(), check.stderr));
    }
    for host in hosts {
        let changes = host.changes().map_err(|e| e.to_string())?.to_string();
        if !changes.is_empty() {
            return Err(format!("the check changed {}:\n{changes}", host.name()));
        }
    }
    let apply = run(lease, "apply", &[playbook]).map_err(|e| format!("{e:#}"))?;
    let unsure: BTreeSet<Place> = check
        .reports()
        .into_iter()
        .filter(|(_, report)| {
            Ran::outcome(report) == "may_change" || report["outcome"]["reason"]["reason"] == "unknown"
        })
        .map(|(place, _)| place)
        .collect();
    let sure = |place: &Place| {
        // The items of a loop over something unknown do not exist in the check: its task as a whole is unsure.
        !unsure.contains(place) && !unsure.contains(&(place.0.clone(), place.1.clone(), String::new()))
    };
    let announced: Vec<_> = check.with("would_change").into_iter().filter(|(place, _)| sure(place)).collect();
    let made: Vec<_> = apply.with("changed").into_iter().filter(|(place, _)| sure(place)).collect();
    if announced != made {
        return Err(format!("announced {announced:#?}\nmade {made:#?}\n{}", say("apply", &apply)));
    }
    let failed = |ran: &Ran| ran.with("failed").into_keys().filter(|p| sure(p)).collect::<Vec<_>>();
    if failed(&check) != failed(&apply) {
        return Err(format!(
            "failed in the check {:?}, in the apply {:?}\n{}",
            failed(&check),
            failed(&apply),
            say("apply", &apply)
        ));
    }
    if apply.with("changed").is_empty() {
        return Err(say("the playbook changes nothing, and so proves nothing", &apply));
    }
    if !apply.with("not_converged").is_empty() {
        return Err(say("not converged", &apply));
    }
    Ok(())
}

fn all_hold(image: Image) {
    let mut broken = Vec::new();
    for playbook in playbooks() {
        let name = playbook.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&playbook).unwrap();
        if text.contains("hosts: debian") && image != Image::Debian {
            continue;
        }
        let lease = pool::lease(&[image]).unwrap();
        if let Err(why) = law(&lease, &playbook.to_string_lossy()) {
            broken.push(format!("=== {name}\n{why}"));
        }
    }
    assert!(broken.is_empty(), "{} playbooks break the law\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn there_are_at_least_25_hard_playbooks() {
    assert!(playbooks().len() >= 25);
}

#[test]
fn checks_announce_what_applies_do_on_debian() {
    all_hold(Image::Debian);
}

#[test]
fn checks_announce_what_applies_do_on_an_rpm_host() {
    all_hold(Image::Rpm);
}
