//! Playbooks as data: what is wrong with the broken ones, and the plans of the good ones.

#![cfg(feature = "controller")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod disk;
mod fuzz;
mod includes;
mod modules;
mod order;
mod plans;
mod precedence;
mod rollouts;
mod support;
mod vaults;

use std::{fs, path::Path};

/// Every `broken/*.yml` is reported as the `*.stderr` beside it says. `UPDATE_EXPECTED=1` writes these files.
#[test]
fn broken_playbooks_are_explained() {
    let folder = Path::new("tests/playbooks/broken");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".yml"))
        .collect();
    names.sort();

    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for name in names {
        let shown = support::read(&format!("broken/{name}")).problems(support::options());
        let expected = folder.join(name.replace(".yml", ".stderr"));
        if update {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name} gave\n{shown}"));
        }
        assert!(!shown.is_empty(), "{name} is not broken");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_simple_play_becomes_a_plan() {
    let compiled = support::read("good/simple.yml").compile("web1", support::options());
    insta::assert_yaml_snapshot!(compiled.plan);
}
