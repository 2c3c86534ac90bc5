//! The laws that hold for every module, over the slice of all modules and their cases.
//!
//! ```text
//! cases/<kind>/<case>.yaml ─► a playbook ─► compiled for check ─► engine on a rehearsal over a fake ─┐
//!                                        └► compiled for apply ─► engine on a fake of the same ──────┴─► must agree
//! ```
//!
//! How to write a case stands in [`case::Case`].

#![cfg(feature = "controller")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]
#![expect(clippy::disallowed_methods, reason = "the cases are read from this machine; no module is")]

mod case;
mod play;
mod registry;
mod verdict;

use std::{collections::BTreeMap, path::Path};

use case::{Case, folders};
use rectify_modules::{MODULES, REGISTRY};

#[test]
fn every_case_folder_belongs_to_a_module() {
    for (kind, _) in folders() {
        assert!(MODULES.iter().any(|m| m.kind() == kind), "cases/{kind} is no module's word");
    }
}

#[test]
fn every_case_holds() {
    let mut broken = Vec::new();
    let mut count = 0;
    for (kind, folder) in folders() {
        for path in case::files(&folder) {
            count += 1;
            let outcome = match Case::read(&path) {
                Ok(case) => case.hold(&kind),
                Err(error) => vec![error],
            };
            if !outcome.is_empty() {
                broken.push(format!("{}:\n    {}", path.display(), outcome.join("\n").replace('\n', "\n    ")));
            }
        }
    }
    assert!(broken.is_empty(), "{} of {count} cases do not hold:\n\n{}", broken.len(), broken.join("\n\n"));
}

/// An argument that no case can show stands in `cases/<kind>/exempt.yaml`, with the reason.
#[test]
fn every_argument_is_shown_by_a_case() {
    let mut missing = Vec::new();
    for module in MODULES {
        let kind = module.kind();
        let folder = Path::new(case::ROOT).join(kind);
        let mut shown: Vec<String> = Vec::new();
        for path in case::files(&folder) {
            let case = Case::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            shown.extend(case.arguments(kind));
        }
        let exempt: BTreeMap<String, String> = std::fs::read_to_string(folder.join("exempt.yaml"))
            .map(|text| serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("cases/{kind}/exempt.yaml: {e}")))
            .unwrap_or_default();
        let arguments = registry::arguments(*module);
        for (name, reason) in &exempt {
            assert!(arguments.contains(name), "cases/{kind}/exempt.yaml: {name} is no argument");
            assert!(!shown.contains(name), "cases/{kind}/exempt.yaml: a case shows {name}");
            assert!(reason.split_whitespace().count() >= 4, "cases/{kind}/exempt.yaml: {name} needs a reason");
        }
        if case::files(&folder).is_empty() {
            missing.push(format!("{kind}: no case at all"));
        }
        let unseen = arguments.iter().filter(|a| !shown.contains(a) && !exempt.contains_key(*a));
        missing.extend(unseen.map(|a| format!("{kind}: {a}")));
    }
    assert!(missing.is_empty(), "shown by no case and not exempt:\n  {}", missing.join("\n  "));
}

#[test]
fn every_example_is_a_task_of_its_module() {
    for module in MODULES {
        let text = registry::as_list_item(module.example());
        let play = play::Play { tasks: &text, lenient: true, ..play::Play::default() };
        let compiled = play.compile(rectify_core::plan::Mode::Check);
        let compiled = compiled.unwrap_or_else(|e| panic!("{}'s example:\n{e}", module.kind()));
        let task = compiled.plan.tasks.first().expect("an example is a task");
        let found = REGISTRY.find(&task.module).map(|m| m.kind());
        assert_eq!(found, Some(module.kind()), "{}'s example is of another module", module.kind());
    }
}
