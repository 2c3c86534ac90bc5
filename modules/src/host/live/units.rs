//! systemd units, by way of systemctl(1).
//!
//! Asking costs a process. So every unit that the plan names, or that was ever asked for, is asked for in one go when the first
//! of them is needed, or needed again after a change; and anything that may touch units (a file, a package, a command) forgets all answers. A service can
//! end by itself at any time, so an answer counts for a second at most.

use crate::host::UNIT_SUFFIXES;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rectify_core::module::{Command, HostError, HostResult, Unit, UnitAction};

use super::{
    Live,
    text::{complaint, sanitize},
};

const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload";

/// How long an answer counts.
const COUNTS: Duration = Duration::from_secs(1);

/// What was answered, and when: `None` for a unit that was asked for, with an answer that does not hold any more.
#[derive(Default)]
pub(super) struct Cache(Mutex<BTreeMap<String, Option<(Instant, Unit)>>>);

impl Cache {
    /// Forgets all answers.
    pub(super) fn forget(&self) {
        for answer in self.0.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            *answer = None;
        }
    }
}

/// Notes units that will probably be asked for: the first question is for all of them. What is no unit's name is left out.
pub(super) fn expect<'a>(live: &Live, names: impl Iterator<Item = &'a str>) {
    let mut cache = live.units.0.lock().unwrap_or_else(PoisonError::into_inner);
    for name in names.filter_map(|name| full_name(name).ok()).filter(|name| !name.contains("@.")) {
        cache.entry(name).or_default();
    }
}

/// A unit as it is now.
pub(super) fn unit(live: &Live, name: &str) -> HostResult<Unit> {
    let name = full_name(name)?;
    booted()?;
    let mut cache = live.units.0.lock().unwrap_or_else(PoisonError::into_inner);
    let counts = |answer: &Option<(Instant, Unit)>| answer.as_ref().is_some_and(|(then, _)| then.elapsed() < COUNTS);
    if let Some(Some((_, unit))) = cache.get(&name).filter(|a| counts(a)) {
        return Ok(unit.clone());
    }
    if name.contains("@.") {
        // A template is no unit; systemctl shows only its file.
        return template(live, &name);
    }
    let mut names: Vec<String> = cache.iter().filter(|(_, a)| !counts(a)).map(|(name, _)| name.clone()).collect();
    if !names.contains(&name) {
        names.push(name.clone());
    }
    let units = match show(live, &names) {
        // One of the others may have become a stumbling block.
        Err(HostError::Program { .. }) if names.len() > 1 => show(live, std::slice::from_ref(&name))?,
        other => other?,
    };
    let found = units.iter().find(|u| u.name == name).cloned();
    let now = Instant::now();
    for unit in units {
        cache.insert(unit.name.clone(), Some((now, unit)));
    }
    found.ok_or_else(|| HostError::Program {
        program: format!("systemctl show {name}"),
        status: "exit 0".into(),
        stderr: "it does not say anything about the unit".into(),
    })
}

fn booted() -> HostResult<()> {
    // sd_booted(3)
    if Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    Err(HostError::Unsupported(
        "systemd does not run here (there is no /run/systemd/system): this host, perhaps a container, has no units to look \
         at or to act on"
            .into(),
    ))
}

/// With its suffix; refuses what systemctl would take for an option or a pattern.
fn full_name(name: &str) -> HostResult<String> {
    let fine = !name.is_empty()
        && name.len() < 256
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b));
    if !fine {
        return Err(HostError::Unsupported(format!("'{}' is no name of a unit", sanitize(name.as_bytes()))));
    }
    if UNIT_SUFFIXES.iter().any(|s| name.ends_with(s)) { Ok(name.to_owned()) } else { Ok(format!("{name}.service")) }
}

fn show(live: &Live, names: &[String]) -> HostResult<Vec<Unit>> {
    let mut command = Command::new(["systemctl", "show", "--no-pager", PROPERTIES, "--"]);
    command.argv.extend(names.iter().cloned());
    let output = live.machinery(&command)?;
    Ok(parse(names, &String::from_utf8_lossy(&output.stdout)))
}

/// One block of `KEY=value` lines per name, in the order asked, an empty line between two. A name may be an alias, so that
/// `Id` is another one.
fn parse(names: &[String], text: &str) -> Vec<Unit> {
    let blocks = text.split("\n\n").filter(|b| !b.trim().is_empty());
    names
        .iter()
        .zip(blocks)
        .map(|(name, block)| {
            let field = |key: &str| {
                block.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().to_owned()
            };
            Unit {
                name: name.clone(),
                load: field("LoadState"),
                active: field("ActiveState"),
                sub: field("SubState"),
                file: field("UnitFileState"),
                needs_reload: field("NeedDaemonReload") == "yes",
            }
        })
        .collect()
}

