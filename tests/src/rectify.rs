//! The program under test, and what it said.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{fleet::Output, pool::Lease};

/// The program: `RECTIFY_BIN`, or what cargo built last, the release first.
///
/// # Errors
/// None was built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("RECTIFY_BIN") {
        return Ok(path.into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let built = ["release", "debug"].map(|profile| target.join(profile).join("rectify"));
    built.into_iter().find(|path| path.exists()).context("no rectify was built: run `cargo build --release`")
}

/// One run with `--json`.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// The events, in order.
    pub events: Vec<Value>,
    /// The error stream.
    pub stderr: String,
}

/// A task, or one item of its loop, on one host.
pub type Place = (String, String, String);

/// What every run on a lease begins with: the program, the verb, the lease's inventory and its known hosts.
///
/// # Errors
/// A file of the lease cannot be written, or there is no program.
pub fn words(lease: &Lease, verb: &str) -> Result<Vec<OsString>> {
    // The home of an account is what passwd(5) says, for ssh and for rectify: the lease's files need to be named.
    // What a test itself writes into `ssh_more` counts first, as in any such file.
    let config = lease.write(
        "ssh_config",
        &format!(
            "Include {}\nHost *\n UserKnownHostsFile {}\n",
            lease.home().join("ssh_more").display(),
            lease.known_hosts().display()
        ),
    )?;
    Ok(vec![binary()?.into(), verb.into(), "-i".into(), lease.inventory().into(), "--ssh-config".into(), config.into()])
}

/// Runs `rectify VERB` on the hosts of a lease, with these further arguments and the lease's own known hosts.
///
/// # Errors
/// It could not be run.
pub fn output(lease: &Lease, verb: &str, args: &[&str]) -> Result<Output> {
    let mut argv = words(lease, verb)?;
    argv.extend(args.iter().map(OsString::from));
    lease.run(argv)
}

/// Starts `rectify apply PLAYBOOK --json`, for a test that interrupts it.
///
/// # Errors
/// It could not be started.
pub fn start(lease: &Lease, playbook: &str) -> Result<std::process::Child> {
    let argv = words(lease, "apply")?;
    let mut command = lease.command(&argv[0]);
    command.args(&argv[1..]).args(["--json", playbook]).stdout(std::process::Stdio::piped());
    command.spawn().context("start rectify")
}

/// Waits for the end of a run that was started with [`start`], and reads what it said.
///
/// # Errors
/// As [`run`].
pub fn finish(child: std::process::Child) -> Result<Ran> {
    let output = child.wait_with_output().context("wait for rectify")?;
    Ran::read(output.status.code(), &String::from_utf8_lossy(&output.stdout), String::new())
}

/// Runs `rectify VERB --json` on the hosts of a lease, with these further arguments.
///
/// # Errors
/// It could not be run, or printed something that is not JSON.
pub fn run(lease: &Lease, verb: &str, args: &[&str]) -> Result<Ran> {
    let mut all = vec!["--json"];
    all.extend(args);
    let Output { code, stdout, stderr } = output(lease, verb, &all)?;
    Ran::read(code, &stdout, stderr)
}

impl Ran {
    fn read(code: Option<i32>, stdout: &str, stderr: String) -> Result<Self> {
        let event = |line: &str| serde_json::from_str(line).with_context(|| format!("no event: {line}"));
        let events = stdout.lines().map(event).collect::<Result<_>>()?;
        Ok(Self { code, events, stderr })
    }

    /// Reports of tasks without loops and of loop items, by place.
    pub fn reports(&self) -> BTreeMap<Place, Value> {
        let text = |event: &Value, key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut names: BTreeMap<(String, u64), String> = BTreeMap::new();
        let mut looped = std::collections::BTreeSet::new();
        let mut out = BTreeMap::new();
        for event in &self.events {
            let host = text(event, "host");
            if text(event, "event") == "connected" {
                for task in event["tasks"].as_array().into_iter().flatten() {
                    let id = task["id"].as_u64().unwrap_or_default();
                    names.insert((host.clone(), id), format!("{id} {}", text(task, "name")));
                }
            }
            let kind = text(event, "on_host");
            let Some(id) = event.get("task").and_then(Value::as_u64) else { continue };
            let name = names.get(&(host.clone(), id)).cloned().unwrap_or_default();
            match kind.as_str() {
                "item_finished" => {
                    looped.insert((host.clone(), id));
                    out.insert((host, name, text(event, "item")), event["report"].clone());
                }
                "task_finished" if !looped.contains(&(host.clone(), id)) => {
                    out.insert((host, name, String::new()), event["report"].clone());
                }
                _ => {}
            }
        }
        out
    }

    /// The outcome of a report: `changed`, `would_change` …
    pub fn outcome(report: &Value) -> &str {
        report["outcome"]["outcome"].as_str().unwrap_or_default()
    }

    /// The places with this outcome, and the changes reported there.
    pub fn with(&self, outcome: &str) -> BTreeMap<Place, Value> {
        let reports = self.reports().into_iter().filter(|(_, report)| Self::outcome(report) == outcome);
        reports.map(|(place, report)| (place, report["changes"].clone())).collect()
    }

    /// Why hosts were not reached, by host.
    pub fn unreachable(&self) -> BTreeMap<String, String> {
        self.events
            .iter()
            .filter(|e| e["event"] == "unreachable")
            .map(|e| (e["host"].as_str().unwrap_or_default().to_owned(), e["failure"].to_string()))
            .collect()
    }
}
