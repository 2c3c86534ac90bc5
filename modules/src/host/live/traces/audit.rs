//! The audit log (auditd(8), auditd.conf(5)): which account had a path changed, and by which program.
//!
//! Read directly, so that it needs no tool on the host and nothing of the log has to fit into memory but its end. An event is several records with one
//! serial number: SYSCALL says who, PATH what, CWD where from. Values with odd characters in them are in hexadecimal digits.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use rectify_core::event::Trace;

use super::{super::Live, TAIL, fit, said, tail};

const LOG: &str = "/var/log/audit/audit.log";

/// Who has not logged in: a service, or something that runs since the start.
const UNSET: &str = "4294967295";

/// The most events that are told of a path.
const EVENTS: usize = 3;

/// The most events that are looked at for them.
const CANDIDATES: usize = 64;

/// The end of the log, as it was when it was first needed.
#[derive(Default)]
pub(in super::super) struct Log(OnceLock<Option<Arc<str>>>);

impl Log {
    /// What the log says of changes of these paths, and of an account by its name; the newest first. If that is nothing, this is said.
    pub(super) fn find(&self, live: &Live, paths: &[&Path], account: Option<&str>) -> Vec<Trace> {
        let read = || log(LOG).map(|bytes| String::from_utf8_lossy(&bytes).into());
        let Some(log) = self.0.get_or_init(read) else {
            return vec![said("audit", "this host has no audit log that could be read: who did it is not known")];
        };
        let name = |uid: &str| {
            let uid: u32 = uid.parse().ok()?;
            let accounts = live.accounts.get().ok()?;
            accounts.users.iter().find(|user| user.uid == uid).map(|user| user.name.clone())
        };
        let mut found = search(log, paths, account, &name);
        if found.is_empty() {
            found.push(said("audit", "the audit log, as far back as it was read, has nothing about it"));
        }
        found
    }
}

/// The end of the log. One that was rotated not long ago begins with the end of the one before, for as much as is looked at.
fn log(path: &str) -> Option<Vec<u8>> {
    let newest = tail(path)?;
    let room = usize::try_from(TAIL).unwrap_or(usize::MAX).saturating_sub(newest.len());
    let Some(mut all) = Some(room).filter(|room| *room > 0).and_then(|_| tail(&format!("{path}.1"))) else {
        return Some(newest);
    };
    if all.len() > room {
        let cut = all.len() - room;
        let begin = all[cut..].iter().position(|b| *b == b'\n').map_or(all.len(), |end| cut + end + 1);
        all.drain(..begin);
    }
    all.extend(newest);
    Some(all)
}

fn search(log: &str, paths: &[&Path], account: Option<&str>, name: &dyn Fn(&str) -> Option<String>) -> Vec<Trace> {
    let mut out: Vec<Trace> = Vec::new();
    let mut serials: Vec<&str> = Vec::new();
    for line in log.lines().rev() {
        if out.len() >= EVENTS || serials.len() >= CANDIDATES {
            break;
        }
        let Some(serial) = serial(line) else { continue };
        if serials.contains(&serial) {
            continue;
        }
        let trace = match field(line, "type").as_deref() {
            Some("PATH") if paths.iter().any(|path| may_be(line, path)) => {
                serials.push(serial);
                changed(log, line, serial, paths, name)
            }
            Some(kind)
                if account.is_some()
                    && (kind.starts_with("ADD_") || kind.starts_with("DEL_") || kind.ends_with("_MGMT")) =>
            {
                if inner(line, "acct").as_deref() != account && inner(line, "grp").as_deref() != account {
                    continue;
                }
                serials.push(serial);
                let what = inner(line, "op").unwrap_or_else(|| kind.to_ascii_lowercase());
                Some(told(line, line, serial, &what, name))
            }
            _ => None,
        };
        out.extend(trace);
    }
    out
}

/// Whether a record of a path may be about this one.
fn may_be(line: &str, path: &Path) -> bool {
    let Some(named) = field(line, "name") else { return false };
    let named = Path::new(&named);
    named == path || (named.is_relative() && named.file_name().is_some() && named.file_name() == path.file_name())
}

/// An event that changed one of the paths; `None` if it was about another one, failed, or only read.
fn changed(
    log: &str,
    line: &str,
    serial: &str,
    paths: &[&Path],
    name: &dyn Fn(&str) -> Option<String>,
) -> Option<Trace> {
    let record =
        |kind: &str| log.lines().rev().find(|l| l.contains(serial) && field(l, "type").as_deref() == Some(kind));
    let named = field(line, "name")?;
    let path = match Path::new(&named) {
        absolute if absolute.is_absolute() => absolute.to_owned(),
        relative => Path::new(&field(record("CWD")?, "cwd")?).join(relative.strip_prefix(".").unwrap_or(relative)),
    };
    if !paths.contains(&path.as_path()) {
        return None;
    }
    let call = record("SYSCALL")?;
    if field(call, "success").as_deref() == Some("no") || only_reads(call) {
        return None;
    }
    let what = match field(line, "nametype").as_deref() {
        Some("CREATE") => "created",
        Some("DELETE") => "removed",
        _ => "changed",
    };
    Some(told(call, line, serial, &format!("{what} {}", path.display()), name))
}

