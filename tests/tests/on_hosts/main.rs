//! What of rollouts lives on the hosts: counters of what enforcing would block, holds, skips that nobody documented, and who can
//! reconfigure a host.

#![expect(clippy::unwrap_used, reason = "a test")]

mod audience;
mod frames;
mod hold;
mod motd;
mod skips;

use rectify_tests::{
    pool::Lease,
    rectify::{Ran, run},
};

/// Runs a playbook of these tasks, and gives what it said.
fn play(lease: &Lease, verb: &str, tasks: &str) -> Ran {
    let indented: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("- hosts: all\n  tasks:\n{indented}");
    let path = lease.write("site.yml", &text).unwrap();
    run(lease, verb, &[&path.to_string_lossy()]).unwrap()
}

/// The report of the task whose name ends so, on the first host.
fn report(lease: &Lease, ran: &Ran, name: &str) -> serde_json::Value {
    let host = lease.host().name();
    let found = ran.reports().into_iter().find(|((on, task, _), _)| on == host && task.ends_with(name));
    found.unwrap_or_else(|| panic!("no task {name}: {}\n{:#?}", ran.stderr, ran.events)).1
}
