//! How hosts went in a run, told as soon as each has ended and what it did is on the disk.

use std::collections::{BTreeSet, VecDeque};

use rectify_core::event::{Event, HostPhase, HostState, IllegalTransition, Outcome, RunEvent, RunState};
use rectify_modules::REGISTRY;
use rectify_remote::run::NOT_BEGUN;
use rectify_server::schedule::{Saw, Seen, Tell, Went};

use crate::run::Taker;

/// How long after a host's end its events are on the disk, microseconds: they are written every second.
const WRITTEN: i64 = 2_000_000;

/// Takes the events of a run, and tells how its hosts went.
pub(super) struct Telling {
    pub(super) state: RunState,
    run: String,
    tell: Tell,
    /// The hosts that have ended, and when.
    ended: VecDeque<(i64, String)>,
}

impl Telling {
    pub(super) fn new(run: String, tell: Tell) -> Self {
        Telling { state: RunState::default(), run, tell, ended: VecDeque::new() }
    }
}

impl Taker for Telling {
    fn take(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        self.state.apply(event)?;
        if let RunEvent::HostFinished { host } | RunEvent::Unreachable { host, .. } = &event.what {
            self.ended.push_back((event.at, host.clone()));
        }
        Ok(())
    }

    fn tick(&mut self, now: i64) {
        while let Some((_, host)) = self.ended.pop_front_if(|(at, _)| at.saturating_add(WRITTEN) <= now) {
            if let Some(saw) = self.state.hosts.get(&host).and_then(saw) {
                // Nobody hears it any more when the server ends.
                let _ = self.tell.send(Went { run: self.run.clone(), host, saw });
            }
        }
    }
}

/// How a host went; `None` if its turn did not come.
pub(super) fn saw(host: &HostState) -> Option<Saw> {
    let seen = match &host.phase {
        HostPhase::Unreachable(failure) if failure.message == NOT_BEGUN => return None,
        HostPhase::Finished if host.failures() > 0 => Seen::Failing,
        HostPhase::Finished if host.held.is_some() => Seen::Held,
        HostPhase::Finished => Seen::Through,
        _ => Seen::Unreachable,
    };
    let mut open: BTreeSet<Option<String>> = BTreeSet::new();
    let mut changed = 0;
    for task in &host.tasks {
        let Some(report) = host.reports.get(&task.id) else { continue };
        changed += u64::from(report.outcome == Outcome::Changed);
        // What only runs has no state that could have moved.
        if report.outcome == Outcome::WouldChange && !task.handler && has_state(&task.module) {
            open.insert(task.rollout.as_ref().map(|rollout| rollout.setting.clone()));
        }
    }
    Some(Saw { seen, open, changed })
}

fn has_state(module: &str) -> bool {
    REGISTRY.find(module).is_some_and(|module| !module.is_action())
}

#[cfg(test)]
mod tests {
    use rectify_core::{event::Failure, plan::Mode};
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn a_host_is_told_of_once_what_it_did_is_on_the_disk() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut telling = Telling::new("r".into(), tell);
        let hosts = ["a", "b", "c"].map(str::to_owned);
        let [a, b, c] = hosts.clone();
        let events = [
            RunEvent::Started {
                run: "r".into(),
                mode: Mode::Check,
                playbooks: vec![],
                hosts: hosts.into(),
                version: "1".into(),
            },
            RunEvent::Connecting { host: a.clone() },
            RunEvent::Connected { host: a.clone(), tasks: vec![] },
            RunEvent::HostFinished { host: a },
            RunEvent::Unreachable { host: b, failure: Failure::new(NOT_BEGUN) },
            RunEvent::Connecting { host: c.clone() },
            RunEvent::Unreachable { host: c, failure: Failure::new("no route to host") },
        ];
        for (seq, what) in (0..).zip(events) {
            telling.take(&Event { seq, at: i64::try_from(seq).unwrap() * 1_000_000, what }).unwrap();
        }
        let mut at = |now| {
            telling.tick(now);
            std::iter::from_fn(|| told.try_recv().ok()).map(|went| (went.host, went.saw.seen)).collect::<Vec<_>>()
        };
        assert_eq!(at(4_999_999), []);
        assert_eq!(at(5_000_000), [("a".to_owned(), Seen::Through)]);
        assert_eq!(at(9_000_000), [("c".to_owned(), Seen::Unreachable)], "the turn of b did not come");
        assert_eq!(at(i64::MAX), []);
    }
}
