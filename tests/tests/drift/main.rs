//! What happens to hosts behind the tool's back is found, and said to be drift; what the policy changes is said to be pending.
//!
//! A container has no audit of its own: where accounts and programs are to be named, a log in the real format is laid on the host.

#![expect(clippy::unwrap_used, reason = "a test")]

mod behind;
mod policy;
mod who;

use rectify_tests::{
    fleet::Host,
    pool::{self, Lease},
    rectify::output,
};
use serde_json::Value;

/// A host with a policy, and the record of what runs saw there.
struct World {
    lease: Lease,
    playbook: String,
}

/// The tasks of most tests here; the unit `idle` is there already.
const TASKS: &str = "\
- name: banner
  copy: {dest: /etc/banner, content: \"keep out\\n\", mode: '0644'}
- name: fragment
  copy: {dest: /etc/app.d.conf, content: \"a = 1\\nb = 2\\nc = 3\\n\"}
- name: no demo
  package: {name: [rectify-demo], state: absent}
- name: the unit runs
  service: {name: idle, state: started}
- name: nobody called eve
  user: {name: eve, state: absent}
";

impl World {
    /// A host that has the policy of these tasks.
    fn new(tasks: &str) -> Self {
        let lease = pool::debian().unwrap();
        lease.host().write("/etc/systemd/system/idle.service", "[Service]\nExecStart=/bin/sleep infinity\n").unwrap();
        lease.host().sh("systemctl daemon-reload").unwrap();
        let mut world = World { playbook: String::new(), lease };
        world.says(tasks);
        world.runs("apply", &[], 0);
        world
    }

    fn host(&self) -> &Host {
        self.lease.host()
    }

    /// The policy is these tasks from here on.
    fn says(&mut self, tasks: &str) {
        let indented: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
        let text = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{indented}");
        self.playbook = self.lease.write("site.yml", &text).unwrap().to_string_lossy().into_owned();
    }

    /// What a run prints, if it ends so.
    fn runs(&self, verb: &str, more: &[&str], code: i32) -> String {
        let said = output(&self.lease, verb, &[&[self.playbook.as_str()], more].concat()).unwrap();
        assert_eq!(said.code, Some(code), "{verb}: {}\n{}", said.stdout, said.stderr);
        assert!(!said.stderr.contains("warning"), "{}", said.stderr);
        said.stdout
    }

    /// What `drift` finds open and fixed.
    fn drift(&self, code: i32) -> Value {
        serde_json::from_str(&self.runs("drift", &["--json"], code)).unwrap()
    }

    /// What is open, as `CAUSE THING PROPERTY`.
    fn open(&self) -> Vec<String> {
        listed(&self.drift(2))
    }
}

fn listed(found: &Value) -> Vec<String> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    let one =
        |i: &Value| format!("{} {} {}", text(i, "cause"), text(i, "thing"), text(i, "property")).trim_end().to_owned();
    found["open"].as_array().unwrap().iter().map(one).collect()
}

/// The traces of a thing that is open, from one source.
fn traces(found: &Value, thing: &str, source: &str) -> Vec<Value> {
    let items = found["open"].as_array().unwrap().iter().filter(|item| item["thing"] == thing);
    items
        .flat_map(|item| item["traces"].as_array().unwrap().clone())
        .filter(|trace| trace["source"] == source)
        .collect()
}

/// Microseconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}