/// Whether it is an open(2) that cannot write. Numbers of x86_64 and aarch64; what is not known counts.
fn only_reads(call: &str) -> bool {
    const WRITES: u64 = 0o1 | 0o2 | 0o100 | 0o1000;
    let flags = match (field(call, "arch").as_deref(), field(call, "syscall").as_deref()) {
        (Some("c000003e"), Some("2")) => "a1",
        (Some("c000003e"), Some("257")) | (Some("c00000b7"), Some("56")) => "a2",
        _ => return false,
    };
    field(call, flags).and_then(|flags| u64::from_str_radix(&flags, 16).ok()).is_some_and(|flags| flags & WRITES == 0)
}

fn told(call: &str, line: &str, serial: &str, what: &str, name: &dyn Fn(&str) -> Option<String>) -> Trace {
    let login = field(call, "auid");
    let account = match login.as_deref() {
        None | Some(UNSET | "-1") => None,
        // What auditd itself resolved was right then; the accounts may be others now.
        Some(uid) => field(line, "AUID")
            .or_else(|| field(call, "AUID"))
            .or_else(|| name(uid))
            .or_else(|| Some(format!("uid {uid}"))),
    };
    let by_nobody = account.is_none();
    let program = field(call, "exe").or_else(|| inner(call, "exe")).or_else(|| field(call, "comm"));
    let what = if by_nobody { format!("{what}, by nobody who had logged in") } else { what.to_owned() };
    Trace {
        at: time(serial),
        account: account.map(|text| fit(&text)),
        program: program.map(|text| fit(&text)),
        ..said("audit", fit(&what))
    }
}

/// `audit(1364481363.243:24287)`, which all records of an event share.
fn serial(line: &str) -> Option<&str> {
    let from = line.find("audit(")?;
    let end = line[from..].find(')')?;
    line.get(from..=from + end)
}

fn time(serial: &str) -> Option<i64> {
    let (seconds, millis) = serial.strip_prefix("audit(")?.split_once(':')?.0.split_once('.')?;
    let micros: i64 = format!("{millis:0<6}").get(..6)?.parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)
}

/// The value of a field: quoted, or in hexadecimal digits where it may have any bytes, or plain.
fn field(line: &str, key: &str) -> Option<String> {
    value(line, key, [' ', '\u{1d}'].as_slice())
}

/// A field within `msg='…'`, which user programs write.
fn inner(line: &str, key: &str) -> Option<String> {
    value(line.split_once("msg='")?.1, key, &[' ', '\''])
}

fn value(line: &str, key: &str, ends: &[char]) -> Option<String> {
    let mut rest = line;
    loop {
        let at = rest.find(key)?;
        let before = rest[..at].chars().next_back().is_none_or(|c| matches!(c, ' ' | '\u{1d}' | '\''));
        let after = &rest[at + key.len()..];
        match after.strip_prefix('=').filter(|_| before) {
            Some(value) => return Some(decode(value, key, ends)),
            None => rest = after,
        }
    }
}

