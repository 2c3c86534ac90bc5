//! dpkg's own files, read directly (deb-control(5), dpkg(1), apt's extended_states): milliseconds, and no process.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use rectify_core::{
    module::{HostError, HostResult, InstalledPackage, Manager, PackageDb, PackageStatus},
    small::gather,
};

use super::{super::files::look, bad_name};

pub(super) const STATUS: &str = "/var/lib/dpkg/status";
const EXTENDED: &str = "/var/lib/apt/extended_states";
const INFO: &str = "/var/lib/dpkg/info";

/// What the database depends on.
pub(super) const FILES: [&str; 2] = [STATUS, EXTENDED];

/// The most that one of the files may hold; a full Debian desktop has 6 MiB.
const LARGEST: u64 = 256 << 20;

/// Everything that dpkg knows.
pub(super) fn read() -> HostResult<PackageDb> {
    let text = |path: &str| -> HostResult<String> {
        let bytes = look::read(Path::new(path), LARGEST)?;
        Ok(bytes.map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default())
    };
    Ok(parse(&text(STATUS)?, &text(EXTENDED)?))
}

/// The fields of one paragraph that are of interest, continuation lines left out.
fn fields(paragraph: &str) -> BTreeMap<&str, &str> {
    let lines = paragraph.lines().filter(|l| !l.starts_with([' ', '\t']));
    gather(lines.filter_map(|l| l.split_once(':')).map(|(key, value)| (key, value.trim())))
}

fn parse(status: &str, extended: &str) -> PackageDb {
    let automatic: HashSet<(&str, &str)> = extended
        .split("\n\n")
        .map(fields)
        .filter(|f| f.get("Auto-Installed") == Some(&"1"))
        .filter_map(|f| Some((*f.get("Package")?, *f.get("Architecture")?)))
        .collect();
    let paragraphs: Vec<_> = status.split("\n\n").map(fields).collect();
    let native = paragraphs
        .iter()
        .find(|f| f.get("Package") == Some(&"dpkg"))
        .and_then(|f| f.get("Architecture").copied())
        .unwrap_or_default()
        .to_owned();
    let packages = gather(paragraphs.iter().filter_map(|f| package(f, &native, &automatic)).map(|p| {
        let foreign = p.arch != native && p.arch != "all";
        (if foreign { format!("{}:{}", p.name, p.arch) } else { p.name.clone() }, p)
    }));
    PackageDb { manager: Manager::Apt, arch: native, packages }
}

fn package(f: &BTreeMap<&str, &str>, native: &str, automatic: &HashSet<(&str, &str)>) -> Option<InstalledPackage> {
    let get = |key: &str| f.get(key).copied().unwrap_or_default();
    let mut words = get("Status").split_ascii_whitespace();
    let (want, flag, state) = (words.next()?, words.next()?, words.next()?);
    let status = match state {
        "not-installed" => return None,
        "config-files" => PackageStatus::ConfigFiles,
        "installed" | "triggers-awaited" | "triggers-pending" if flag == "ok" => PackageStatus::Installed,
        _ => PackageStatus::Broken,
    };
    let (name, arch) = (*f.get("Package")?, get("Architecture"));
    // apt keeps its marks of `all` packages under the native architecture.
    let marked = automatic.contains(&(name, if arch == "all" { native } else { arch }));
    let mut requires = relations(get("Pre-Depends"));
    requires.extend(relations(get("Depends")));
    Some(InstalledPackage {
        name: name.to_owned(),
        arch: arch.to_owned(),
        version: get("Version").to_owned(),
        status,
        manual: !marked,
        essential: get("Essential") == "yes" || get("Protected") == "yes",
        held: want == "hold",
        requires,
        recommends: relations(get("Recommends")),
        provides: relations(get("Provides")).into_iter().flatten().collect(),
        section: get("Section").to_owned(),
        size_kib: get("Installed-Size").parse().unwrap_or(0),
    })
}

/// `a (>= 1) | b:any, c [amd64]` without versions and qualifiers (deb-control(5)).
fn relations(text: &str) -> Vec<Vec<String>> {
    let name = |alternative: &str| {
        let word = alternative.trim().split([' ', '(', '[', '<']).next().unwrap_or_default();
        word.split(':').next().unwrap_or_default().to_owned()
    };
    text.split(',')
        .map(|group| group.split('|').map(name).filter(|n| !n.is_empty()).collect::<Vec<_>>())
        .filter(|group| !group.is_empty())
        .collect()
}

/// The paths that a package owns, and whether each is configuration, which stays until a purge.
pub(super) fn files(package: &InstalledPackage) -> HostResult<Vec<(PathBuf, bool)>> {
    files_in(Path::new(INFO), package)
}

