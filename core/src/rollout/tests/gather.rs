use super::*;
use crate::{
    event::{Event, HostEvent, Outcome, RunEvent, SkipReason, Status, TaskInfo, TaskReport},
    module::{Blocked, Finding, Severity},
    plan::{Mode as RunMode, Origin, Rollout, RolloutMode, RolloutOn, TaskId},
};

/// A task of `frames`: when it runs, what the host does with the setting.
fn task(id: u32, on: RolloutOn, mode: RolloutMode) -> TaskInfo {
    TaskInfo {
        id: TaskId(id),
        name: format!("task {id}"),
        module: "copy".into(),
        role: None,
        play: "p".into(),
        origin: Origin { file: "p.yml".into(), line: id + 1, column: 1 },
        handler: false,
        rollout: Some(Rollout { setting: "frames".into(), on, mode, why: "opt-in".into() }),
    }
}

/// What a run on one host saw.
fn gathered(mode: RunMode, tasks: Vec<TaskInfo>, events: Vec<HostEvent>) -> Gather {
    let host = || "h".to_owned();
    let mut all = vec![
        RunEvent::Started { run: "r".into(), mode, playbooks: vec![], hosts: vec![host()], version: "0".into() },
        RunEvent::Connected { host: host(), tasks },
    ];
    all.extend(events.into_iter().map(|what| RunEvent::Host { host: host(), what }));
    let mut gather = Gather::default();
    for (seq, what) in (0..).zip(all) {
        gather.take(&Event { seq, at: 0, what });
    }
    gather
}

fn finished(id: u32, report: TaskReport) -> HostEvent {
    HostEvent::TaskFinished { task: TaskId(id), report: Box::new(report) }
}

fn look(gather: &Gather) -> HostLook {
    let looks = gather.looks(time("2027-01-10"), |_| 1, |host, setting| Some(format!("{setting} on {host}")));
    looks[0].hosts["h"].clone()
}

fn would_change() -> TaskReport {
    let would = Some(Status::WouldChange);
    TaskReport::of(Outcome::Skipped {
        reason: SkipReason::Rollout { setting: "frames".into(), why: "opt-in".into(), would },
    })
}

#[test]
fn what_measures_is_not_what_would_change() {
    let observing = task(0, RolloutOn::Observe, RolloutMode::Observe);
    let placed = finished(0, TaskReport::of(Outcome::Changed));
    let gather = gathered(RunMode::Apply, vec![observing.clone()], vec![placed.clone()]);
    assert_eq!(look(&gather), HostLook { print: Some("frames on h".into()), ..HostLook::default() });
    assert!(gather.seen().is_empty(), "nobody is told of it");
    let enforcing = task(1, RolloutOn::Enforce, RolloutMode::Observe);
    let gather = gathered(RunMode::Apply, vec![observing, enforcing], vec![placed, finished(1, would_change())]);
    assert!(look(&gather).change.is_some() && !look(&gather).enforced);
}

#[test]
fn what_tasks_counted_adds_up_and_is_bounded() {
    let tasks = (0..2).map(|id| task(id, RolloutOn::Observe, RolloutMode::Observe)).collect();
    let counted = |blocked: Blocked| TaskReport { blocked: Some(blocked), ..TaskReport::of(Outcome::Unchanged) };
    let one = Blocked {
        over: 30,
        days: [("2027-01-09".to_owned(), 3), ("tomorrow".to_owned(), 9)].into(),
        most: vec![("a\u{1b}.example".into(), 2), ("b".repeat(1000), 1)],
    };
    let two = Blocked {
        over: 30,
        days: (0..2000).map(|n| (format!("{:04}-01-09", 2027 - n), 4)).collect(),
        most: (0..50).map(|n| (format!("c{n}"), 1)).collect(),
    };
    let events = vec![finished(0, counted(one)), finished(1, counted(two))];
    let seen = look(&gathered(RunMode::Check, tasks, events)).blocked.unwrap();
    assert_eq!(seen.days.len(), 400);
    assert_eq!(seen.days[&"2027-01-09".parse::<jiff::civil::Date>().unwrap()], 7);
    assert_eq!((seen.most.len(), seen.most[0].clone()), (10, ("a\u{fffd}.example".to_owned(), 2)));
    assert!(seen.most.iter().all(|(who, _)| who.chars().count() <= 200));
}

#[test]
fn on_a_host_that_is_held_nothing_was_enforced() {
    let tasks = || vec![task(0, RolloutOn::Enforce, RolloutMode::Enforce)];
    let hold = crate::hold::Hold { by: "root".into(), until: time("2027-01-11"), reason: "x".into() };
    let would = || finished(0, TaskReport::of(Outcome::WouldChange));
    let free = look(&gathered(RunMode::Apply, tasks(), vec![would()]));
    let held = |mode| look(&gathered(mode, tasks(), vec![HostEvent::Held { hold: hold.clone() }, would()]));
    assert!(free.enforced && !held(RunMode::Apply).enforced && held(RunMode::Apply).change.is_some());
    let looked = look(&gathered(RunMode::Check, tasks(), vec![would()]));
    assert_eq!(held(RunMode::Check), looked, "a check sees what it would see without the hold");
}

#[test]
fn skips_of_hosts_are_noted_where_somebody_looked_for_them() {
    let world = World::new(FRAMES, HOSTS);
    let finding = |name: &str| Finding {
        severity: Severity::Warning,
        subject: name.into(),
        message: "/etc/x\u{1b}.conf:2 defines it, and the inventory has no skip of `frames`".into(),
    };
    let noted = |module: &str, report: TaskReport| {
        let mut looking = task(1, RolloutOn::Enforce, RolloutMode::Observe);
        (looking.module, looking.rollout) = (module.into(), None);
        let tasks = vec![task(0, RolloutOn::Enforce, RolloutMode::Observe), looking];
        let gather = gathered(RunMode::Check, tasks, vec![finished(0, would_change()), finished(1, report)]);
        let mut looks = gather.looks(time("2027-01-10"), |_| 1, |_, _| None);
        note_skips(&mut looks, &gather, &world.rollouts);
        looks[0].hosts["h"].own_skip.clone()
    };
    let found = |name| TaskReport {
        findings: vec![finding(name)],
        ..TaskReport::of(Outcome::Finding { severity: Severity::Warning })
    };
    let skipped = TaskReport::of(Outcome::Skipped { reason: SkipReason::Ended });
    let place = "RECTIFY_SKIP_FRAMES in /etc/x\u{fffd}.conf:2";
    assert_eq!(noted("apache_skips", found("RECTIFY_SKIP_FRAMES")).as_deref(), Some(place));
    assert_eq!(noted("apache_skips", found("RECTIFY_SKIP_OTHER")).as_deref(), Some(""));
    assert_eq!(noted("apache_skips", TaskReport::of(Outcome::Unchanged)).as_deref(), Some(""));
    assert_eq!(noted("apache_skips", skipped), None);
    assert_eq!(noted("permissions", found("RECTIFY_SKIP_FRAMES")), None, "another module's words");
}
