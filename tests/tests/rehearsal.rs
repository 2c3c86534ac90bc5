//! The law of the rehearsal ([`rectify_tests::law`]), on real hosts, over playbooks that are made to be hard.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use rectify_tests::image::Image;
use rectify_tests::law;
use rectify_tests::pool::{self, Lease};

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
fn broken(lease: &Lease, playbook: &str) -> Option<String> {
    match law::hold(lease, &[playbook]) {
        Err(error) => Some(format!("{error:#}")),
        Ok(held) if held.apply.with("changed").is_empty() => {
            Some(format!("the playbook changes nothing, and so proves nothing\n{:#?}", held.apply.reports()))
        }
        Ok(_) => None,
    }
}

fn all_hold(image: Image) {
    let mut breaches = Vec::new();
    for playbook in playbooks() {
        let name = playbook.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&playbook).unwrap();
        if text.contains("hosts: debian") && image != Image::Debian {
            continue;
        }
        let lease = pool::lease(&[image]).unwrap();
        breaches.extend(broken(&lease, &playbook.to_string_lossy()).map(|why| format!("=== {name}\n{why}")));
    }
    assert!(breaches.is_empty(), "{} playbooks break the law\n{}", breaches.len(), breaches.join("\n"));
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
