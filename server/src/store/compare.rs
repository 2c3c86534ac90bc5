//! Two runs compared: per host, what each of them saw and wanted of the same things.

use indexmap::IndexMap;
use rectify_core::event::Status;

use super::export::{HostReports, Report, Reports};
use crate::told::{text::kept, words};

/// One host in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Compared {
    /// It is in the first run only.
    Gone,
    /// It is in the second run only.
    New,
    /// It did not come to its end in both: how it ended in each.
    Ended(String, String),
    /// What differs, in the order of the second run; nothing where they are the same.
    Items(Vec<Item>),
}

/// A property of a thing, or a task that says nothing of things, in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item {
    /// The thing, such as `path:/etc/motd`, or the task.
    pub thing: String,
    /// The property; empty for the thing as a whole.
    pub property: String,
    /// What the first run says; `None` where it says nothing of it.
    pub before: Option<String>,
    /// What the second run says; `None` where it says nothing of it.
    pub after: Option<String>,
}

/// Compares two runs, host by host: those of the second in its order, then those that are gone.
pub fn compare(one: &Reports, two: &Reports) -> Vec<(String, Compared)> {
    let first: IndexMap<&str, &HostReports> = one.hosts.iter().map(|host| (host.host.as_str(), host)).collect();
    let there = |name: &str| two.hosts.iter().any(|host| host.host == name);
    let both = two.hosts.iter().map(|host| {
        let compared = first.get(host.host.as_str()).map_or(Compared::New, |before| of_host(before, host));
        (host.host.clone(), compared)
    });
    let gone = one.hosts.iter().filter(|host| !there(&host.host)).map(|host| (host.host.clone(), Compared::Gone));
    both.chain(gone).collect()
}

fn of_host(before: &HostReports, after: &HostReports) -> Compared {
    if before.state != "finished" || after.state != "finished" {
        let [one, two] = [before, after].map(ended);
        return if one == two { Compared::Items(Vec::new()) } else { Compared::Ended(one, two) };
    }
    let (mut old, new) = (items(before), items(after));
    let mut differ = Vec::new();
    for ((thing, property), after) in new {
        let before = old.shift_remove(&(thing.clone(), property.clone()));
        if before.as_ref() != Some(&after) {
            differ.push(Item { thing, property, before, after: Some(after) });
        }
    }
    differ.extend(old.into_iter().map(|((thing, property), before)| Item {
        thing,
        property,
        before: Some(before),
        after: None,
    }));
    Compared::Items(differ)
}

fn ended(host: &HostReports) -> String {
    match &host.failure {
        Some(failure) => format!("unreachable: {}", failure.message),
        None if host.state == "finished" => "finished".into(),
        None => "not finished".into(),
    }
}

/// What a run says of each thing and property: what the first of its tasks saw, and what the last of them wanted.
fn items(host: &HostReports) -> IndexMap<(String, String), String> {
    let mut seen: IndexMap<(String, String), (Option<String>, Option<String>)> = IndexMap::new();
    let mut said: IndexMap<(String, String), String> = IndexMap::new();
    for task in &host.tasks {
        for thing in task.report.kept.iter().flat_map(|kept| &kept.things) {
            // Left out where it is there and shall be.
            if thing.properties.iter().all(|property| !property.property.is_empty()) {
                let there = || Some("present".to_owned());
                seen.entry((thing.thing.clone(), String::new())).or_insert((there(), None)).1 = there();
            }
            for property in &thing.properties {
                let [saw, wants] =
                    [property.seen(), property.wanted()].map(|side| side.map(|value| kept(value).into_owned()));
                let key = (thing.thing.clone(), property.property.clone());
                seen.entry(key).or_insert((saw, None)).1 = wants;
            }
        }
        if let Some((key, words)) = by_task(task) {
            said.insert(key, words);
        }
    }
    let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "absent".into());
    let words = |(saw, wants)| match saw == wants {
        true => text(&saw),
        false => format!("{}, wanted {}", text(&saw), text(&wants)),
    };
    seen.into_iter().map(|(key, sides)| (key, words(sides))).chain(said).collect()
}

/// What is told of the task itself: where it says nothing of things, or went wrong. What did not run says nothing.
fn by_task(task: &Report) -> Option<((String, String), String)> {
    let how = task.report.outcome.status();
    let wrong = matches!(how, Status::Failed | Status::NotConverged | Status::RolledBack | Status::Finding);
    if how == Status::Skipped || (task.report.kept.is_some() && !wrong) {
        return None;
    }
    let findings = task.report.findings.iter().map(|f| format!("{}: {}", f.subject, f.message));
    let lines: Vec<String> = task.said.lines.iter().cloned().chain(findings).collect();
    let why = if lines.is_empty() { String::new() } else { format!(": {}", lines.join("; ")) };
    Some(((format!("task {}", task.title()), String::new()), format!("{}{why}", words::status(how))))
}

