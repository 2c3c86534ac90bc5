//! apt-get(8) and apt-cache(8).

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use indexmap::IndexMap;
use rectify_core::module::{Command, HostError, HostResult, PackageChange, PackageDb, PackageRequest, Transaction};

use super::{super::Live, bad_name, contains, dpkg, failed, patiently, satisfied};

const LISTS: &str = "/var/lib/apt/lists";

/// What may tell that the index was fetched.
const FETCHED: [&str; 3] = [LISTS, "/var/lib/apt/lists/partial", "/var/lib/apt/periodic/update-success-stamp"];

/// What apt's own cache is made from.
const SOURCES: [&str; 4] = [dpkg::STATUS, LISTS, "/etc/apt/sources.list", "/etc/apt/sources.list.d"];

/// The verb and its words, or `None` if there is nothing to ask apt for.
fn words(db: &PackageDb, request: &PackageRequest) -> HostResult<Option<Vec<String>>> {
    let mut install = Vec::new();
    for spec in &request.install {
        check(&spec.name)?;
        if let Some(version) = spec.version.as_deref().filter(|v| !is_version(v)) {
            return Err(HostError::Unsupported(format!("'{version:?}' is no version of a package")));
        }
        let same = |p: &rectify_core::module::InstalledPackage, version: &str| p.version == version;
        let there = satisfied(db, spec, same);
        match (&spec.version, db.installed(&spec.name)) {
            // Asked for from now on, in the version that it has.
            (_, Some(package)) if there && !package.manual => {
                install.push(format!("{}={}", spec.name, package.version))
            }
            _ if there => {}
            (Some(version), _) => install.push(format!("{}={version}", spec.name)),
            (None, _) => install.push(spec.name.clone()),
        }
    }
    for name in &request.latest {
        check(name)?;
        install.push(name.clone());
    }
    let mut remove = Vec::new();
    for name in &request.remove {
        check(name)?;
        // What is not there is gone already; apt would call it an error.
        if db.installed(name).is_some() || (request.purge && db.packages.contains_key(name)) {
            remove.push(name.clone());
        }
    }
    let verb = match (install.is_empty(), remove.is_empty()) {
        (false, _) => "install",
        (true, false) => "remove",
        (true, true) if request.autoremove => "autoremove",
        (true, true) => return Ok(None),
    };
    let mut words = vec![verb.to_owned()];
    if request.autoremove && verb != "autoremove" {
        words.push("--auto-remove".into());
    }
    if request.purge {
        words.push("--purge".into());
    }
    if request.allow_downgrade {
        words.push("--allow-downgrades".into());
    }
    if let Some(recommends) = request.recommends {
        words.extend(["-o".into(), format!("APT::Install-Recommends={recommends}")]);
    }
    if let Some(release) = &request.default_release {
        if release.is_empty()
            || release.starts_with('-')
            || release.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return Err(HostError::Unsupported(format!("{release:?} is no release to prefer")));
        }
        words.extend(["-t".into(), release.clone()]);
    }
    words.push("--".into());
    words.extend(install);
    // A minus at the end removes, also beside installations (apt-get(8)).
    let minus = if verb == "install" { "-" } else { "" };
    words.extend(remove.into_iter().map(|name| format!("{name}{minus}")));
    Ok(Some(words))
}

/// A name of Debian's (policy 5.6.7, with an architecture), or the path of a package file. Everything else apt would take for
/// a pattern, a task or an option.
fn check(name: &str) -> HostResult<()> {
    if name.starts_with('/') && name.ends_with(".deb") && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let (stem, arch) = name.split_once(':').unwrap_or((name, "any"));
    let fine = stem.starts_with(|c: char| c.is_ascii_alphanumeric())
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
        && !arch.is_empty()
        && arch.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fine { Ok(()) } else { Err(bad_name(name)) }
}

/// A version, perhaps with apt's `*` at its end.
fn is_version(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.~:*".contains(&b))
}

fn command(options: &[&str], words: Vec<String>) -> Command {
    let fixed = ["apt-get", "-y", "-q", "-o", "APT::Cmd::Pattern-Only=true"];
    let mut command = Command::new(fixed.iter().chain(options).copied());
    command.argv.extend(words);
    for (key, value) in [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        // needrestart only lists: what is restarted is the playbook's business.
        ("NEEDRESTART_MODE", "l"),
    ] {
        command.env.insert(key.into(), value.into());
    }
    command
}

fn shown(words: &[String]) -> String {
    format!("apt-get {}", words.join(" "))
}

fn refuse_interrupted(words: &[String]) -> HostResult<()> {
    if !dpkg::interrupted() {
        return Ok(());
    }
    Err(HostError::Io {
        action: "running".into(),
        object: shown(words),
        message:
            "dpkg was interrupted on this host in an earlier change of packages: run `dpkg --configure -a` there first"
                .into(),
        errno: None,
    })
}

