//! The package manager's log: dpkg.log and apt's history on Debian, dnf's logs elsewhere.

use rectify_core::event::Trace;

use super::{super::Live, fit, local, rotated, said};
use crate::kind::shared::clock;

/// What these logs, and what they were rotated to, say last of a package; if that is nothing, this is said.
pub(super) fn find(live: &Live, name: &str) -> Vec<Trace> {
    let time = |text: &str| local(live, text);
    let mut out = Vec::new();
    out.extend(rotated("/var/log/apt/history.log").find_map(|log| apt(&log, name, &time)));
    out.extend(rotated("/var/log/dpkg.log").find_map(|log| dpkg(&log, name, &time)));
    let command = |at: i64| rotated("/var/log/dnf.log").find_map(|log| command(&log, at));
    out.extend(rotated("/var/log/dnf.rpm.log").find_map(|log| dnf(&log, name, &command)));
    if out.is_empty() {
        out.push(said("packages", format!("the package manager's logs have nothing about {}", fit(name))));
    }
    out
}

/// Whether a name with an architecture, `curl:amd64`, is that package.
fn is(named: &str, name: &str) -> bool {
    named == name || named.split_once(':').is_some_and(|(stem, _)| stem == name)
}

/// apt's history: paragraphs that say who asked for what.
fn apt(log: &str, name: &str, time: &dyn Fn(&str) -> Option<i64>) -> Option<Trace> {
    let (paragraph, action) = log.rsplit("\n\n").find_map(|paragraph| {
        let does = |line: &&str| {
            let Some((_, names)) = line.split_once(": ").filter(|(key, _)| ACTIONS.contains(key)) else { return false };
            names.split("), ").any(|one| one.split(' ').next().is_some_and(|one| is(one, name)))
        };
        Some((paragraph, paragraph.lines().find(does)?.split(':').next()?.to_ascii_lowercase()))
    })?;
    let field = |key: &str| paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    let account = field("Requested-By").map(|who| fit(who.split(" (").next().unwrap_or(who)));
    Some(Trace {
        at: field("Start-Date").and_then(time),
        account,
        program: field("Commandline").map(fit),
        ..said("apt", fit(&format!("{action} {name}")))
    })
}

const ACTIONS: [&str; 6] = ["Install", "Reinstall", "Upgrade", "Downgrade", "Remove", "Purge"];

/// dpkg's log: `2026-11-22 07:18:54 install curl:amd64 <none> 7.88.1-10`.
fn dpkg(log: &str, name: &str, time: &dyn Fn(&str) -> Option<i64>) -> Option<Trace> {
    let about = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words.get(2), Some(&("install" | "upgrade" | "remove" | "purge")))
            && words.get(3).is_some_and(|one| is(one, name))
    };
    let line = log.lines().rev().find(about)?;
    let (at, what) = (line.get(..19)?, line.get(20..)?);
    Some(Trace { at: time(at), ..said("dpkg", fit(what)) })
}

/// dnf's log of what rpm did. `command` says what was given last until some time.
fn dnf(done: &str, name: &str, command: &dyn Fn(i64) -> Option<String>) -> Option<Trace> {
    let about = |line: &&str| {
        let Some((_, package)) = line.split_once(": ").filter(|(before, _)| before.contains(" SUBDEBUG ")) else {
            return false;
        };
        // NAME-[EPOCH:]VERSION-RELEASE.ARCH
        package.rsplitn(3, '-').nth(2) == Some(name)
    };
    let line = done.lines().rev().find(about)?;
    let at = zoned(line);
    Some(Trace { at, program: at.and_then(command), ..said("dnf", fit(line.split_once(" SUBDEBUG ")?.1)) })
}

/// The last command until some time, by dnf's log of what it was told.
fn command(log: &str, until: i64) -> Option<String> {
    log.lines().rev().find_map(|line| {
        let command = line.split_once(" DDEBUG Command: ")?.1;
        zoned(line).is_some_and(|given| given <= until).then(|| fit(command))
    })
}

/// `2026-11-22T07:18:54+0100`, at the begin of a line.
fn zoned(line: &str) -> Option<i64> {
    let seconds = clock::parse(line.get(..19)?, "%Y-%m-%dT%H:%M:%S").ok()?;
    let zone = line.get(19..24)?;
    let (sign, digits) = zone.split_at_checked(1)?;
    let digits: i64 = digits.parse().ok()?;
    let offset = (digits / 100 * 60 + digits % 100) * 60;
    seconds.checked_sub(if sign == "-" { -offset } else { offset })?.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<i64> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        clock::parse(&text, "%Y-%m-%d %H:%M:%S").ok().map(|s| s * 1_000_000)
    }

    const HISTORY: &str = "\nStart-Date: 2026-11-20  10:00:00\nCommandline: apt-get install curl\nRequested-By: joe (1000)\n\
        Install: libcurl4:amd64 (7.88, automatic), curl:amd64 (7.88)\nEnd-Date: 2026-11-20  10:00:02\n\n\
        Start-Date: 2026-11-21  11:00:00\nCommandline: apt-get remove telnet\nRemove: telnet:amd64 (0.17)\nEnd-Date: 2026-11-21  11:00:01\n";

    #[test]
    fn apts_history_says_who_asked_for_it_and_how() {
        let trace = apt(HISTORY, "curl", &utc).unwrap();
        assert_eq!((trace.account.as_deref(), trace.program.as_deref()), (Some("joe"), Some("apt-get install curl")));
        assert_eq!((trace.what.as_str(), trace.at), ("install curl", utc("2026-11-20 10:00:00")));
        let trace = apt(HISTORY, "telnet", &utc).unwrap();
        assert_eq!((trace.account, trace.what.as_str()), (None, "remove telnet"));
        assert_eq!(apt(HISTORY, "libcurl", &utc), None);
    }

    #[test]
    fn dpkgs_log_says_what_was_done_last() {
        let log = "2026-11-20 10:00:00 startup archives unpack\n2026-11-20 10:00:01 install curl:amd64 <none> 7.88\n\
                   2026-11-20 10:00:01 status installed curl:amd64 7.88\n2026-11-21 10:00:01 remove curl:amd64 7.88 <none>\n";
        let trace = dpkg(log, "curl", &utc).unwrap();
        assert_eq!((trace.what.as_str(), trace.at), ("remove curl:amd64 7.88 <none>", utc("2026-11-21 10:00:01")));
        assert_eq!(dpkg(log, "cur", &utc), None);
    }

    #[test]
    fn dnfs_logs_say_what_was_done_and_by_which_command() {
        let done = "2026-11-21T08:00:05+0100 SUBDEBUG Installed: python3-curl-3:7.92-1.el9.x86_64\n\
                    2026-11-21T08:00:06+0100 SUBDEBUG Erase: curl-7.92-1.el9.x86_64\n";
        let given = "2026-11-21T08:00:00+0100 DDEBUG Command: dnf -y remove curl\n2026-11-21T09:00:00+0100 DDEBUG Command: dnf check\n";
        let trace = dnf(done, "curl", &|until| command(given, until)).unwrap();
        assert_eq!(
            (trace.what.as_str(), trace.program.as_deref()),
            ("Erase: curl-7.92-1.el9.x86_64", Some("dnf -y remove curl"))
        );
        assert_eq!(trace.at, utc("2026-11-21 07:00:06"));
        assert_eq!(dnf("x\n\u{fc}-1-1\n", "x", &|_| None), None);
        assert_eq!(command(given, 0), None);
    }
}