#[cfg(test)]
mod tests {
    use rectify_core::event::{Failure, HostEvent, Kept, Outcome, Property, RunEvent, Thing};

    use super::*;
    use crate::store::testing::run::{events, head};

    type Task<'a> = (Outcome, Vec<(&'a str, &'a str, Option<&'a str>, Option<&'a str>)>);

    /// A run on these hosts, each with tasks that say this of things; or why it was not reached.
    fn run(hosts: &[(&str, Result<Vec<Task<'_>>, &str>)]) -> Reports {
        let head = head("run-1", &hosts.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let went: Vec<_> = hosts
            .iter()
            .map(|(_, went)| went.as_ref().map(|tasks| tasks.iter().map(|t| t.0.clone()).collect()).map_err(|e| *e))
            .collect();
        let mut all = events(&head, &went);
        for event in &mut all {
            let RunEvent::Host { host, what: HostEvent::TaskFinished { task, report } } = &mut event.what else {
                continue;
            };
            let (_, went) = hosts.iter().find(|(name, _)| name == host).unwrap();
            let says = &went.as_ref().unwrap()[task.0 as usize].1;
            let thing = |(thing, property, seen, wanted): &(&str, &str, Option<&str>, Option<&str>)| Thing {
                thing: (*thing).into(),
                properties: vec![Property::new(*property, seen.map(Into::into), wanted.map(Into::into))],
                traces: vec![],
            };
            report.kept =
                (!says.is_empty()).then(|| Kept { things: says.iter().map(thing).collect(), ..Kept::default() });
        }
        Reports::read(all.into_iter())
    }

    fn item(thing: &str, property: &str, before: Option<&str>, after: Option<&str>) -> Item {
        let [before, after] = [before, after].map(|side| side.map(str::to_owned));
        Item { thing: thing.into(), property: property.into(), before, after }
    }

    #[test]
    fn things_are_compared_whatever_task_manages_them() {
        let mode = |seen| ("path:/x", "mode", Some(seen), Some("0600"));
        let one = run(&[(
            "a",
            Ok(vec![
                (Outcome::WouldChange, vec![mode("0644"), ("path:/w", "mode", Some("0600"), Some("0600"))]),
                (
                    Outcome::Unchanged,
                    vec![("package:curl", "", None, None), ("path:/y", "owner", Some("root"), Some("root"))],
                ),
            ]),
        )]);
        let two = run(&[(
            "a",
            Ok(vec![
                (
                    Outcome::Unchanged,
                    vec![
                        ("path:/y", "owner", Some("root"), Some("root")),
                        ("path:/z", "", Some("present"), None),
                        ("path:/w", "", None, Some("present")),
                    ],
                ),
                (Outcome::Unchanged, vec![mode("0600")]),
            ]),
        )]);
        let Compared::Items(items) = &compare(&one, &two)[0].1 else { panic!() };
        assert_eq!(
            *items,
            [
                item("path:/z", "", None, Some("present, wanted absent")),
                item("path:/w", "", Some("present"), Some("absent, wanted present")),
                item("path:/x", "mode", Some("0644, wanted 0600"), Some("0600")),
                item("path:/w", "mode", Some("0600"), None),
                item("package:curl", "", Some("absent"), None),
            ]
        );
        assert_eq!(compare(&one, &one)[0].1, Compared::Items(vec![]));
    }

    #[test]
    fn several_tasks_on_one_property_count_together() {
        let line = |seen, wanted| (Outcome::WouldChange, vec![("path:/x", "content", Some(seen), Some(wanted))]);
        let one = run(&[("a", Ok(vec![line("A", "B"), line("B", "C")]))]);
        let two = run(&[("a", Ok(vec![line("A", "C")]))]);
        assert_eq!(compare(&one, &two)[0].1, Compared::Items(vec![]));
    }

    #[test]
    fn tasks_that_fail_and_hosts_that_come_and_go_are_told() {
        let failed = Outcome::Failed { failure: Failure::new("no space") };
        let one = run(&[("a", Ok(vec![(Outcome::Changed, vec![])])), ("b", Ok(vec![])), ("c", Err("no route"))]);
        let two = run(&[
            ("a", Ok(vec![(failed, vec![])])),
            ("c", Err("no route")),
            ("b", Err("no route")),
            ("d", Ok(vec![])),
        ]);
        let told = compare(&one, &two);
        assert_eq!(
            told[0].1,
            Compared::Items(vec![item("task task 0", "", Some("changed"), Some("failed: no space"))])
        );
        assert_eq!(told[1], ("c".into(), Compared::Items(vec![])));
        assert_eq!(told[2], ("b".into(), Compared::Ended("finished".into(), "unreachable: no route".into())));
        assert_eq!(told[3], ("d".into(), Compared::New));
        assert_eq!(compare(&two, &one).last().unwrap(), &("d".into(), Compared::Gone));
    }
}