/// Options that keep apt from writing its cache in a check, if it would.
fn read_only() -> Vec<&'static str> {
    let newest = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let cache = newest(Path::new("/var/cache/apt/pkgcache.bin"));
    let fresh = cache.is_some_and(|cache| SOURCES.iter().filter_map(|p| newest(Path::new(p))).all(|m| m < cache));
    if fresh { Vec::new() } else { vec!["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="] }
}

/// What apt itself says it would do.
pub(super) fn resolve(live: &Live, db: &PackageDb, request: &PackageRequest) -> HostResult<Transaction> {
    let Some(words) = words(db, request)? else { return Ok(Transaction::default()) };
    refuse_interrupted(&words)?;
    let program = shown(&words);
    let mut options = vec!["-s", "-o", "Debug::NoLocking=1", "-o", "Dir::Log::Planner=/dev/null"];
    options.extend(read_only());
    let output = live.machinery_raw(&command(&options, words))?;
    if output.code != 0 {
        return Err(failed(&program, &output));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout), db))
}

/// The `Inst`, `Remv` and `Purg` lines of a simulation.
fn parse(text: &str, db: &PackageDb) -> Transaction {
    let mut changes: Vec<PackageChange> = text
        .lines()
        .filter_map(|line| {
            let (verb, rest) = line.split_once(' ')?;
            let name = rest.split_ascii_whitespace().next()?;
            let from = db.installed(name).map(|p| p.version.clone());
            let to = match verb {
                "Inst" => Some(rest.split_once('(')?.1.split_ascii_whitespace().next()?.to_owned()),
                "Remv" | "Purg" => None,
                _ => return None,
            };
            Some(PackageChange { name: name.to_owned(), from, to, purge: verb == "Purg" })
        })
        .collect();
    rectify_core::small::sort(&mut changes);
    // A package that is purged may be listed as removed first.
    changes.dedup_by(|b, a| {
        let same = a.name == b.name && a.to.is_none() && b.to.is_none();
        a.purge |= same && b.purge;
        same
    });
    Transaction { changes }
}

/// Runs one transaction. What removes an essential package apt refuses: the option to allow it is never given.
pub(super) fn transact(live: &Live, db: &PackageDb, request: &PackageRequest) -> HostResult<()> {
    if let Some(seconds) = request.refresh {
        refresh(live, seconds)?;
    }
    let Some(words) = words(db, request)? else { return Ok(()) };
    refuse_interrupted(&words)?;
    let program = shown(&words);
    let options = [
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
        "-o",
        "DPkg::Lock::Timeout=60",
    ];
    let output = patiently(live, &command(&options, words), true)?;
    if output.code == 0 { Ok(()) } else { Err(failed(&program, &output)) }
}

/// Fetches the index if it is `seconds` old or older.
fn refresh(live: &Live, seconds: u64) -> HostResult<()> {
    let age =
        |path: &&str| std::fs::metadata(path).and_then(|m| m.modified()).ok()?.elapsed().ok().map(|d| d.as_secs());
    if seconds > 0 && FETCHED.iter().filter_map(age).min().is_some_and(|age| age < seconds) && has_lists() {
        return Ok(());
    }
    // Without this a repository that cannot be reached is a mere warning.
    let options = ["-o", "APT::Update::Error-Mode=any"];
    let output = patiently(live, &command(&options, vec!["update".into()]), true)?;
    if output.code != 0 {
        return Err(failed("apt-get update", &output));
    }
    // An index that had not changed leaves no trace of having been asked for.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    super::super::files::change::set_times(Path::new(LISTS), Some(now), None)
}

/// Whether anything was ever fetched: image builders empty the folder.
fn has_lists() -> bool {
    let Ok(entries) = std::fs::read_dir(LISTS) else { return false };
    entries.flatten().any(|e| {
        let name = e.file_name();
        contains(name.as_encoded_bytes(), "_Packages") || contains(name.as_encoded_bytes(), "_InRelease")
    })
}

/// The newest version of each, in one question for all.
pub(super) fn candidates(live: &Live, names: &[String]) -> HostResult<IndexMap<String, String>> {
    for name in names {
        check(name)?;
    }
    let mut command = Command::new(["apt-cache"].into_iter().chain(read_only()).chain(["policy", "--"]));
    command.argv.extend(names.iter().cloned());
    let output = live.machinery_raw(&command)?;
    if output.code != 0 {
        return Err(failed("apt-cache policy", &output));
    }
    let found = parse_policy(&String::from_utf8_lossy(&output.stdout));
    // In the order asked; a question for several may answer with other architectures too.
    Ok(names.iter().filter_map(|n| Some((n.clone(), found.get(n)?.clone()))).collect())
}