fn files_in(info: &Path, package: &InstalledPackage) -> HostResult<Vec<(PathBuf, bool)>> {
    // The name becomes part of a path.
    if package.name.contains('/') || package.arch.contains('/') {
        return Err(bad_name(&package.name));
    }
    let read = |kind: &str| -> HostResult<Option<String>> {
        for stem in [format!("{}.{kind}", package.name), format!("{}:{}.{kind}", package.name, package.arch)] {
            if let Some(bytes) = look::read(&info.join(stem), LARGEST)? {
                return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        Ok(None)
    };
    let Some(list) = read("list")? else {
        return Err(HostError::Io {
            action: "listing the files of the package".into(),
            object: package.name.clone(),
            message: format!("dpkg has no list of them in {}", info.display()),
            errno: None,
        });
    };
    let conffiles = read("conffiles")?.unwrap_or_default();
    // `remove-on-upgrade /path` is a word before the path.
    let kept: BTreeSet<&str> = gather(conffiles.lines().map(|l| l.rsplit(' ').next().unwrap_or(l)));
    Ok(list
        .lines()
        .filter(|l| l.starts_with('/') && *l != "/.")
        .map(|l| (PathBuf::from(l), kept.contains(l)))
        .collect())
}

/// Whether an earlier change of packages was cut off (dpkg then keeps its journal).
pub(super) fn interrupted() -> bool {
    let Ok(entries) = std::fs::read_dir("/var/lib/dpkg/updates") else { return false };
    entries.flatten().any(|e| e.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Package: dpkg
Essential: yes
Status: install ok installed
Section: admin
Installed-Size: 6447
Architecture: amd64
Version: 1.21.22
Pre-Depends: libc6 (>= 2.34), tar (>= 1.28-1)
Description: Debian package management system
 Depends: not a field

Package: mail
Status: hold ok installed
Architecture: all
Multi-Arch: foreign
Version: 1:2-3
Depends: exim4 | postfix:any (>= 3) | mail-transport-agent, perl:any, libc6 [amd64] <!nocheck>
Recommends: curl
Provides: mailx, imap-client (= 2)

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: half
Status: install reinstreq half-installed
Architecture: amd64
Version: 1.0

Package: virtual
Status: unknown ok not-installed

Package: waiting
Status: install ok triggers-pending
Architecture: amd64
Version: 1.0
";
    const EXTENDED: &str = "Package: mail\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: dpkg\nArchitecture: amd64\n\
                            Auto-Installed: 0\n\n";

    #[test]
    fn the_status_file_is_understood() {
        let db = parse(STATUS, EXTENDED);
        assert_eq!(db.arch, "amd64");
        let names: Vec<&String> = db.packages.keys().collect();
        assert_eq!(names, ["dpkg", "gone", "half", "libc6:i386", "mail", "waiting"]);
        let dpkg = &db.packages["dpkg"];
        assert!(dpkg.essential && dpkg.manual && !dpkg.held);
        assert_eq!((dpkg.size_kib, dpkg.section.as_str()), (6447, "admin"));
        assert_eq!(dpkg.requires, [["libc6"], ["tar"]]);
        let mail = &db.packages["mail"];
        assert!(mail.held && !mail.manual && !mail.essential);
        assert_eq!(mail.version, "1:2-3");
        let expected: [&[&str]; 3] = [&["exim4", "postfix", "mail-transport-agent"], &["perl"], &["libc6"]];
        assert_eq!(mail.requires, expected);
        assert_eq!(
            (mail.recommends.as_slice(), mail.provides.as_slice()),
            ([vec!["curl".to_owned()]].as_slice(), ["mailx".to_owned(), "imap-client".to_owned()].as_slice())
        );
        assert_eq!(db.packages["gone"].status, PackageStatus::ConfigFiles);
        assert_eq!(db.packages["half"].status, PackageStatus::Broken);
        assert_eq!(db.packages["waiting"].status, PackageStatus::Installed);
        assert!(db.installed("gone").is_none());
    }

    #[test]
    fn configuration_is_told_from_the_rest() {
        let info = tempfile::tempdir().unwrap();
        std::fs::write(info.path().join("a:amd64.list"), "/.\n/etc\n/etc/a.conf\n/usr/bin/a\n").unwrap();
        std::fs::write(info.path().join("a:amd64.conffiles"), "/etc/a.conf\nremove-on-upgrade /etc/old\n").unwrap();
        let package = super::super::fixture::package("a", "1");
        let files = files_in(info.path(), &package).unwrap();
        let expected = [("/etc", false), ("/etc/a.conf", true), ("/usr/bin/a", false)];
        assert_eq!(files, expected.map(|(p, c)| (PathBuf::from(p), c)));
        assert!(files_in(info.path(), &super::super::fixture::package("b", "1")).is_err());
        assert!(files_in(info.path(), &super::super::fixture::package("../a", "1")).is_err());
    }
}
