//! rpm's database, by one `rpm -qa` (rpm(8), rpm-queryformat(7)), and what dnf adds to it: who asked for a package, what is
//! protected, what is locked.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use rectify_core::module::{Command, HostResult, InstalledPackage, Manager, PackageDb, PackageStatus};

use super::{super::Live, failed};

/// What the database depends on; rpm keeps it here or there, and in one of several formats.
pub(super) const FILES: [&str; 11] = [
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/var/lib/rpm/Packages",
    "/var/lib/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/var/lib/dnf/history.sqlite",
    "/etc/dnf/protected.d",
    "/etc/yum/protected.d",
    LOCKS,
];

const LOCKS: &str = "/etc/dnf/plugins/versionlock.list";
const PROTECTED: [&str; 2] = ["/etc/dnf/protected.d", "/etc/yum/protected.d"];

/// Between fields, between the parts of a field, between packages: control characters that stand in no name.
const FIELD: char = '\u{1f}';
const PART: char = '\u{1e}';
const PACKAGE: char = '\u{1d}';

/// Everything that rpm knows.
pub(super) fn read(live: &Live) -> HostResult<PackageDb> {
    let format = format!(
        "%{{NAME}}{FIELD}%{{ARCH}}{FIELD}%{{EPOCHNUM}}{FIELD}%{{VERSION}}-%{{RELEASE}}{FIELD}%{{SIZE}}{FIELD}%{{GROUP}}\
         {FIELD}[%{{REQUIRENAME}}{PART}]{FIELD}[%{{RECOMMENDNAME}}{PART}]{FIELD}[%{{PROVIDENAME}}{PART}]{FIELD}\
         %{{INSTALLTIME}}{PACKAGE}"
    );
    let output = live.machinery_raw(&Command::new(["rpm", "-qa", "--qf", &format]))?;
    if output.code != 0 {
        return Err(failed("rpm -qa", &output));
    }
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut db = parse(&String::from_utf8_lossy(&output.stdout), &uname.machine().to_string_lossy(), &asked_for(live)?);
    let mut protected = patterns(&PROTECTED);
    protected.push("dnf".into());
    let locks = lines(Path::new(LOCKS));
    for package in db.packages.values_mut() {
        package.essential = protected.iter().any(|p| matches(p, &package.name)) || runs(package, &release);
        package.held = locks.iter().any(|l| locked(l, &package.name));
    }
    own_required_files(live, &mut db);
    Ok(db)
}