fn parse_policy(text: &str) -> IndexMap<String, String> {
    let mut found = IndexMap::new();
    let mut current = None;
    for line in text.lines() {
        if !line.starts_with(' ') {
            current = line.strip_suffix(':').map(str::to_owned);
        } else if let Some(version) = line.trim().strip_prefix("Candidate: ")
            && version != "(none)"
            && let Some(name) = current.take()
        {
            found.insert(name, version.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rectify_core::module::{InstalledPackage, Manager, PackageSpec, PackageStatus};

    use super::{
        super::fixture::{change, db, package},
        *,
    };

    fn spec(name: &str, version: Option<&str>) -> PackageSpec {
        PackageSpec { name: name.into(), version: version.map(Into::into) }
    }

    fn some_db() -> PackageDb {
        let auto = InstalledPackage { manual: false, ..package("auto", "3") };
        let left = InstalledPackage { status: PackageStatus::ConfigFiles, ..package("left", "1") };
        db(Manager::Apt, [package("wget", "1.21.3-1+deb12u1"), package("curl", "7.88"), auto, left])
    }

    fn joined(request: &PackageRequest) -> String {
        words(&some_db(), request).unwrap().map(|w| w.join(" ")).unwrap_or_default()
    }

    #[test]
    fn what_is_there_is_not_named_again() {
        let install = vec![spec("wget", None), spec("new", None), spec("curl", Some("8.0")), spec("auto", None)];
        let request = PackageRequest { install, ..PackageRequest::default() };
        assert_eq!(joined(&request), "install -- new curl=8.0 auto=3");
        let request = PackageRequest { install: vec![spec("wget", None)], ..PackageRequest::default() };
        assert_eq!(joined(&request), "");
        let request = PackageRequest { latest: vec!["wget".into()], ..PackageRequest::default() };
        assert_eq!(joined(&request), "install -- wget");
    }

    #[test]
    fn installs_and_removals_are_one_question() {
        let request = PackageRequest {
            install: vec![spec("new", None)],
            remove: vec!["wget".into(), "gone".into(), "left".into()],
            autoremove: true,
            ..PackageRequest::default()
        };
        assert_eq!(joined(&request), "install --auto-remove -- new wget-");
        let request = PackageRequest { install: Vec::new(), purge: true, autoremove: false, ..request };
        assert_eq!(joined(&request), "remove --purge -- wget left");
        let request = PackageRequest { autoremove: true, ..PackageRequest::default() };
        assert_eq!(joined(&request), "autoremove --");
    }

    #[test]
    fn patterns_and_options_are_no_names() {
        for name in ["", "-y", "php*", "a b", "?all", "~i", "lamp^", "a=1", "a:", "a\nb", "../x.deb", "/etc/passwd"] {
            assert!(check(name).is_err(), "{name:?}");
        }
        for name in ["g++", "libc6:i386", "python3.11", "/tmp/a package.deb"] {
            assert!(check(name).is_ok(), "{name:?}");
        }
    }

    /// Recorded with apt 2.6.1, Debian 12: `apt-get -s -y -q install -- php8.2-cli wget-`, and the like.
    const MIXED: &str = "Reading package lists...
Building dependency tree...
The following packages will be REMOVED:
  wget
0 upgraded, 5 newly installed, 1 to remove and 119 not upgraded.
Remv wget [1.21.3-1+deb12u1]
Inst php-common (2:93 Debian:12.15/oldstable [all])
Inst curl [7.88] (8.0-1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Inst libc6:i386 (2.36-9 Debian:12.15/oldstable [i386])
Conf php-common (2:93 Debian:12.15/oldstable [all])
Purg left [1]
Purg auto [3]
";

    #[test]
    fn a_simulation_is_understood() {
        let expected = vec![
            change("auto", Some("3"), None, true),
            change("curl", Some("7.88"), Some("8.0-1"), false),
            change("left", None, None, true),
            change("libc6:i386", None, Some("2.36-9"), false),
            change("php-common", None, Some("2:93"), false),
            change("wget", Some("1.21.3-1+deb12u1"), None, false),
        ];
        assert_eq!(parse(MIXED, &some_db()).changes, expected);
        let twice = "Remv wget [1]\nPurg wget [1]\n";
        assert_eq!(parse(twice, &some_db()).changes, [change("wget", Some("1.21.3-1+deb12u1"), None, true)]);
    }

    /// Recorded with apt 2.6.1; `awk` is virtual, a name that is not known is left out by apt itself.
    const POLICY: &str = "curl:
  Installed: 7.88.1-10+deb12u15
  Candidate: 7.88.1-10+deb12u16
  Version table:
     7.88.1-10+deb12u16 500
        500 file:/srv/repo ./ Packages
 *** 7.88.1-10+deb12u15 100
        100 /var/lib/dpkg/status
awk:
  Installed: (none)
  Candidate: (none)
  Version table:
apache2:
  Installed: (none)
  Candidate: 2.4.71-1~deb12u1
  Version table:
";

    #[test]
    fn candidates_are_read_for_all_at_once() {
        let found = parse_policy(POLICY);
        assert_eq!(found.get("curl").map(String::as_str), Some("7.88.1-10+deb12u16"));
        assert_eq!(found.get("apache2").map(String::as_str), Some("2.4.71-1~deb12u1"));
        assert_eq!(found.len(), 2);
    }
}
