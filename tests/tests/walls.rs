//! The two walls of the architecture, over `cargo metadata`.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

/// The packages that a package of the workspace depends on, directly and indirectly, for a normal build.
fn closure(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |id: &Value| {
        let package = metadata["packages"].as_array().unwrap().iter().find(|p| p["id"] == *id).unwrap();
        package["name"].as_str().unwrap().to_owned()
    };
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let start = nodes.iter().find(|n| name(&n["id"]) == package).unwrap();
    let mut open = vec![start];
    let mut seen = BTreeSet::new();
    while let Some(node) = open.pop() {
        for dependency in node["deps"].as_array().unwrap() {
            let normal = dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            if normal && seen.insert(name(&dependency["pkg"])) {
                open.push(nodes.iter().find(|n| n["id"] == dependency["pkg"]).unwrap());
            }
        }
    }
    seen
}

fn no_dependency(package: &str, forbidden: &[&str]) {
    let found: Vec<String> = closure(package).into_iter().filter(|name| forbidden.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{package} must not depend on {found:?}");
}

const ASYNC_AND_SSH: [&str; 5] = ["tokio", "russh", "rectify-remote", "reqwest", "hyper"];
const TERMINAL: [&str; 6] = ["clap", "console", "indicatif", "crossterm", "rpassword", "rectify"];

#[test]
fn what_runs_on_a_host_knows_neither_ssh_nor_the_terminal() {
    no_dependency("rectify-modules", &ASYNC_AND_SSH);
    no_dependency("rectify-modules", &TERMINAL);
    let workspace: Vec<String> = closure("rectify-modules").into_iter().filter(|n| n.starts_with("rectify")).collect();
    assert_eq!(workspace, ["rectify-core"]);
}

#[test]
fn what_decides_does_not_print() {
    no_dependency("rectify-core", &ASYNC_AND_SSH);
    no_dependency("rectify-core", &TERMINAL);
    no_dependency("rectify-remote", &TERMINAL);
    no_dependency("rectify-server", &TERMINAL);
    assert!(closure("rectify-core").iter().all(|name| !name.starts_with("rectify")));
}

#[test]
fn the_test_of_the_walls_can_fail() {
    assert!(closure("rectify").contains("tokio") && closure("rectify").contains("clap"));
}