fn decode(value: &str, key: &str, ends: &[char]) -> String {
    if let Some(quoted) = value.strip_prefix('"') {
        return quoted.split('"').next().unwrap_or_default().to_owned();
    }
    let plain = value.split(ends).next().unwrap_or_default();
    let encoded = matches!(key, "name" | "cwd" | "exe" | "comm" | "acct" | "grp") && plain.len().is_multiple_of(2);
    let bytes = || {
        (0..plain.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(plain.get(at..at + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()
    };
    match encoded.then(bytes).flatten().filter(|b| !b.is_empty()) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records as auditd of Debian 12 writes them.
    const REAL: &str = "\
type=SYSCALL msg=audit(1700000000.100:10): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=55d0 a2=80000 a3=0 items=1 ppid=1 pid=2 auid=1000 uid=0 gid=0 euid=0 tty=pts0 ses=3 comm=\"cat\" exe=\"/usr/bin/cat\" subj=unconfined key=\"etc\"\n\
type=CWD msg=audit(1700000000.100:10): cwd=\"/root\"\n\
type=PATH msg=audit(1700000000.100:10): item=0 name=\"/etc/motd\" inode=1 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL\n\
type=SYSCALL msg=audit(1700000001.200:11): arch=c000003e syscall=90 success=yes exit=0 a0=55d0 a1=1b6 a2=0 a3=0 items=1 ppid=1 pid=3 auid=1000 uid=0 gid=0 euid=0 tty=pts0 ses=3 comm=\"chmod\" exe=\"/usr/bin/chmod\" subj=unconfined key=\"etc\"\n\
type=CWD msg=audit(1700000001.200:11): cwd=\"/etc\"\n\
type=PATH msg=audit(1700000001.200:11): item=0 name=\"motd\" inode=1 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL\n\
type=SYSCALL msg=audit(1700000002.300:12): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=55d0 a2=241 a3=1b6 items=2 ppid=1 pid=4 auid=4294967295 uid=0 gid=0 euid=0 tty=(none) ses=4294967295 comm=\"cron job\" exe=2F6F70742F612062 key=\"etc\"\u{1d}ARCH=x86_64 SYSCALL=openat AUID=\"unset\" UID=\"root\"\n\
type=PATH msg=audit(1700000002.300:12): item=1 name=2F6574632F612062 inode=2 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=CREATE\n\
type=SYSCALL msg=audit(1700000003.400:13): arch=c000003e syscall=90 success=no exit=-1 items=1 auid=1001 uid=1001 comm=\"chmod\" exe=\"/usr/bin/chmod\" key=\"etc\"\n\
type=PATH msg=audit(1700000003.400:13): item=0 name=\"/etc/motd\" inode=1 nametype=NORMAL\n\
type=ADD_USER msg=audit(1700000004.500:14): pid=9 uid=0 auid=1000 ses=3 subj=unconfined msg='op=adding user acct=\"eve\" exe=\"/usr/sbin/useradd\" hostname=h addr=? terminal=pts/0 res=success'\u{1d}UID=\"root\" AUID=\"joe\"\n";

    /// Account, program, what, when.
    type Told = (Option<String>, Option<String>, String, Option<i64>);

    fn found(path: &str, account: Option<&str>) -> Vec<Told> {
        let name = |uid: &str| (uid == "1000").then(|| "joe".to_owned());
        let traces = search(REAL, &[Path::new(path)], account, &name);
        traces.into_iter().map(|t| (t.account, t.program, t.what, t.at)).collect()
    }

    #[test]
    fn who_changed_a_path_and_by_which_program() {
        // The look by cat and the attempt that failed are no changes; the name is relative to where chmod ran.
        assert_eq!(
            found("/etc/motd", None),
            [(
                Some("joe".into()),
                Some("/usr/bin/chmod".into()),
                "changed /etc/motd".into(),
                Some(1_700_000_001_200_000)
            )]
        );
    }

    #[test]
    fn odd_names_are_decoded_and_services_are_nobody_who_logged_in() {
        let by = "created /etc/a b, by nobody who had logged in".to_owned();
        assert_eq!(found("/etc/a b", None), [(None, Some("/opt/a b".into()), by, Some(1_700_000_002_300_000))]);
    }

    #[test]
    fn an_account_that_was_added_is_found_by_its_name() {
        let added = found("/etc/passwd", Some("eve"));
        assert_eq!(added.len(), 1, "{added:?}");
        assert_eq!((added[0].0.as_deref(), added[0].1.as_deref()), (Some("joe"), Some("/usr/sbin/useradd")));
        assert!(found("/etc/passwd", Some("mallory")).is_empty());
    }

    #[test]
    fn a_log_that_was_rotated_begins_with_the_end_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log").to_str().unwrap().to_owned();
        let whole = || log(&path).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(whole(), None);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(whole().unwrap(), "new\n");
        std::fs::write(format!("{path}.1"), "old\n").unwrap();
        assert_eq!(whole().unwrap(), "old\nnew\n");
        std::fs::write(format!("{path}.1"), format!("{}last\n", "0123456\n".repeat(TAIL as usize / 8))).unwrap();
        let text = whole().unwrap();
        assert!(text.starts_with("0123456\n") && text.ends_with("0123456\nlast\nnew\n"), "{}", text.len());
        assert!(text.len() as u64 <= TAIL && text.len() as u64 > TAIL - 16);
        std::fs::write(&path, "x\n".repeat(TAIL as usize)).unwrap();
        assert!(!whole().unwrap().contains("last"));
    }

    #[test]
    fn what_is_no_log_is_no_harm() {
        let none = |_: &str| None;
        for log in [
            "",
            "audit(",
            "type=PATH msg=audit(x:y): name=",
            "type=PATH msg=audit(1.2:3): name=\"/x\"",
            "name=\u{1d}audit()",
        ] {
            assert!(search(log, &[Path::new("/x")], Some("x"), &none).is_empty(), "{log}");
        }
    }
}
