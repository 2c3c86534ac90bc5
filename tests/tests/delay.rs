//! The number of round trips to a host does not grow with the number of tasks.
//!
//! A proxy delays each way and counts how often a connection's traffic changes its direction. The controller's is the first: a
//! round trip is a turn of its, and the host's that follows. Those that nobody waits for count too, so that the number is never less
//! than what the line's delay is multiplied with.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::time::Duration;

use rectify_tests::pool::{self, Lease};
use rectify_tests::proxy::{Proxy, Traffic};
use rectify_tests::rectify::{Ran, run};

/// The most round trips of a run on a host that has the helper.
const ROUND_TRIPS: u64 = 8;
/// Long enough for what belongs together to arrive together.
const DELAY: Duration = Duration::from_millis(100);
/// On a busy machine what belongs together may still come apart, which makes turns of it that nobody waits for. The fewest count.
const ATTEMPTS: usize = 3;

struct Line {
    lease: Lease,
    proxy: Proxy,
}

impl Line {
    fn new() -> Self {
        let lease = pool::debian().unwrap();
        let proxy = Proxy::start(lease.namespace(), &format!("{}:22", lease.host().address()), DELAY).unwrap();
        let mut known = std::fs::read_to_string(lease.known_hosts()).unwrap();
        writeln!(known, "[127.0.0.1]:{} {}", proxy.address().port(), lease.host().host_key()).unwrap();
        std::fs::write(lease.known_hosts(), known).unwrap();
        Line { lease, proxy }
    }

    /// Runs a playbook of so many tasks in a folder, which must end well, and says what passed.
    fn run(&self, verb: &str, folder: &str, tasks: usize) -> (Ran, Traffic) {
        let mut text = String::from("- hosts: all\n  tasks:\n");
        for task in 0..tasks {
            writeln!(text, "    - file: {{path: /srv/{folder}/{task}, state: directory, mode: '0755'}}").unwrap();
        }
        let path = self.lease.write("line.yml", &text).unwrap().to_string_lossy().into_owned();
        let before = self.proxy.traffic();
        let way = format!("ansible_host=127.0.0.1 ansible_port={}", self.proxy.address().port());
        let ran = run(&self.lease, verb, &["-e", &way, &path]).unwrap();
        assert_eq!(ran.code, Some(0), "{} {:?}", ran.stderr, ran.unreachable());
        assert_eq!(ran.reports().len(), tasks);
        (ran, self.proxy.traffic().since(&before))
    }
}

fn round_trips(traffic: Traffic) -> u64 {
    traffic.turns / 2
}

#[test]
fn a_run_takes_eight_round_trips_at_most_however_many_tasks_there_are() {
    let line = Line::new();
    line.run("apply", "line", 400);
    for verb in ["apply", "check"] {
        for tasks in [1, 32, 400] {
            let mut runs = (0..ATTEMPTS).map(|_| round_trips(line.run(verb, "line", tasks).1));
            assert!(runs.any(|trips| trips <= ROUND_TRIPS), "{verb} of {tasks} tasks");
        }
    }
}

#[test]
fn changes_take_no_more_round_trips_than_none() {
    let line = Line::new();
    line.run("apply", "line", 1);
    let mut runs = (0..ATTEMPTS).map(|attempt| {
        let (ran, traffic) = line.run("apply", &format!("new{attempt}"), 200);
        assert_eq!(ran.with("changed").len(), 200);
        round_trips(traffic)
    });
    assert!(runs.any(|trips| trips <= ROUND_TRIPS));
}

#[test]
fn the_helper_is_sent_at_the_first_contact_only() {
    let line = Line::new();
    let (_, first) = line.run("apply", "line", 1);
    let (_, later) = line.run("apply", "line", 1);
    assert!(first.up > later.up + 500_000, "{first:?} {later:?}");
    assert!(later.up < 100_000, "{later:?}");
}