fn template(live: &Live, name: &str) -> HostResult<Unit> {
    let command = Command::new(["systemctl", "list-unit-files", "--no-pager", "--no-legend", "--full", "--", name]);
    let output = live.machinery_raw(&command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let file = text.lines().find_map(|l| {
        let mut words = l.split_ascii_whitespace();
        words.next().filter(|n| *n == name).and_then(|_| words.next())
    });
    let load = match file {
        None => "not-found",
        Some("masked") => "masked",
        Some(_) => "loaded",
    };
    Ok(Unit {
        name: name.to_owned(),
        load: load.into(),
        active: "inactive".into(),
        sub: "dead".into(),
        file: file.unwrap_or_default().to_owned(),
        needs_reload: false,
    })
}

/// Does it, and says why not with what the unit itself said last.
pub(super) fn act(live: &Live, name: &str, action: UnitAction) -> HostResult<()> {
    let name = full_name(name)?;
    booted()?;
    let verb = match action {
        UnitAction::Start => "start",
        UnitAction::Stop => "stop",
        UnitAction::Restart => "restart",
        UnitAction::Reload => "reload",
        UnitAction::Enable => "enable",
        UnitAction::Disable => "disable",
        UnitAction::Mask => "mask",
        UnitAction::Unmask => "unmask",
    };
    let result = live.machinery(&Command::new(["systemctl", "--no-ask-password", "--no-pager", verb, "--", &name]));
    live.units.forget();
    let running = matches!(action, UnitAction::Start | UnitAction::Stop | UnitAction::Restart | UnitAction::Reload);
    match result {
        Ok(_) => Ok(()),
        Err(HostError::Program { program, status, stderr }) if running => {
            Err(HostError::Program { program, status, stderr: with_last_words(live, &name, &stderr) })
        }
        Err(other) => Err(other),
    }
}

/// The complaint, and the last lines of the unit's log.
fn with_last_words(live: &Live, name: &str, stderr: &str) -> String {
    let words = ["systemctl", "status", "--no-pager", "--full", "--lines=10", "--", name];
    let status = live.machinery_raw(&Command::new(words)).map(|o| complaint(&o.stdout)).unwrap_or_default();
    if status.is_empty() { stderr.to_owned() } else { format!("{stderr}\n{status}") }
}

/// Makes systemd read its unit files again.
pub(super) fn reload(live: &Live) -> HostResult<()> {
    booted()?;
    let result = live.machinery(&Command::new(["systemctl", "--no-ask-password", "daemon-reload"]));
    live.units.forget();
    result.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_suffix_and_patterns_are_refused() {
        assert_eq!(full_name("ssh").unwrap(), "ssh.service");
        assert_eq!(full_name("org.example.thing").unwrap(), "org.example.thing.service");
        assert_eq!(full_name("a@b.timer").unwrap(), "a@b.timer");
        for name in ["", "-x", "*", "a b", "a\nb", "a/b"] {
            assert!(full_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn units_that_are_expected_are_asked_for_with_the_first_and_what_is_no_unit_is_not() {
        let live = Live::new(super::super::Blobs::new());
        expect(&live, ["ssh", "a@.service", "{{ name }}", "-x", "b.timer", "ssh"].into_iter());
        let cache = live.units.0.lock().unwrap();
        let open: Vec<&str> =
            cache.iter().filter(|(_, answer)| answer.is_none()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(open, ["b.timer", "ssh.service"]);
    }

    /// Recorded with systemd 252: an alias, one that is not there, one made from an init script.
    const SHOWN: &str = "Id=ssh.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
UnitFileState=enabled
NeedDaemonReload=yes

Id=nosuch.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no

Id=sysvthing.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=generated
NeedDaemonReload=no
";

    #[test]
    fn answers_for_several_are_told_apart() {
        let names = ["sshd.service", "nosuch.service", "sysvthing.service"].map(String::from);
        let units = parse(&names, SHOWN);
        assert_eq!(units[0].name, "sshd.service", "an alias keeps the name it was asked for by");
        assert_eq!((units[0].active.as_str(), units[0].sub.as_str()), ("activating", "auto-restart"));
        assert!(units[0].needs_reload && units[0].exists() && !units[1].exists());
        assert_eq!((units[1].file.as_str(), units[2].file.as_str()), ("", "generated"));
    }
}