/// `NAME.ARCH` of what a person, and not a dependency, brought in.
fn asked_for(live: &Live) -> HostResult<HashSet<String>> {
    let words = ["dnf", "-C", "-q", "repoquery", "--userinstalled", "--qf", "%{name}.%{arch}\n"];
    let output = live.machinery_raw(&Command::new(words))?;
    if output.code != 0 {
        return Err(failed("dnf -C repoquery --userinstalled", &output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect())
}

fn parse(text: &str, native: &str, asked_for: &HashSet<String>) -> PackageDb {
    // Several versions of one package (kernels) may be there: the youngest has the plain name.
    let mut found: Vec<(u64, InstalledPackage)> =
        text.split(PACKAGE).filter_map(|record| package(record, asked_for)).collect();
    rectify_core::small::sort_by_key(&mut found, |(installed, _)| std::cmp::Reverse(*installed));
    let mut packages = BTreeMap::new();
    for (_, package) in found {
        let foreign = package.arch != native && package.arch != "noarch";
        let key = if foreign { format!("{}:{}", package.name, package.arch) } else { package.name.clone() };
        let key = if packages.contains_key(&key) { format!("{key}-{}", package.version) } else { key };
        packages.insert(key, package);
    }
    PackageDb { manager: Manager::Dnf, arch: native.to_owned(), packages }
}

fn package(record: &str, asked_for: &HashSet<String>) -> Option<(u64, InstalledPackage)> {
    let fields: Vec<&str> = record.split(FIELD).collect();
    let [name, arch, epoch, version, size, group, requires, recommends, provides, installed] = fields.as_slice() else {
        return None;
    };
    // Keys for signatures are kept in the same database.
    if *name == "gpg-pubkey" {
        return None;
    }
    let parts = |list: &str| -> BTreeSet<String> {
        rectify_core::small::gather(list.split(PART).filter(|p| !p.is_empty()).map(str::to_owned))
    };
    let mut provides = parts(provides);
    provides.remove(*name);
    let package = InstalledPackage {
        name: (*name).to_owned(),
        arch: (*arch).to_owned(),
        version: if *epoch == "0" { (*version).to_owned() } else { format!("{epoch}:{version}") },
        status: PackageStatus::Installed,
        manual: asked_for.contains(&format!("{name}.{arch}")),
        essential: false,
        held: false,
        requires: parts(requires).iter().filter(|r| !r.starts_with("rpmlib(")).flat_map(|r| relation(r)).collect(),
        recommends: parts(recommends).iter().flat_map(|r| relation(r)).collect(),
        provides: provides.into_iter().collect(),
        section: (*group).to_owned(),
        size_kib: size.parse::<u64>().unwrap_or(0).div_ceil(1024),
    };
    Some((installed.parse().unwrap_or(0), package))
}

/// A requirement; a rich one (`(a or b)`, `(a if b)`) by its alternatives, or by what it needs at most.
fn relation(text: &str) -> Vec<Vec<String>> {
    let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else {
        return vec![vec![text.to_owned()]];
    };
    let words: Vec<&str> = inner.split_ascii_whitespace().map(|w| w.trim_matches(['(', ')'])).collect();
    let mut groups: Vec<Vec<String>> = vec![Vec::new()];
    let mut expect_name = true;
    for word in words {
        match word {
            "or" => expect_name = true,
            "and" | "with" => {
                groups.push(Vec::new());
                expect_name = true;
            }
            // What follows is a condition, and no requirement.
            "if" | "unless" | "without" => break,
            // A comparison (`>= 1.0`) belongs to the name before it.
            name if expect_name => {
                groups.last_mut().expect("begins with one group").push(name.to_owned());
                expect_name = false;
            }
            _ => {}
        }
    }
    groups.retain(|g| !g.is_empty());
    groups
}

/// A requirement may be a path, and its owner need not declare that it provides it: the owners are asked for.
fn own_required_files(live: &Live, db: &mut PackageDb) {
    let provided: HashSet<&String> = db.packages.values().flat_map(|p| &p.provides).collect();
    let wanted: BTreeSet<String> = db
        .packages
        .values()
        .flat_map(|p| p.requires.iter().chain(&p.recommends).flatten())
        .filter(|r| r.starts_with('/') && !provided.contains(r))
        .cloned()
        .collect();
    let wanted: Vec<String> = wanted.into_iter().collect();
    let owners = |paths: &[String]| -> Vec<String> {
        let mut command = Command::new(["rpm", "-qf", "--qf", "%{NAME}\n", "--"]);
        command.argv.extend(paths.iter().cloned());
        let output = live.machinery_raw(&command).unwrap_or_default();
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    };
    if wanted.is_empty() {
        return;
    }
    let all = owners(&wanted);
    let pairs: Vec<(String, String)> = if all.len() == wanted.len() && !all.iter().any(|o| o.contains(' ')) {
        wanted.into_iter().zip(all).collect()
    } else {
        // One without an owner, or with several: which answer belongs to which question shows only one by one.
        wanted
            .into_iter()
            .flat_map(|p| owners(std::slice::from_ref(&p)).into_iter().map(move |o| (p.clone(), o)))
            .collect()
    };
    for (path, owner) in pairs {
        for package in db.packages.values_mut().filter(|p| p.name == owner) {
            package.provides.push(path.clone());
        }
    }
}

/// Whether this is the kernel that runs: dnf does not remove it.
fn runs(package: &InstalledPackage, release: &str) -> bool {
    package.name.starts_with("kernel") && release == format!("{}.{}", package.version, package.arch)
}

fn patterns(folders: &[&str]) -> Vec<String> {
    let files = folders.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten().map(|e| e.path());
    files.filter(|p| p.extension().is_some_and(|e| e == "conf")).flat_map(|p| lines(&p)).collect()
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect()
}

/// Whether a line of versionlock's list (`name-epoch:version-release.arch`) locks this package.
fn locked(line: &str, name: &str) -> bool {
    // `!` excludes one version, and leaves the rest free.
    let mut parts = line.rsplitn(3, '-');
    let (_, _, pattern) = (parts.next(), parts.next(), parts.next());
    !line.starts_with('!') && pattern.is_some_and(|p| matches(p, name))
}

/// A shell pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    fn at(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some(b'*'), _) => at(&pattern[1..], name) || (!name.is_empty() && at(pattern, &name[1..])),
            (Some(b'?'), Some(_)) => at(&pattern[1..], &name[1..]),
            (Some(p), Some(n)) => p == n && at(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    at(pattern.as_bytes(), name.as_bytes())
}

/// The paths that a package owns. None survives its removal: rpm renames configuration that was changed (`.rpmsave`).
pub(super) fn files(live: &Live, package: &InstalledPackage) -> HostResult<Vec<(PathBuf, bool)>> {
    let version = package.version.split_once(':').map_or(package.version.as_str(), |(_, v)| v);
    let full = format!("{}-{version}.{}", package.name, package.arch);
    let output = live.machinery_raw(&Command::new(["rpm", "-q", "--qf", "[%{FILENAMES}\\n]", "--", &full]))?;
    if output.code != 0 {
        return Err(failed(&format!("rpm -q {full}"), &output));
    }
    let paths = output.stdout.split(|b| *b == b'\n').filter(|l| l.starts_with(b"/"));
    Ok(paths.map(|l| (PathBuf::from(std::ffi::OsString::from_vec(l.to_vec())), false)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded with rpm 4.18, `|` for the field, `,` for the part and a line's end for the package.
    const RECORDED: &str = "glibc|x86_64|0|2.34-125.el9|36320|Unspecified|rpmlib(FileDigests),||glibc,glibc(x86-64),|10
httpd|x86_64|0|2.4.62-1.el9|4702611|System|/bin/sh,/bin/sh,bash,(mod_ssl or mod_nss >= 1),||httpd,webserver,|11
bind|x86_64|32|9.16.23-1.el9|5|Unspecified||(selinux-policy if systemd),|bind,|12
kernel-core|x86_64|0|5.14.0-1.el9|0|Unspecified|||kernel-core,|20
kernel-core|x86_64|0|5.14.0-2.el9|0|Unspecified|||kernel-core,|30
glibc|i686|0|2.34-125.el9|36320|Unspecified|||glibc,|10
gpg-pubkey|(none)|0|1-2|0|Public Keys|||gpg(x),|1
";

    #[test]
    fn the_bulk_query_is_understood() {
        let text = RECORDED.replace('|', "\u{1f}").replace(',', "\u{1e}").replace('\n', "\u{1d}");
        let db = parse(&text, "x86_64", &HashSet::from(["httpd.x86_64".to_owned()]));
        let names: Vec<&String> = db.packages.keys().collect();
        assert_eq!(names, ["bind", "glibc", "glibc:i686", "httpd", "kernel-core", "kernel-core-5.14.0-1.el9"]);
        let httpd = &db.packages["httpd"];
        assert!(httpd.manual && !db.packages["glibc"].manual);
        let expected: [&[&str]; 3] = [&["mod_ssl", "mod_nss"], &["/bin/sh"], &["bash"]];
        assert_eq!(httpd.requires, expected);
        assert_eq!((httpd.provides.as_slice(), httpd.size_kib), (["webserver".to_owned()].as_slice(), 4593));
        assert_eq!(db.packages["glibc"].requires, Vec::<Vec<String>>::new());
        assert_eq!(db.packages["bind"].version, "32:9.16.23-1.el9");
        assert_eq!(db.packages["bind"].recommends, [["selinux-policy"]]);
        assert_eq!(db.packages["kernel-core"].version, "5.14.0-2.el9");
        assert!(runs(&db.packages["kernel-core"], "5.14.0-2.el9.x86_64"));
        assert!(!runs(&db.packages["kernel-core-5.14.0-1.el9"], "5.14.0-2.el9.x86_64"));
    }

    #[test]
    fn locks_and_protection_are_patterns() {
        assert!(locked("bash-0:5.1.8-9.el9.*", "bash"));
        assert!(locked("php-*-0:8.0.30-1.*", "php-cli"));
        assert!(!locked("bash-completion-0:1-2.*", "bash"));
        assert!(!locked("!bash-0:5.1.8-9.el9.*", "bash"));
        assert!(matches("kernel*", "kernel-core") && matches("dnf", "dnf") && !matches("dnf", "dnf-data"));
    }
}
